//! What `ibv_devinfo -v` says of a device, through any door:
//! `cargo run -p doorbell-examples --example devinfo -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::program::main_of(&doorbell_examples::devinfo::SCENARIO)
}

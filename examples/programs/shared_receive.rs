//! Two queue pairs that receive from one queue, through any door:
//! `cargo run -p doorbell-examples --example shared_receive -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::program::main("shared-receive")
}

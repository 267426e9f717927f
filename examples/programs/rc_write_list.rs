//! `rc-write-list` as a program: `cargo run -p doorbell-examples --example rc_write_list -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::program::main("rc-write-list")
}

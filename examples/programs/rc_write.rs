//! `rc-write` as a program: `cargo run -p doorbell-examples --example rc_write -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::program::main("rc-write")
}

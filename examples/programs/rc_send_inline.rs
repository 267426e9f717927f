//! `rc-send-inline` as a program: `cargo run -p doorbell-examples --example rc_send_inline -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::program::main("rc-send-inline")
}

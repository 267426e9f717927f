//! Two processes count in one place, with fetch-and-add and compare-and-swap:
//! `cargo run -p doorbell-examples --example atomics -- --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorbell_examples::atomics::main()
}

//! The command `doorbell`. Exit codes: 0 if it did what was asked, 1 if it failed, 2 if the
//! command line was wrong.

use clap::Parser;
use doorbell::cli::Cli;
use doorbell::command::{Failure, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("doorbell: {failure}");
            ExitCode::FAILURE
        }
    }
}

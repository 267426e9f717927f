//! The command `doorbell`. Exit codes: 0 if it did what was asked, 1 if it failed, 2 if the
//! command line was wrong. `doorbell lab run` ends with the code of the command that it ran, and
//! `doorbell doctor` with 1 if no door leads to a real card.

use clap::Parser;
use doorbell::cli::Cli;
use doorbell::command::{Failure, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Ended(code)) => ExitCode::from(code),
        // The report has said it.
        Err(Failure::NoDoor) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("doorbell: {failure}");
            match failure {
                Failure::Lab { code, .. } => ExitCode::from(code),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

//! The command `doorbell`. Exit codes: 0 if it did what was asked, 1 if it failed, 2 if the
//! command line was wrong. `doorbell lab run` ends with the code of the command that it ran.

use clap::Parser;
use doorbell::cli::Cli;
use doorbell::command::{Failure, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Ended(code)) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("doorbell: {failure}");
            match failure {
                Failure::Lab { code, .. } => ExitCode::from(code),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

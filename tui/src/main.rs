//! The command `doorbell`. Exit codes: 0 if it did what was asked, 1 if it failed, 2 if the
//! command line was wrong. `doorbell step` as text fails if the program that it shows failed, other than a
//! scenario of the failure gallery is to. `doorbell lab run` ends with the code of the command that it ran,
//! `doorbell doctor` with 1 if no door leads to a real card, and `doorbell diff` with 1 if two
//! traces differ and with 2 if they cannot be compared.

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
                Failure::Compare(_) | Failure::Settings(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

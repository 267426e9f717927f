//! The frame of an example program: its options, its trace, its exit code.

use crate::{Device, Scenario, WhatIf, record_with, scenario};
use clap::Parser;
use doorbell_tracer::file;
use std::path::PathBuf;
use std::process::ExitCode;

/// Options of every example.
#[derive(Parser, Debug)]
struct Options {
    /// The device to use: "card" (the software card), "mlx5_0" (a card that the kernel drives),
    /// "vfio:0000:3b:00.0" (a card bound to vfio-pci) or "none".
    #[arg(long, default_value_t)]
    device: Device,

    /// Change settings of the program, as length=4096,inline=on; `doorbell scenarios --json` lists them.
    #[arg(long = "set", value_name = "KEY=VALUE,...")]
    what_if: Option<WhatIf>,

    /// Write a trace of the run to this file; `doorbell replay FILE` opens it.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// Runs the scenario of that name as a program of its own.
pub fn main(name: &str) -> ExitCode {
    match scenario(name) {
        Ok(scenario) => main_of(scenario),
        Err(error) => failed(&error.to_string()),
    }
}

/// Runs a scenario as a program of its own, whether or not the registry has it.
pub fn main_of(scenario: &Scenario) -> ExitCode {
    let options = Options::parse();
    let recording =
        match record_with(scenario, &options.device, &options.what_if.unwrap_or_default()) {
            Ok(recording) => recording,
            Err(error) => return failed(&error.to_string()),
        };
    if let Some(path) = &options.trace
        && let Err(error) = file::write_file(&recording.trace, path, &file::Options::default())
    {
        return failed(&error.to_string());
    }
    match recording.outcome {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// Says why, and fails.
fn failed(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

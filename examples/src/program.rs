//! The frame of an example program: its options, its trace, its exit code.

use crate::run::changed;
use crate::{Device, Machine, Scenario, TraceOptions, Traced, WhatIf, scenario};
use clap::Parser;
use doorbell_tracer::Clock;
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

    /// How the run is traced.
    #[command(flatten)]
    tracing: TraceOptions,
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
    let (device, what_if) = (&options.device, options.what_if.unwrap_or_default());
    let settings = match scenario.settings(&what_if, device) {
        Ok(settings) => settings,
        Err(error) => return failed(&error.to_string()),
    };
    let traced = Traced {
        machine: Machine::from(&settings),
        settings: changed(scenario, &settings),
        ..Traced::of(scenario.name, device, (Clock::Logical, "logical"))
    };
    match options.tracing.run(&traced, |world| scenario.play(world, &settings)) {
        Ok(Ok(lines)) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Ok(Err(error)) | Err(error) => failed(&error),
    }
}

/// Says why, and fails.
fn failed(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}

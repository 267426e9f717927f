//! Scenarios that need the lab: run in its guest, and elsewhere shown as they were recorded.

use super::{Failure, live, text};
use crate::cli::{PrintOptions, RunOptions};
use crate::command::show;
use crate::state::session::Session;
use crate::state::supply::Supply;
use doorbell_examples::{
    Device, Guest, LabScenario, NotTheLab, Recording, WhatIf, record_in_lab, start_in_lab,
};

/// Why a scenario of the lab does not run here, or not so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It changes the machine, and this one must not be.
    #[error("{scenario} does not run here: {reason}. `{command}` runs it")]
    Here {
        /// The scenario.
        scenario: &'static str,
        /// Why not.
        reason: NotTheLab,
        /// The command that does it.
        command: String,
    },
    /// A device was named.
    #[error("{scenario} goes through several doors of its own; leave `--device {device}` out")]
    Device {
        /// The scenario.
        scenario: &'static str,
        /// The device.
        device: Device,
    },
    /// Settings were named.
    #[error("{scenario} has no settings (asked for: {what_if}); leave `--set` out")]
    Settings {
        /// The scenario.
        scenario: &'static str,
        /// What was asked for.
        what_if: WhatIf,
    },
}

/// Steps a scenario in the lab's guest; elsewhere opens its recording, and says so.
pub fn step(scenario: &'static LabScenario, options: &RunOptions) -> Result<(), Failure> {
    as_it_is(scenario, options.device.clone(), options.what_if.clone())?;
    let print = options.print;
    match Guest::here() {
        Ok(guest) if show::has_terminal(print) => live(start_in_lab(scenario, guest)),
        Ok(guest) => text(&record_in_lab(scenario, &guest), print),
        Err(NotTheLab::OtherMachine) => replay(scenario, print),
        Err(reason) => Err(refused(scenario, reason, scenario.command()).into()),
    }
}

/// Runs a scenario in the lab's guest, and nowhere else.
pub fn record(
    scenario: &'static LabScenario,
    device: Option<Device>,
    what_if: Option<WhatIf>,
) -> Result<Recording, Refused> {
    as_it_is(scenario, device, what_if)?;
    let guest = Guest::here();
    let guest = guest.map_err(|reason| refused(scenario, reason, scenario.record_command()))?;
    Ok(record_in_lab(scenario, &guest))
}

/// Shows the recording that comes along.
fn replay(scenario: &'static LabScenario, print: PrintOptions) -> Result<(), Failure> {
    let trace = scenario.recording()?;
    if show::has_terminal(print) {
        let name = scenario.name;
        let message = format!("a recording: only the lab runs this (doorbell lab record {name})");
        return show::interactive(Session::new(Supply::recorded(trace)), None, Some(message));
    }
    show::print(&trace.header, &trace, print, None)?;
    eprintln!(
        "doorbell: this is a recording, made in the lab: {} changes the machine it runs on. `{}` runs it",
        scenario.name,
        scenario.command()
    );
    Ok(())
}

/// Refuses a device or settings that were named.
fn as_it_is(
    scenario: &'static LabScenario,
    device: Option<Device>,
    what_if: Option<WhatIf>,
) -> Result<(), Refused> {
    let scenario = scenario.name;
    match (device, what_if) {
        (Some(device), _) => Err(Refused::Device { scenario, device }),
        (None, Some(what_if)) => Err(Refused::Settings { scenario, what_if }),
        (None, None) => Ok(()),
    }
}

/// The refusal, with the command that does it.
fn refused(scenario: &'static LabScenario, reason: NotTheLab, command: String) -> Refused {
    Refused::Here { scenario: scenario.name, reason, command }
}

//! Scenarios that need the lab: run in its guest, and elsewhere shown as they were recorded.

use super::{Failure, live, text};
use crate::cli::PrintOptions;
use crate::command::show;
use crate::state::session::Session;
use crate::state::supply::Supply;
use doorbell_examples::{
    Device, Guest, LabScenario, NotTheLab, Recording, record_in_lab, start_in_lab,
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
}

/// Steps a scenario in the lab's guest; elsewhere opens its recording, and says so.
pub fn step(
    scenario: &'static LabScenario,
    device: Option<Device>,
    print: PrintOptions,
) -> Result<(), Failure> {
    own_devices(scenario, device)?;
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
) -> Result<Recording, Refused> {
    own_devices(scenario, device)?;
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
        return show::interactive(Session::new(Supply::recorded(trace)), Some(message));
    }
    show::print(&trace.header, &trace, print, None)?;
    eprintln!(
        "doorbell: this is a recording, made in the lab: {} changes the machine it runs on. `{}` runs it",
        scenario.name,
        scenario.command()
    );
    Ok(())
}

/// Refuses a device that was named.
fn own_devices(scenario: &'static LabScenario, device: Option<Device>) -> Result<(), Refused> {
    match device {
        Some(device) => Err(Refused::Device { scenario: scenario.name, device }),
        None => Ok(()),
    }
}

/// The refusal, with the command that does it.
fn refused(scenario: &'static LabScenario, reason: NotTheLab, command: String) -> Refused {
    Refused::Here { scenario: scenario.name, reason, command }
}

//! Running a scenario: recorded, or live.

use crate::{
    Device, Guest, LabScenario, Machine, Scenario, Settings, SettingsError, TOOL, WhatIf, World,
    source,
};
use doorbell_tracer::live::{Stepper, live};
use doorbell_tracer::{Clock, Full, Trace, TraceBuilder, Tracer};
use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};

/// What became of a run: the lines that the program printed, or why it ended early. A scenario that shows a
/// failure has ended well if it failed so; the lines are its error then.
pub type Outcome = Result<Vec<String>, String>;

/// A recorded run.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Everything that happened.
    pub trace: Trace,
    /// What became of the program. A scenario that fails still has a trace, up to its end.
    pub outcome: Outcome,
}

/// Runs a scenario to its end under the logical clock: the same scenario gives the same trace,
/// byte for byte.
pub fn record(scenario: &Scenario, device: &Device) -> Recording {
    record_settled(scenario, device, scenario.own)
}

/// The same with other settings; fails without a run if they make no sense.
pub fn record_with(
    scenario: &Scenario,
    device: &Device,
    what_if: &WhatIf,
) -> Result<Recording, SettingsError> {
    Ok(record_settled(scenario, device, scenario.settings(what_if, device)?))
}

/// Runs a scenario with settings that make sense.
fn record_settled(scenario: &Scenario, device: &Device, settings: Settings) -> Recording {
    recorded(builder_for(scenario, device, settings), |tracer| {
        play(scenario, device, settings, tracer)
    })
}

/// Runs a scenario's program.
fn play(scenario: &Scenario, device: &Device, settings: Settings, tracer: &Tracer) -> Outcome {
    scenario.play(&World::with(device.clone(), Machine::from(&settings), tracer), &settings)
}

/// Runs a scenario without recording anything; fails without a run if the settings make no sense.
pub fn run(
    scenario: &Scenario,
    device: &Device,
    what_if: &WhatIf,
) -> Result<Outcome, SettingsError> {
    let settings = scenario.settings(what_if, device)?;
    Ok(play(scenario, device, settings, &Tracer::off()))
}

/// Runs a scenario of the lab to its end, in its guest.
pub fn record_in_lab(scenario: &LabScenario, guest: &Guest) -> Recording {
    recorded(builder(scenario.name, GUEST), |tracer| in_lab(scenario, guest, tracer))
}

/// The device of a run in the guest, which goes through several doors.
const GUEST: &str = "the lab's guest";

/// Runs a program of the lab.
fn in_lab(scenario: &LabScenario, guest: &Guest, tracer: &Tracer) -> Outcome {
    (scenario.run)(guest, tracer).map_err(|error| error.to_string())
}

/// Runs a program to its end.
fn recorded(mut builder: TraceBuilder, run: impl FnOnce(&Tracer) -> Outcome) -> Recording {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let outcome = run(&tracer);
    for record in tracer.take() {
        builder.push(record);
    }
    Recording { trace: builder.finish(), outcome }
}

/// An empty trace of a scenario.
fn builder(scenario: &str, device: &str) -> TraceBuilder {
    TraceBuilder::new(TOOL, device, scenario, "logical", source)
}

/// The same, with the settings that differ from the scenario's own.
fn builder_for(scenario: &Scenario, device: &Device, settings: Settings) -> TraceBuilder {
    let changed = changed(scenario, &settings);
    builder(scenario.name, &device.to_string()).with_settings(changed)
}

/// The settings that differ from the scenario's own, as a trace names them.
pub(crate) fn changed(scenario: &Scenario, settings: &Settings) -> BTreeMap<String, String> {
    let changes = WhatIf::between(&scenario.own, settings);
    let changes = changes.changes().map(|(key, value)| (key.name().to_owned(), value.to_string()));
    changes.collect()
}

/// A running scenario that waits at each event.
pub struct LiveRun {
    /// Lets it go on, one event at a time.
    pub stepper: Stepper,
    /// A trace without events.
    builder: TraceBuilder,
    program: JoinHandle<Outcome>,
}

/// Starts a scenario on a thread of its own. It waits at its first event.
pub fn start(scenario: &'static Scenario, device: &Device) -> LiveRun {
    start_settled(scenario, device, scenario.own)
}

/// The same with other settings; fails without a run if they make no sense.
pub fn start_with(
    scenario: &'static Scenario,
    device: &Device,
    what_if: &WhatIf,
) -> Result<LiveRun, SettingsError> {
    Ok(start_settled(scenario, device, scenario.settings(what_if, device)?))
}

/// Starts a scenario with settings that make sense.
fn start_settled(scenario: &'static Scenario, device: &Device, settings: Settings) -> LiveRun {
    let own = device.clone();
    started(builder_for(scenario, device, settings), move |tracer| {
        play(scenario, &own, settings, tracer)
    })
}

/// Starts a scenario of the lab in its guest. It waits at its first event.
pub fn start_in_lab(scenario: &'static LabScenario, guest: Guest) -> LiveRun {
    started(builder(scenario.name, GUEST), move |tracer| in_lab(scenario, &guest, tracer))
}

/// Starts a program, whose events join the trace.
fn started(
    builder: TraceBuilder,
    run: impl FnOnce(&Tracer) -> Outcome + Send + 'static,
) -> LiveRun {
    let (recorder, stepper) = live();
    let program = thread::spawn(move || run(&Tracer::new(recorder, Clock::Logical)));
    LiveRun { stepper, builder, program }
}

impl LiveRun {
    /// An empty trace for the events of this run.
    pub fn builder(&self) -> TraceBuilder {
        self.builder.clone()
    }

    /// Lets the program run to its end, unwatched, and says what became of it.
    pub fn finish(self) -> Outcome {
        drop(self.stepper);
        let gone = || {
            Err("the scenario's thread panicked; run it with `doorbell record` and report the trace".to_owned())
        };
        self.program.join().unwrap_or_else(|_| gone())
    }
}

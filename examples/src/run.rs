//! Running a scenario: recorded, or live.

use crate::{Device, Scenario, TOOL, World, source};
use doorbell_tracer::live::{Stepper, live};
use doorbell_tracer::{Clock, Full, Recorder, Trace, TraceBuilder, Tracer};
use std::thread::{self, JoinHandle};

/// What became of a run: the lines that the program printed, or why it ended early.
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
    let (tracer, outcome) = run(scenario, device, Full::new());
    let mut builder = builder(scenario, device);
    for record in tracer.take() {
        builder.push(record);
    }
    Recording { trace: builder.finish(), outcome }
}

/// Runs a scenario with a recorder.
fn run(
    scenario: &Scenario,
    device: &Device,
    recorder: impl Recorder + 'static,
) -> (Tracer, Outcome) {
    let tracer = Tracer::new(recorder, Clock::Logical);
    let world = World::new(device.clone(), &tracer);
    let outcome = (scenario.run)(&world).map_err(|error| error.to_string());
    (tracer, outcome)
}

/// An empty trace of a scenario.
fn builder(scenario: &Scenario, device: &Device) -> TraceBuilder {
    TraceBuilder::new(TOOL, &device.to_string(), scenario.name, "logical", source)
}

/// A running scenario that waits at each event.
pub struct LiveRun {
    /// Lets it go on, one event at a time.
    pub stepper: Stepper,
    scenario: &'static Scenario,
    device: Device,
    program: JoinHandle<Outcome>,
}

/// Starts a scenario on a thread of its own. It waits at its first event.
pub fn start(scenario: &'static Scenario, device: &Device) -> LiveRun {
    let (recorder, stepper) = live();
    let (device, own) = (device.clone(), device.clone());
    let program = thread::spawn(move || run(scenario, &own, recorder).1);
    LiveRun { stepper, scenario, device, program }
}

impl LiveRun {
    /// An empty trace for the events of this run.
    pub fn builder(&self) -> TraceBuilder {
        builder(self.scenario, &self.device)
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

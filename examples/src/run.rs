//! Running a scenario: recorded, or live.

use crate::{Device, ExampleError, Guest, LabScenario, Scenario, TOOL, World, source};
use doorbell_tracer::live::{Stepper, live};
use doorbell_tracer::{Clock, Full, Trace, TraceBuilder, Tracer};
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
    let builder = builder(scenario.name, &device.to_string());
    recorded(builder, |tracer| (scenario.run)(&World::new(device.clone(), tracer)))
}

/// Runs a scenario of the lab to its end, in its guest.
pub fn record_in_lab(scenario: &LabScenario, guest: &Guest) -> Recording {
    recorded(builder(scenario.name, GUEST), |tracer| (scenario.run)(guest, tracer))
}

/// The device of a run in the guest, which goes through several doors.
const GUEST: &str = "the lab's guest";

/// Runs a program to its end.
fn recorded(
    mut builder: TraceBuilder,
    run: impl FnOnce(&Tracer) -> Result<Vec<String>, ExampleError>,
) -> Recording {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let outcome = run(&tracer).map_err(|error| error.to_string());
    for record in tracer.take() {
        builder.push(record);
    }
    Recording { trace: builder.finish(), outcome }
}

/// An empty trace of a scenario.
fn builder(scenario: &str, device: &str) -> TraceBuilder {
    TraceBuilder::new(TOOL, device, scenario, "logical", source)
}

/// A running scenario that waits at each event.
pub struct LiveRun {
    /// Lets it go on, one event at a time.
    pub stepper: Stepper,
    scenario: &'static str,
    device: String,
    program: JoinHandle<Outcome>,
}

/// Starts a scenario on a thread of its own. It waits at its first event.
pub fn start(scenario: &'static Scenario, device: &Device) -> LiveRun {
    let own = device.clone();
    let run = move |tracer: &Tracer| (scenario.run)(&World::new(own, tracer));
    started(scenario.name, device.to_string(), run)
}

/// Starts a scenario of the lab in its guest. It waits at its first event.
pub fn start_in_lab(scenario: &'static LabScenario, guest: Guest) -> LiveRun {
    started(scenario.name, GUEST.to_owned(), move |tracer| (scenario.run)(&guest, tracer))
}

/// Starts a program.
fn started(
    scenario: &'static str,
    device: String,
    run: impl FnOnce(&Tracer) -> Result<Vec<String>, ExampleError> + Send + 'static,
) -> LiveRun {
    let (recorder, stepper) = live();
    let program = thread::spawn(move || {
        run(&Tracer::new(recorder, Clock::Logical)).map_err(|error| error.to_string())
    });
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

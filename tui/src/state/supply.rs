//! Where the steps come from: a trace in memory, a trace file, or a program that runs beside us.

use doorbell_examples::LiveRun;
use doorbell_tracer::file::{Brief, Loaded};
use doorbell_tracer::live::Next;
use doorbell_tracer::timeline::Timeline;
use doorbell_tracer::{EventSource, Header, Trace, TraceBuilder};
use std::time::Duration;

/// How a program ended: the lines that it printed, or why it failed.
pub type Ending = Result<Vec<String>, String>;

/// A program that waits at each of its events.
pub trait Run {
    /// Lets it go on to its next event, and waits for that `deadline` at most.
    fn next(&mut self, deadline: Duration) -> Next;

    /// How it ended. Called once, after [`Next::Ended`].
    fn ending(self: Box<Self>) -> Ending;
}

impl Run for LiveRun {
    fn next(&mut self, deadline: Duration) -> Next {
        self.stepper.next(deadline)
    }

    fn ending(self: Box<Self>) -> Ending {
        self.finish()
    }
}

/// The steps and the states between them.
pub struct Supply(Steps);

/// The steps.
enum Steps {
    /// All are known, and in memory.
    Recorded(Box<(Trace, Timeline)>),
    /// All are known, and in a file.
    File(Box<Loaded>),
    /// They come one by one.
    Live(Box<Live>),
}

/// A program and what it has told so far.
struct Live {
    builder: TraceBuilder,
    timeline: Timeline,
    /// `None` once it has ended.
    run: Option<Box<dyn Run>>,
}

/// What came of asking for one more step.
pub enum More {
    /// It is there.
    Step,
    /// There is none, now or ever.
    Ended(Option<Ending>),
    /// The program runs, and has not come to it within the deadline.
    Running,
}

impl Supply {
    /// The steps of a trace.
    pub fn recorded(trace: Trace) -> Self {
        let timeline = Timeline::of(&trace);
        Self(Steps::Recorded(Box::new((trace, timeline))))
    }

    /// The steps of a trace file.
    pub fn file(loaded: Loaded) -> Self {
        Self(Steps::File(Box::new(loaded)))
    }

    /// The steps of a running program. `builder` turns its records into a trace.
    pub fn live(run: Box<dyn Run>, builder: TraceBuilder) -> Self {
        let (timeline, run) = (Timeline::new(), Some(run));
        Self(Steps::Live(Box::new(Live { builder, timeline, run })))
    }

    /// Whether the program still waits for leave to go on.
    pub fn is_live(&self) -> bool {
        matches!(&self.0, Steps::Live(live) if live.run.is_some())
    }

    /// What the trace's header says, as far as the run has come.
    pub fn header(&self) -> &Header {
        match &self.0 {
            Steps::Recorded(recorded) => &recorded.0.header,
            Steps::File(loaded) => loaded.header(),
            Steps::Live(live) => &live.builder.trace().header,
        }
    }

    /// The events so far.
    pub fn events(&self) -> &dyn EventSource {
        match &self.0 {
            Steps::Recorded(recorded) => &recorded.0,
            Steps::File(loaded) => loaded.as_ref(),
            Steps::Live(live) => live.builder.trace(),
        }
    }

    /// An event at a glance.
    pub fn brief(&self, step: usize) -> Option<Brief> {
        match &self.0 {
            Steps::File(loaded) => loaded.briefs().get(step).copied(),
            _ => self.events().get(step).map(|event| Brief::of(&event)),
        }
    }

    /// The states so far.
    pub fn timeline(&self) -> &Timeline {
        match &self.0 {
            Steps::Recorded(recorded) => &recorded.1,
            Steps::File(loaded) => loaded.timeline(),
            Steps::Live(live) => &live.timeline,
        }
    }

    /// Lets a program that still runs go on to its end, unwatched, and waits for that.
    pub fn leave(&mut self) {
        if let Steps::Live(live) = &mut self.0 {
            drop(live.run.take().map(Run::ending));
        }
    }

    /// Lets the program go on by one step.
    pub fn more(&mut self, deadline: Duration) -> More {
        match &mut self.0 {
            Steps::Live(live) => live.more(deadline),
            _ => More::Ended(None),
        }
    }
}

impl Live {
    /// Lets the program go on by one step.
    fn more(&mut self, deadline: Duration) -> More {
        let Some(run) = &mut self.run else {
            return More::Ended(None);
        };
        match run.next(deadline) {
            Next::Event(record) => {
                self.builder.push(record);
                if let Some(event) = self.builder.trace().events.last() {
                    self.timeline.push(event);
                }
                More::Step
            }
            Next::Running => More::Running,
            Next::Ended => More::Ended(self.run.take().map(Run::ending)),
        }
    }
}

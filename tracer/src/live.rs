//! The live recorder: the program waits at each event until the reader lets it go on.
//!
//! Two channels: events go out, leaves to go on come back. If the reader goes away, the program
//! runs on freely and its events are dropped; if the program ends, the reader sees the end.

use crate::recorder::{Record, Recorder};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

/// The program's side.
#[derive(Debug)]
pub struct Live {
    events: Sender<Record>,
    leave: Receiver<()>,
    /// The reader has gone.
    alone: bool,
}

/// The reader's side.
#[derive(Debug)]
pub struct Stepper {
    events: Receiver<Record>,
    leave: Sender<()>,
    /// The program stands at an event and waits for leave.
    waiting: bool,
}

/// What [`Stepper::next`] met.
#[derive(Debug)]
pub enum Next {
    /// The program came to its next event and waits there.
    Event(Record),
    /// The program ended.
    Ended,
    /// It runs, and came to no event within the deadline.
    Running,
}

/// A live recorder and the stepper that drives it.
pub fn live() -> (Live, Stepper) {
    let (event_sender, event_receiver) = channel();
    let (leave_sender, leave_receiver) = channel();
    (
        Live { events: event_sender, leave: leave_receiver, alone: false },
        Stepper { events: event_receiver, leave: leave_sender, waiting: false },
    )
}

impl Recorder for Live {
    fn record(&mut self, record: Record) {
        if !self.alone {
            self.alone = self.events.send(record).is_err() || self.leave.recv().is_err();
        }
    }

    fn keeps_events(&self) -> bool {
        false
    }

    fn take(&mut self) -> Vec<Record> {
        Vec::new()
    }

    fn snapshot(&self) -> Vec<Record> {
        Vec::new()
    }
}

impl Stepper {
    /// Lets the program go on to its next event and waits for it, `deadline` at most.
    pub fn next(&mut self, deadline: Duration) -> Next {
        if self.waiting {
            self.waiting = false;
            if self.leave.send(()).is_err() {
                return self.rest();
            }
        }
        match self.events.recv_timeout(deadline) {
            Ok(record) => {
                self.waiting = true;
                Next::Event(record)
            }
            Err(RecvTimeoutError::Timeout) => Next::Running,
            Err(RecvTimeoutError::Disconnected) => Next::Ended,
        }
    }

    /// An event that the program sent before it ended.
    fn rest(&mut self) -> Next {
        match self.events.try_recv() {
            Ok(record) => Next::Event(record),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Next::Ended,
        }
    }
}

//! Recorders: what keeps the events of a run. Binary records in memory; JSON is made later.

mod chunks;
mod full;
mod head;
mod lock;
mod log;
mod pen;
mod ring;

pub use chunks::Chunks;
pub(crate) use chunks::Contents;
pub use full::Full;
pub(crate) use head::HEAD;
pub use head::{ActorCode, Depths, Head};
pub(crate) use lock::{BriefLock, Guard};
pub(crate) use log::values;
pub use log::{Beside, Room};
pub(crate) use pen::Pen;
pub use ring::Ring;

use crate::{Actor, Kind, Site};

/// One event as the traced program leaves it: no text is formatted, nothing is looked up.
#[derive(Debug, Clone)]
pub struct Record {
    /// Number of the event in its run, from 0.
    pub sequence: u64,
    /// Time in nanoseconds, or the sequence number under the logical clock.
    pub time: u64,
    /// Who did it.
    pub actor: Actor,
    /// Nesting depth of calls.
    pub depth: u16,
    /// The place in the source.
    pub site: &'static Site,
    /// What happened.
    pub kind: Kind,
}

/// What stamps events.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// The event's number: runs of the same program give the same trace.
    #[default]
    Logical,
    /// Nanoseconds from a source that the program brings.
    Nanoseconds(fn() -> u64),
}

impl Clock {
    /// Whether there is a source to be read. The number of an event is known anyway.
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Nanoseconds(_))
    }

    /// The stamp of the event of this number.
    #[inline]
    pub fn now(&self, sequence: u64) -> u64 {
        match self {
            Self::Logical => sequence,
            Self::Nanoseconds(source) => source(),
        }
    }
}

/// How many events a recorder was given since it was made or emptied, and how many of them it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events recorded.
    pub recorded: u64,
    /// Those that are kept.
    pub kept: u64,
    /// For a ring, how many it keeps at most.
    pub capacity: Option<u64>,
}

impl Counts {
    /// Events that a ring had to let go. Those that map regions may be shown all the same.
    pub fn lost(&self) -> u64 {
        self.recorded.saturating_sub(self.kept)
    }
}

/// Keeps events.
pub trait Recorder: Send {
    /// Keeps one event.
    fn record(&mut self, record: Record);

    /// Takes out what is kept, oldest first.
    fn take(&mut self) -> Vec<Record>;

    /// Copies what is kept, oldest first.
    fn snapshot(&self) -> Vec<Record>;

    /// Whether events are kept at all, or handed on at once.
    fn keeps_events(&self) -> bool {
        true
    }

    /// How a tracer holds this recorder. Only those that keep events in chunks have their own way.
    #[doc(hidden)]
    fn into_held(self) -> Held
    where
        Self: Sized + 'static,
    {
        Held { chunks: Chunks::default(), other: Some(Box::new(self)) }
    }
}

/// A recorder as a tracer holds it. Every event is written into chunks: the recorders that keep it
/// there need no more.
#[doc(hidden)]
pub struct Held {
    pub(crate) chunks: Chunks,
    /// Any other recorder: it is given the event from there.
    pub(crate) other: Option<Box<dyn Recorder>>,
}

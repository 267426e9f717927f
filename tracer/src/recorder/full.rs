//! The full recorder: everything.

use super::{Chunks, Held, Record, Recorder};

/// Keeps everything, in chunks: it never moves what it has.
#[derive(Debug, Default)]
pub struct Full(Chunks);

impl Full {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty recorder with room for `events` events before it asks for more memory, and that
    /// memory at hand: the first use of new memory is most of what an event costs.
    pub fn with_capacity(events: usize) -> Self {
        Self(Chunks::of_all(events))
    }
}

impl Recorder for Full {
    fn record(&mut self, record: Record) {
        self.0.keep(record);
    }

    fn take(&mut self) -> Vec<Record> {
        self.0.take().into_records()
    }

    fn snapshot(&self) -> Vec<Record> {
        self.0.copy().into_records()
    }

    fn into_held(self) -> Held {
        Held { chunks: self.0, other: None }
    }
}

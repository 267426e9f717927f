//! The ring: the last events.

use super::{Chunks, Held, Record, Recorder};

/// Keeps the last events: what happened just before an error. The events that mapped regions
/// stay in front of them while the regions are mapped, so that the last stores can be understood.
#[derive(Debug)]
pub struct Ring(Chunks);

impl Ring {
    /// A ring that keeps the last `capacity` events, at least one.
    pub fn new(capacity: usize) -> Self {
        Self(Chunks::of_last(capacity.max(1)))
    }
}

impl Recorder for Ring {
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

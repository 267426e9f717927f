//! The one place where the events of all threads get their number and their time.

use crate::recorder::{Chunks, Clock, Contents, Counts, Held, Recorder};

/// Where events are written.
pub struct Numbered {
    chunks: Chunks,
    /// A recorder that is given each event as soon as it is written.
    other: Option<Box<dyn Recorder>>,
    /// Number of the first event since the recorder was emptied.
    first: u64,
}

impl Numbered {
    /// Before the first event.
    pub(super) fn new(held: Held, clock: Clock) -> Self {
        let Held { mut chunks, other } = held;
        chunks.restart(clock);
        Self { chunks, other, first: 0 }
    }

    /// Whether events are handed on.
    pub(super) fn hands_on(&self) -> bool {
        self.other.is_some()
    }

    /// Hands on the event that was just written.
    pub(super) fn hand_on(&mut self) {
        if let Some(other) = &mut self.other {
            self.chunks.drain().into_iter().for_each(|record| other.record(record));
        }
    }

    /// Takes out what the recorder holds.
    pub(super) fn take(&mut self) -> Contents {
        self.first = self.chunks.next();
        match &mut self.other {
            Some(other) => Contents::of(other.take()),
            None => self.chunks.take(),
        }
    }

    /// Empties the recorder.
    pub(super) fn clear(&mut self) {
        self.first = self.chunks.next();
        match &mut self.other {
            Some(other) => drop(other.take()),
            None => self.chunks.clear(),
        }
    }

    /// How many events came, and are kept. A recorder of another crate does not say.
    pub(super) fn counts(&self) -> Counts {
        if self.other.is_some() {
            return Counts::default();
        }
        Counts {
            recorded: self.chunks.next() - self.first,
            kept: self.chunks.kept() as u64,
            capacity: self.chunks.capacity().map(|events| events as u64),
        }
    }

    /// Nobody is inside of any call: with all probes off, nobody tells that a call has ended.
    pub(super) fn forget_calls(&mut self) {
        self.chunks.forget_calls();
    }

    /// Copies what the recorder holds.
    pub(super) fn copy(&self) -> Contents {
        match &self.other {
            Some(other) => Contents::of(other.snapshot()),
            None => self.chunks.copy(),
        }
    }

    /// The events.
    #[inline(always)]
    pub(super) fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// Where events are written.
    #[inline(always)]
    pub(super) fn written(&mut self) -> &mut Chunks {
        &mut self.chunks
    }
}

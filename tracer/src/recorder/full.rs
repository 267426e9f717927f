//! The full recorder: everything.

use super::log::Log;
use super::{Head, Held, Holding, Record, Recorder};
use crate::{Group, Kind, Site};

/// The group of the one site here, which no event comes from.
const PROBE_GROUP: Group = Group::Program;

/// Words of 64 bits in one chunk.
const CHUNK: usize = 1 << 16;

/// Keeps everything, in chunks: it never moves what it has.
#[derive(Debug, Default)]
pub struct Full {
    full: Vec<Log>,
    current: Log,
    /// Words at which the current chunk is put away.
    most: usize,
}

impl Full {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty recorder with room for `events` stores of 16 bytes before it asks for more memory,
    /// and that memory at hand: the first use of new memory is most of what an event costs.
    pub fn with_capacity(events: usize) -> Self {
        static HERE: Site = crate::site!();
        let current = Log::with_capacity(events, &HERE);
        Self { full: Vec::new(), most: current.room().max(CHUNK), current }
    }

    /// Keeps one event, which comes by reference: moving it would copy it.
    #[inline]
    pub(super) fn keep(&mut self, head: &Head, kind: &mut Option<Kind>) {
        if self.current.words() >= self.most {
            self.next_chunk();
        }
        self.current.push(head, kind);
    }

    /// Puts the current chunk away and begins another.
    #[cold]
    fn next_chunk(&mut self) {
        let next = Log::like(&self.current);
        self.full.push(std::mem::replace(&mut self.current, next));
        self.most = CHUNK;
    }
}

impl Recorder for Full {
    fn record(&mut self, record: Record) {
        let (head, kind) = record.split();
        self.keep(&head, &mut Some(kind));
    }

    fn take(&mut self) -> Vec<Record> {
        let current = std::mem::take(&mut self.current);
        let chunks = self.full.drain(..).chain([current]);
        chunks.flat_map(Log::into_records).collect()
    }

    fn snapshot(&self) -> Vec<Record> {
        let chunks = self.full.iter().chain([&self.current]);
        chunks.flat_map(Log::records).collect()
    }

    fn into_held(self) -> Held {
        Held(Holding::Full(self))
    }
}

//! Recorders: what keeps the events of a run. Fixed-size records in memory; JSON is made later.

use crate::{Actor, Kind, RegionId, Site};
use std::collections::{BTreeMap, VecDeque};

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
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The event's number: runs of the same program give the same trace.
    Logical,
    /// Nanoseconds from a source that the program brings.
    Nanoseconds(fn() -> u64),
}

impl Clock {
    /// The stamp of the event of this number.
    pub fn now(&self, sequence: u64) -> u64 {
        match self {
            Self::Logical => sequence,
            Self::Nanoseconds(source) => source(),
        }
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
}

/// Events in one chunk of a full recorder.
const CHUNK: usize = 4096;

/// Keeps everything, in chunks: it never moves what it has.
#[derive(Debug, Default)]
pub struct Full {
    full: Vec<Vec<Record>>,
    current: Vec<Record>,
}

impl Full {
    /// An empty recorder.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty recorder with room for `events` before it asks for more memory.
    pub fn with_capacity(events: usize) -> Self {
        Self {
            full: Vec::new(),
            current: Vec::with_capacity(events),
        }
    }

    /// Puts the current chunk away and begins another.
    #[cold]
    fn next_chunk(&mut self) {
        let next = Vec::with_capacity(CHUNK);
        let chunk = std::mem::replace(&mut self.current, next);
        if !chunk.is_empty() {
            self.full.push(chunk);
        }
    }
}

impl Recorder for Full {
    fn record(&mut self, record: Record) {
        if self.current.len() == self.current.capacity() {
            self.next_chunk();
        }
        self.current.push(record);
    }

    fn take(&mut self) -> Vec<Record> {
        let mut all: Vec<_> = self.full.drain(..).flatten().collect();
        all.append(&mut self.current);
        all
    }

    fn snapshot(&self) -> Vec<Record> {
        let full = self.full.iter().flatten();
        full.chain(&self.current).cloned().collect()
    }
}

/// Keeps the last events: what happened just before an error. The events that mapped regions
/// stay in front of them while the regions are mapped, so that the last stores can be understood.
#[derive(Debug)]
pub struct Ring {
    kept: VecDeque<Record>,
    capacity: usize,
    /// Map events that fell out of the ring, the last of each region.
    mapped: BTreeMap<RegionId, Record>,
}

impl Ring {
    /// A ring that keeps the last `capacity` events, at least one.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            kept: VecDeque::with_capacity(capacity.min(CHUNK)),
            capacity,
            mapped: BTreeMap::new(),
        }
    }

    /// Lets go of the oldest event.
    fn let_go(&mut self) {
        let Some(oldest) = self.kept.pop_front() else {
            return;
        };
        match &oldest.kind {
            Kind::Map(region) => {
                self.mapped.insert(region.region, oldest);
            }
            Kind::Unmap { region } => {
                self.mapped.remove(region);
            }
            _ => {}
        }
    }

    /// The map events in front, oldest first.
    fn front(mapped: impl Iterator<Item = Record>) -> Vec<Record> {
        let mut front: Vec<_> = mapped.collect();
        front.sort_by_key(|record| record.sequence);
        front
    }
}

impl Recorder for Ring {
    fn record(&mut self, record: Record) {
        if self.kept.len() == self.capacity {
            self.let_go();
        }
        self.kept.push_back(record);
    }

    fn take(&mut self) -> Vec<Record> {
        let mut all = Self::front(std::mem::take(&mut self.mapped).into_values());
        all.extend(self.kept.drain(..));
        all
    }

    fn snapshot(&self) -> Vec<Record> {
        let mut all = Self::front(self.mapped.values().cloned());
        all.extend(self.kept.iter().cloned());
        all
    }
}

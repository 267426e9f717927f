//! Chunks of events: the one that is being written, and those before it.
//!
//! A chunk that is full is not touched again: a snapshot shares it. What the full recorder and the
//! ring differ in is whether old chunks are let go.

use super::log::{Beside, Log, MOST, Room};
use super::{Head, Record};
use crate::event::Fact;
use crate::{Kind, RegionId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Events in chunks.
#[derive(Debug, Default)]
pub struct Chunks {
    current: Log,
    /// Full chunks, oldest first.
    full: VecDeque<Arc<Log>>,
    /// Empty chunks with their memory, to be used next.
    spare: Vec<Log>,
    /// For a ring: what it keeps.
    last: Option<Last>,
}

/// The least lines of a ring's chunk: beginning another costs as much as a few events.
const LEAST_OF_RING: usize = 64;

/// What a ring keeps.
#[derive(Debug)]
struct Last {
    /// The number of events.
    capacity: usize,
    /// Map events that were let go, the last of each region that is still mapped.
    mapped: Mapped,
}

type Mapped = BTreeMap<RegionId, Record>;

/// Chunks that were copied or taken out: records are made of them without holding anyone up.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Records that were made already.
    made: Vec<Record>,
    chunks: Vec<Arc<Log>>,
    mapped: Mapped,
    /// Events at the beginning that are older than those to be kept.
    surplus: usize,
}

impl Chunks {
    /// Chunks that keep everything, with memory at hand for so many events.
    pub(super) fn of_all(events: usize) -> Self {
        let ready = |_| {
            let mut log = Log::new(Room::of(events.min(MOST)));
            log.touch();
            log
        };
        Self { spare: (0..events.div_ceil(MOST)).map(ready).collect(), ..Self::default() }
    }

    /// Chunks that keep the last `capacity` events.
    pub(super) fn of_last(capacity: usize) -> Self {
        Self { last: Some(Last { capacity, mapped: Mapped::new() }), ..Self::default() }
    }

    /// Whether the current chunk has room for an event with so much beside it, whose number is the
    /// next.
    #[inline(always)]
    pub(crate) fn has_room(&self, sequence: u64, bytes: usize, pairs: usize) -> bool {
        self.current.next() == sequence && self.current.has_room(bytes, pairs)
    }

    /// A new line with this head, in the current chunk.
    #[inline(always)]
    pub(crate) fn push(&mut self, head: &Head) -> (&mut Option<Fact>, &mut Beside) {
        self.current.push(head)
    }

    /// A new line with this head, in a chunk that has room for so many bytes and pairs beside it.
    #[inline]
    pub(crate) fn line(
        &mut self,
        head: &Head,
        bytes: usize,
        pairs: usize,
    ) -> (&mut Option<Fact>, &mut Beside) {
        if !self.current.has_room(bytes, pairs) {
            self.next_chunk(bytes, pairs);
        }
        self.current.push(head)
    }

    /// Keeps an event as it is.
    pub(super) fn keep(&mut self, head: &Head, kind: Kind) {
        let (_, beside) = self.line(head, 0, 0);
        beside.push_whole(kind);
    }

    /// Puts the current chunk away and begins one with room for an event with so much beside it.
    #[cold]
    #[inline(never)]
    fn next_chunk(&mut self, bytes: usize, pairs: usize) {
        let mut room = self.current.next_room(bytes, pairs);
        if let Some(last) = &self.last {
            // What is let go is let go by the chunk: about an eighth more is kept than is asked for.
            room.lines = (last.capacity / 8).clamp(LEAST_OF_RING, MOST);
        }
        let mut next = self.spare.pop().unwrap_or_default();
        next.make_room(room);
        next.begin(self.current.next());
        let full = std::mem::replace(&mut self.current, next);
        if full.len() > 0 {
            self.full.push_back(Arc::new(full));
        }
        self.let_go();
    }

    /// Lets go the chunks that a ring does not need any more; their memory is used again.
    fn let_go(&mut self) {
        let Some(last) = &mut self.last else { return };
        let mut kept: usize = self.full.iter().map(|log| log.len()).sum();
        while let Some(oldest) = self.full.front()
            && kept - oldest.len() >= last.capacity
        {
            kept -= oldest.len();
            forget(&mut last.mapped, oldest, oldest.len());
            if let Some(Ok(mut log)) = self.full.pop_front().map(Arc::try_unwrap) {
                log.clear();
                self.spare.push(log);
            }
        }
    }

    /// Takes out what was just written.
    pub(crate) fn drain(&mut self) -> Vec<Record> {
        self.current.drain()
    }

    /// A copy of what is kept. Only the current chunk is really copied.
    pub(crate) fn copy(&self) -> Contents {
        let mut chunks: Vec<_> = self.full.iter().cloned().collect();
        chunks.push(Arc::new(self.current.clone()));
        let mapped = self.last.as_ref().map_or_else(Mapped::new, |last| last.mapped.clone());
        Contents { made: Vec::new(), surplus: self.surplus(), chunks, mapped }
    }

    /// Takes out what is kept.
    pub(crate) fn take(&mut self) -> Contents {
        let surplus = self.surplus();
        let mut next = Log::default();
        next.begin(self.current.next());
        let current = std::mem::replace(&mut self.current, next);
        let chunks = self.full.drain(..).chain([Arc::new(current)]).collect();
        let mapped = self.last.as_mut().map(|last| std::mem::take(&mut last.mapped));
        Contents { made: Vec::new(), surplus, chunks, mapped: mapped.unwrap_or_default() }
    }

    /// Forgets the events. A ring goes on knowing which regions are mapped.
    pub(crate) fn clear(&mut self) {
        if let Some(last) = &mut self.last {
            for log in self.full.iter().map(|log| &**log).chain([&self.current]) {
                forget(&mut last.mapped, log, log.len());
            }
        }
        self.full.clear();
        let next = self.current.next();
        self.current.clear();
        self.current.begin(next);
    }

    /// Number of events kept.
    pub(crate) fn kept(&self) -> usize {
        self.len() - self.surplus()
    }

    /// For a ring, the most events that it keeps.
    pub(crate) fn capacity(&self) -> Option<usize> {
        self.last.as_ref().map(|last| last.capacity)
    }

    fn len(&self) -> usize {
        self.full.iter().map(|log| log.len()).sum::<usize>() + self.current.len()
    }

    /// Events that are kept although a ring is not asked for them.
    fn surplus(&self) -> usize {
        let Some(last) = &self.last else { return 0 };
        self.len().saturating_sub(last.capacity)
    }
}

/// Remembers or forgets the regions of a log's first events, which are let go.
fn forget(mapped: &mut Mapped, log: &Log, events: usize) {
    if !log.has_maps() {
        return;
    }
    for record in log.records().take(events) {
        match &record.kind {
            Kind::Map(region) => {
                mapped.insert(region.region, record);
            }
            Kind::Unmap { region } => {
                mapped.remove(region);
            }
            _ => {}
        }
    }
}

impl Contents {
    /// Records that were made already.
    pub(crate) fn of(made: Vec<Record>) -> Self {
        Self { made, ..Self::default() }
    }

    /// The records, oldest first, after the map events of the regions that are still mapped.
    pub(crate) fn into_records(mut self) -> Vec<Record> {
        let mut surplus = self.surplus;
        for chunk in &self.chunks {
            forget(&mut self.mapped, chunk, surplus.min(chunk.len()));
            surplus = surplus.saturating_sub(chunk.len());
        }
        let mut records = self.made;
        records.extend(self.mapped.into_values());
        records.sort_by_key(|record| record.sequence);
        let chunks = self.chunks.into_iter().map(Arc::try_unwrap);
        let of_chunk = |chunk: Result<Log, Arc<Log>>| match chunk {
            Ok(mut own) => own.drain(),
            Err(shared) => shared.records().collect(),
        };
        records.extend(chunks.flat_map(of_chunk).skip(self.surplus));
        records
    }
}

//! Chunks of events: the one that is being written, and those before it.
//!
//! A chunk that is full is not touched again: a snapshot shares it. What the full recorder and the
//! ring differ in is whether old chunks are let go.

use super::head::{Depths, HEAD};
use super::log::{Beside, Log, MOST, TIME, USUAL};
use super::pen::Page;
use super::{ActorCode, Clock, Head, Record};
use crate::report::Report;
use crate::{Actor, Form, Kind, Point, RegionId, Site};
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
    /// How deep everyone is in calls.
    depths: Depths,
    /// What stamps events; each has its time with it, unless that is its number.
    clock: Clock,
}

/// The least events that a ring's chunk is made for: beginning another costs as much as a few.
const LEAST_OF_RING: usize = 64;

/// The point of events that are kept as records.
static RECORDED: Point = Point::new(None, Form::Recorded);

/// The point of the mark that nobody is inside of any call.
static FORGOTTEN: Point = Point::new(None, Form::Forgotten);

/// What a ring keeps.
#[derive(Debug)]
struct Last {
    /// The number of events.
    capacity: usize,
    /// Map events that were let go, the last of each region that is still mapped.
    mapped: Mapped,
}

impl Last {
    /// The events that a chunk is made for.
    fn of_chunk(&self) -> usize {
        (self.capacity / 8).clamp(LEAST_OF_RING, MOST / USUAL)
    }
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
        let room = events.saturating_mul(USUAL);
        let spare = (0..room.div_ceil(MOST)).map(|_| Log::ready(room.min(MOST))).collect();
        Self { spare, ..Self::default() }
    }

    /// Chunks that keep the last `capacity` events.
    pub(super) fn of_last(capacity: usize) -> Self {
        Self { last: Some(Last { capacity, mapped: Mapped::new() }), ..Self::default() }
    }

    /// Counts from 0 from here on; events are stamped by `clock`.
    pub(crate) fn restart(&mut self, clock: Clock) {
        self.clock = clock;
        self.put_away(0, 0);
        self.begin(0);
    }

    /// Begins the current chunk, which is empty, at this number.
    fn begin(&mut self, first: u64) {
        self.current.begin(first, self.depths, self.clock.is_read());
    }

    /// The number of the next event.
    pub(crate) fn next(&self) -> u64 {
        self.current.next()
    }

    /// Nobody is inside of any call any more.
    pub(crate) fn forget_calls(&mut self) {
        if self.depths != Depths::default() {
            self.depths = Depths::default();
            let head = Head::of(FORGOTTEN.number(), ActorCode::of(Actor::Card));
            self.make_ready(HEAD);
            self.current.add(HEAD).0.put(head.bytes());
            self.current.do_not_count();
        }
    }

    /// Prepares the current chunk for the next event: where it is full, or the time is written, too.
    #[cold]
    #[inline(never)]
    fn prepare(&mut self, size: usize) {
        if !self.current.has_room(size) {
            self.next_chunk(size);
        }
        self.current.prepare(size, self.clock);
    }

    /// Keeps an event that begins with this head, with `site` if its point has none.
    #[inline(always)]
    pub(crate) fn write<R: Report>(&mut self, head: Head, site: Option<&'static Site>, report: R) {
        let size = report.size();
        if R::WHOLE {
            self.begin_whole();
        }
        self.make_ready(size);
        let (room, beside) = self.current.add(size);
        report.keep(room, beside, &mut self.depths, head, site);
    }

    /// Sees to it that the next event, of so many bytes, can be written at once.
    #[inline(always)]
    fn make_ready(&mut self, size: usize) {
        while !self.current.is_ready(size) {
            self.prepare(size);
        }
    }

    /// Gives away the page that events are written to: until it is given back, nothing else is asked of
    /// the chunks but what stands beside the events.
    #[inline(always)]
    pub(super) fn page(&mut self) -> Page {
        self.current.page()
    }

    /// Takes a page back, of which so many bytes are left, and in whose chunk are so many events.
    #[inline(always)]
    pub(super) fn give_back(&mut self, left: usize, events: usize) {
        self.current.give_back(left, events);
    }

    /// Takes a page back, and gives one away that has room for an event of so many bytes, which may
    /// be one that is kept as it is.
    #[cold]
    #[inline(never)]
    pub(super) fn turn_page(
        &mut self,
        left: usize,
        events: usize,
        size: usize,
        whole: bool,
    ) -> Page {
        self.give_back(left, events);
        if whole {
            self.begin_whole();
        }
        self.make_ready(size);
        self.page()
    }

    /// What stands beside the events, and how deep everyone is in calls.
    #[inline(always)]
    pub(super) fn beside_and_depths(&mut self) -> (&mut Beside, &mut Depths) {
        (self.current.beside(), &mut self.depths)
    }

    /// Sees to a ring's chunk before an event that is kept as it is: it needs little room here, and
    /// much elsewhere.
    fn begin_whole(&mut self) {
        if self.last.as_ref().is_some_and(|last| self.current.len() >= last.of_chunk()) {
            self.next_chunk(HEAD);
        }
    }

    /// Keeps a record as it is.
    pub(super) fn keep(&mut self, record: Record) {
        let head = Head::of(RECORDED.number(), ActorCode::of(record.actor));
        self.begin_whole();
        self.make_ready(HEAD);
        let (mut room, beside) = self.current.add(HEAD);
        room.put(head.bytes());
        beside.push_record(record);
    }

    /// Puts the current chunk away and begins one with room for an event of so many bytes.
    #[cold]
    #[inline(never)]
    fn next_chunk(&mut self, size: usize) {
        let room = self.current.next_room();
        let next = self.next();
        self.put_away(room, size);
        self.begin(next);
    }

    /// Puts the current chunk away. The next is not begun yet; it has this room, or what a ring wants,
    /// and at least that for an event of so many bytes.
    fn put_away(&mut self, room: usize, size: usize) {
        // What is let go is let go by the chunk: about an eighth more is kept than is asked for.
        let of_ring = self.last.as_ref().map(|last| last.of_chunk().saturating_mul(USUAL));
        let mut next = self.spare.pop().unwrap_or_default();
        next.make_room(of_ring.unwrap_or(room).max(size.saturating_add(TIME)));
        let full = std::mem::replace(&mut self.current, next);
        if !full.is_empty() {
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
        let next = self.next();
        let records = self.current.drain();
        self.begin(next);
        records
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
        next.begin(self.next(), self.depths, self.clock.is_read());
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
        let next = self.next();
        self.current.clear();
        self.begin(next);
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

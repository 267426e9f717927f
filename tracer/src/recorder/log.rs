//! One chunk of a recording: events one after the other, each as few bytes as it can be.
//!
//! Memory that is touched is a good part of what an event costs, so an event is its [`Head`](super::Head) and its
//! operands; all that is the same for each event of a probe is with the probe's
//! [`Point`](crate::Point). What is no plain number (names told at run time, places, events that are
//! kept as they are) stands beside, in the order of the events. An event's number is counted, and its
//! depth is found, when records are made of it.

mod beside;
mod read;

pub use beside::{Beside, Room};
pub(crate) use read::values;

use super::head::Depths;
use super::pen::Page;
use super::{Clock, Record};
use read::Reader;

/// Events in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// All bytes that there is room for; in a timed log, what is written, and the room of one event
    /// just before it comes.
    bytes: Vec<u8>,
    /// Where the next event goes.
    at: usize,
    /// Each event has its time in front of it; otherwise it is its number.
    timed: bool,
    /// Number of events.
    events: usize,
    beside: Beside,
    /// The first event's number.
    first: u64,
    /// How deep everyone is before the first event.
    depths: Depths,
}

/// The size of a time.
pub(super) const TIME: usize = size_of::<u64>();

/// The bytes that an event needs as a rule: with a segment of a WQE, 36. One with a WQE building block needs
/// more than twice as many.
pub(super) const USUAL: usize = 40;

/// The room of a first chunk.
const LEAST: usize = 256 * USUAL;

/// The most room that a chunk has, unless one event needs more.
pub(super) const MOST: usize = 8192 * USUAL;

impl Log {
    /// An empty log with this room in bytes, and all of it written once, so that the system has it
    /// ready.
    pub(super) fn ready(room: usize) -> Self {
        let mut log = Self { bytes: vec![1; room], ..Self::default() };
        log.beside.touch(room / USUAL / 8);
        log
    }

    /// Makes an empty log's room at least this.
    pub(super) fn make_room(&mut self, room: usize) {
        if self.bytes.capacity() < room {
            self.bytes = vec![0; room];
        }
    }

    /// Empties the log; its room stays.
    pub(super) fn clear(&mut self) {
        (self.at, self.events) = (0, 0);
        self.beside.clear();
    }

    /// Begins an empty log at this number, with everyone so deep in calls.
    pub(super) fn begin(&mut self, first: u64, depths: Depths, timed: bool) {
        (self.first, self.depths, self.timed) = (first, depths, timed);
        let room = if timed { 0 } else { self.bytes.capacity() };
        self.bytes.resize(room, 0);
    }

    /// The number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.first.wrapping_add(self.events as u64)
    }

    /// Number of events.
    pub(super) fn len(&self) -> usize {
        self.events
    }

    /// Whether nothing is written here, not even a mark.
    pub(super) fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// The room that the next log should have.
    pub(super) fn next_room(&self) -> usize {
        self.bytes.capacity().saturating_mul(2).clamp(LEAST, MOST)
    }

    /// Whether the next event, of so many bytes, can be written at once.
    #[inline(always)]
    pub(super) fn is_ready(&self, size: usize) -> bool {
        self.at <= self.bytes.len() && size <= self.bytes.len() - self.at
    }

    /// The room that is ready, for somebody who gives it back.
    #[inline(always)]
    pub(super) fn page(&mut self) -> Page {
        let bytes = self.bytes.as_mut_ptr_range();
        Page { end: bytes.end, left: self.bytes.len() - self.at, events: self.events }
    }

    /// Takes it back, when so many bytes of it are left and so many events are here.
    #[inline(always)]
    pub(super) fn give_back(&mut self, left: usize, events: usize) {
        (self.at, self.events) = (self.bytes.len() - left, events);
    }

    /// What stands beside the events.
    #[inline(always)]
    pub(super) fn beside(&mut self) -> &mut Beside {
        &mut self.beside
    }

    /// Whether it can be when it was prepared.
    pub(super) fn has_room(&self, size: usize) -> bool {
        let time = if self.timed { TIME } else { 0 };
        self.bytes.capacity() - self.at >= size.saturating_add(time)
    }

    /// Prepares the next event where there is room: its time, if it has one.
    pub(super) fn prepare(&mut self, size: usize, clock: Clock) {
        if self.timed {
            self.bytes.extend_from_slice(&clock.now(self.next()).to_ne_bytes());
            self.at = self.bytes.len();
            self.bytes.resize(self.at.saturating_add(size), 0);
        }
    }

    /// An event of so many bytes, which is ready to be written.
    #[inline(always)]
    pub(super) fn add(&mut self, size: usize) -> (Room<'_>, &mut Beside) {
        let room = &mut self.bytes[self.at..][..size];
        self.at = self.at.wrapping_add(size);
        self.events = self.events.wrapping_add(1);
        (Room::of(room), &mut self.beside)
    }

    /// Takes back that the last one was an event: it was a mark.
    pub(super) fn do_not_count(&mut self) {
        self.events -= 1;
    }

    /// Whether a region was mapped or unmapped here.
    pub(super) fn has_maps(&self) -> bool {
        self.beside.has_maps()
    }

    /// The events as records.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        Reader::new(self, self.beside.owned.clone())
    }

    /// The events as records, and empties the log.
    pub(super) fn drain(&mut self) -> Vec<Record> {
        let owned = std::mem::take(&mut self.beside.owned);
        let records = Reader::new(self, owned).collect();
        self.clear();
        records
    }
}

impl Clone for Log {
    /// What is written, and no room for more.
    fn clone(&self) -> Self {
        let bytes = self.bytes.get(..self.at).unwrap_or_default().to_vec();
        let beside = self.beside.clone();
        let Self { at, timed, events, first, depths, .. } = *self;
        Self { bytes, at, timed, events, beside, first, depths }
    }
}

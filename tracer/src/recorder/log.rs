//! One chunk of a recording: events in lines of one size, one cache line each.
//!
//! Memory that is touched is most of what an event costs, so a line has room for the usual event
//! and no more. What has no room in it stands beside the lines, in the order of the events. Lines
//! and the bytes and values beside them get their memory when the chunk is made and never move; the
//! rest (numbers that are not in order, times, events that are kept as they are) may grow. Records
//! are made of it when they are taken out.

mod beside;
mod read;

pub use beside::Beside;

use super::{Head, Record};
use crate::event::Fact;
use crate::{Actor, Group, Site};
use read::Reader;

/// What every event has, and its fact.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Line {
    site: &'static Site,
    actor: Actor,
    depth: u16,
    /// The sequence number is not the next; it stands beside.
    numbered: bool,
    /// The time is not the sequence number; it stands beside.
    timed: bool,
    /// What happened; nothing if it is kept as it is, beside the line.
    fact: Option<Fact>,
}

const _: () = assert!(size_of::<Line>() == 64);

/// Events in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// All lines that there is room for.
    lines: Vec<Line>,
    /// Number of those that are written.
    used: usize,
    beside: Beside,
    /// The sequence number that the first event has if it has none of its own; those after it
    /// have the numbers after it.
    first: u64,
}

/// The group of the one site here, which no event comes from.
const PROBE_GROUP: Group = Group::Program;

static NOWHERE: Site = crate::site!();

/// A line that is not written yet.
static BLANK: Line = Line {
    site: &NOWHERE,
    actor: Actor::Card,
    depth: 0,
    numbered: false,
    timed: false,
    fact: None,
};

/// Room for so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) lines: usize,
    pub(super) bytes: usize,
    pub(super) pairs: usize,
}

impl Room {
    /// Room for so many events, each with a WQE building block or two values.
    pub(super) const fn of(lines: usize) -> Self {
        Self { lines, bytes: lines.saturating_mul(64), pairs: lines.saturating_mul(2) }
    }
}

/// The lines of a first chunk.
const LEAST: usize = 256;

/// The most lines that a chunk has.
pub(super) const MOST: usize = 8192;

/// The most of bytes or pairs that a chunk has room for, unless one event needs more.
const MOST_BESIDE: usize = 1 << 20;

impl Log {
    /// An empty log with this room.
    pub(super) fn new(room: Room) -> Self {
        let mut log = Self::default();
        log.make_room(room);
        log
    }

    /// Makes an empty log's room at least this.
    pub(super) fn make_room(&mut self, room: Room) {
        if self.lines.len() < room.lines {
            self.lines = vec![BLANK.clone(); room.lines];
        }
        self.beside.make_room(room);
    }

    /// Writes once to all memory of an empty log, so that the system has it ready.
    pub(super) fn touch(&mut self) {
        self.beside.touch();
    }

    /// Empties the log; its room stays.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.beside.clear();
    }

    /// Begins an empty log at this sequence number.
    pub(super) fn begin(&mut self, first: u64) {
        self.first = first;
    }

    /// The sequence number that the next event has if it has none of its own.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.first.wrapping_add(self.used as u64)
    }

    /// Number of events.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Whether one more event with so much beside it has room.
    #[inline]
    pub(super) fn has_room(&self, bytes: usize, pairs: usize) -> bool {
        self.used < self.lines.len() && self.beside.has_room(bytes, pairs)
    }

    /// The room that the next log should have, to begin with an event that has no room here: twice
    /// as much of what ran out.
    pub(super) fn next_room(&self, bytes: usize, pairs: usize) -> Room {
        let is_full = self.used >= self.lines.len();
        let lines = match self.lines.len() {
            ..LEAST => LEAST,
            lines if is_full => lines.saturating_mul(2).min(MOST),
            lines => lines,
        };
        let next = |room: (usize, usize), more: usize, least: usize| {
            let (used, room) = room;
            let is_short = !is_full && more > room - used;
            let wanted = if is_short { room.saturating_mul(2) } else { room };
            wanted.clamp(least, MOST_BESIDE).max(more)
        };
        let least = Room::of(lines);
        Room {
            lines,
            bytes: next(self.beside.bytes(), bytes, least.bytes),
            pairs: next(self.beside.pairs(), pairs, least.pairs),
        }
    }

    /// Appends a line with nothing but its head, where there is room. Its fact is to be set and what
    /// belongs beside it added, or the event itself.
    #[inline(always)]
    pub(super) fn push(&mut self, head: &Head) -> (&mut Option<Fact>, &mut Beside) {
        let Head { site, actor, depth, .. } = *head;
        let numbered = head.sequence != self.next();
        let timed = head.time != head.sequence;
        if numbered {
            self.beside.push_word(head.sequence);
        }
        if timed {
            self.beside.push_word(head.time);
        }
        let line = &mut self.lines[self.used];
        self.used += 1;
        *line = Line { site, actor, depth, numbered, timed, fact: None };
        (&mut line.fact, &mut self.beside)
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
        let next = self.next();
        self.clear();
        self.begin(next);
        records
    }
}

impl Clone for Log {
    /// What is written, and no room for more.
    fn clone(&self) -> Self {
        let lines = self.lines.get(..self.used).unwrap_or_default().to_vec();
        Self { lines, used: self.used, beside: self.beside.clone(), first: self.first }
    }
}

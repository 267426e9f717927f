//! Events as numbers and names, in a third of the room.
//!
//! A [`Record`] has room for the largest event, and memory that is touched for the first time
//! costs more than anything else that a recorder does. A log keeps the usual events as words of 64
//! bits and static names, one behind the other, and makes records of them when they are taken out.
//! The rare ones it keeps as they are: regions, commands, packets, texts made at run time.

mod read;
mod write;

use super::{Head, Record};
use crate::{Actor, Kind, Site};
use read::Reader;

/// Events in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Log {
    words: Vec<u64>,
    names: Vec<&'static str>,
    sites: Vec<&'static Site>,
    /// The events that are kept as they are.
    rest: Vec<Kind>,
    /// The sequence number that the first event has if it has none of its own.
    first: u64,
    /// The sequence number that the next event has if it has none of its own.
    next: u64,
}

/// In the first word of an event, bits 0 to 7: the code of its kind, or this for one that is kept
/// as it is. Bits 8 to 15 hold a thread's number, bits 16 to 31 the depth.
const REST: u64 = 0xff;
/// In the first word: it is the card's.
const CARD: u64 = 1 << 32;
/// In the first word: the sequence number is not the next; it follows.
const SEQUENCE: u64 = 1 << 33;
/// In the first word: the time is not the sequence number; it follows.
const TIME: u64 = 1 << 34;

impl Log {
    /// An empty log with room for as much as `other` holds.
    pub(super) fn like(other: &Self) -> Self {
        Self {
            words: Vec::with_capacity(other.words.len()),
            names: Vec::with_capacity(other.names.len()),
            sites: Vec::with_capacity(other.sites.len()),
            rest: Vec::with_capacity(other.rest.len()),
            first: other.next,
            next: other.next,
        }
    }

    /// An empty log with room for so many stores of 16 bytes. The room is written to once, so that
    /// the system has it ready before the first event comes.
    pub(super) fn with_capacity(events: usize, site: &'static Site) -> Self {
        let mut log = Self {
            words: vec![1; events.saturating_mul(5)],
            names: vec![" "; events],
            sites: vec![site; events],
            ..Self::default()
        };
        log.words.clear();
        log.names.clear();
        log.sites.clear();
        log
    }

    /// Number of words.
    #[inline]
    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// Number of words that there is room for.
    pub(super) fn room(&self) -> usize {
        self.words.capacity()
    }

    /// Appends one event. What is taken out of `kind` is what must be kept as it is.
    #[inline]
    pub(super) fn push(&mut self, head: &Head, kind: &mut Option<Kind>) {
        let Some(known) = kind else { return };
        let first = self.words.len();
        self.push_head(head, known.code());
        let (words, names) = (self.words.len(), self.names.len());
        if !self.push_body(known) {
            self.words.truncate(words);
            self.names.truncate(names);
            if let Some(word) = self.words.get_mut(first) {
                *word |= REST;
            }
            self.rest.extend(kind.take());
        }
    }

    /// Writes what every event has.
    #[inline]
    fn push_head(&mut self, head: &Head, code: u8) {
        let actor = match head.actor {
            Actor::Card => CARD,
            Actor::Cpu(number) => u64::from(number) << 8,
        };
        let numbered = if head.sequence == self.next { 0 } else { SEQUENCE };
        let timed = if head.time == head.sequence { 0 } else { TIME };
        let depth = u64::from(head.depth) << 16;
        self.words.push(u64::from(code) | actor | depth | numbered | timed);
        if numbered != 0 {
            self.words.push(head.sequence);
        }
        if timed != 0 {
            self.words.push(head.time);
        }
        self.sites.push(head.site);
        self.next = head.sequence.wrapping_add(1);
    }

    /// The events as records.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        Reader::new(self, self.rest.iter().cloned())
    }

    /// The events as records, and the end of the log.
    pub(super) fn into_records(mut self) -> Vec<Record> {
        let rest = std::mem::take(&mut self.rest);
        Reader::new(&self, rest.into_iter()).collect()
    }
}

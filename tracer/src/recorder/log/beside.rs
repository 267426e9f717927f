//! What stands beside the lines: what has no room in them, each in the order of the events.

use super::Room;
use crate::Kind;
use crate::event::{LONG, Pair};

/// Beside the lines of one chunk.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Sequence numbers, times, and lengths from [`LONG`] on.
    pub(super) words: Vec<u64>,
    pub(super) bytes: Vec<u8>,
    pub(super) pairs: Vec<Pair>,
    pub(super) owned: Owned,
}

/// What has memory of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned {
    /// Events that are kept as they are.
    pub(super) whole: Vec<Kind>,
    /// Texts made at run time.
    pub(super) made: Vec<String>,
}

impl Beside {
    /// Adds an event that is kept as it is.
    pub(crate) fn push_whole(&mut self, kind: Kind) {
        self.owned.whole.push(kind);
    }

    /// Adds the bytes of an event.
    #[inline]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        if bytes.len() >= usize::from(LONG) {
            self.push_word(bytes.len() as u64);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a value of an event.
    #[inline(always)]
    pub(crate) fn push_pair(&mut self, name: &'static str, value: crate::Value) {
        let pair = Pair::of(name, value, &mut self.owned.made);
        self.pairs.push(pair);
    }

    /// Adds what has no place in a line.
    #[cold]
    #[inline(never)]
    pub(super) fn push_word(&mut self, word: u64) {
        self.words.push(word);
    }

    /// Whether there is room for so much more of what events have as a rule.
    #[inline(always)]
    pub(super) fn has_room(&self, bytes: usize, pairs: usize) -> bool {
        bytes <= self.bytes.capacity() - self.bytes.len()
            && pairs <= self.pairs.capacity() - self.pairs.len()
    }

    /// Makes the room at least this, if nothing is here yet.
    pub(super) fn make_room(&mut self, room: Room) {
        self.bytes.reserve_exact(room.bytes);
        self.pairs.reserve_exact(room.pairs);
    }

    /// Writes once to all of the room, if nothing is here yet.
    pub(super) fn touch(&mut self) {
        self.bytes.resize(self.bytes.capacity(), 1);
        self.pairs.resize(self.pairs.capacity(), Pair::BLANK);
        self.clear();
    }

    /// How many bytes there are, and how many there is room for.
    pub(super) fn bytes(&self) -> (usize, usize) {
        (self.bytes.len(), self.bytes.capacity())
    }

    /// How many pairs there are, and how many there is room for.
    pub(super) fn pairs(&self) -> (usize, usize) {
        (self.pairs.len(), self.pairs.capacity())
    }

    /// Empties all; the room stays.
    pub(super) fn clear(&mut self) {
        self.words.clear();
        self.bytes.clear();
        self.pairs.clear();
        self.owned.whole.clear();
        self.owned.made.clear();
    }

    /// Whether a region was mapped or unmapped.
    pub(super) fn has_maps(&self) -> bool {
        let is_map = |kind: &Kind| matches!(kind, Kind::Map(_) | Kind::Unmap { .. });
        self.owned.whole.iter().any(is_map)
    }
}

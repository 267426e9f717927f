//! Lines, and what stands beside them, as events again.

use super::beside::Owned;
use super::{Head, Line, Log, Record};
use crate::Kind;
use crate::event::{LONG, Pair};
use std::iter::Copied;
use std::slice::Iter;
use std::vec::IntoIter;

/// Reads a log from its beginning.
pub(super) struct Reader<'a> {
    lines: Iter<'a, Line>,
    words: Copied<Iter<'a, u64>>,
    bytes: &'a [u8],
    pairs: Copied<Iter<'a, Pair>>,
    whole: IntoIter<Kind>,
    made: IntoIter<String>,
    /// The number of the next event if it has none of its own.
    next: u64,
}

impl<'a> Reader<'a> {
    /// A reader of the log and of what was owned by it, or is a copy of that.
    pub(super) fn new(log: &'a Log, owned: Owned) -> Self {
        Self {
            lines: log.lines.get(..log.used).unwrap_or_default().iter(),
            words: log.beside.words.iter().copied(),
            bytes: &log.beside.bytes,
            pairs: log.beside.pairs.iter().copied(),
            whole: owned.whole.into_iter(),
            made: owned.made.into_iter(),
            next: log.first,
        }
    }

    /// What a line's event is.
    fn kind(&mut self, line: &Line) -> Option<Kind> {
        let Some(fact) = &line.fact else {
            return self.whole.next();
        };
        let length = match fact.beside() {
            LONG => usize::try_from(self.words.next()?).ok()?,
            length => length.into(),
        };
        let (bytes, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        let (pairs, made) = (&mut self.pairs, &mut self.made);
        Some(fact.kind(bytes, &mut pairs.map(|pair| pair.argument(made))))
    }
}

impl Iterator for Reader<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let line = self.lines.next()?;
        let sequence = if line.numbered { self.words.next()? } else { self.next };
        self.next = self.next.wrapping_add(1);
        let time = if line.timed { self.words.next()? } else { sequence };
        let Line { site, actor, depth, .. } = *line;
        let head = Head { sequence, time, actor, depth, site };
        Some(head.with(self.kind(line)?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.lines.len()))
    }
}

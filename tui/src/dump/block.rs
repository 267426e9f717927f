//! The rows of one dump, put together by their offsets.

use super::rows::{Row, WIDEST_WORD};

/// Of a longer dump the rest is left out: what a whole ring of the largest send queue has.
pub const MOST_BYTES: usize = 4 << 20;

/// A dump under way.
#[derive(Debug, Clone)]
pub struct Block {
    /// The line of its first row.
    pub first: u64,
    /// The line of its last row.
    pub last: u64,
    /// Bytes in a token.
    pub unit: usize,
    /// The bytes, tokens with their highest digits first.
    pub bytes: Vec<u8>,
    /// What was not as it should be.
    pub notes: Vec<String>,
    /// How many bytes the title promised.
    limit: Option<usize>,
    /// The offset of the first row, and where the last row began.
    base: Option<u64>,
    last_row: usize,
    rows: usize,
    /// Whether every row has had an empty line behind it, as in text copied from a page.
    spaced: bool,
    /// Empty and other lines since the last row.
    gap: u32,
    blank: bool,
}

/// Lines of others that may come between two rows of a dump that is not whole yet.
const MOST_FOREIGN: u32 = 8;

impl Block {
    /// A dump that begins with this row.
    pub fn new(row: Row, line: u64, limit: Option<usize>) -> Self {
        let mut block = Self {
            first: line,
            last: line,
            unit: row.unit,
            bytes: row.bytes,
            notes: Vec::new(),
            limit,
            base: row.offset,
            last_row: 0,
            rows: 1,
            spaced: false,
            gap: 0,
            blank: false,
        };
        if limit.is_some() && row.offset.is_some_and(|offset| offset != 0 && offset < 1 << 16) {
            let offset = row.offset.unwrap_or(0);
            block.notes.push(format!("its first row says offset {offset:#x}: rows are missing"));
        }
        block.cut();
        block
    }

    /// Whether all promised bytes are there.
    pub fn is_whole(&self) -> bool {
        self.limit.is_some_and(|limit| self.bytes.len() >= limit)
    }

    /// The bytes that were promised.
    pub fn limit(&self) -> Option<usize> {
        self.limit
    }

    /// Takes the next row; gives it back if it belongs to another dump.
    pub fn push(&mut self, row: Row, line: u64) -> Result<(), Row> {
        if row.unit != self.unit && !(row.unit > WIDEST_WORD && self.unit > WIDEST_WORD) {
            return Err(row);
        }
        if self.blank && self.rows > 1 && !self.spaced && self.limit.is_none() {
            return Err(row);
        }
        let end = self.bytes.len();
        match (self.base, row.offset) {
            (Some(base), Some(offset)) => {
                let place = offset.checked_sub(base).and_then(|at| usize::try_from(at).ok());
                match place {
                    Some(place) if place == end => {}
                    Some(place) if place > self.last_row && place < end => {
                        let extra = end - place;
                        self.notes.push(format!(
                            "line {} has {extra} bytes more than the next row's offset leaves room \
                             for; they are left out",
                            self.last
                        ));
                        self.bytes.truncate(place);
                    }
                    _ => return Err(row),
                }
            }
            (Some(_), None) | (None, None) => {}
            (None, Some(_)) => return Err(row),
        }
        if self.blank && self.rows == 1 {
            self.spaced = true;
        }
        self.last_row = self.bytes.len();
        self.bytes.extend_from_slice(&row.bytes);
        self.rows += 1;
        self.last = line;
        (self.gap, self.blank) = (0, false);
        self.cut();
        Ok(())
    }

    /// Tells of a line that is no row. Answers whether the dump may still go on behind it.
    pub fn other(&mut self, is_blank: bool) -> bool {
        self.gap += 1;
        self.blank |= is_blank;
        match self.limit {
            Some(limit) => self.bytes.len() < limit && self.gap <= MOST_FOREIGN,
            // Text copied from a page may have an empty line behind each row.
            None => is_blank && self.gap == 1 && (self.rows == 1 || self.spaced),
        }
    }

    /// Leaves out what is too much.
    fn cut(&mut self) {
        let limit = self.limit.unwrap_or(MOST_BYTES).min(MOST_BYTES);
        if let Some(extra) = self.bytes.len().checked_sub(limit)
            && extra > 0
        {
            self.bytes.truncate(limit);
            let said = match self.limit {
                Some(_) => "has more bytes than its title says",
                None => "is longer than 4 MiB",
            };
            let note = format!("the dump {said}; the rest from line {} on is left out", self.last);
            if !self.notes.contains(&note) && self.notes.len() < 4 {
                self.notes.push(note);
            }
        }
    }

    /// The same bytes with each token turned round: what they are if the words were printed as the
    /// host's little-endian integers. `None` if the tokens are single bytes.
    pub fn reversed(&self) -> Option<Vec<u8>> {
        if !(2..=WIDEST_WORD).contains(&self.unit) {
            return None;
        }
        let mut bytes = self.bytes.clone();
        bytes.chunks_exact_mut(self.unit).for_each(<[u8]>::reverse);
        Some(bytes)
    }
}

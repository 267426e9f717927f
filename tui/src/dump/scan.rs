//! Going through a text.

use super::block::Block;
use super::found::{Dump, Fact, Failure, Found, Reading, What};
use super::kinds::Kind;
use super::marks::{Mark, Marked, mark};
use super::rows::row;
use clap::ValueEnum;
use std::io::{self, BufRead};

mod dump;
mod told;

/// Of a longer line the rest is not looked at.
const LONGEST_LINE: usize = 64 << 10;

/// Lines of others that may come between a title and its dump, or between two lines of a message.
const MOST_BETWEEN: u32 = 8;

/// What is kept of a kind of trouble, at most.
const MOST_KEPT: usize = 3;

/// What the whole text was like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Lines.
    pub lines: u64,
    /// Things found; several of the same in a row count each.
    pub found: u64,
    /// Stretches of hex that fit nothing: how many, and the first of them: line and bytes.
    pub unknown: u64,
    /// The first of those.
    pub unknown_at: Vec<(u64, usize)>,
    /// Lines that announce a dump which does not follow: how many, and the first of them.
    pub lonely: u64,
    /// The first of those.
    pub lonely_at: Vec<u64>,
    /// Lines that were cut.
    pub cut: u64,
    /// Whether the text begins like text at all.
    pub binary: bool,
}

/// A file that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A trace of this program.
    Trace,
    /// UTF-16.
    Utf16,
    /// Something compressed, or a capture, or a program: its name.
    Known(&'static str),
}

/// Why a text could not be gone through.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It could not be read.
    #[error("cannot read it: {0}")]
    Read(io::Error),
    /// It is something else.
    #[error("{}", foreign(.0))]
    Foreign(Foreign),
    /// What was found could not be handed out.
    #[error("{0}")]
    Output(io::Error),
}

/// What to do with another file.
fn foreign(what: &Foreign) -> String {
    match what {
        Foreign::Trace => {
            "this is a trace of doorbell, not a dump; open it with `doorbell replay`".to_owned()
        }
        Foreign::Utf16 => {
            "this is UTF-16; make it UTF-8 first: `iconv -f UTF-16 -t UTF-8 FILE`".to_owned()
        }
        Foreign::Known(name) => format!(
            "this is {name}, not text; unpack it, or print the bytes of one structure with \
             `xxd FILE | doorbell decode`"
        ),
    }
}

/// The first bytes of files that are often given by mistake.
const MAGIC: [(&[u8], Foreign); 12] = [
    (b"{\"format\":\"doorbell-trace\"", Foreign::Trace),
    (b"\xff\xfe", Foreign::Utf16),
    (b"\xfe\xff", Foreign::Utf16),
    (b"\x1f\x8b", Foreign::Known("a gzip file")),
    (b"\xfd7zXZ", Foreign::Known("an xz file")),
    (b"\x28\xb5\x2f\xfd", Foreign::Known("a zstd file")),
    (b"BZh", Foreign::Known("a bzip2 file")),
    (b"PK\x03\x04", Foreign::Known("a zip file")),
    (b"\x0a\x0d\x0d\x0a", Foreign::Known("a pcapng capture")),
    (b"\xd4\xc3\xb2\xa1", Foreign::Known("a pcap capture")),
    (b"\x7fELF", Foreign::Known("a program (ELF)")),
    (b"LPKSHHRH", Foreign::Known("a systemd journal")),
];

/// Goes through `text` and hands each thing found to `give`, in the order of the text.
///
/// `kind` says what hex without a message is; without it the checks decide.
///
/// # Errors
///
/// When the text cannot be read, is no text, or `give` fails.
pub fn scan(
    mut text: impl BufRead,
    kind: Option<Kind>,
    give: &mut dyn FnMut(Found) -> io::Result<()>,
) -> Result<Seen, ScanError> {
    let head = text.fill_buf().map_err(ScanError::Read)?;
    for (magic, what) in MAGIC {
        if head.starts_with(magic) {
            return Err(ScanError::Foreign(what));
        }
    }
    let odd = |byte: &&u8| **byte < 32 && !matches!(**byte, b'\n' | b'\r' | b'\t' | 27);
    let start = head.get(..head.len().min(4096)).unwrap_or(head);
    let binary = start.iter().filter(odd).count() * 10 > start.len();
    let mut scanner = Scanner::new(kind, give);
    scanner.seen.binary = binary;
    let mut line = Vec::new();
    while next_line(&mut text, &mut line, &mut scanner.seen.cut)? {
        scanner.line(&line).map_err(ScanError::Output)?;
    }
    scanner.finish().map_err(ScanError::Output)
}

/// Reads a line, of which at most [`LONGEST_LINE`] bytes are kept. False at the end.
fn next_line(
    text: &mut impl BufRead,
    line: &mut Vec<u8>,
    cut: &mut u64,
) -> Result<bool, ScanError> {
    line.clear();
    let (mut some, mut was_cut) = (false, false);
    loop {
        let piece = match text.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ScanError::Read(error)),
        };
        if piece.is_empty() {
            break;
        }
        some = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(piece.len(), |at| at + 1);
        let room = LONGEST_LINE.saturating_sub(line.len());
        let own = piece.get(..end.unwrap_or(piece.len())).unwrap_or(piece);
        was_cut |= own.len() > room;
        line.extend_from_slice(own.get(..own.len().min(room)).unwrap_or(own));
        text.consume(used);
        if end.is_some() {
            break;
        }
    }
    *cut += u64::from(was_cut);
    Ok(some)
}

/// A ring that is dumped as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    Completions,
    Sends,
    Receives,
}

/// What a title says of the dump behind it.
#[derive(Debug, Clone, Copy, Default)]
struct Expected {
    kind: Option<Kind>,
    length: Option<usize>,
    ring: Option<Ring>,
    ethernet: bool,
    command: Option<u16>,
    /// Whether the title tells nothing by itself.
    only_title: bool,
}

/// A mark that waits for what belongs to it.
#[derive(Debug, Clone)]
struct Pending {
    mark: Mark,
    line: u64,
    last: u64,
    facts: Vec<Fact>,
    what: What,
    expected: Option<Expected>,
    age: u32,
}

/// Where the scan stands.
struct Scanner<'a> {
    kind: Option<Kind>,
    give: &'a mut dyn FnMut(Found) -> io::Result<()>,
    seen: Seen,
    block: Option<Block>,
    pending: Option<Pending>,
    /// The counter of the WQE that the last message of DPDK named.
    counter: Option<u16>,
    /// What was found last, until it is known how many of the same follow.
    last: Option<Found>,
}

impl<'a> Scanner<'a> {
    fn new(kind: Option<Kind>, give: &'a mut dyn FnMut(Found) -> io::Result<()>) -> Self {
        let seen = Seen::default();
        Self { kind, give, seen, block: None, pending: None, counter: None, last: None }
    }

    /// Takes the next line.
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.seen.lines += 1;
        if let Some(marked) = mark(line) {
            if self.belongs(&marked) {
                return Ok(());
            }
            if self.is_mark(&marked) {
                self.close()?;
                return self.mark(&marked);
            }
        }
        let text = String::from_utf8_lossy(line);
        let waits = self.pending.as_ref().is_some_and(|pending| pending.expected.is_some());
        match row(&text, self.block.is_some() || waits) {
            Some(row) => self.row(row),
            None => self.other(text.trim_matches(['>', ' ', '\t', '\r']).is_empty()),
        }
    }

    /// Takes a row of hex.
    fn row(&mut self, row: super::rows::Row) -> io::Result<()> {
        let line = self.seen.lines;
        let row = match &mut self.block {
            Some(block) => block.push(row, line).err(),
            None => Some(row),
        };
        if let Some(row) = row {
            self.close()?;
            let expected = self.pending.as_ref().and_then(|pending| pending.expected);
            let length = expected.and_then(|expected| expected.length);
            self.block = Some(Block::new(row, line, length));
        }
        if self.block.as_ref().is_some_and(Block::is_whole) {
            self.close()?;
        }
        Ok(())
    }

    /// Takes a line that is neither mark nor row.
    fn other(&mut self, is_blank: bool) -> io::Result<()> {
        if let Some(block) = &mut self.block {
            if !block.other(is_blank) {
                self.close()?;
            }
            return Ok(());
        }
        if let Some(pending) = &mut self.pending {
            pending.age += u32::from(!is_blank);
            if pending.age > MOST_BETWEEN {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Hands out what waits, at the end of the text.
    fn finish(mut self) -> Result<Seen, io::Error> {
        self.close()?;
        self.flush()?;
        if let Some(last) = self.last.take() {
            (self.give)(last)?;
        }
        Ok(self.seen)
    }

    /// Hands out a message that nothing followed.
    fn flush(&mut self) -> io::Result<()> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        if pending.expected.is_some_and(|expected| expected.only_title) {
            self.seen.lonely += 1;
            if self.seen.lonely_at.len() < MOST_KEPT {
                self.seen.lonely_at.push(pending.line);
            }
            return Ok(());
        }
        let mut notes = Vec::new();
        if pending.mark.announces().is_some() && pending.mark != Mark::KernelStatus {
            notes.push("the dump that such a message has behind it is not there".to_owned());
        }
        self.found(Found {
            first: pending.line,
            last: pending.last,
            mark: Some(pending.mark),
            facts: pending.facts,
            what: pending.what,
            dump: None,
            notes,
            repeats: 0,
            repeated_to: 0,
        })
    }

    /// Keeps a finding, and hands out the one before it, if that says something else.
    fn found(&mut self, found: Found) -> io::Result<()> {
        self.seen.found += 1;
        if let Some(last) = &mut self.last
            && last.says_the_same(&found)
        {
            last.repeats += 1;
            last.repeated_to = found.last;
            return Ok(());
        }
        match self.last.replace(found) {
            Some(last) => (self.give)(last),
            None => Ok(()),
        }
    }
}

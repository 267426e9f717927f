//! Reading a trace event by event, for whoever needs each of them once and none of them again.

use super::error::{Damage, TraceFileError, Warning};
use super::line::{End, LONGEST, Lines};
use super::notes::Notes;
use super::open::unreadable;
use super::parse::{self, HeaderLine, Parsed};
use crate::{Event, Header};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The events of a trace in their order. Nothing of an event is kept once it was handed out, so
/// that the memory needed is that of the header and of one line.
#[derive(Debug)]
pub struct Stream<R = BufReader<File>> {
    path: PathBuf,
    lines: Lines<R>,
    header: Header,
    /// Events by the header.
    promised: Option<u64>,
    /// Events handed out.
    events: usize,
    last_sequence: Option<u64>,
    notes: Notes,
}

impl Stream {
    /// Opens a trace file, or a pipe that one comes through.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TraceFileError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
        if metadata.is_dir() {
            return Err(TraceFileError::Directory { path: path.to_owned() });
        }
        Self::new(path, BufReader::with_capacity(1 << 20, file), LONGEST)
    }
}

impl<R: BufRead> Stream<R> {
    /// Reads the header of `input`, whose lines have at most `longest` bytes.
    pub(super) fn new(path: &Path, input: R, longest: usize) -> Result<Self, TraceFileError> {
        let mut lines = Lines::new(input, longest);
        let end = lines.next().map_err(|error| unreadable(path, error))?;
        let whole = match end {
            None => {
                return Err(TraceFileError::Empty { path: path.to_owned() });
            }
            Some(end) => end == End::Newline,
        };
        let HeaderLine { header, events } = parse::header(path, lines.bytes(), whole)?;
        Ok(Self {
            path: path.to_owned(),
            lines,
            header,
            promised: events,
            events: 0,
            last_sequence: None,
            notes: Notes::default(),
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Offset in the file of the line that was read last.
    pub(super) fn start(&self) -> u64 {
        self.lines.start()
    }

    /// Offset behind that line.
    pub(super) fn end(&self) -> u64 {
        self.lines.end()
    }

    /// The next event; `None` at the end, or at a line that ends the trace: [`Stream::finish`] says
    /// which.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let end = match self.lines.next() {
                Ok(None) => return None,
                Ok(Some(End::TooLong)) => {
                    let most = self.lines.longest();
                    return self.damaged(Damage::TooLong(most));
                }
                Ok(Some(end)) => end,
                Err(error) => return self.damaged(Damage::Unreadable(error.to_string())),
            };
            if self.lines.is_blank() {
                continue;
            }
            return match parse::event(self.lines.bytes()) {
                Ok(parsed) => self.take(parsed),
                Err(_) if end == End::File => self.truncated(),
                Err(damage) => self.damaged(damage),
            };
        }
    }

    /// The header, and what was found on the way, once there is no further event.
    pub fn finish(self) -> (Header, Vec<Warning>) {
        (self.header, self.notes.into_warnings(self.promised, self.events))
    }

    /// Hands one event out, unless it cannot follow the one before.
    fn take(&mut self, parsed: Parsed) -> Option<Event> {
        let event = parsed.event;
        let line = self.lines.number();
        if let Some(before) = self.last_sequence
            && event.sequence <= before
        {
            let found = event.sequence;
            return self.damaged(Damage::OutOfOrder { before, found });
        }
        let expected = self.last_sequence.map_or(0, |before| before + 1);
        self.notes.sequence(line, event.sequence - expected);
        self.last_sequence = Some(event.sequence);
        if event.site as usize >= self.header.sites.len() {
            self.notes.site(line);
        }
        if let Some(kind) = parsed.unknown {
            self.notes.unknown(line, kind);
        }
        self.events += 1;
        Some(event)
    }

    fn truncated(&mut self) -> Option<Event> {
        self.notes.end = Some(Warning::Truncated {
            line: self.lines.number(),
            offset: self.lines.start(),
            events: self.events,
        });
        None
    }

    fn damaged(&mut self, damage: Damage) -> Option<Event> {
        self.notes.end = Some(Warning::Damaged {
            line: self.lines.number(),
            offset: self.lines.start(),
            damage,
            events: self.events,
        });
        None
    }
}

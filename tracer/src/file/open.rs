//! Opening: one pass over the lines.

use super::error::{Damage, TraceFileError, Warning};
use super::line::{End, LONGEST, Lines};
use super::loaded::{Brief, Events, Loaded};
use super::notes::Notes;
use super::parse::{self, HeaderLine, Parsed};
use crate::timeline::Timeline;
use crate::{Event, Header};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Mutex;

/// Events between two reports of progress.
const REPORT: usize = 4096;

/// How far opening has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub read: u64,
    /// Bytes of the file; 0 where that is not known.
    pub total: u64,
    /// Events read.
    pub events: usize,
}

/// Bounds for opening.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files of up to so many bytes are kept in memory as a whole.
    pub memory: u64,
    /// Lines of more bytes are damage.
    pub line: usize,
}

impl Default for Limits {
    /// 32 MiB in memory, lines of 64 MiB.
    fn default() -> Self {
        Self { memory: 32 << 20, line: LONGEST }
    }
}

/// Opens a trace file. What is wrong behind its header is told by the warnings.
pub fn open(path: impl AsRef<Path>) -> Result<(Loaded, Vec<Warning>), TraceFileError> {
    open_with(path, Limits::default(), &mut |_| {})
}

/// [`open`] with bounds of one's own; `progress` is called every few thousand events and at the end.
pub fn open_with(
    path: impl AsRef<Path>,
    limits: Limits,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Loaded, Vec<Warning>), TraceFileError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Err(TraceFileError::Directory { path: path.to_owned() });
    }
    let again = if metadata.is_file() && metadata.len() > limits.memory {
        let file = file.try_clone();
        Some(file.map_err(|error| unreadable(path, error))?)
    } else {
        None
    };
    let total = if metadata.is_file() { metadata.len() } else { 0 };
    let input = BufReader::with_capacity(1 << 20, file);
    Pass::new(path, input, limits, total, again.is_none())?.run(progress, again)
}

/// Reads a trace from a stream into memory; `name` stands for the path in messages.
pub fn read(
    name: impl AsRef<Path>,
    input: impl BufRead,
) -> Result<(Loaded, Vec<Warning>), TraceFileError> {
    Pass::new(name.as_ref(), input, Limits::default(), 0, true)?.run(&mut |_| {}, None)
}

/// A failure of the system while opening.
fn unreadable(path: &Path, source: io::Error) -> TraceFileError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => TraceFileError::Missing { path },
        io::ErrorKind::IsADirectory => TraceFileError::Directory { path },
        _ => TraceFileError::Unreadable { path, source },
    }
}

/// The pass over a file.
struct Pass<'a, R> {
    path: &'a Path,
    lines: Lines<R>,
    total: u64,
    header: Header,
    /// Events by the header.
    promised: Option<u64>,
    timeline: Timeline,
    briefs: Vec<Brief>,
    offsets: Vec<u64>,
    /// The events, if they stay in memory.
    kept: Option<Vec<Event>>,
    last_sequence: Option<u64>,
    notes: Notes,
}

impl<'a, R: BufRead> Pass<'a, R> {
    /// Reads the header.
    fn new(
        path: &'a Path,
        input: R,
        limits: Limits,
        total: u64,
        keep: bool,
    ) -> Result<Self, TraceFileError> {
        let mut lines = Lines::new(input, limits.line);
        let end = lines.next().map_err(|error| unreadable(path, error))?;
        let whole = match end {
            None => {
                return Err(TraceFileError::Empty { path: path.to_owned() });
            }
            Some(end) => end == End::Newline,
        };
        let HeaderLine { header, events } = parse::header(path, lines.bytes(), whole)?;
        Ok(Self {
            path,
            lines,
            total,
            header,
            promised: events,
            timeline: Timeline::new(),
            briefs: Vec::new(),
            offsets: Vec::new(),
            kept: keep.then(Vec::new),
            last_sequence: None,
            notes: Notes::default(),
        })
    }

    /// Reads the events. `file` is what to read them from again, if they are not kept.
    fn run(
        mut self,
        progress: &mut dyn FnMut(Progress),
        file: Option<File>,
    ) -> Result<(Loaded, Vec<Warning>), TraceFileError> {
        let mut end = self.lines.end();
        while self.step() {
            end = self.lines.end();
            if self.briefs.len().is_multiple_of(REPORT) {
                progress(self.progress(end));
            }
        }
        progress(self.progress(end));
        self.offsets.push(end);
        let warnings = self.notes.into_warnings(self.promised, self.briefs.len());
        let events = match (self.kept, file) {
            (None, Some(file)) => Events::InFile { file: Mutex::new(file), offsets: self.offsets },
            (kept, _) => Events::Kept(kept.unwrap_or_default()),
        };
        let loaded = Loaded {
            path: self.path.to_owned(),
            header: self.header,
            timeline: self.timeline,
            briefs: self.briefs,
            events,
        };
        Ok((loaded, warnings))
    }

    fn progress(&self, read: u64) -> Progress {
        Progress { read, total: self.total, events: self.briefs.len() }
    }

    /// Takes in the next event; false at the end, or at a line that ends the trace.
    fn step(&mut self) -> bool {
        loop {
            let end = match self.lines.next() {
                Ok(None) => return false,
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

    /// Takes in one event; false if it cannot follow the one before.
    fn take(&mut self, parsed: Parsed) -> bool {
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
        self.timeline.push(&event);
        self.briefs.push(Brief::of(&event));
        match &mut self.kept {
            Some(kept) => kept.push(event),
            None => self.offsets.push(self.lines.start()),
        }
        true
    }

    fn truncated(&mut self) -> bool {
        self.notes.end = Some(Warning::Truncated {
            line: self.lines.number(),
            offset: self.lines.start(),
            events: self.briefs.len(),
        });
        false
    }

    fn damaged(&mut self, damage: Damage) -> bool {
        self.notes.end = Some(Warning::Damaged {
            line: self.lines.number(),
            offset: self.lines.start(),
            damage,
            events: self.briefs.len(),
        });
        false
    }
}

//! Opening: one pass over the lines.

use super::error::{TraceFileError, Warning};
use super::line::LONGEST;
use super::loaded::{Brief, Events, Loaded};
use super::stream::Stream;
use crate::Event;
use crate::timeline::Timeline;
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
pub(super) fn unreadable(path: &Path, source: io::Error) -> TraceFileError {
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
    stream: Stream<R>,
    total: u64,
    timeline: Timeline,
    briefs: Vec<Brief>,
    offsets: Vec<u64>,
    /// The events, if they stay in memory.
    kept: Option<Vec<Event>>,
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
        Ok(Self {
            path,
            stream: Stream::new(path, input, limits.line)?,
            total,
            timeline: Timeline::new(),
            briefs: Vec::new(),
            offsets: Vec::new(),
            kept: keep.then(Vec::new),
        })
    }

    /// Reads the events. `file` is what to read them from again, if they are not kept.
    fn run(
        mut self,
        progress: &mut dyn FnMut(Progress),
        file: Option<File>,
    ) -> Result<(Loaded, Vec<Warning>), TraceFileError> {
        let mut end = self.stream.end();
        while let Some(event) = self.stream.next_event() {
            self.take(event);
            end = self.stream.end();
            if self.briefs.len().is_multiple_of(REPORT) {
                progress(self.progress(end));
            }
        }
        progress(self.progress(end));
        self.offsets.push(end);
        let (header, warnings) = self.stream.finish();
        let events = match (self.kept, file) {
            (None, Some(file)) => Events::InFile { file: Mutex::new(file), offsets: self.offsets },
            (kept, _) => Events::Kept(kept.unwrap_or_default()),
        };
        let loaded = Loaded {
            path: self.path.to_owned(),
            header,
            timeline: self.timeline,
            briefs: self.briefs,
            events,
        };
        Ok((loaded, warnings))
    }

    fn progress(&self, read: u64) -> Progress {
        Progress { read, total: self.total, events: self.briefs.len() }
    }

    /// Takes in one event.
    fn take(&mut self, event: Event) {
        self.timeline.push(&event);
        self.briefs.push(Brief::of(&event));
        match &mut self.kept {
            Some(kept) => kept.push(event),
            None => self.offsets.push(self.stream.start()),
        }
    }
}

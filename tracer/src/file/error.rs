//! What can be wrong with a trace file, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Why a trace file cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum TraceFileError {
    /// There is no such file.
    #[error("there is no file {}: check the path, or make the file with `doorbell record SCENARIO -o {}`", .path.display(), .path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The path is a directory.
    #[error("{} is a directory: name a trace file in it", .path.display())]
    Directory {
        /// The path.
        path: PathBuf,
    },
    /// The system refused to read.
    #[error("cannot read {}: {source}; check that you may read the file and that its disk is sound", .path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{} is empty: its recording was stopped before it wrote anything; record it again", .path.display())]
    Empty {
        /// The path.
        path: PathBuf,
    },
    /// The first line is not text, or not JSON.
    #[error("{} is not a trace: its first line is {found}, and a trace begins with a line of JSON; {advice}", .path.display())]
    NotJson {
        /// The path.
        path: PathBuf,
        /// What the line is instead.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// The first line is JSON, but no trace's header.
    #[error("{} holds JSON but is not a trace: the field `format` of its first line is {found}, and a trace says \"doorbell-trace\"; name a file that `doorbell record` wrote", .path.display())]
    NotATrace {
        /// The path.
        path: PathBuf,
        /// What `format` is instead.
        found: String,
    },
    /// A later version wrote it.
    #[error("{} has schema version {found}, written by {tool}; this version of doorbell reads up to {supported}: open it with that tool or update this one", .path.display())]
    NewerSchema {
        /// The path.
        path: PathBuf,
        /// The file's schema version.
        found: u64,
        /// The newest that this build reads.
        supported: u32,
        /// What the file says wrote it.
        tool: String,
    },
    /// The header ends in its middle.
    #[error("{} ends in the middle of its header, after {bytes} bytes: nothing of the trace is left; record it again", .path.display())]
    TruncatedHeader {
        /// The path.
        path: PathBuf,
        /// Length of the file.
        bytes: u64,
    },
    /// The header lacks a field or has one of the wrong type.
    #[error("the header of {} is damaged: {reason}; record it again, or repair the first line", .path.display())]
    DamagedHeader {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An event that was there when the file was opened cannot be read now.
    #[error("event {step} of {} cannot be read any more: {reason}; the file was changed after it was opened, open it again", .path.display())]
    Changed {
        /// The path.
        path: PathBuf,
        /// Index of the event.
        step: usize,
        /// What went wrong.
        reason: String,
    },
    /// The file cannot be created.
    #[error("cannot create {}: {source}; choose a path that you may write to, in a directory that exists", .path.display())]
    Create {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed on the way, as on a full disk.
    #[error("writing {} failed after {events} whole events: {source}; these can be opened; make room or choose another disk, and record again for the rest", .path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Whole events that were written.
        events: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A line would be longer than a reader accepts.
    #[error("event {step} would be a line of {bytes} bytes in {}, and a trace file's lines have at most {limit}: trace smaller transfers", .path.display())]
    LineTooLong {
        /// The path.
        path: PathBuf,
        /// Index of the event.
        step: usize,
        /// Length that the line would have.
        bytes: usize,
        /// Length that it may have.
        limit: usize,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Its bytes are no text.
    #[error("it is not UTF-8 text from its byte {0} on")]
    NotText(usize),
    /// It is no event.
    #[error("it is not an event: {0}")]
    NotAnEvent(String),
    /// Its sequence number is not above the one before.
    #[error("its sequence number is {found}, and the line before has {before}")]
    OutOfOrder {
        /// The number before.
        before: u64,
        /// The line's number.
        found: u64,
    },
    /// It is longer than any event.
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// The system failed to read it.
    #[error("reading failed: {0}")]
    Unreadable(String),
}

/// What was found while opening a trace that can be shown all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The file ends in the middle of a line.
    #[error(
        "the file ends in the middle of line {line}, at byte {offset}: the trace is shown up to its last whole line, {events} events"
    )]
    Truncated {
        /// Number of the line, from 1.
        line: u64,
        /// Offset in the file at which it begins.
        offset: u64,
        /// Whole events before it.
        events: usize,
    },
    /// A line is damaged; it and what follows is left out.
    #[error(
        "line {line}, at byte {offset}, is damaged: {damage}; the trace is shown up to the line before, {events} events. Repair or delete that line to see the rest"
    )]
    Damaged {
        /// Number of the line, from 1.
        line: u64,
        /// Offset in the file at which it begins.
        offset: u64,
        /// What is wrong with it.
        damage: Damage,
        /// Whole events before it.
        events: usize,
    },
    /// The header promises more events, and the file ends at the end of a line.
    #[error("the header says {expected} events and the file has {found}: its end is missing")]
    EndMissing {
        /// Events by the header.
        expected: u64,
        /// Events in the file.
        found: usize,
    },
    /// Sequence numbers leave out some events: a ring's trace, or probes that were recorded apart.
    #[error("{events} events are missing in {gaps} places, first before line {line}")]
    Gaps {
        /// Number of the line after the first gap, from 1.
        line: u64,
        /// Number of gaps.
        gaps: u64,
        /// Number of events that they leave out.
        events: u64,
    },
    /// Events of a kind that this version does not know; each is shown as a note.
    #[error(
        "{count} events are of the unknown kind `{kind}`, first in line {line}; they are shown as notes. A later version of doorbell may know them"
    )]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Number of the first such line, from 1.
        line: u64,
        /// How many there are.
        count: u64,
    },
    /// Events name a site that the header does not have; they are shown without source.
    #[error(
        "{count} events name a place in the source that the header does not list, first in line {line}; they are shown without source"
    )]
    UnknownSite {
        /// Number of the first such line, from 1.
        line: u64,
        /// How many there are.
        count: u64,
    },
}

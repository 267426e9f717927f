//! An opened trace file.

use super::error::TraceFileError;
use super::line::LONGEST;
use super::parse;
use crate::timeline::Timeline;
use crate::{Actor, Event, EventSource, Header, Kind, SiteInfo};
use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A trace that was opened: its header, its timeline, what each event is at a glance, and the
/// events themselves through [`EventSource`].
#[derive(Debug)]
pub struct Loaded {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) timeline: Timeline,
    pub(super) briefs: Vec<Brief>,
    pub(super) events: Events,
}

/// Where the events are.
#[derive(Debug)]
pub(super) enum Events {
    /// In memory.
    Kept(Vec<Event>),
    /// In the file: event n is the line from `offsets[n]` to `offsets[n + 1]`.
    InFile { file: Mutex<File>, offsets: Vec<u64> },
}

/// What an event is at a glance, without reading it again: enough for a tree of steps, and to look
/// for the next step of a line or a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brief {
    /// Index of its place in the header's `sites`.
    pub site: u32,
    /// Nesting depth of calls.
    pub depth: u16,
    /// Who did it.
    pub actor: Actor,
    /// Index of its kind's name.
    kind: u8,
}

impl Brief {
    /// The brief of an event.
    pub fn of(event: &Event) -> Self {
        Self { site: event.site, depth: event.depth, actor: event.actor, kind: event.kind.code() }
    }

    /// The name of its kind, one of [`Kind::NAMES`].
    pub fn kind(&self) -> &'static str {
        Kind::NAMES[usize::from(self.kind)]
    }
}

impl Loaded {
    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The timeline of all events.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// All events at a glance, by step.
    pub fn briefs(&self) -> &[Brief] {
        &self.briefs
    }

    /// The place that an event comes from; `None` if the header does not list it.
    pub fn site(&self, event: &Event) -> Option<&SiteInfo> {
        self.header.sites.get(usize::try_from(event.site).ok()?)
    }

    /// Whether the events are in memory, rather than read from the file when wanted.
    pub fn in_memory(&self) -> bool {
        matches!(self.events, Events::Kept(_))
    }

    /// The event at `step`, or why it cannot be read; `None` behind the end.
    pub fn event(&self, step: usize) -> Option<Result<Cow<'_, Event>, TraceFileError>> {
        let (file, start, end) = match &self.events {
            Events::Kept(events) => {
                return events.as_slice().get(step).map(|event| Ok(Cow::Borrowed(event)));
            }
            Events::InFile { file, offsets } => {
                (file, *offsets.get(step)?, *offsets.get(step + 1)?)
            }
        };
        Some(
            read_again(file, start, end).map(Cow::Owned).map_err(|reason| {
                TraceFileError::Changed { path: self.path.clone(), step, reason }
            }),
        )
    }
}

/// Reads the event whose line begins at `start`; the next event's line begins at `end`.
fn read_again(file: &Mutex<File>, start: u64, end: u64) -> Result<Event, String> {
    // Blank lines may lie between the two, any number of them: the line itself is bounded.
    let length = usize::try_from(end - start).unwrap_or(LONGEST).min(LONGEST);
    let mut line = vec![0; length];
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(start))
        .and_then(|_| file.read_exact(&mut line))
        .map_err(|error| error.to_string())?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    parse::event(line).map(|parsed| parsed.event).map_err(|damage| damage.to_string())
}

impl EventSource for Loaded {
    fn len(&self) -> usize {
        self.briefs.len()
    }

    /// Use [`Loaded::event`] to learn why an event cannot be read.
    fn get(&self, index: usize) -> Option<Cow<'_, Event>> {
        self.event(index)?.ok()
    }
}

//! One trace on its way: its steps in their order, each with what is known at it.

use super::Window;
use crate::command::open;
use doorbell_examples::words::{PlacesAt, Regions};
use doorbell_tracer::file::{Loaded, Stream, TraceFileError, Warning};
use doorbell_tracer::{Actor, Event, EventSource, Header, Kind, SiteInfo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A trace that can be read more than once.
pub struct Input {
    path: PathBuf,
    /// The events, where the file cannot be read twice: what comes through a pipe.
    kept: Option<(Loaded, Vec<Warning>)>,
}

impl Input {
    /// The trace at a path.
    pub fn of(path: &Path) -> Result<Self, TraceFileError> {
        let is_pipe = path.metadata().is_ok_and(|data| !data.is_file() && !data.is_dir());
        let kept = if is_pipe { Some(open::open(path)?) } else { None };
        Ok(Self { path: path.to_owned(), kept })
    }

    /// Its steps from the first on.
    pub(super) fn steps(&self, choice: Choice) -> Result<Steps<'_>, TraceFileError> {
        let (events, header) = match &self.kept {
            None => {
                let stream = Stream::open(&self.path)?;
                let header = stream.header().clone();
                (Events::Streamed(Box::new(stream)), header)
            }
            Some((loaded, warnings)) => {
                (Events::Kept(loaded, warnings, 0), loaded.header().clone())
            }
        };
        Ok(Steps {
            events,
            header,
            regions: Regions::default(),
            calls: BTreeMap::new(),
            choice,
            current: None,
        })
    }
}

/// Which steps are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Whose.
    pub(super) only: Option<super::Only>,
    /// From and to which number.
    pub(super) window: Window,
}

impl Choice {
    fn takes(&self, event: &Event) -> bool {
        let window = self.window.from <= event.sequence && event.sequence <= self.window.to;
        window && self.only.is_none_or(|only| only.takes(event.actor))
    }
}

/// Where events come from.
enum Events<'a> {
    Streamed(Box<Stream>),
    Kept(&'a Loaded, &'a [Warning], usize),
}

/// The steps of a trace, one after the other.
pub(super) struct Steps<'a> {
    events: Events<'a>,
    header: Header,
    regions: Regions,
    /// The calls that each actor is in.
    calls: BTreeMap<Actor, Vec<String>>,
    choice: Choice,
    current: Option<Event>,
}

impl Steps<'_> {
    /// Goes to the next step that is compared; false at the end.
    pub(super) fn advance(&mut self) -> bool {
        loop {
            let left = self.current.take();
            if let Some(event) = &left {
                self.leave(event);
            }
            let Some(event) = self.events.next() else { return false };
            self.regions.see(&event);
            if self.choice.takes(&event) {
                self.current = Some(event);
                return true;
            }
            self.leave(&event);
        }
    }

    /// Takes note of a call or a return, which count from the next step on.
    fn leave(&mut self, event: &Event) {
        let (function, depth) = match &event.kind {
            Kind::Call { function, .. } => (Some(function), event.depth),
            Kind::Return { .. } => (None, event.depth),
            _ => return,
        };
        let calls = self.calls.entry(event.actor).or_default();
        calls.truncate(usize::from(depth));
        calls.extend(function.map(ToString::to_string));
    }

    /// The step at hand.
    pub(super) fn step(&self) -> Option<Step<'_>> {
        let event = self.current.as_ref()?;
        let calls = self.calls.get(&event.actor).map_or(&[][..], Vec::as_slice);
        let calls = &calls[..calls.len().min(usize::from(event.depth))];
        Some(Step { event, header: &self.header, calls, regions: &self.regions })
    }

    /// The header of the trace.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// The header, and what was wrong behind it, once there is no further step.
    pub(super) fn finish(self) -> (Header, Vec<Warning>) {
        match self.events {
            Events::Streamed(stream) => stream.finish(),
            Events::Kept(_, warnings, _) => (self.header, warnings.to_vec()),
        }
    }
}

impl Events<'_> {
    fn next(&mut self) -> Option<Event> {
        match self {
            Self::Streamed(stream) => stream.next_event(),
            Self::Kept(loaded, _, at) => {
                *at += 1;
                loaded.get(*at - 1).map(|event| event.into_owned())
            }
        }
    }
}

/// A step, and what is known at it.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// The event.
    pub event: &'a Event,
    /// The header of its trace.
    pub header: &'a Header,
    /// The functions that it lies in, the outermost first.
    pub calls: &'a [String],
    /// The regions that the trace has come by.
    regions: &'a Regions,
}

impl<'a> Step<'a> {
    /// Its number.
    pub fn number(&self) -> u64 {
        self.event.sequence
    }

    /// Its place in the source, if the trace tells.
    pub fn site(&self) -> Option<&'a SiteInfo> {
        self.header.sites.get(usize::try_from(self.event.site).ok()?)
    }

    /// The regions there are.
    pub fn places(&self) -> PlacesAt<'a> {
        self.regions.at(self.event.sequence)
    }
}

//! A walk: one recorded run, made ready to be shown step by step.
//!
//! A trace says what happened; a walk adds what a reader sees beside it: a line of words for each
//! step, the place in the source and its anchor, the bytes decoded by the field tables, the
//! memory region that an address of the card belongs to, and which WQE a store is part of. Player,
//! printed steps and numbers in the text all read the same walk.

mod decode;
mod places;
mod select;
mod wqe;

pub use decode::{Part, ShownField};
pub use select::{Selector, View};
pub use wqe::Wqe;

use crate::anchors::{Anchor, anchors, innermost};
use doorbell_tracer::{Actor, Event, Region, RegionId, Role, SiteInfo, Trace};
use places::Places;
use std::collections::HashMap;

/// A recorded run and what is shown of it.
#[derive(Debug)]
pub struct Walk {
    /// The trace as recorded.
    pub trace: Trace,
    /// What is shown of each event, in the same order.
    pub steps: Vec<Step>,
    /// Every region that was mapped during the run, by number.
    pub regions: HashMap<RegionId, Region>,
    /// The WQEs that were built, in the order of their first stores.
    pub wqes: Vec<Wqe>,
    /// Every event as a chapter's selectors see it.
    views: Vec<View>,
}

/// What is shown of one event.
#[derive(Debug, Clone)]
pub struct Step {
    /// The event's number in its run: the identity of the step.
    pub number: u64,
    /// Who did it.
    pub actor: String,
    /// What happened, in one line.
    pub what: String,
    /// The source file, from the root of the workspace.
    pub file: String,
    /// The line in it.
    pub line: u32,
    /// The function.
    pub function: String,
    /// The innermost anchor that holds the line.
    pub anchor: Option<String>,
    /// The bytes of the event, decoded; a command has two parts, a packet one for each header.
    pub parts: Vec<Part>,
    /// Where the event touches a doorbell record: the fields of the record as it now is.
    pub record: Vec<ShownField>,
    /// What the event wrote to regions that the trace knows.
    pub writes: Vec<Write>,
    /// Where the event's bytes lie in a region, if they do.
    pub place: Option<(RegionId, u64)>,
    /// The WQE that stands in the foreground, by its place in [`Walk::wqes`].
    pub wqe: Option<usize>,
}

/// Bytes written to a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The region.
    pub region: RegionId,
    /// Offset of the first byte in it.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Walk {
    /// Makes a trace ready to be shown.
    pub fn new(trace: Trace) -> Self {
        let marked = marked_sources(&trace);
        let threads = trace.events.iter().filter_map(|event| thread(event.actor)).max();
        let mut places = Places::default();
        let mut steps = Vec::with_capacity(trace.events.len());
        for (place, event) in trace.events.iter().enumerate() {
            places.take(place, event);
            let actor = actor(event.actor, threads);
            steps.push(Step { actor, ..step(event, trace.site(event), &places, &marked) });
        }
        let regions = places.into_regions();
        let wqes = wqe::find(&trace.events, &regions);
        wqe::bring_forward(&mut steps, &wqes);
        let views = trace
            .events
            .iter()
            .zip(&steps)
            .map(|(event, step)| View::new(event, step, &regions))
            .collect();
        Self { trace, steps, regions, wqes, views }
    }

    /// The text of a source file that the trace brought along.
    pub fn source(&self, path: &str) -> Option<&str> {
        let sources = &self.trace.header.sources;
        sources.iter().find(|source| source.path == path).map(|source| source.text.as_str())
    }

    /// What selectors see of each event, in the order of the events.
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// The role of a region.
    pub fn role(&self, region: RegionId) -> Option<Role> {
        self.regions.get(&region).map(|region| region.role)
    }
}

/// The number of a thread.
fn thread(actor: Actor) -> Option<u8> {
    match actor {
        Actor::Cpu(number) => Some(number),
        Actor::Card => None,
    }
}

/// Who did it. The threads have numbers where there are several: the last of them is `threads`.
fn actor(actor: Actor, threads: Option<u8>) -> String {
    match thread(actor) {
        None => "card".to_owned(),
        Some(_) if threads == Some(0) => "CPU".to_owned(),
        Some(number) => format!("CPU {number}"),
    }
}

/// The anchors of every source file in the trace; none for a file whose anchors are damaged.
fn marked_sources(trace: &Trace) -> HashMap<String, Vec<Anchor>> {
    let sources = trace.header.sources.iter();
    sources.map(|source| (source.path.clone(), anchors(&source.text).unwrap_or_default())).collect()
}

/// What is shown of one event.
fn step(
    event: &Event,
    site: Option<&SiteInfo>,
    places: &Places,
    marked: &HashMap<String, Vec<Anchor>>,
) -> Step {
    let file = site.map(|site| site.file.clone()).unwrap_or_default();
    let line = site.map_or(0, |site| site.line);
    let anchor = marked
        .get(&file)
        .and_then(|anchors| innermost(anchors, line))
        .map(|anchor| anchor.name.clone());
    Step {
        number: event.sequence,
        actor: String::new(),
        what: places.words(&event.kind),
        file,
        line,
        function: site.map(|site| site.function.clone()).unwrap_or_default(),
        anchor,
        parts: decode::parts(&event.kind, site),
        record: places
            .record(&event.kind)
            .map(|(layout, bytes)| decode::fields(layout, &bytes))
            .unwrap_or_default(),
        writes: places.writes(&event.kind),
        place: places.of(&event.kind),
        wqe: None,
    }
}

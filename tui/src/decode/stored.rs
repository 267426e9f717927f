//! What lies in a stretch of memory at a step, taken apart by who wrote it.
//!
//! Memory has no types. But every byte remembers the step that wrote it, and that step's event
//! names the layout that it wrote: so a queue entry tells by itself which segments it is made of,
//! also while it is only half built.

use crate::decode::object::{MOST_BYTES, NOT_WRITTEN, Object, Section, sections, set_origins};
use doorbell_tracer::timeline::State;
use doorbell_tracer::{Event, EventSource, Header, Kind, RegionId};
use std::borrow::Cow;
use std::ops::Range;

/// A stretch of a region, looked at in some state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// What it is.
    pub title: String,
    /// The region.
    pub region: RegionId,
    /// Offsets in it.
    pub range: Range<u64>,
    /// The offsets that the current step wrote or read.
    pub touched: Range<u64>,
}

/// The parts of a window, each with the step that wrote it and where its fields came from.
pub fn stored(
    window: &Window,
    state: &State,
    events: &(impl EventSource + ?Sized),
    header: &Header,
) -> Object {
    let Some(region) = state.region(window.region) else {
        return Object { title: window.title.clone(), sections: Vec::new() };
    };
    let most = window.range.start.saturating_add(MOST_BYTES as u64);
    let range = window.range.start..window.range.end.min(most);
    let bytes = region.bytes(range.clone());
    let writers = region.writers(range);
    let reader = Reader { window, state, events, header, bytes: &bytes, writers: &writers };
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let parts = reader.parts_at(at);
        let length: usize = parts.iter().map(|part| part.bytes.len()).sum();
        found.extend(parts);
        at += length.max(1);
    }
    Object { title: window.title.clone(), sections: found }
}

/// What it takes to take a window apart.
struct Reader<'a, E: EventSource + ?Sized> {
    window: &'a Window,
    state: &'a State,
    events: &'a E,
    header: &'a Header,
    bytes: &'a [u8],
    writers: &'a [Option<u64>],
}

impl<E: EventSource + ?Sized> Reader<'_, E> {
    /// The parts that the step which wrote the byte at `at` wrote from there on.
    fn parts_at(&self, at: usize) -> Vec<Section> {
        let writer = self.writers.get(at).copied().flatten();
        let end = self.end_of_run(at);
        let Some(event) = writer.and_then(|step| self.event(step)) else {
            let title = if writer.is_none() { NOT_WRITTEN } else { "data" };
            return vec![self.finished(
                Section::of_data(title, 0, self.slice(at, end)),
                at,
                writer,
            )];
        };
        let layout = self.layout_from(&event, at);
        let number = Some(event.sequence);
        let end = end.max(at + crate::decode::fields::size(layout).unwrap_or(0));
        let mut parts = sections(layout, self.slice(at, end.min(self.bytes.len())));
        for part in &mut parts {
            if let Some(site) = self.header.sites.get(event.site as usize) {
                set_origins(&mut part.fields, &site.origins);
            }
        }
        let place = |part: Section| {
            let start = at + usize::try_from(part.offset).unwrap_or(0);
            self.finished(part, start, number)
        };
        parts.into_iter().map(place).collect()
    }

    /// The first byte behind `at` that another step wrote.
    fn end_of_run(&self, at: usize) -> usize {
        let writer = self.writers.get(at);
        let run = self.writers.iter().skip(at);
        at + run.take_while(|other| Some(*other) == writer).count()
    }

    /// The layout that `event` gave the byte at `at`, if its bytes begin just there.
    fn layout_from<'b>(&self, event: &'b Event, at: usize) -> &'b str {
        let offset = self.window.range.start + at as u64;
        match &event.kind {
            Kind::Store { offset: start, layout, .. }
            | Kind::RegisterWrite { offset: start, layout, .. }
                if *start == offset =>
            {
                layout
            }
            Kind::Dma { address, layout, .. } => {
                let base =
                    self.state.region(self.window.region).map(|region| region.info().address);
                let here = base.and_then(|base| base.checked_add(offset));
                if here == Some(*address) { layout } else { "" }
            }
            _ => "",
        }
    }

    /// The event of a step.
    fn event(&self, step: u64) -> Option<Cow<'_, Event>> {
        self.events.get(usize::try_from(step).ok()?)
    }

    /// Bytes of the window.
    fn slice(&self, start: usize, end: usize) -> &[u8] {
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// The part with its place, its writer and the marks of what the current step touched.
    fn finished(&self, mut part: Section, at: usize, writer: Option<u64>) -> Section {
        part.offset = at as u64;
        part.writer = writer;
        let first = self.window.range.start + at as u64;
        part.fresh = (first..)
            .take(part.bytes.len())
            .map(|offset| self.window.touched.contains(&offset))
            .collect();
        part
    }
}

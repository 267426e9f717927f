//! From a byte back to what wrote it, and from a store forward to who read it.

use super::{State, Timeline};
use crate::{Direction, Event, EventSource, Header, Kind, RegionId, Role, SiteInfo, Text};
use std::ops::Range;

/// No send queue is longer, in bytes: a region that says so is not searched for copies.
const LONGEST_QUEUE: u64 = 1 << 26;

/// Names the field that a byte of a layout belongs to: `(layout, offset in it) -> field`. The
/// tracer knows no layouts; whoever asks brings the field tables.
pub type FieldName<'a> = &'a dyn Fn(&str, usize) -> Option<String>;

/// Where a byte came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// The step that wrote it.
    pub step: u64,
    /// The place in the source; `None` if the trace names a place that it does not have.
    pub site: Option<&'a SiteInfo>,
    /// Layout of the bytes that were written then; empty for plain data.
    pub layout: Text,
    /// Offset of the byte in them.
    pub offset: usize,
    /// The field of the layout that the byte belongs to.
    pub field: Option<String>,
    /// What that field came from, in the words of the source, if the place says so.
    pub origin: Option<&'a str>,
}

/// Bytes of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The region.
    pub region: RegionId,
    /// Offsets in it.
    pub range: Range<u64>,
}

/// An event that read bytes of an earlier store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its step.
    pub step: usize,
    /// What it read; some byte of it is the store's.
    pub span: Span,
}

/// Leads a byte back to its writer. `state` is the state in which the byte is looked at; `None` if
/// no step wrote it, or the event cannot be read.
pub fn provenance<'a>(
    state: &State,
    events: &(impl EventSource + ?Sized),
    header: &'a Header,
    region: RegionId,
    offset: u64,
    field_name: FieldName<'_>,
) -> Option<Provenance<'a>> {
    let step = state.writer(region, offset)?;
    let event = events.get(usize::try_from(step).ok()?)?;
    let (layout, at) = match &event.kind {
        Kind::Store { offset: start, layout, .. }
        | Kind::RegisterWrite { offset: start, layout, .. } => {
            (layout, offset.checked_sub(*start)?)
        }
        Kind::Dma { address, layout, .. } => {
            let byte = state.region(region)?.info().address.checked_add(offset)?;
            (layout, byte.checked_sub(*address)?)
        }
        _ => return None,
    };
    let at = usize::try_from(at).ok()?;
    let site = header.sites.get(usize::try_from(event.site).ok()?);
    let field = field_name(layout, at);
    Some(Provenance {
        step,
        site,
        layout: layout.clone(),
        offset: at,
        origin: field.as_deref().and_then(|field| origin(site?, field)),
        field,
    })
}

/// What a field came from, as a site tells it.
fn origin<'a>(site: &'a SiteInfo, field: &str) -> Option<&'a str> {
    let mut origins = site.origins.iter();
    origins.find_map(|(name, origin)| (name == field).then_some(origin.as_str()))
}

/// The later events that read a byte that the event at `step` wrote: loads, DMA reads, and
/// register writes that copy it. Looks at the steps before `until` only, and stops earlier when
/// none of the bytes is left.
pub fn readers(
    timeline: &Timeline,
    events: &(impl EventSource + ?Sized),
    step: usize,
    until: usize,
) -> Vec<Read> {
    let mut found = Vec::new();
    let mut state = timeline.state_at(step, events);
    let Some(event) = events.get(step) else {
        return found;
    };
    let written = writes(&state, &event);
    for later in step + 1..until.min(timeline.len()) {
        if !written.iter().any(|span| holds(&state, span, step)) {
            break;
        }
        let Some(event) = events.get(later) else {
            break;
        };
        let mut spans = reads(&state, &event);
        spans.retain(|span| holds(&state, span, step));
        found.extend(spans.into_iter().map(|span| Read { step: later, span }));
        state.apply(later, &event);
    }
    found
}

/// Whether some byte of `span` is the one that `step` wrote.
fn holds(state: &State, span: &Span, step: usize) -> bool {
    state.region(span.region).is_some_and(|region| {
        let writers = region.writers(span.range.clone());
        writers.contains(&Some(step as u64))
    })
}

/// The bytes of regions that an event writes; `state` is the one before or after it.
pub fn writes(state: &State, event: &Event) -> Vec<Span> {
    match &event.kind {
        Kind::Store { region, offset, bytes, .. }
        | Kind::RegisterWrite { region, offset, bytes, .. } => {
            vec![span(*region, *offset, bytes.len())]
        }
        Kind::Dma { direction: Direction::Write, address, bytes, .. } => {
            on_bus(state, *address, bytes.len())
        }
        _ => Vec::new(),
    }
}

/// The bytes of memory regions that an event reads; `state` is the one before it.
pub fn reads(state: &State, event: &Event) -> Vec<Span> {
    match &event.kind {
        Kind::Load { region, offset, bytes, .. } => vec![span(*region, *offset, bytes.len())],
        Kind::Dma { direction: Direction::Read, address, bytes, .. } => {
            on_bus(state, *address, bytes.len())
        }
        Kind::RegisterWrite { bytes, .. } => copied_from(state, bytes),
        _ => Vec::new(),
    }
}

/// The bytes of send queues that a register write copies, as ringing a doorbell with the head of
/// a WQE, or with all of it, does. The event itself does not say so; they are found by value: the
/// entry with the same bytes that was written last. Empty if there is none, and for bytes that
/// are all zero. Two spans where the copy wraps around the end of the queue.
pub fn copied_from(state: &State, bytes: &[u8]) -> Vec<Span> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Vec::new();
    }
    let queues = state.regions().filter(|region| {
        let info = region.info();
        region.mapped()
            && info.role == Role::SendQueue
            && info.stride != 0
            && info.length <= LONGEST_QUEUE
    });
    let found = queues.flat_map(|region| {
        let queue = region.bytes(0..region.info().length);
        let stride = usize::try_from(region.info().stride).unwrap_or(usize::MAX);
        same_entries(&queue, stride, bytes)
            .into_iter()
            .map(|at| {
                let at = at as u64;
                (region.writer(at), region, at)
            })
            .collect::<Vec<_>>()
    });
    let Some((_, region, at)) = found.max_by_key(|(writer, _, _)| *writer) else {
        return Vec::new();
    };
    around(region.info().region, region.info().length, at, bytes.len())
}

/// Offsets of the entries of `queue` that begin with `bytes`, which may wrap around its end.
fn same_entries(queue: &[u8], stride: usize, bytes: &[u8]) -> Vec<usize> {
    if bytes.len() > queue.len() {
        return Vec::new();
    }
    (0..queue.len())
        .step_by(stride)
        .filter(|at| {
            let straight = bytes.len().min(queue.len() - at);
            let (head, tail) = bytes.split_at(straight);
            queue[*at..].starts_with(head) && queue.starts_with(tail)
        })
        .collect()
}

/// `length` bytes at `at` of a ring.
fn around(region: RegionId, ring: u64, at: u64, length: usize) -> Vec<Span> {
    let end = at + length as u64;
    let straight = Span { region, range: at..end.min(ring) };
    if end <= ring {
        return vec![straight];
    }
    vec![straight, span(region, 0, (end - ring) as usize)]
}

/// `length` bytes at a bus address, where they lie in mapped memory.
fn on_bus(state: &State, address: u64, length: usize) -> Vec<Span> {
    let parts = state.resolve_parts(address, length).into_iter();
    parts.map(|(region, offset, range)| span(region, offset, range.len())).collect()
}

/// `length` bytes at `offset` of a region.
fn span(region: RegionId, offset: u64, length: usize) -> Span {
    Span { region, range: offset..offset.saturating_add(length as u64) }
}

//! Which object a step is about: the WQE being built, the CQE that arrived, a command, a packet.

use crate::decode::fields::number;
use crate::decode::object::{Object, Section, carried};
use crate::decode::stored::{Window, stored};
use crate::state::session::Session;
use crate::state::source::printable;
use doorbell_examples::words::{entry_layout, region_title};
use doorbell_prm::Layout;
use doorbell_prm::wqe::{ControlSegment, SEGMENT_UNIT};
use doorbell_tracer::timeline::{RegionState, State};
use doorbell_tracer::{Event, Kind, RegionId, Role};
use std::ops::Range;

/// Blocks before a given one in which the WQE that it belongs to can begin: 63 units of 16 bytes.
const MOST_BLOCKS: u64 = 16;

/// Records and registers up to this length are shown whole.
const SMALL: u64 = 64;

/// No queue of a card has longer entries: bytes.
const LONGEST_ENTRY: u64 = 4096;

/// What the byte pane shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// The step that the object is about; may lie before the current one.
    pub step: usize,
    /// The object.
    pub object: Object,
}

/// The object of the current step, or of the last step before it that has one.
pub fn focus(session: &Session) -> Option<Focus> {
    let tree = session.tree();
    let has_bytes = |step: &usize| tree.fact(*step).is_some_and(|fact| fact.has_bytes());
    let step = (0..=session.current()).rev().find(has_bytes)?;
    let event = session.event(step)?;
    let is_current = step == session.current();
    let object = match window(&event, session.state()) {
        Some(mut window) => {
            if !is_current {
                window.touched = 0..0;
            }
            object_in(session, &window)
        }
        None => carried(&event, session.site(&event), session.state())?,
    };
    Some(Focus { step, object })
}

/// What lies in a window at the current step.
pub fn object_in(session: &Session, window: &Window) -> Object {
    let supply = session.supply();
    let mut object = stored(window, session.state(), supply.events(), supply.header());
    let region = session.state().region(window.region);
    if let Some(region) = region.filter(|region| region.info().role == Role::DoorbellRecord) {
        object.sections = vec![record(session, region, window)];
    }
    object
}

/// A doorbell record: its counters are stored one by one, but it has one layout.
fn record(session: &Session, region: &RegionState, window: &Window) -> Section {
    let layout = entry_layout(region.info()).map_or("", |layout| layout.name);
    let bytes = region.bytes(window.range.clone());
    let mut section = Section::of_layout(layout, 0, &bytes);
    let writers = region.writers(window.range.clone());
    let step = writers.into_iter().flatten().max();
    section.writer = step.and_then(|step| session.number(usize::try_from(step).ok()?));
    let offsets = window.range.clone();
    section.fresh = offsets.map(|offset| window.touched.contains(&offset)).collect();
    section
}

/// The stretch of memory that an event is about; `None` if it is about the bytes that it carries.
pub fn window(event: &Event, state: &State) -> Option<Window> {
    let (region, touched) = touched(event, state)?;
    let region = state.region(region)?;
    let info = region.info();
    let range = match info.role {
        Role::SendQueue => wqe(region, touched.start),
        Role::DoorbellRecord if info.length <= SMALL => 0..info.length,
        Role::Buffer | Role::Pages | Role::Mailbox => return None,
        Role::UserAccessRegion | Role::InitSegment => return None,
        _ => entry(info.stride, info.length, touched.start)?,
    };
    let title = title(region, &range);
    Some(Window { title, region: info.region, range, touched })
}

/// The bytes of memory that an event wrote or read.
fn touched(event: &Event, state: &State) -> Option<(RegionId, Range<u64>)> {
    let (region, offset, length) = match &event.kind {
        Kind::Store { region, offset, bytes, .. } | Kind::Load { region, offset, bytes, .. } => {
            (*region, *offset, bytes.len())
        }
        Kind::Dma { address, bytes, .. } => {
            let (region, offset) = state.resolve(*address, bytes.len() as u64)?;
            (region, offset, bytes.len())
        }
        _ => return None,
    };
    Some((region, offset..offset.saturating_add(length as u64)))
}

/// The entry of a queue that holds `offset`; `None` if the queue has no entries, or so long ones
/// that the trace cannot be right about them.
fn entry(stride: u32, length: u64, offset: u64) -> Option<Range<u64>> {
    let stride = u64::from(stride);
    if stride > LONGEST_ENTRY {
        return None;
    }
    let first = offset - offset.checked_rem(stride)?;
    Some(first..first.saturating_add(stride).min(length))
}

/// The WQE of a send queue that holds `offset`: from the block with its control segment to the
/// end that the segment gives, or the block alone while there is none.
fn wqe(region: &RegionState, offset: u64) -> Range<u64> {
    let info = region.info();
    let Some(block) = entry(info.stride, info.length, offset) else {
        return offset..offset.saturating_add(SMALL).min(info.length);
    };
    let stride = u64::from(info.stride);
    for back in 0..MOST_BLOCKS {
        let Some(start) = block.start.checked_sub(back * stride) else {
            break;
        };
        let length = wqe_length(region, start);
        if length > back * stride + (offset - block.start) {
            let end = start.saturating_add(length.next_multiple_of(stride)).min(info.length);
            return start..end.max(block.end);
        }
    }
    block
}

/// The length in bytes of the WQE whose control segment lies at `start`; 0 if none does.
fn wqe_length(region: &RegionState, start: u64) -> u64 {
    let control = ControlSegment::LAYOUT;
    if region.writer(start).is_none() {
        return 0;
    }
    let bytes = region.bytes(start..start.saturating_add(control.size as u64));
    let units = number(control.name, "ds", &bytes).unwrap_or(0);
    units * SEGMENT_UNIT as u64
}

/// What a window is called.
fn title(region: &RegionState, range: &Range<u64>) -> String {
    let info = region.info();
    let name = printable(&region_title(info));
    let entry = range.start.checked_div(u64::from(info.stride)).unwrap_or(0);
    match info.role {
        Role::SendQueue => format!("WQE in block {entry}, {name}"),
        Role::ReceiveQueue => format!("receive WQE {entry}, {name}"),
        Role::CompletionQueue => format!("CQE {entry}, {name}"),
        Role::EventQueue => format!("EQE {entry}, {name}"),
        Role::CommandQueue => format!("slot {entry}, {name}"),
        _ => name,
    }
}

//! Which stores belong to which WQE.
//!
//! A WQE is known by its control segment: where that lies the WQE begins, and its DS count says
//! how long it is, in units of 16 bytes. Whether the driver stores the control segment first or
//! last does not matter: the other stores of a WQE lie in its stretch of the ring and next to it
//! in time.

use super::Step;
use doorbell_prm::Layout;
use doorbell_prm::wqe::{ControlSegment, SEGMENT_UNIT};
use doorbell_prm::zerocopy::FromBytes;
use doorbell_tracer::{Event, Kind, Region, RegionId, Role};
use std::collections::HashMap;

/// A work request on its way into the send queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wqe {
    /// The send queue.
    pub region: RegionId,
    /// Offset of the control segment in it.
    pub start: u64,
    /// Length in bytes. Past the end of the ring it goes on at the beginning.
    pub length: u64,
    /// Its stores, by their place in the walk, in the order in which they were made.
    pub stores: Vec<usize>,
    /// The place of the store of its control segment.
    pub control: usize,
}

impl Wqe {
    /// Where an offset of the ring lies in the WQE, if it does.
    fn position(&self, offset: u64, ring: u64) -> Option<u64> {
        let behind = offset.checked_add(ring)?.checked_sub(self.start)? % ring.max(1);
        (behind < self.length).then_some(behind)
    }
}

/// The WQEs that a run built, in the order of their first stores.
pub(super) fn find(events: &[Event], regions: &HashMap<RegionId, Region>) -> Vec<Wqe> {
    let mut wqes: Vec<Wqe> = (0..)
        .zip(events)
        .filter_map(|(place, event)| control_segment(place, &event.kind, regions))
        .collect();
    for (place, event) in events.iter().enumerate() {
        let Kind::Store { region, offset, .. } = event.kind else {
            continue;
        };
        if let Some(owner) = nearest(&wqes, place, region, offset, regions) {
            wqes[owner].stores.push(place);
        }
    }
    wqes.sort_by_key(|wqe| wqe.stores.first().copied());
    wqes
}

/// The WQE that begins with this store, if it stores a control segment.
fn control_segment(place: usize, kind: &Kind, regions: &HashMap<RegionId, Region>) -> Option<Wqe> {
    let Kind::Store { region, offset, layout, bytes } = kind else {
        return None;
    };
    if regions.get(region)?.role != Role::SendQueue {
        return None;
    }
    if layout != ControlSegment::LAYOUT.name {
        return None;
    }
    let (control, _) = ControlSegment::ref_from_prefix(bytes).ok()?;
    Some(Wqe {
        region: *region,
        start: *offset,
        length: u64::from(control.ds()) * SEGMENT_UNIT as u64,
        stores: Vec::new(),
        control: place,
    })
}

/// The WQE that covers a place of the ring and was built closest in time.
fn nearest(
    wqes: &[Wqe],
    place: usize,
    region: RegionId,
    offset: u64,
    regions: &HashMap<RegionId, Region>,
) -> Option<usize> {
    let ring = regions.get(&region)?.length;
    (0..)
        .zip(wqes)
        .filter(|(_, wqe)| wqe.region == region && wqe.position(offset, ring).is_some())
        .min_by_key(|(_, wqe)| wqe.control.abs_diff(place))
        .map(|(owner, _)| owner)
}

/// Puts into every step the WQE that stands in the foreground: the one that the step touches,
/// or else the one before.
pub(super) fn bring_forward(steps: &mut [Step], wqes: &[Wqe]) {
    let owners: HashMap<usize, usize> = (0..)
        .zip(wqes)
        .flat_map(|(owner, wqe)| wqe.stores.iter().map(move |place| (*place, owner)))
        .collect();
    let mut current = None;
    for (place, step) in steps.iter_mut().enumerate() {
        let touched = owners.get(&place).copied().or_else(|| {
            let (region, offset) = step.place?;
            let built = |wqe: &&Wqe| wqe.stores.first().is_some_and(|first| *first < place);
            let covers = |wqe: &&Wqe| wqe.region == region && wqe.start == offset;
            let wqe = wqes.iter().filter(built).rfind(covers)?;
            wqes.iter().position(|other| other == wqe)
        });
        current = touched.or(current);
        step.wqe = current;
    }
}

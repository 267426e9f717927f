//! Which region the bytes of an event lie in.

use super::Write;
use doorbell_examples::words;
use doorbell_prm::LayoutInfo;
use doorbell_tracer::timeline::State;
use doorbell_tracer::{Direction, Event, Kind, Region, RegionId, Role};
use std::collections::HashMap;

/// The regions at one step of a run.
#[derive(Debug, Default)]
pub(super) struct Places(State);

impl Places {
    /// Goes on by one event.
    pub(super) fn take(&mut self, place: usize, event: &Event) {
        self.0.apply(place, event);
    }

    /// Region and offset of the bytes that an event carries.
    pub(super) fn of(&self, kind: &Kind) -> Option<(RegionId, u64)> {
        match kind {
            Kind::Store { region, offset, .. }
            | Kind::Load { region, offset, .. }
            | Kind::RegisterWrite { region, offset, .. }
            | Kind::RegisterRead { region, offset, .. } => Some((*region, *offset)),
            Kind::Dma { address, bytes, .. } => self.0.resolve(*address, bytes.len() as u64),
            _ => None,
        }
    }

    /// The doorbell record that an event touches: its layout, and its bytes as they now are.
    pub(super) fn record(&self, kind: &Kind) -> Option<(&'static LayoutInfo, Vec<u8>)> {
        let (number, _) = self.of(kind)?;
        let region = self.region(number)?;
        if region.role != Role::DoorbellRecord {
            return None;
        }
        let layout = words::entry_layout(region)?;
        Some((layout, self.0.bytes(number, 0..layout.size as u64)))
    }

    /// What an event wrote to the regions that are mapped.
    pub(super) fn writes(&self, kind: &Kind) -> Vec<Write> {
        match kind {
            Kind::Store { region, offset, bytes, .. }
            | Kind::RegisterWrite { region, offset, bytes, .. } => {
                vec![Write { region: *region, offset: *offset, bytes: bytes.to_vec() }]
            }
            Kind::Dma { direction: Direction::Write, address, bytes, .. } => {
                let parts = self.0.resolve_parts(*address, bytes.len()).into_iter();
                parts
                    .map(|(region, offset, range)| Write {
                        region,
                        offset,
                        bytes: bytes.get(range).unwrap_or_default().to_vec(),
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// What an event says, in one line.
    pub(super) fn words(&self, kind: &Kind) -> String {
        words::step(kind, &self.0)
    }

    /// A region that is or was mapped.
    pub(super) fn region(&self, number: RegionId) -> Option<&Region> {
        self.0.region(number).map(|region| region.info())
    }

    /// All regions that ever were mapped.
    pub(super) fn into_regions(self) -> HashMap<RegionId, Region> {
        let regions = self.0.regions();
        regions.map(|region| (region.info().region, region.info().clone())).collect()
    }
}

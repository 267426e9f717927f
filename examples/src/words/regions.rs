//! What regions are called, which of them holds an address, and what their entries are.

use doorbell_prm::commands::CommandQueueEntry;
use doorbell_prm::cqe::Cqe;
use doorbell_prm::doorbell::{CqDoorbellRecord, QpDoorbellRecord};
use doorbell_prm::eqe::Eqe;
use doorbell_prm::{Layout, LayoutInfo};
use doorbell_tracer::timeline::{RegionState, State};
use doorbell_tracer::{Event, Kind, Region, RegionId, Role};
use std::collections::HashMap;

/// Where the names of regions come from, at one step of a run.
pub trait Places {
    /// The region of that number. It keeps its name after it is unmapped.
    fn region(&self, region: RegionId) -> Option<&Region>;

    /// The memory region that holds `length` bytes at a bus address, and the offset in it.
    fn resolve(&self, address: u64, length: u64) -> Option<(RegionId, u64)>;

    /// What a reader calls the region.
    fn name(&self, region: RegionId) -> String {
        self.region(region).map_or_else(|| format!("region {}", region.0), region_title)
    }
}

/// A region's name with the number of its object: two queues differ by nothing else.
pub fn region_title(region: &Region) -> String {
    let number = format!("{:#x}", region.object);
    if region.object == 0 || region.name.contains(&number) {
        region.name.to_string()
    } else {
        format!("{} {number}", region.name)
    }
}

/// `name`, or `name + 0x10`.
pub(super) fn place(name: &str, offset: u64) -> String {
    if offset == 0 { name.to_owned() } else { format!("{name} + {offset:#x}") }
}

impl Places for State {
    fn region(&self, region: RegionId) -> Option<&Region> {
        Self::region(self, region).map(RegionState::info)
    }

    fn resolve(&self, address: u64, length: u64) -> Option<(RegionId, u64)> {
        Self::resolve(self, address, length)
    }
}

/// Every region that a run has come by, without its bytes: enough to name the places of any step.
#[derive(Debug, Clone, Default)]
pub struct Regions {
    /// In the order in which they were mapped.
    mappings: Vec<Mapping>,
    /// The last mapping of each region.
    last: HashMap<RegionId, usize>,
}

/// A region at one place, from one step to another.
#[derive(Debug, Clone)]
struct Mapping {
    region: Region,
    from: u64,
    until: u64,
}

impl Regions {
    /// Takes note of the region that an event maps, describes anew or unmaps, if it does. Events
    /// must come in order.
    pub fn see(&mut self, event: &Event) {
        match &event.kind {
            Kind::Map(region) => self.map(region, event.sequence),
            Kind::Unmap { region } => self.end(*region, event.sequence),
            _ => {}
        }
    }

    fn map(&mut self, region: &Region, from: u64) {
        let last = self.last.get(&region.region).and_then(|last| self.mappings.get_mut(*last));
        match last.filter(|last| last.until == u64::MAX && same_place(&last.region, region)) {
            Some(last) => last.region = region.clone(),
            None => {
                self.end(region.region, from);
                self.last.insert(region.region, self.mappings.len());
                self.mappings.push(Mapping { region: region.clone(), from, until: u64::MAX });
            }
        }
    }

    fn end(&mut self, region: RegionId, until: u64) {
        let last = self.last.get(&region).and_then(|last| self.mappings.get_mut(*last));
        if let Some(last) = last {
            last.until = last.until.min(until);
        }
    }

    /// The places as they were at the event of this number.
    pub fn at(&self, sequence: u64) -> PlacesAt<'_> {
        PlacesAt { regions: self, sequence }
    }
}

/// Whether two descriptions of a region put it at the same addresses.
fn same_place(one: &Region, other: &Region) -> bool {
    (one.address, one.length) == (other.address, other.length)
}

/// The places at one event. Regions that lie over each other answer as they do on the bus: the one
/// that was mapped last.
#[derive(Debug, Clone, Copy)]
pub struct PlacesAt<'a> {
    regions: &'a Regions,
    sequence: u64,
}

impl Places for PlacesAt<'_> {
    fn region(&self, region: RegionId) -> Option<&Region> {
        let last = *self.regions.last.get(&region)?;
        self.regions.mappings.get(last).map(|mapping| &mapping.region)
    }

    fn resolve(&self, address: u64, length: u64) -> Option<(RegionId, u64)> {
        let then =
            |mapping: &&Mapping| mapping.from <= self.sequence && self.sequence < mapping.until;
        let mappings = self.regions.mappings.iter().rev().filter(then);
        let mut memory = mappings.filter(|mapping| is_memory(mapping.region.role));
        let holds = |mapping: &&Mapping| {
            let offset = address.checked_sub(mapping.region.address);
            offset.is_some_and(|offset| offset < mapping.region.length)
        };
        let region = &memory.find(holds)?.region;
        let offset = address - region.address;
        let fits = region.length - offset >= length;
        fits.then_some((region.region, offset))
    }
}

/// Whether the card can reach a region by DMA: registers have addresses of their own.
fn is_memory(role: Role) -> bool {
    !matches!(role, Role::UserAccessRegion | Role::InitSegment)
}

/// The layout that every entry of a region has, where there is one.
pub fn entry_layout(region: &Region) -> Option<&'static LayoutInfo> {
    let name = region.name.to_lowercase();
    let of_completions = name.contains("cq") || name.contains("completion");
    match region.role {
        Role::DoorbellRecord if of_completions => Some(CqDoorbellRecord::LAYOUT),
        Role::DoorbellRecord => Some(QpDoorbellRecord::LAYOUT),
        Role::CompletionQueue => Some(Cqe::LAYOUT),
        Role::EventQueue => Some(Eqe::LAYOUT),
        Role::CommandQueue => Some(CommandQueueEntry::LAYOUT),
        _ => None,
    }
}

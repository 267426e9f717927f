//! The ring: the last events.

use super::{Record, Recorder};
use crate::{Kind, RegionId};
use std::collections::BTreeMap;

/// The most events that a ring makes room for before they come.
const ROOM: usize = 4096;

/// Keeps the last events: what happened just before an error. The events that mapped regions
/// stay in front of them while the regions are mapped, so that the last stores can be understood.
#[derive(Debug)]
pub struct Ring {
    kept: Vec<Record>,
    capacity: usize,
    /// Where the oldest event is once the ring is full: the next one takes its place.
    oldest: usize,
    /// Map events that fell out of the ring, the last of each region.
    mapped: BTreeMap<RegionId, Record>,
}

impl Ring {
    /// A ring that keeps the last `capacity` events, at least one.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            kept: Vec::with_capacity(capacity.min(ROOM)),
            capacity,
            oldest: 0,
            mapped: BTreeMap::new(),
        }
    }

    /// Remembers or forgets a region whose event falls out of the ring.
    fn let_go(mapped: &mut BTreeMap<RegionId, Record>, oldest: &Record) {
        match &oldest.kind {
            Kind::Map(region) => {
                mapped.insert(region.region, oldest.clone());
            }
            Kind::Unmap { region } => {
                mapped.remove(region);
            }
            _ => {}
        }
    }
}

impl Recorder for Ring {
    fn record(&mut self, record: Record) {
        if self.kept.len() < self.capacity {
            self.kept.push(record);
            return;
        }
        if let Some(place) = self.kept.get_mut(self.oldest) {
            Self::let_go(&mut self.mapped, place);
            *place = record;
        }
        self.oldest = (self.oldest + 1) % self.capacity;
    }

    fn take(&mut self) -> Vec<Record> {
        let all = self.snapshot();
        *self = Self::new(self.capacity);
        all
    }

    fn snapshot(&self) -> Vec<Record> {
        let (newer, older) = self.kept.split_at(self.oldest);
        let mut all: Vec<_> = self.mapped.values().cloned().collect();
        all.sort_by_key(|record| record.sequence);
        all.extend(older.iter().chain(newer).cloned());
        all
    }
}

//! Doorbell records: many to a page, each in a cache line of its own.
//!
//! Two records in one cache line would have two CPUs fight over it on every post.

use super::doorbell::DoorbellRecord;
use crate::bus::{DmaRegion, Memory, OutOfMemory, PAGE_SIZE, Purpose};
use doorbell_tracer::{Group, RegionId, Role, Site, Tracer, site};
use std::sync::{Arc, Mutex, PoisonError};

const PROBE_GROUP: Group = Group::Control;

/// Size of a record's place in bytes: a cache line.
const LINE: usize = 64;

/// The part of its line that a record uses: two counters of 4 bytes.
const RECORD: usize = 8;

/// The pages of records of a context, and which places are free.
#[derive(Clone, Default)]
pub struct Records(Arc<Mutex<Vec<Page>>>);

/// A page of records.
struct Page {
    memory: Arc<DmaRegion>,
    /// One bit for each place: set when taken.
    taken: u64,
}

/// A record that was taken; its place is free again when this is dropped.
pub struct Record {
    page: Arc<DmaRegion>,
    place: usize,
    records: Records,
}

impl Records {
    /// Takes a zeroed record, from a new page if need be.
    pub fn take(&self, memory: &Arc<Memory>) -> Result<Record, OutOfMemory> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.iter().all(|page| page.taken == u64::MAX) {
            let memory = Arc::new(memory.allocate(PAGE_SIZE)?);
            pages.push(Page { memory, taken: 0 });
        }
        let mut free = pages.iter_mut().filter(|page| page.taken != u64::MAX);
        let page = free.next().expect("a page with a free place was just made sure of");
        let place = page.taken.trailing_ones() as usize;
        page.taken |= 1 << place;
        page.memory.write_bytes(place * LINE, &[0; RECORD]);
        Ok(Record { page: Arc::clone(&page.memory), place, records: self.clone() })
    }
}

impl Record {
    /// The card's address of the record.
    pub fn address(&self) -> u64 {
        self.page.address() + (self.place * LINE) as u64
    }

    // ANCHOR: doorbell_record_region
    /// Tells the trace of the record.
    pub fn announce(&self, name: &str, tracer: &Tracer) -> RegionId {
        static PLACE: Site = site!();
        tracer.map(&PLACE, self.request(0, name))
    }

    /// Tells the trace whose record it is, once the card has given that object its number.
    pub fn name(&self, region: RegionId, object: u32, name: &str, tracer: &Tracer) {
        static PLACE: Site = site!();
        tracer.remap(&PLACE, region, self.request(object, name));
    }
    // ANCHOR_END: doorbell_record_region

    /// What the trace is told.
    fn request(&self, object: u32, name: &str) -> doorbell_tracer::MapRequest {
        let purpose = Purpose { role: Role::DoorbellRecord, name, stride: 4, object };
        self.page.request(self.place * LINE, RECORD, purpose)
    }

    /// The counter at `offset` of the record, 0 or 4.
    pub fn word(&self, offset: usize, region: RegionId) -> DoorbellRecord {
        DoorbellRecord {
            word: self.page.pointer(self.place * LINE + offset, 4).cast(),
            region,
            offset,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let mut pages = self.records.0.lock().unwrap_or_else(PoisonError::into_inner);
        for page in pages.iter_mut().filter(|page| Arc::ptr_eq(&page.memory, &self.page)) {
            page.taken &= !(1 << self.place);
        }
    }
}

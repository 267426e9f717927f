//! The ring of a shared receive queue: a linked list, because receives that many queue pairs
//! took in turn are given back in any order.
//!
//! Each WQE begins with a segment that says which one follows it. Software links a free WQE to
//! the end of the list, and counts what it posted in the doorbell record.

use crate::buffer::PageBuffer;
use crate::card::Card;
use crate::dma::Bus;
use crate::receive_queue::{Receive, fetch_shared, read_scatter, read_shared_counter};
use crate::responder::Refusal;
use doorbell_prm::commands::XrcSrqContext;
use doorbell_prm::eqe::EventType;
use doorbell_prm::wqe::NextSegment;
use doorbell_prm::zerocopy::FromBytes;
use std::collections::BTreeMap;

/// All shared receive queues, by number.
pub(crate) type SharedReceives = BTreeMap<u32, SharedReceive>;

/// A shared receive queue.
#[derive(Debug, Clone)]
pub(crate) struct SharedReceive {
    pub(crate) pd: u32,
    /// What an XRC queue knows in addition.
    pub(crate) xrcd: Option<u32>,
    pub(crate) xrc: Option<XrcSrqContext>,
    pub(crate) buffer: PageBuffer,
    /// log2 of the number of WQEs, and of the size of one in bytes.
    pub(crate) log_entries: u8,
    pub(crate) log_stride: u8,
    /// As the command that created the queue had them.
    pub(crate) log_page_size: u8,
    pub(crate) page_offset: u8,
    pub(crate) record: u64,
    /// With fewer receives left an event tells; 0 for none.
    pub(crate) low_water: u16,
    /// Index of the WQE that is taken next.
    pub(crate) head: u16,
    /// How many were taken, and posted as last read; both wrap at 65536.
    pub(crate) taken: u16,
    pub(crate) posted: u16,
}

impl SharedReceive {
    pub(crate) fn pending(&self) -> u16 {
        self.posted.wrapping_sub(self.taken)
    }

    /// Gives back the WQE that was taken last, unused.
    pub(crate) fn untake(&mut self, index: u16) {
        self.head = index;
        self.taken = self.taken.wrapping_sub(1);
    }
}

impl Card {
    /// Takes the next WQE of a shared receive queue.
    pub(crate) fn take_shared(
        &mut self,
        number: u32,
        bus: &mut Bus<'_>,
    ) -> Result<Receive, Refusal> {
        let Some(queue) = self.shared_receives.get_mut(&number) else {
            return Err(Refusal::NotReady);
        };
        // A low-water mark needs to know how many are left.
        if queue.pending() == 0 || queue.low_water > 0 {
            read_shared_counter(queue, bus)?;
        }
        if queue.pending() == 0 {
            return Err(Refusal::NotReady);
        }
        let index = queue.head;
        let wqe = fetch_shared(queue, index, bus)?;
        let next = NextSegment::ref_from_prefix(&wqe);
        let (next, rest) = next.map_err(|_| Refusal::Broken("a receive WQE is too short"))?;
        queue.head = next.next_wqe_index.get() & ((1_u32 << queue.log_entries) - 1) as u16;
        queue.taken = queue.taken.wrapping_add(1);
        let receive = Receive { index, scatter: read_scatter(rest) };
        // The mark is used up by the event that it causes.
        if queue.pending() < queue.low_water {
            queue.low_water = 0;
            self.announce_shared(EventType::SrqLimit, number, bus);
        }
        Ok(receive)
    }
}

//! The receive queue: WQEs of one size, each a list of pointers.

use super::doorbell::DoorbellRecord;
use super::outstanding::Outstanding;
use super::ring::Ring;
use doorbell_tracer::RegionId;
use std::sync::Arc;

/// What `post_recv` works on, under the queue's lock (`qp->rq`).
pub struct ReceiveQueue {
    /// The WQEs.
    pub ring: Ring,
    /// Work requests posted since the beginning; masked, the WQE's place.
    pub head: u32,
    /// Work requests by WQE, shared with the completion queue.
    pub outstanding: Arc<Outstanding>,
    /// Where the card reads how far we have come.
    pub record: DoorbellRecord,
    /// Pointers in a WQE.
    pub max_sge: u32,
    /// Size of a WQE in units.
    pub stride: u32,
    /// WQEs carry signatures: each has a unit in front of its pointers.
    pub signed: bool,
    /// Number of the queue pair (QPN).
    pub number: u32,
    /// Work requests that can be outstanding, less one.
    pub max_post: u32,
    /// The ring's number in the trace.
    pub region: RegionId,
}

impl ReceiveQueue {
    /// Counts from the beginning again, as the card does after a reset.
    pub fn forget_work(&mut self) {
        self.head = 0;
        self.outstanding.forget_work();
    }

    /// The first unit of the WQE that `counter` counts.
    #[inline(always)]
    pub fn unit(&self, counter: u32) -> u32 {
        counter.wrapping_mul(self.stride)
    }
}

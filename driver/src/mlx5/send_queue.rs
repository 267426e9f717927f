//! The send queue: its counters, its room, and what is outstanding in it.
//!
//! Two counters run side by side and are easily confused. `cur_post` counts 64-byte blocks: the
//! card knows a WQE by it, and the doorbell record holds its low 16 bits. `head` counts work
//! requests, and with `tail` says how many are outstanding. A completion brings back a block
//! number; [`Outstanding`] says which work request that was.

use super::doorbell::{BlueFlame, DoorbellRecord};
use super::ring::Ring;
use super::settings::Settings;
use crate::bus::UarPage;
use crate::verbs::PostCause;
use doorbell_tracer::{Group, Probe, RegionId, Relation, probe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const PROBE_GROUP: Group = Group::PostSend;

/// Units of 16 bytes in a block of 64: a WQE begins at a block.
pub const UNITS_PER_BLOCK: u32 = 4;

/// Blocks that `units` units take.
#[inline(always)]
pub fn blocks(units: u32) -> u32 {
    (units + UNITS_PER_BLOCK - 1) / UNITS_PER_BLOCK
}

/// What `post_send` works on, under the queue's lock (`qp->sq`, `qp->bf` and `qp->db`).
pub struct SendQueue<U: UarPage> {
    /// The WQEs.
    pub ring: Ring,
    /// Blocks posted since the beginning; masked where a block is meant.
    pub cur_post: u32,
    /// Work requests posted since the beginning.
    pub head: u32,
    /// Work requests by block, shared with the completion queue.
    pub outstanding: Arc<Outstanding>,
    /// Where the card reads how far we have come.
    pub record: DoorbellRecord,
    /// The register that wakes the card.
    pub register: BlueFlame<U>,
    /// Number of the queue pair.
    pub qpn: u32,
    /// Set in every control segment: the completion bit of a queue that signals all.
    pub signal_bits: u8,
    /// The queue's limits.
    pub limits: Limits,
    /// The provider's two BlueFlame settings.
    pub settings: Settings,
    /// The ring's number in the trace.
    pub region: RegionId,
}

/// What a queue was created for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Work requests outstanding; one less can be posted, as libmlx5 has it.
    pub max_post: u32,
    /// Scatter/gather elements of one.
    pub max_sge: u32,
    /// Bytes of inline data of one.
    pub max_inline: u32,
}

/// Which work request each block of a queue belongs to, and how far completions have come.
///
/// Written by posts under the queue's lock, read by polls under the completion queue's. A block is
/// not written again before its completion has moved `tail` past it, so the two never meet on one.
pub struct Outstanding {
    slots: Box<[Slot]>,
    /// Work requests known to be done.
    tail: AtomicU32,
}

/// One block's work request (`wrid` and `wqe_head` of `struct mlx5_wq`).
#[derive(Default)]
struct Slot {
    wr_id: AtomicU64,
    head: AtomicU32,
}

impl Outstanding {
    /// For a queue of `entries` blocks or WQEs, a power of two.
    pub fn new(entries: u32) -> Self {
        assert!(entries.is_power_of_two());
        Self {
            slots: (0..entries).map(|_| Slot::default()).collect(),
            tail: AtomicU32::new(0),
        }
    }

    /// The slot of a counter.
    #[inline(always)]
    fn slot(&self, counter: u32) -> &Slot {
        &self.slots[counter as usize & (self.slots.len() - 1)]
    }

    /// Remembers the work request whose WQE begins at `counter`.
    #[inline(always)]
    pub fn remember(&self, counter: u32, wr_id: u64, head: u32) {
        let slot = self.slot(counter);
        slot.wr_id.store(wr_id, Ordering::Relaxed);
        slot.head.store(head, Ordering::Relaxed);
    }

    /// The work request whose WQE began at `counter` is done, and with it all before it: that is
    /// how unsignalled requests are retired. Returns its `wr_id`.
    #[inline(always)]
    pub fn retire(&self, counter: u32) -> u64 {
        let slot = self.slot(counter);
        let head = slot.head.load(Ordering::Relaxed);
        self.tail.store(head.wrapping_add(1), Ordering::Relaxed);
        slot.wr_id.load(Ordering::Relaxed)
    }

    /// Work requests outstanding when `head` have been posted.
    #[inline(always)]
    pub fn count(&self, head: u32) -> u32 {
        head.wrapping_sub(self.tail.load(Ordering::Relaxed))
    }
}

impl<U: UarPage> SendQueue<U> {
    /// Work requests that can be posted before the queue is full.
    #[inline(always)]
    pub fn room(&self) -> u32 {
        let outstanding = self.outstanding.count(self.head);
        self.limits.max_post.saturating_sub(outstanding)
    }

    // ANCHOR: overflow
    /// Is there room for one more, with `built` of this call not yet in `head`? `room` is what
    /// there was when the call began; completions may have been polled since.
    ///
    /// `tail` moves only when completions are polled. A queue whose work requests are never
    /// signalled therefore fills up for good, however fast the card is. (`mlx5_wq_overflow`)
    #[inline(always)]
    pub fn check_room<P: Probe>(&self, room: u32, built: u32, probe: &P) -> Result<(), PostCause> {
        let fits = built < room || built < self.room();
        probe!(*probe, check("room in the queue",
            ("head - tail + built", self.outstanding.count(self.head) + built),
            Relation::Less, ("max_post", self.limits.max_post), fits));
        if fits { Ok(()) } else { Err(self.full(built)) }
    }
    // ANCHOR_END: overflow

    /// What a full queue says.
    #[cold]
    fn full(&self, built: u32) -> PostCause {
        PostCause::QueueFull {
            outstanding: self.outstanding.count(self.head) + built,
            limit: self.limits.max_post,
        }
    }
}

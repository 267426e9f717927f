//! The send queue: its counters, its room, and what is outstanding in it.
//!
//! Two counters run side by side and are easily confused. `cur_post` counts 64-byte blocks: the
//! card knows a WQE by it, and the doorbell record holds its low 16 bits. `head` counts work
//! requests, and with `tail` says how many are outstanding. A completion brings back a block
//! number; [`Outstanding`] says which work request that was.

use super::completion_queue::CqState;
use super::doorbell::{BlueFlame, DoorbellRecord};
use super::extended::Batch;
use super::inline::ShortLengths;
use super::opcodes::Opcodes;
use super::outstanding::{KeptSlots, Outstanding};
use super::ring::{Block, Ring};
use super::segments::SecondHalves;
use super::settings::Settings;
use crate::bus::UarPage;
use doorbell_tracer::{Group, Probe, RegionId, Relation, probe};
use spin::mutex::SpinMutex as Mutex;
use std::hint::cold_path;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::PostSend;

/// Units of 16 bytes in a block of 64: a WQE begins at a block.
pub const UNITS_PER_BLOCK: u32 = 4;

/// Blocks that `units` units take.
#[inline(always)]
pub fn blocks(units: u32) -> u32 {
    units.wrapping_add(UNITS_PER_BLOCK - 1) / UNITS_PER_BLOCK
}

/// What `post_send` works on, under the queue's lock (`qp->sq`, `qp->bf` and `qp->db`).
pub struct SendQueue<U: UarPage> {
    /// The WQEs.
    pub ring: Ring,
    /// Blocks posted since the beginning; masked where a block is meant.
    pub cur_post: u32,
    /// Work requests posted since the beginning.
    pub head: u32,
    /// The `head` at which the queue is full, as far as completions were polled when we looked.
    pub full_at: u32,
    /// Work requests by block, shared with the completion queue.
    pub outstanding: Arc<Outstanding>,
    /// Its slots, at hand.
    pub slots: KeptSlots,
    /// Where the card reads how far we have come.
    pub record: DoorbellRecord,
    /// The register that wakes the card.
    pub register: BlueFlame<U>,
    /// The first half of an empty control segment of this queue, see `common_control`.
    pub control: [u8; 8],
    /// Its number on the card (QPN).
    pub number: u32,
    /// What its transport posts.
    pub opcodes: Opcodes,
    /// The completion queue where it completes, which is told of some of its requests.
    pub completions: Arc<Mutex<CqState>>,
    /// The second half of a control segment for each set of flags, see `second_halves`.
    pub second_halves: &'static SecondHalves,
    /// The queue's limits.
    pub limits: Limits,
    /// A request must have fewer elements than this: 0 until the queue pair sends, so that not even a
    /// request without any is taken. (`qp_state_max_gs`, and one)
    pub elements_below: usize,
    /// The device has atomic operations. (`atomics_enabled`)
    pub atomics_enabled: bool,
    /// The provider's two BlueFlame settings.
    pub settings: Settings,
    /// The ring's number in the trace.
    pub region: RegionId,
    /// What is kept between the calls of a batch.
    pub batch: Batch,
}

/// What a queue was created for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Work requests outstanding; one less can be posted, as libmlx5 has it.
    pub max_post: u32,
    /// Scatter/gather elements of one.
    pub max_sge: usize,
    /// Bytes of inline data of one.
    pub max_inline: u32,
    /// Which lengths of inline data take the short way.
    pub short: ShortLengths,
}

/// A WQE under construction.
#[derive(Clone, Copy)]
pub struct Wqe {
    /// Number of its first block, before masking.
    pub number: u32,
    /// That block.
    pub block: Block,
}

impl Wqe {
    /// One of its units, before masking.
    #[inline(always)]
    pub fn unit(self, index: u32) -> u32 {
        self.number.wrapping_mul(UNITS_PER_BLOCK).wrapping_add(index)
    }
}

/// How far a call of `post_send` has come. The queue's own counters follow when the card is told.
#[derive(Clone, Copy)]
pub struct Built {
    /// The ring that they are built in.
    pub ring: Ring,
    /// The queue's `head`, with the work requests that are built.
    pub head: u32,
    /// The queue's `cur_post`, with their blocks.
    pub cur_post: u32,
    /// Length in 16-byte units of the WQE built last, which is the one that the register is told
    /// of; 0 if there is none.
    pub last_units: u32,
    /// Its length in blocks.
    pub last_blocks: u32,
    /// What of it must fit a buffer of the register: its units, or those of its blocks. It is copied in whole
    /// blocks, and a buffer is a number of whole ones, so that both fit or neither.
    pub last_copied: u32,
    /// Number of its first block.
    last_number: u32,
    /// That block.
    last_block: Block,
}

impl Built {
    /// Nothing yet, where the next request is number `head` and its first block `cur_post`.
    #[inline(always)]
    pub fn nothing(ring: Ring, head: u32, cur_post: u32) -> Self {
        Self {
            ring,
            head,
            cur_post,
            last_units: 0,
            last_blocks: 0,
            last_copied: 0,
            last_number: cur_post,
            last_block: ring.block(cur_post),
        }
    }

    /// With `count` WQEs more, each of `units` units, which fit a block.
    #[inline(always)]
    pub fn and_run(self, count: u32, units: u32) -> Self {
        let Some(but_one) = count.checked_sub(1) else { return self };
        let (head, number) = (self.head.wrapping_add(but_one), self.cur_post.wrapping_add(but_one));
        Self::nothing(self.ring, head, number).and_blocks(units, 1)
    }

    /// With one WQE more, of `units` units.
    #[inline(always)]
    pub fn and(self, units: u32) -> Self {
        self.and_blocks(units, blocks(units))
    }

    /// The same where it is known without a look at `units` how many blocks they are.
    #[inline(always)]
    pub fn and_blocks(self, units: u32, known: u32) -> Self {
        debug_assert_eq!(blocks(units), known);
        Self {
            ring: self.ring,
            head: self.head.wrapping_add(1),
            cur_post: self.cur_post.wrapping_add(known),
            last_units: units,
            last_blocks: known,
            last_copied: known * UNITS_PER_BLOCK,
            last_number: self.cur_post,
            last_block: self.next().block,
        }
    }

    /// The same where the WQE built last has `units` units.
    #[inline(always)]
    pub fn of_length(self, units: u32) -> Self {
        Self { last_units: units, last_blocks: blocks(units), last_copied: units, ..self }
    }

    /// The WQE built last. In a call that builds no more than one it is at hand; else it is found
    /// again by its length, once, instead of being kept from each to the next.
    #[inline(always)]
    pub fn last(self, is_only: bool) -> Wqe {
        if is_only {
            return Wqe { number: self.last_number, block: self.last_block };
        }
        let number = self.cur_post.wrapping_sub(self.last_blocks);
        Wqe { number, block: self.ring.block(number) }
    }

    /// The WQE to be built next.
    #[inline(always)]
    pub fn next(self) -> Wqe {
        Wqe { number: self.cur_post, block: self.ring.block(self.cur_post) }
    }
}

impl<U: UarPage> SendQueue<U> {
    /// Counts from the beginning again, as the card does after a reset. (`mlx5_init_qp_indices`)
    pub fn forget_work(&mut self) {
        (self.head, self.cur_post, self.full_at) = (0, 0, 0);
        self.elements_below = 0;
        self.opcodes.take_usual(false);
        self.batch.sends(false);
        self.outstanding.forget_work();
    }

    // ANCHOR: send_state
    /// The queue pair has come to RTS: requests are taken. (`set_qp_operational_state`)
    pub fn take_requests(&mut self) {
        self.elements_below = self.limits.max_sge + 1;
        // A usual request has one element.
        self.opcodes.take_usual(self.limits.max_sge > 0);
        self.batch.sends(true);
    }

    /// Whether requests are taken.
    pub fn takes_requests(&self) -> bool {
        self.elements_below > 0
    }
    // ANCHOR_END: send_state

    /// Where a call begins whose first request is number `head`.
    #[inline(always)]
    pub fn nothing_built(&self, head: u32) -> Built {
        Built::nothing(self.ring, head, self.cur_post)
    }

    /// The WQE that a batch builds next.
    #[inline(always)]
    pub fn next_wqe(&self) -> Wqe {
        Wqe { number: self.cur_post, block: self.ring.block(self.cur_post) }
    }

    // ANCHOR: overflow
    /// Is there room for a work request of number `head`?
    ///
    /// `tail` moves only when completions are polled. A queue whose work requests are never
    /// signalled therefore fills up for good, however fast the card is. (`mlx5_wq_overflow`)
    #[inline(always)]
    pub fn has_room<P: Probe>(&mut self, head: u32, probe: &P) -> bool {
        let fits = self.fits(head);
        self.tell_room(head, fits, probe);
        fits
    }

    /// The same, told to nobody yet.
    #[inline(always)]
    pub fn fits(&mut self, head: u32) -> bool {
        if head == self.full_at {
            cold_path();
            self.look_for_room(head);
        }
        head != self.full_at
    }

    /// For how many of `wanted` work requests there is room, the first of which is number `head`.
    #[inline(always)]
    pub fn room_for(&mut self, head: u32, wanted: usize) -> usize {
        if self.room_known(head) < wanted {
            cold_path();
            self.look_for_room(head);
        }
        self.room_known(head).min(wanted)
    }

    /// It would be full if nothing had been polled since we looked last. Looks again.
    #[inline(always)]
    fn look_for_room(&mut self, head: u32) {
        let outstanding = self.outstanding.count(head);
        self.full_at = head.wrapping_add(self.limits.max_post.saturating_sub(outstanding));
    }

    /// The room that we know of.
    #[inline(always)]
    fn room_known(&self, head: u32) -> usize {
        self.full_at.wrapping_sub(head) as usize
    }

    /// Tells the trace whether there is.
    #[inline(always)]
    pub fn tell_room<P: Probe>(&self, head: u32, fits: bool, probe: &P) {
        probe!(
            P: *probe,
            check(
                "room in the queue",
                ("head - tail", self.outstanding.count(head)),
                Relation::Less,
                ("max_post", self.limits.max_post),
                fits
            )
        );
    }
    // ANCHOR_END: overflow
}

/// A limit as errors have it: the card's own limits are below 2 to the 16th, see `sizes.rs`.
pub fn small(limit: usize) -> u16 {
    u16::try_from(limit).unwrap_or(u16::MAX)
}

//! Telling the card: the doorbell record, and the doorbell register or BlueFlame.
//!
//! The record is memory: it says how far the queue has been filled, for the card to read when it
//! likes. The register is on the card: writing it wakes the card. Writing the first 8 bytes of a
//! WQE there is the doorbell proper, and the card fetches the WQE by DMA. Writing the whole WQE
//! there is BlueFlame, and saves the card that read. (PRM, "Doorbells", "BlueFlame")

use super::barrier::{FLUSH_WRITES, TO_DEVICE, WRITE_COMBINING_START};
use super::ring::{Ring, UNIT};
use super::send_queue::{SendQueue, UNITS_PER_BLOCK, blocks};
use crate::bus::UarPage;
use doorbell_tracer::{Group, Probe, RegionId, Relation, probe};
use std::ptr::NonNull;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::PostSend;

/// One counter of a doorbell record: 4 bytes that the driver writes and the card reads.
pub struct DoorbellRecord {
    /// The word.
    pub word: NonNull<u32>,
    /// The record's number in the trace.
    pub region: RegionId,
    /// Offset of the word in that region.
    pub offset: usize,
}

// SAFETY: the word is written under the lock of the queue that owns it, and lies in memory that
// the queue pair or completion queue keeps.
unsafe impl Send for DoorbellRecord {}

impl DoorbellRecord {
    /// Stores a counter, big endian.
    #[inline(always)]
    pub fn store(&self, counter: u32) -> [u8; 4] {
        let bytes = counter.to_be_bytes();
        // SAFETY: the word is valid for as long as this value lives, and aligned to 4.
        unsafe { self.word.write_volatile(u32::from_ne_bytes(bytes)) };
        bytes
    }
}

/// A doorbell register with its two buffers, which take turns (`struct mlx5_bf`).
pub struct BlueFlame<U: UarPage> {
    /// The page that it lies in.
    pub page: Arc<U>,
    /// Offset of the register in its page.
    pub register: usize,
    /// Which buffer is next: 0, or the size of one.
    pub offset: usize,
    /// Size of one buffer in bytes; 0 if the register takes no BlueFlame.
    pub buffer_size: usize,
    /// The page's number in the trace.
    pub region: RegionId,
}

/// The WQE that a call wrote last: the one that the register is told of.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastWqe {
    /// Its first block, before masking.
    pub block: u32,
    /// Its length in 16-byte units.
    pub units: u32,
    /// Whether its data is inline.
    pub inline: bool,
}

// ANCHOR: ring_doorbell
/// Hands `posted` new work requests to the card. (`post_send_db`)
///
/// The order is the point of it all: WQEs, record, register, and a barrier between any two.
#[inline(always)]
pub fn ring_doorbell<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    ring: Ring,
    posted: u32,
    last: LastWqe,
    probe: &P,
) {
    queue.head = queue.head.wrapping_add(posted);
    probe!(*probe, index(queue.region, "sq.head", queue.head));

    // The card must not see the new counter before it can see the WQEs that it counts.
    (TO_DEVICE.pass)();
    probe!(*probe, barrier(TO_DEVICE.name, TO_DEVICE.instruction));
    let bytes = queue.record.store(queue.cur_post & 0xffff);
    probe!(*probe, store(queue.record.region, queue.record.offset, "", &bytes);
        from "send" = "sq.cur_post & 0xffff");

    // The register must not be written before the record can be seen. This register is the
    // queue's own, so no lock is taken that would order the two.
    (WRITE_COMBINING_START.pass)();
    probe!(*probe, barrier(WRITE_COMBINING_START.name, WRITE_COMBINING_START.instruction));
    if takes_blueflame(queue, posted, last, probe) {
        copy_wqe(queue, ring, last, probe);
    } else {
        write_register(queue, ring, last, probe);
    }

    // Out of the write-combining buffer, before the next post can write the other buffer.
    (FLUSH_WRITES.pass)();
    queue.register.page.flushed();
    probe!(*probe, barrier(FLUSH_WRITES.name, FLUSH_WRITES.instruction));
    toggle_buffer(queue, probe);
}
// ANCHOR_END: ring_doorbell

// ANCHOR: blueflame_conditions
/// Six conditions, all of which must hold for the WQE itself to go to the register.
#[inline(always)]
fn takes_blueflame<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    posted: u32,
    last: LastWqe,
    probe: &P,
) -> bool {
    let settings = queue.settings.blueflame;
    let size = queue.register.buffer_size;
    let units_that_fit = (size / UNIT) as u32;
    let holds = !settings.forbidden;
    probe!(*probe, check("BlueFlame is not forbidden",
        ("MLX5_SHUT_UP_BF", u32::from(settings.forbidden)), Relation::Equal, ("off", 0_u32), holds));
    if !holds { return false }
    let holds = posted == 1;
    probe!(*probe, check("one work request in the call",
        ("posted", posted), Relation::Equal, ("one", 1_u32), holds));
    if !holds { return false }
    let holds = size != 0;
    probe!(*probe, check("the register takes BlueFlame",
        ("buffer size", size), Relation::NotEqual, ("none", 0_u32), holds));
    if !holds { return false }
    let holds = last.inline || settings.preferred;
    probe!(*probe, check("the data is inline, or BlueFlame preferred",
        ("inline | MLX5_POST_SEND_PREFER_BF", u32::from(holds)), Relation::Equal, ("yes", 1_u32), holds));
    if !holds { return false }
    let holds = last.units > 1;
    probe!(*probe, check("the WQE is more than a control segment",
        ("units", last.units), Relation::Greater, ("one", 1_u32), holds));
    if !holds { return false }
    let holds = last.units <= units_that_fit;
    probe!(*probe, check("the WQE fits the buffer",
        ("units", last.units), Relation::LessOrEqual, ("buffer size / 16", units_that_fit), holds));
    holds
}
// ANCHOR_END: blueflame_conditions

// ANCHOR: blueflame_copy
/// Copies the WQE to the register, in whole blocks of 64 bytes and in ascending order, so that
/// each block can leave the CPU as one PCIe write. (`mlx5_bf_copy`)
#[inline(always)]
fn copy_wqe<U: UarPage, P: Probe>(queue: &SendQueue<U>, ring: Ring, last: LastWqe, probe: &P) {
    let target = queue.register.register + queue.register.offset;
    for block in 0..blocks(last.units) {
        let unit = last.block.wrapping_add(block).wrapping_mul(UNITS_PER_BLOCK);
        let offset = target + block as usize * 64;
        let words = ring.block(unit);
        queue.register.page.write_64(offset, |index| words.word(index));
        probe!(*probe, register_write(queue.register.region, offset, "BlueFlame",
            if block == 0 { "wqe_control_segment" } else { "" },
            &ring.bytes(ring.offset(unit), 64)));
    }
}
// ANCHOR_END: blueflame_copy

// ANCHOR: doorbell_register
/// Writes the first 8 bytes of the last WQE: queue pair and WQE index are in them, and so the
/// card knows whom to serve and how far.
#[inline(always)]
fn write_register<U: UarPage, P: Probe>(queue: &SendQueue<U>, ring: Ring, last: LastWqe, probe: &P) {
    let target = queue.register.register + queue.register.offset;
    let bytes = ring.block(last.block.wrapping_mul(UNITS_PER_BLOCK)).word(0);
    queue.register.page.write_8(target, bytes);
    probe!(*probe, register_write(queue.register.region, target, "doorbell",
        "wqe_control_segment", &bytes));
}
// ANCHOR_END: doorbell_register

// ANCHOR: blueflame_toggle
/// The next post writes the other buffer, so that it cannot mix with this one in a
/// write-combining buffer.
#[inline(always)]
fn toggle_buffer<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, probe: &P) {
    queue.register.offset ^= queue.register.buffer_size;
    probe!(*probe, index(queue.register.region, "bf.offset", queue.register.offset as u32));
}
// ANCHOR_END: blueflame_toggle

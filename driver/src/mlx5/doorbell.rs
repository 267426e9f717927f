//! Telling the card: the doorbell record, and the doorbell register or BlueFlame.
//!
//! The record is memory: it says how far the queue has been filled, for the card to read when it
//! likes. The register is on the card: writing it wakes the card. Writing the first 8 bytes of a
//! WQE there is the doorbell proper, and the card fetches the WQE by DMA. Writing the whole WQE
//! there is BlueFlame, and saves the card that read. (PRM, "Doorbells", "BlueFlame")

use super::barrier::{FLUSH_WRITES, TO_DEVICE, WRITE_COMBINING_START};
use super::ring::BLOCK;
use super::send_queue::{SendQueue, blocks};
use crate::bus::{DoorbellRegister, UarPage};
use crate::verbs::{SendFlags, SendRequest};
use doorbell_tracer::{Group, Probe, RegionId, Relation, probe};
use std::ptr::NonNull;

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
    /// The register, standing at the buffer that is next.
    pub register: U::Register,
    /// Size of one buffer in 16-byte units; 0 if the register takes no BlueFlame.
    pub buffer_units: u32,
    /// The page's number in the trace.
    pub region: RegionId,
}

// ANCHOR: ring_doorbell
/// Hands work requests to the card whose WQEs have been built. (`post_send_db`)
///
/// The order is the point of it all: WQEs, record, register, and a barrier between any two.
#[inline(always)]
pub fn ring_doorbell<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    built: &[SendRequest<'_>],
    probe: &P,
) {
    queue.head = queue.head.wrapping_add(built.len() as u32);
    probe!(*probe, index(queue.region, "sq.head", queue.head));

    // The card must not see the new counter before it can see the WQEs that it counts.
    (TO_DEVICE.pass)();
    probe!(*probe, barrier(TO_DEVICE.name, TO_DEVICE.instruction));
    let bytes = queue.record.store(queue.cur_post & 0xffff);
    probe!(*probe, store(queue.record.region, queue.record.offset, "", &bytes);
        from "send_counter" = "sq.cur_post & 0xffff");

    // The register must not be written before the record can be seen. This register is the
    // queue's own, so no lock is taken that would order the two.
    (WRITE_COMBINING_START.pass)();
    probe!(*probe, barrier(WRITE_COMBINING_START.name, WRITE_COMBINING_START.instruction));
    if takes_blueflame(queue, built, probe) {
        copy_wqe(queue, probe);
    } else {
        write_register(queue, probe);
    }

    // Out of the write-combining buffer, before the next post can write the other buffer.
    (FLUSH_WRITES.pass)();
    queue.register.register.flushed();
    probe!(*probe, barrier(FLUSH_WRITES.name, FLUSH_WRITES.instruction));
    toggle_buffer(queue, probe);
}
// ANCHOR_END: ring_doorbell

// ANCHOR: blueflame_conditions
/// Six conditions, all of which must hold for the WQE itself to go to the register.
#[inline(always)]
fn takes_blueflame<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    built: &[SendRequest<'_>],
    probe: &P,
) -> bool {
    let units = queue.last_units;
    let settings = queue.settings.blueflame;
    let units_that_fit = queue.register.buffer_units;
    let holds = !settings.forbidden;
    probe!(
        *probe,
        check(
            "BlueFlame is not forbidden",
            ("MLX5_SHUT_UP_BF", u32::from(settings.forbidden)),
            Relation::Equal,
            ("off", 0_u32),
            holds
        )
    );
    if !holds {
        return false;
    }
    let holds = built.len() == 1;
    probe!(
        *probe,
        check(
            "one work request in the call",
            ("posted", built.len()),
            Relation::Equal,
            ("one", 1_u32),
            holds
        )
    );
    if !holds {
        return false;
    }
    let holds = units_that_fit != 0;
    probe!(
        *probe,
        check(
            "the register takes BlueFlame",
            ("buffer size / 16", units_that_fit),
            Relation::NotEqual,
            ("none", 0_u32),
            holds
        )
    );
    if !holds {
        return false;
    }
    let inline = built[0].send_flags.contains(SendFlags::INLINE);
    let holds = inline || settings.preferred;
    probe!(
        *probe,
        check(
            "the data is inline, or BlueFlame preferred",
            ("inline | MLX5_POST_SEND_PREFER_BF", u32::from(holds)),
            Relation::Equal,
            ("yes", 1_u32),
            holds
        )
    );
    if !holds {
        return false;
    }
    let holds = units > 1;
    probe!(
        *probe,
        check(
            "the WQE is more than a control segment",
            ("units", units),
            Relation::Greater,
            ("one", 1_u32),
            holds
        )
    );
    if !holds {
        return false;
    }
    let holds = units <= units_that_fit;
    probe!(
        *probe,
        check(
            "the WQE fits the buffer",
            ("units", units),
            Relation::LessOrEqual,
            ("buffer size / 16", units_that_fit),
            holds
        )
    );
    holds
}
// ANCHOR_END: blueflame_conditions

// ANCHOR: blueflame_copy
/// Copies the WQE to the register, in whole blocks of 64 bytes and in ascending order, so that
/// each block can leave the CPU as one PCIe write. (`mlx5_bf_copy`)
#[inline(always)]
fn copy_wqe<U: UarPage, P: Probe>(queue: &SendQueue<U>, probe: &P) {
    let register = &queue.register.register;
    let end = queue.cur_post;
    let first = end.wrapping_sub(blocks(queue.last_units));
    let mut number = first;
    while number != end {
        let block = queue.ring.block(number);
        let offset = number.wrapping_sub(first) as usize * BLOCK;
        register.write_64(offset, |unit| block.unit(unit));
        probe!(
            *probe,
            register_write(
                queue.register.region,
                register.offset() + offset,
                "BlueFlame",
                if number == first { "wqe_control_segment" } else { "" },
                &queue.ring.bytes(queue.ring.block_offset(number), BLOCK)
            )
        );
        number = number.wrapping_add(1);
    }
}
// ANCHOR_END: blueflame_copy

// ANCHOR: doorbell_register
/// Writes the first 8 bytes of the last WQE: queue pair and WQE index are in them, and so the
/// card knows whom to serve and how far.
#[inline(always)]
fn write_register<U: UarPage, P: Probe>(queue: &SendQueue<U>, probe: &P) {
    let register = &queue.register.register;
    let bytes =
        queue.ring.block(queue.cur_post.wrapping_sub(blocks(queue.last_units))).first_word();
    register.write_8(bytes);
    probe!(
        *probe,
        register_write(
            queue.register.region,
            register.offset(),
            "doorbell",
            "wqe_control_segment",
            &bytes
        )
    );
}
// ANCHOR_END: doorbell_register

// ANCHOR: blueflame_toggle
/// The next post writes the other buffer, so that it cannot mix with this one in a
/// write-combining buffer.
#[inline(always)]
fn toggle_buffer<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, probe: &P) {
    queue.register.register.toggle();
    probe!(
        *probe,
        index(queue.register.region, "bf.offset", queue.register.register.buffer() as u32)
    );
}
// ANCHOR_END: blueflame_toggle

//! Telling the card: the doorbell record, and the doorbell register or BlueFlame.
//!
//! The record is memory: it says how far the queue has been filled, for the card to read when it
//! likes. The register is on the card: writing it wakes the card. Writing the first 8 bytes of a
//! WQE there is the doorbell proper, and the card fetches the WQE by DMA. Writing the whole WQE
//! there is BlueFlame, and saves the card that read. (PRM, "Doorbells", "BlueFlame")

use super::barrier::{FLUSH_WRITES, TO_DEVICE, WRITE_COMBINING_START};
use super::ring::{BLOCK, Block};
use super::send_queue::{Built, SendQueue, Wqe};
use super::shared_register::ring_shared;
use crate::bus::{DoorbellRegister, UarPage};
use doorbell_tracer::{Group, Probe, RegionId, Relation, probe};
use spin::mutex::SpinMutex as Mutex;
use std::hint::cold_path;
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
    /// The register, standing at the buffer that is next.
    pub register: U::Register,
    /// Size of one buffer in 16-byte units; 0 if the register takes no BlueFlame.
    pub buffer_units: u32,
    /// The longest WQE in units that may go there if its data is inline; 0 also if BlueFlame is
    /// forbidden.
    pub most_units_inline: u32,
    /// The same of any other; 0 also if BlueFlame is not preferred.
    pub most_units: u32,
    /// The page's number in the trace.
    pub region: RegionId,
    /// The register behind its lock, if other queues ring it, too. Then `register` is of no meaning
    /// but while the lock is held.
    pub shared: Option<Arc<Mutex<U::Register>>>,
}

/// The only work request of a call.
#[derive(Clone, Copy)]
pub struct Alone {
    /// Its data is inline.
    pub inline: bool,
}

// ANCHOR: ring_doorbell
/// Hands the `count` work requests to the card whose WQEs have been built, the `last` of them as the
/// last; `alone` tells of it if it is one. `SHARED` if the register has a lock. (`post_send_db`)
///
/// The order is the point of it all: WQEs, record, register, and a barrier between any two.
#[inline(always)]
pub fn ring_doorbell<U: UarPage, P: Probe, const SHARED: bool>(
    queue: &mut SendQueue<U>,
    built: Built,
    last: Wqe,
    count: u32,
    alone: Option<Alone>,
    probe: &P,
) {
    (queue.head, queue.cur_post) = (built.head, built.cur_post);
    probe!(P: *probe, index(queue.region, "sq.head", queue.head));

    // The card must not see the new counter before it can see the WQEs that it counts.
    (TO_DEVICE.pass)();
    probe!(P: *probe, barrier(TO_DEVICE.name, TO_DEVICE.instruction));
    let bytes = queue.record.store(built.cur_post & 0xffff);
    probe!(P: *probe, store(queue.record.region, queue.record.offset, "", &bytes);
        from "send_counter" = "sq.cur_post & 0xffff");

    if SHARED {
        return ring_shared(queue, built, last, count, alone, probe);
    }
    // The register must not be written before the record can be seen. This register is the
    // queue's own, so no lock is taken that would order the two.
    (WRITE_COMBINING_START.pass)();
    probe!(P: *probe, barrier(WRITE_COMBINING_START.name, WRITE_COMBINING_START.instruction));
    ring_register(queue, built, last, count, alone, probe);
}

/// Writes the register, and pushes the write out.
#[inline(always)]
pub fn ring_register<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    built: Built,
    last: Wqe,
    count: u32,
    alone: Option<Alone>,
    probe: &P,
) {
    if takes_blueflame(queue, built, count, alone, probe) {
        copy_wqe(queue, built, last, probe);
    } else {
        write_register(queue, last, probe);
    }

    // Out of the write-combining buffer, before the next post can write the other buffer.
    (FLUSH_WRITES.pass)();
    queue.register.register.flushed();
    let probe = &probe.row();
    probe!(P: *probe, barrier(FLUSH_WRITES.name, FLUSH_WRITES.instruction));
    toggle_buffer(queue, probe);
}
// ANCHOR_END: ring_doorbell

// ANCHOR: blueflame_conditions
/// Six conditions, all of which must hold for the WQE itself to go to the register.
#[inline(always)]
fn takes_blueflame<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    built: Built,
    count: u32,
    alone: Option<Alone>,
    probe: &P,
) -> bool {
    if P::ON {
        let numbers = (count, built.last_units, queue.register.buffer_units);
        tell_conditions(&Conditions::of(queue, built, alone), numbers, probe);
    }
    let Some(alone) = alone else {
        return false;
    };
    // Whether it is allowed and preferred, and whether the register takes it, was known when the queue
    // was made: if not, no WQE is short enough.
    let register = &queue.register;
    let most = if alone.inline { register.most_units_inline } else { register.most_units };
    // A WQE without data is rare, and so is one that is longer than a buffer.
    if built.last_units <= 1 {
        cold_path();
        return false;
    }
    if built.last_copied > most {
        cold_path();
        return false;
    }
    true
}

/// Which of the six conditions hold.
struct Conditions {
    /// BlueFlame is not forbidden.
    allowed: bool,
    /// One work request in the call.
    alone: bool,
    /// The register takes BlueFlame.
    taken: bool,
    /// The data is inline, or BlueFlame is preferred for all.
    worth_it: bool,
    /// The WQE is more than a control segment.
    more_than_control: bool,
    /// The WQE fits the buffer.
    fits: bool,
}

impl Conditions {
    /// Looks at each.
    fn of<U: UarPage>(queue: &SendQueue<U>, built: Built, alone: Option<Alone>) -> Self {
        let (units, fit) = (built.last_units, queue.register.buffer_units);
        let settings = queue.settings.blueflame;
        Self {
            allowed: !settings.forbidden,
            alone: alone.is_some(),
            taken: fit != 0,
            worth_it: alone.is_some_and(|one| one.inline) || settings.preferred,
            more_than_control: units > 1,
            fits: units <= fit,
        }
    }
}

/// Tells of the conditions in their order, up to the first that does not hold.
#[inline(always)]
fn tell_conditions<P: Probe>(
    conditions: &Conditions,
    (count, units, fit): (u32, u32, u32),
    probe: &P,
) {
    let probe = &probe.row();
    let holds = conditions.allowed;
    let forbidden = u32::from(!holds);
    probe!(
        P: *probe,
        check("BlueFlame is not forbidden", ("MLX5_SHUT_UP_BF", forbidden), Relation::Equal, ("needed", 0_u32), holds)
    );
    if !holds {
        return;
    }
    let holds = conditions.alone;
    probe!(
        P: *probe,
        check("one work request in the call", ("posted", count), Relation::Equal, ("needed", 1_u32), holds)
    );
    if !holds {
        return;
    }
    let holds = conditions.taken;
    probe!(
        P: *probe,
        check("the register takes BlueFlame", ("buffer size / 16", fit), Relation::NotEqual, ("none", 0_u32), holds)
    );
    if !holds {
        return;
    }
    let holds = conditions.worth_it;
    let either = u32::from(holds);
    probe!(
        P: *probe,
        check(
            "the data is inline, or BlueFlame preferred",
            ("inline | MLX5_POST_SEND_PREFER_BF", either),
            Relation::Equal,
            ("needed", 1_u32),
            holds
        )
    );
    if !holds {
        return;
    }
    let holds = conditions.more_than_control;
    probe!(
        P: *probe,
        check(
            "the WQE is more than a control segment",
            ("units", units),
            Relation::Greater,
            ("of the control segment", 1_u32),
            holds
        )
    );
    if !holds {
        return;
    }
    let holds = conditions.fits;
    probe!(
        P: *probe,
        check("the WQE fits the buffer", ("units", units), Relation::LessOrEqual, ("buffer size / 16", fit), holds)
    );
}
// ANCHOR_END: blueflame_conditions

// ANCHOR: blueflame_copy
/// Copies the WQE to the register, in whole blocks of 64 bytes and in ascending order, so that
/// each block can leave the CPU as one PCIe write. (`mlx5_bf_copy`)
#[inline(always)]
fn copy_wqe<U: UarPage, P: Probe>(queue: &SendQueue<U>, built: Built, wqe: Wqe, probe: &P) {
    copy_block(queue, 0, wqe.block, probe);
    for index in 1..built.last_blocks {
        copy_block(queue, index, built.ring.block(wqe.number.wrapping_add(index)), probe);
    }
}

/// Copies one block, number `index` of the WQE.
#[inline(always)]
fn copy_block<U: UarPage, P: Probe>(queue: &SendQueue<U>, index: u32, block: Block, probe: &P) {
    let register = &queue.register.register;
    let offset = index as usize * BLOCK;
    register.write_64(offset, |unit| block.load(unit));
    probe!(
        P: *probe,
        register_write(
            queue.register.region,
            register.offset() + offset,
            "BlueFlame",
            if index == 0 { "wqe_control_segment" } else { "" },
            block.halves::<8>(0).as_flattened()
        )
    );
}
// ANCHOR_END: blueflame_copy

// ANCHOR: doorbell_register
/// Writes the first 8 bytes of the last WQE: queue pair and WQE index are in them, and so the
/// card knows whom to serve and how far.
#[inline(always)]
fn write_register<U: UarPage, P: Probe>(queue: &SendQueue<U>, wqe: Wqe, probe: &P) {
    let register = &queue.register.register;
    let bytes = wqe.block.first_word();
    register.write_8(bytes);
    probe!(
        P: *probe,
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
        P: *probe,
        index(queue.register.region, "bf.offset", queue.register.register.buffer() as u32)
    );
}
// ANCHOR_END: blueflame_toggle

//! Signatures: a checksum in each WQE, which the card looks at before it believes the WQE.
//!
//! They find bytes that were damaged on the way to the card, at the price of reading every WQE once
//! more. Off unless `MLX5_QP_SIGNATURE` is in the environment. (PRM, "WQE Signature")

use super::receive_queue::ReceiveQueue;
use super::ring::{Ring, UNIT};
use super::send_queue::{SendQueue, UNITS_PER_BLOCK, blocks};
use crate::bus::UarPage;
use doorbell_tracer::{Group, Probe, probe};

const PROBE_GROUP: Group = Group::PostSend;

/// Offset of the signature in a control segment.
const IN_CONTROL: u32 = 8;

/// Offset of the WQE's length in units in a control segment: 6 bits. (`ds`)
const LENGTH_IN_CONTROL: usize = 7;

/// Offset of the signature in the unit in front of a receive WQE's pointers.
/// (`struct mlx5_rwqe_sig`)
const IN_FRONT: u32 = 4;

/// Size of that unit in units.
pub const FRONT_UNITS: u32 = 1;

// ANCHOR: sign_wqe
/// Completes the WQE of `units` units that begins at block `number`: with the signature, all its bytes
/// together are 0xff by exclusive or. Until here the byte is 0. (`wq_sig`)
///
/// libmlx5 goes straight on where the ring ends within the WQE, and so signs what lies behind the
/// ring; the card reads the WQE as it is, and so do we.
pub fn sign<U: UarPage, P: Probe>(queue: &SendQueue<U>, number: u32, units: u32, probe: &P) {
    let unit = number.wrapping_mul(UNITS_PER_BLOCK);
    let signature = !exclusive_or(&queue.ring, unit, units);
    queue.ring.store_byte(unit, IN_CONTROL, signature);
    let offset = queue.ring.offset(unit) + IN_CONTROL as usize;
    probe!(P: *probe, store(queue.region, offset, "", &[signature]);
        from "signature" = "all bytes of the WQE");
}

/// Completes the WQEs of a batch, from block `first` to the one before `end`. libmlx5 signs each of them
/// when its last setter is called; the card sees none before the doorbell. (`_common_wqe_finalize`)
#[cold]
pub fn sign_batch<U: UarPage, P: Probe>(queue: &SendQueue<U>, first: u32, end: u32, probe: &P) {
    let mut number = first;
    while number != end {
        let control = queue.ring.unit(number.wrapping_mul(UNITS_PER_BLOCK));
        let units = u32::from(control[LENGTH_IN_CONTROL] & 0x3f);
        sign(queue, number, units, probe);
        number = number.wrapping_add(blocks(units));
    }
}

/// All bytes of units of a ring, by exclusive or.
fn exclusive_or(ring: &Ring, unit: u32, units: u32) -> u8 {
    let bytes = (0..units).flat_map(|index| ring.unit(unit.wrapping_add(index)));
    bytes.fold(0, |sum, byte| sum ^ byte)
}
// ANCHOR_END: sign_wqe

// ANCHOR: sign_receive
/// The same for a receive WQE: its signature stands in a unit in front of the pointers, and goes over
/// that unit and `elements` behind it. The queue pair's number and the WQE's are in it, so that a WQE
/// which is right in another place is not right here. (`set_sig_seg`)
///
/// `index` is the number of the first WQE of the call, as in libmlx5, for all WQEs of it.
pub fn sign_receive<P: Probe>(
    queue: &ReceiveQueue,
    counter: u32,
    elements: u32,
    index: u16,
    probe: &P,
) {
    let unit = queue.unit(counter);
    let own = |bytes: &[u8]| !bytes.iter().fold(0, |sum, byte| sum ^ byte);
    let signature = !exclusive_or(&queue.ring, unit, elements + FRONT_UNITS)
        ^ own(&queue.number.to_be_bytes())
        ^ own(&index.to_be_bytes());
    queue.ring.store_byte(unit, IN_FRONT, signature);
    probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_receive_signature", &queue.ring.unit(unit));
        from "signature" = "all bytes of the WQE, qp.qp_num, rq.head");
}

/// Makes a receive WQE all zeros: its signature goes over bytes that nothing is written to.
pub fn clear_receive<P: Probe>(queue: &ReceiveQueue, counter: u32, probe: &P) {
    let unit = queue.unit(counter);
    for index in 0..queue.stride {
        queue.ring.store(unit + index, &[0; UNIT]);
    }
    let (offset, length) = (queue.ring.offset(unit), queue.stride as usize * UNIT);
    probe!(P: *probe, store(queue.region, offset, "", &queue.ring.bytes(offset, length)));
}
// ANCHOR_END: sign_receive

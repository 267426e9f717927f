//! Datagrams: each work request says where it goes.

use super::address_handle::address_segment;
use super::ring::UNIT;
use super::send_queue::{SendQueue, Wqe};
use crate::bus::UarPage;
use crate::verbs::{AddressHandle, Operands, SendRequest};
use doorbell_prm::wqe::DatagramSegment;
use doorbell_tracer::{Group, Probe, probe};
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostSend;

/// Units of the control segment and the datagram segment: a whole block, so that the data of a
/// datagram always begins at a block.
pub const UNITS: u32 = 1 + (DatagramSegment::SIZE / UNIT) as u32;

// ANCHOR: datagram_segment
/// Where a datagram goes: the address handle's 48 bytes, with the receiver's queue pair and queue key.
/// Returns the number of units so far; `None` if the request does not say where. (`set_datagram_seg`)
#[inline(always)]
pub fn write_datagram<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    probe: &P,
) -> Option<u32> {
    let Operands::Datagram { handle, remote_qpn, remote_qkey } = request.operands else {
        return None;
    };
    write_address(queue, wqe, handle, remote_qpn, remote_qkey, probe)
}

/// The datagram segment from its parts. (`_set_datagram_seg`)
#[inline(always)]
pub fn write_address<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    handle: &AddressHandle,
    remote_qpn: u32,
    remote_qkey: u32,
    probe: &P,
) -> Option<u32> {
    write_segment(queue, wqe, address_segment(handle)?, remote_qpn, remote_qkey, probe);
    Some(UNITS)
}

/// The same from the handle's 48 bytes.
#[inline(always)]
pub fn write_segment<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    segment: &DatagramSegment,
    remote_qpn: u32,
    remote_qkey: u32,
    probe: &P,
) {
    let halves: [[u8; UNIT / 2]; 6] = transmute!(*segment);
    wqe.block.store_half::<2>(transmute!([remote_qkey.to_be_bytes(), [0; 4]]));
    // The handle says that all 48 bytes are there; the receiver's number stands beside that bit.
    let receiver: [u8; UNIT / 2] = transmute!([remote_qpn.to_be_bytes(), [0; 4]]);
    let receiver = u64::from_ne_bytes(halves[1]) | u64::from_ne_bytes(receiver);
    wqe.block.store_half::<3>(receiver.to_ne_bytes());
    wqe.block.store::<2>([halves[2], halves[3]]);
    wqe.block.store::<3>([halves[4], halves[5]]);
    probe!(P: *probe, store(queue.region, queue.ring.block_offset(wqe.number) + UNIT, "wqe_datagram_segment", &[wqe.block.unit(1), wqe.block.unit(2), wqe.block.unit(3)].concat());
        from "queue_key" = "wr.operands.remote_qkey",
            "destination_qpn" = "wr.operands.remote_qpn",
            "sl" = "ah.address.service_level", "rlid" = "ah.address.lid",
            "rmac" = "ah.address.mac", "hop_limit" = "ah.address.hop_limit",
            "source_gid_index" = "ah.address.source_gid_index", "rgid" = "ah.address.gid");
}
// ANCHOR_END: datagram_segment

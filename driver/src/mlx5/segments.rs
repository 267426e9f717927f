//! From a work request to the segments of a WQE.
//!
//! A WQE is a control segment and, behind it, what the opcode needs: for an RDMA operation a
//! remote address segment, then the data, as pointers or inline. (PRM, "Send WQE Format")

use super::inline;
use super::ring::{Ring, UNIT};
use super::send_queue::{SendQueue, UNITS_PER_BLOCK};
use crate::bus::UarPage;
use crate::verbs::{Opcode, PostCause, ScatterGatherElement, SendFlags, SendRequest};
use doorbell_prm::wqe::{
    CONTROL_CQ_UPDATE, CONTROL_FENCE, CONTROL_SOLICITED, ControlSegment, DataSegment,
    RemoteAddressSegment, SendOpcode,
};
use doorbell_tracer::{Group, Probe, probe};
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: opcodes
/// The WQE opcode for each opcode of the verbs, in their order; `None` for those that this driver
/// does not post. (`mlx5_ib_opcode`)
pub const OPCODES: [Option<SendOpcode>; 11] = [
    Some(SendOpcode::RdmaWrite),
    Some(SendOpcode::RdmaWriteImmediate),
    Some(SendOpcode::Send),
    Some(SendOpcode::SendImmediate),
    Some(SendOpcode::RdmaRead),
    None,
    None,
    None,
    None,
    None,
    None,
];
// ANCHOR_END: opcodes

// ANCHOR: segments
/// Writes the segments behind the control segment, from `unit` on, and returns the first unit
/// that they leave free.
#[inline(always)]
pub fn write_segments<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    ring: Ring,
    request: &SendRequest<'_>,
    unit: u32,
    probe: &P,
) -> Result<u32, PostCause> {
    let unit = match request.opcode {
        Opcode::RdmaWrite | Opcode::RdmaWriteWithImmediate | Opcode::RdmaRead => {
            write_remote_address(queue, ring, request, unit, probe)
        }
        _ => unit,
    };
    if request.send_flags.contains(SendFlags::INLINE) && !request.sg_list.is_empty() {
        return inline::write_inline(queue, request.sg_list, unit, probe);
    }
    Ok(write_data_pointers(queue, ring, request.sg_list, unit, probe))
}
// ANCHOR_END: segments

// ANCHOR: remote_address
/// Where on the other side: address and rkey. The card puts both into the packet's RETH.
#[inline(always)]
fn write_remote_address<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    ring: Ring,
    request: &SendRequest<'_>,
    unit: u32,
    probe: &P,
) -> u32 {
    let segment = RemoteAddressSegment::new(request.remote.address, request.remote.rkey);
    let bytes: [u8; UNIT] = transmute!(segment);
    ring.store(unit, bytes);
    probe!(*probe, store(queue.region, ring.offset(unit), "wqe_remote_address_segment", &bytes);
        from "remote_address" = "wr.remote.address", "rkey" = "wr.remote.rkey");
    unit + 1
}
// ANCHOR_END: remote_address

// ANCHOR: data_pointers
/// Where on this side: one pointer for each element that is not empty. The card fetches the bytes
/// later by DMA, so the buffers must stay as they are until the completion.
#[inline(always)]
fn write_data_pointers<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    ring: Ring,
    elements: &[ScatterGatherElement],
    mut unit: u32,
    probe: &P,
) -> u32 {
    for element in elements {
        // A length of 0 would mean 2 GiB to the card: an empty element must not reach it.
        if element.length == 0 {
            continue;
        }
        let segment = DataSegment::new(element.length, element.lkey, element.address);
        let bytes: [u8; UNIT] = transmute!(segment);
        ring.store(unit, bytes);
        probe!(*probe, store(queue.region, ring.offset(unit), "wqe_data_segment", &bytes);
            from "byte_count" = "wr.sg_list[i].length", "lkey" = "wr.sg_list[i].lkey",
                "address" = "wr.sg_list[i].address");
        unit += 1;
    }
    unit
}
// ANCHOR_END: data_pointers

// ANCHOR: control_segment
/// What to do, as which WQE of which queue, how long it is, and when to complete: the first 16
/// bytes, and the last to be written, since only now the length is known.
#[inline(always)]
pub fn write_control<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    ring: Ring,
    request: &SendRequest<'_>,
    opcode: SendOpcode,
    units: u32,
    probe: &P,
) {
    let first = queue.cur_post.wrapping_mul(UNITS_PER_BLOCK);
    let flags = queue.signal_bits | CONTROL_FLAGS[request.send_flags.bits() as usize & 15];
    let index = queue.cur_post as u16;
    let immediate = immediate(request);
    let segment =
        ControlSegment::new(0, index, opcode as u8, queue.qpn, units as u8, flags, immediate);
    let bytes: [u8; UNIT] = transmute!(segment);
    ring.store(first, bytes);
    probe!(*probe, store(queue.region, ring.offset(first), "wqe_control_segment", &bytes);
        from "wqe_index" = "sq.cur_post", "opcode" = "wr.opcode", "qpn" = "qp.qp_num",
            "ds" = "number of 16-byte units", "fence_mode" = "wr.send_flags & FENCE",
            "completion_mode" = "wr.send_flags & SIGNALED",
            "solicited" = "wr.send_flags & SOLICITED", "immediate" = "wr.immediate");
}

/// The control segment's byte of flags, for each set of the verbs' flags.
const CONTROL_FLAGS: [u8; 16] = {
    let mut table = [0; 16];
    let mut set = 0;
    while set < 16 {
        let flags = SendFlags::from_bits_retain(set as u32);
        let signaled = if flags.contains(SendFlags::SIGNALED) { CONTROL_CQ_UPDATE } else { 0 };
        let solicited = if flags.contains(SendFlags::SOLICITED) { CONTROL_SOLICITED } else { 0 };
        let fence = if flags.contains(SendFlags::FENCE) { CONTROL_FENCE } else { 0 };
        table[set] = signaled | solicited | fence;
        set += 1;
    }
    table
};

/// The immediate data, for the opcodes that carry it. (`send_ieth`)
#[inline(always)]
fn immediate(request: &SendRequest<'_>) -> u32 {
    match request.opcode {
        Opcode::SendWithImmediate | Opcode::RdmaWriteWithImmediate => request.immediate,
        _ => 0,
    }
}
// ANCHOR_END: control_segment

//! From a work request to the segments of a WQE.
//!
//! A WQE is a control segment and, behind it, what the opcode needs: for an RDMA operation a
//! remote address segment, then the data, as pointers or inline. (PRM, "Send WQE Format")

use super::opcodes::Posted;
use super::ring::UNIT;
use super::send_queue::{SendQueue, Wqe};
use crate::bus::UarPage;
use crate::verbs::{RemoteAddress, ScatterGatherElement, SendFlags, SendRequest};
use doorbell_prm::wqe::{
    CONTROL_CQ_UPDATE, CONTROL_FENCE, CONTROL_INITIATOR_SMALL_FENCE, CONTROL_SOLICITED,
    ControlSegment, RemoteAddressSegment,
};
use doorbell_tracer::{Group, Probe, probe};
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: remote_address
/// Writes what an opcode has between its control segment and its data, and returns the number of
/// units so far. That is where on the other side an RDMA operation goes: address and rkey, which
/// the card puts into the packet's RETH.
#[inline(always)]
pub fn write_fixed<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: Posted,
    probe: &P,
) -> u32 {
    if !posted.contains(Posted::REMOTE) {
        return posted.units();
    }
    write_remote(queue, wqe, &request.remote, probe);
    2
}

/// The remote address segment, as the second unit of a WQE. (`set_raddr_seg`)
#[inline(always)]
pub fn write_remote<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    remote: &RemoteAddress,
    probe: &P,
) {
    // Each half is stored before the next is loaded: that takes one register.
    let [address, _]: [[u8; 8]; 2] = transmute!(RemoteAddressSegment::new(remote.address, 0));
    wqe.block.store_half::<2>(address);
    let [_, key]: [[u8; 8]; 2] = transmute!(RemoteAddressSegment::new(0, remote.rkey));
    wqe.block.store_half::<3>(key);
    probe!(P: *probe, store(queue.region, queue.ring.block_offset(wqe.number) + UNIT, "wqe_remote_address_segment", &wqe.block.unit(1));
        from "remote_address" = "wr.remote.address", "rkey" = "wr.remote.rkey");
}
// ANCHOR_END: remote_address

// ANCHOR: data_pointers
/// Where on this side: one pointer for each element that is not empty. The card fetches the bytes
/// later by DMA, so the buffers must stay as they are until the completion. Begins behind the first
/// `units` of the WQE and returns how many there are then.
#[inline(always)]
pub fn write_data_pointers<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    elements: &[ScatterGatherElement],
    units: u32,
    probe: &P,
) -> u32 {
    let mut units = units;
    for element in elements {
        units = write_pointer(queue, wqe, element, units, probe);
    }
    units
}

/// One pointer.
#[inline(always)]
pub fn write_pointer<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    element: &ScatterGatherElement,
    units: u32,
    probe: &P,
) -> u32 {
    if element.length == 0 {
        return units;
    }
    store_pointer(queue, wqe, element, units, probe)
}

/// The same of one that is not empty.
#[inline(always)]
pub fn store_pointer<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    element: &ScatterGatherElement,
    units: u32,
    probe: &P,
) -> u32 {
    let unit = wqe.unit(units);
    let bytes = pointer(element);
    queue.ring.store(unit, &bytes);
    tell_pointer(queue, unit, &bytes, probe);
    units.wrapping_add(1)
}

/// The same as the first pointer of a WQE: it lies in the WQE's first block, behind the first one or two
/// `units`.
#[inline(always)]
pub fn write_first_pointer<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    element: &ScatterGatherElement,
    units: u32,
    probe: &P,
) -> u32 {
    let bytes = pointer(element);
    wqe.block.store_at(units, bytes);
    tell_pointer(queue, wqe.unit(units), &bytes, probe);
    units.wrapping_add(1)
}

/// The segment of one element, in two halves.
#[inline(always)]
fn pointer(element: &ScatterGatherElement) -> [u8; UNIT] {
    let [address, length_and_key]: [u64; 2] = transmute!(*element);
    transmute!(pointer_halves(address, length_and_key))
}

/// The two halves of a data segment, all big endian: length and key, then the address. The first two are
/// moved together, as they lie side by side in memory in an element of the verbs, too.
#[inline(always)]
pub fn pointer_halves(address: u64, length_and_key: u64) -> [[u8; UNIT / 2]; 2] {
    // Of the number that both are, the length is the lower half on a little-endian machine.
    let length_first = if cfg!(target_endian = "little") {
        length_and_key.rotate_left(32)
    } else {
        length_and_key
    };
    [length_first.to_be_bytes(), address.to_be_bytes()]
}

/// Tells the trace of a pointer.
#[inline(always)]
pub fn tell_pointer<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    unit: u32,
    bytes: &[u8],
    probe: &P,
) {
    probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_data_segment", bytes);
        from "byte_count" = "wr.sg_list[i].length", "lkey" = "wr.sg_list[i].lkey",
            "address" = "wr.sg_list[i].address");
}
// ANCHOR_END: data_pointers

// ANCHOR: control_segment
/// What few control segments have.
#[derive(Clone, Copy, Default)]
pub struct Special {
    /// It waits until the memory key has changed that the request before it changes.
    pub small_fence: bool,
    /// It binds the memory window that has this key.
    pub window: Option<u32>,
}

/// What to do, as which WQE of which queue, how long it is, and when to complete: the first 16
/// bytes, and the last to be written, since only now the length is known.
#[inline(always)]
pub fn write_control<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: Posted,
    units: u32,
    special: Special,
    probe: &P,
) {
    let (index, opcode) = (wqe.number as u16, posted.bits() as u8);
    let [own, _] = halves(ControlSegment::new(0, index, opcode, 0, 0, 0, 0));
    let first = u64::from_ne_bytes(own) | (u64::from_ne_bytes(queue.control) | length(units));
    let second = second_half(queue, request.send_flags, special.small_fence);
    wqe.block.store::<0>([first.to_ne_bytes(), second]);
    if posted.contains(Posted::IMMEDIATE) {
        wqe.block.store_immediate(special.window.unwrap_or(request.immediate));
    }
    tell_control(queue, wqe, special, probe);
}

/// The same for a request that has nothing special, and carries a number only if it `may_carry` one. What its
/// first half is with one unit of data was worked out before there were requests; it has `more` units.
#[inline(always)]
pub fn write_usual_control<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    more: u32,
    may_carry: bool,
    probe: &P,
) {
    wqe.block.store_half::<1>(second_half(queue, request.send_flags, false));
    let [index, _] = halves(ControlSegment::new(0, wqe.number as u16, 0, 0, 0, 0, 0));
    let own = u64::from_ne_bytes(index) | u64::from_ne_bytes(queue.control);
    let usual = u64::from_ne_bytes(queue.opcodes.now.first_halves[request.opcode as usize]);
    let usual = usual.wrapping_add(length(more));
    wqe.block.store_half::<0>((own | usual).to_ne_bytes());
    if may_carry && queue.opcodes.now.posted[request.opcode as usize].contains(Posted::IMMEDIATE) {
        wqe.block.store_immediate(request.immediate);
    }
    tell_control(queue, wqe, Special::default(), probe);
}

/// The first 8 bytes of a control segment: WQE index and opcode, queue pair and length.
pub type FirstHalf = [u8; 8];

/// What of them depends on the opcode and the length in units.
pub const fn first_half(opcode: u8, units: u8) -> FirstHalf {
    let [first, _] = halves(ControlSegment::new(0, 0, opcode, 0, units, 0, 0));
    first
}

/// A length in units, as a number at its place in the first half.
#[inline(always)]
fn length(units: u32) -> u64 {
    u64::from_ne_bytes([0, 0, 0, 0, 0, 0, 0, units as u8])
}

/// The second half of a control segment.
#[inline(always)]
fn second_half<U: UarPage>(queue: &SendQueue<U>, flags: SendFlags, small_fence: bool) -> [u8; 8] {
    queue.second_halves[flags.bits() as usize & 15 | usize::from(small_fence) << 4]
}

/// The control segment of a WQE that is built by several calls, but for the second of its four words:
/// the length is still to come.
#[inline(always)]
pub fn begin_control<U: UarPage>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    flags: SendFlags,
    posted: Posted,
    small_fence: bool,
) {
    let index_opcode = (wqe.number & 0xffff) << 8 | posted.bits() & 0xff;
    wqe.block.store_word::<0>(index_opcode.to_be_bytes());
    wqe.block.store_half::<1>(second_half(queue, flags, small_fence));
}

/// That word, of a WQE of `units` units: the queue pair, and the length.
#[inline(always)]
pub fn qpn_ds<U: UarPage>(queue: &SendQueue<U>, units: u32) -> u32 {
    let [_, qpn]: [[u8; 4]; 2] = transmute!(queue.control);
    u32::from_ne_bytes(qpn) | u32::from_ne_bytes([0, 0, 0, units as u8])
}

/// Writes it. Now the segment is whole.
#[inline(always)]
pub fn finish_control<U: UarPage, P: Probe>(queue: &SendQueue<U>, wqe: Wqe, word: u32, probe: &P) {
    wqe.block.store_word::<1>(word.to_ne_bytes());
    tell_control(queue, wqe, Special::default(), probe);
}

/// Tells the trace of a control segment.
#[inline(always)]
fn tell_control<U: UarPage, P: Probe>(queue: &SendQueue<U>, wqe: Wqe, special: Special, probe: &P) {
    if special.window.is_some() {
        probe!(P: *probe, store(queue.region, queue.ring.block_offset(wqe.number), "wqe_control_segment", &wqe.block.unit(0));
            from "wqe_index" = "sq.cur_post", "opcode" = "wr.opcode", "qpn" = "qp.qp_num",
                "ds" = "number of 16-byte units", "fence_mode" = "wr.send_flags & FENCE",
                "completion_mode" = "wr.send_flags & SIGNALED",
                "solicited" = "wr.send_flags & SOLICITED", "immediate" = "wr.operands.key");
        return;
    }
    probe!(P: *probe, store(queue.region, queue.ring.block_offset(wqe.number), "wqe_control_segment", &wqe.block.unit(0));
        from "wqe_index" = "sq.cur_post", "opcode" = "wr.opcode", "qpn" = "qp.qp_num",
            "ds" = "number of 16-byte units", "fence_mode" = "wr.send_flags & FENCE",
            "completion_mode" = "wr.send_flags & SIGNALED",
            "solicited" = "wr.send_flags & SOLICITED", "immediate" = "wr.immediate");
}

/// The second half of a control segment without immediate data, for each set of the verbs' flags;
/// then the same with the small fence, unless the request has the other one.
pub type SecondHalves = [[u8; 8]; 32];

/// Those of a queue; `signal_all` of one where each request is signalled, whatever its flags say.
pub fn second_halves(signal_all: bool) -> &'static SecondHalves {
    static AS_FLAGGED: SecondHalves = table(SendFlags::empty());
    static ALL_SIGNALED: SecondHalves = table(SendFlags::SIGNALED);
    if signal_all { &ALL_SIGNALED } else { &AS_FLAGGED }
}

/// A table of them, for a queue whose requests all have the flags `always`.
const fn table(always: SendFlags) -> SecondHalves {
    let mut table = [[0; 8]; 32];
    let mut set = 0;
    while set < 32 {
        let flags = SendFlags::from_bits_retain(set as u32 & 15).union(always);
        let signaled = if flags.contains(SendFlags::SIGNALED) { CONTROL_CQ_UPDATE } else { 0 };
        let solicited = if flags.contains(SendFlags::SOLICITED) { CONTROL_SOLICITED } else { 0 };
        let small_fence = if set < 16 { 0 } else { CONTROL_INITIATOR_SMALL_FENCE };
        let fence = if flags.contains(SendFlags::FENCE) { CONTROL_FENCE } else { small_fence };
        let flags = signaled | solicited | fence;
        [_, table[set]] = halves(ControlSegment::new(0, 0, 0, 0, 0, flags, 0));
        set += 1;
    }
    table
}

/// What the control segments of a queue have in common, in their first half: the queue pair.
pub fn common_control(qpn: u32) -> [u8; 8] {
    let [first, _] = halves(ControlSegment::new(0, 0, 0, qpn, 0, 0, 0));
    first
}

/// A control segment in two halves: what the doorbell register gets, and the rest.
#[inline(always)]
const fn halves(segment: ControlSegment) -> [[u8; 8]; 2] {
    transmute!(segment)
}
// ANCHOR_END: control_segment

//! Requests whose WQE is longer than a block, or that need more than data and a remote address.

use super::atomics::{write_atomic, write_results};
use super::checks::{Refusal, elements_fit};
use super::datagram::write_datagram;
use super::inline::write_inline;
use super::keys::write_key_change;
use super::lock::take;
use super::opcodes::Posted;
use super::post_send::tell_opcode;
use super::segments::{Special, write_control, write_data_pointers, write_fixed, write_pointer};
use super::send_queue::{SendQueue, Wqe};
use super::signature::sign;
use crate::bus::UarPage;
use crate::verbs::{Opcode, Operands, SendFlags, SendRequest};
use doorbell_tracer::Probe;
use std::hint::cold_path;
use std::num::NonZeroU32;

// ANCHOR: build_any
/// One work request of any kind: the checks, then its WQE as block `number`, for request `head` of the
/// queue. Returns the WQE's length in units. A function of its own, so that what it needs does not take
/// registers away from the usual requests.
#[inline(never)]
pub fn build_any<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    number: u32,
    head: u32,
    probe: &P,
) -> Result<NonZeroU32, Refusal> {
    let posted = queue.opcodes.now.posted[request.opcode as usize];
    tell_opcode(request, posted, probe);
    if !posted.contains(Posted::YES) {
        return Err(Refusal::Opcode);
    }
    if !queue.has_room(head, probe) {
        return Err(Refusal::Room);
    }
    if !elements_fit(queue, request, probe) {
        return Err(Refusal::Elements);
    }
    write_any(queue, request, posted, number, head, probe)
}

/// The WQE of any request, as block `number`.
#[inline(always)]
pub fn write_any<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    number: u32,
    head: u32,
    probe: &P,
) -> Result<NonZeroU32, Refusal> {
    let wqe = Wqe { number, block: queue.ring.block(number) };
    let fixed = write_middle(queue, wqe, request, posted, probe)?;
    let units = write_data(queue, wqe, request, posted, fixed, probe)?;
    let special = Special { small_fence: queue.opcodes.take_fence(), window: window(request) };
    write_control(queue, wqe, request, posted, units, special, probe);
    queue.outstanding.remember(number, request.wr_id, head);
    if posted.intersects(Posted::KEY.union(Posted::ATOMIC).union(Posted::SIGNED)) {
        finish_rare(queue, request, posted, number, units, probe);
    }
    NonZeroU32::new(units).ok_or(Refusal::Inline)
}

/// What lies between control segment and data. Returns the number of units so far.
#[inline(always)]
fn write_middle<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: Posted,
    probe: &P,
) -> Result<u32, Refusal> {
    if posted.contains(Posted::DATAGRAM) {
        return write_datagram(queue, wqe, request, probe).ok_or(Refusal::Operands);
    }
    if posted.contains(Posted::ATOMIC) {
        cold_path();
        return write_atomic(queue, wqe, request, posted, probe);
    }
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    if posted.contains(Posted::KEY) {
        cold_path();
        return write_key_change(queue, wqe, request, probe);
    }
    Ok(fixed)
}

/// The data, behind the first `fixed` units. Returns the number of units then.
#[inline(always)]
fn write_data<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: Posted,
    fixed: u32,
    probe: &P,
) -> Result<u32, Refusal> {
    if request.send_flags.contains(SendFlags::INLINE) {
        return write_inline(queue, wqe, request.sg_list, fixed, probe).ok_or(Refusal::Inline);
    }
    if posted.contains(Posted::ATOMIC) {
        cold_path();
        return Ok(write_results(queue, wqe, request.sg_list, fixed, probe));
    }
    match request.sg_list {
        [one] => Ok(write_pointer(queue, wqe, one, fixed, probe)),
        any => Ok(write_data_pointers(queue, wqe, any, fixed, probe)),
    }
}

/// What few WQEs need at their end.
#[cold]
fn finish_rare<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    number: u32,
    units: u32,
    probe: &P,
) {
    if posted.contains(Posted::SIGNED) {
        sign(queue, number, units, probe);
    }
    if posted.intersects(Posted::KEY.union(Posted::ATOMIC)) {
        note_rare(queue, request, posted, number);
    }
}

/// What follows from an atomic operation or a change of a memory key: the next request waits for the
/// change, and polls must ask what this one was.
#[cold]
fn note_rare<U: UarPage>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    number: u32,
) {
    if posted.contains(Posted::KEY) {
        queue.outstanding.remember_bind(number, request.opcode == Opcode::BindMemoryWindow);
        queue.opcodes.fence_next();
    }
    watch(queue);
}

/// The completion queue is told to ask what requests were. A poll that has begun holds the lock: none
/// finds the completion without knowing.
#[cold]
pub fn watch<U: UarPage>(queue: &SendQueue<U>) {
    take(&queue.completions).watch(&queue.outstanding);
}

/// The key of the memory window that a request binds.
#[inline(always)]
fn window(request: &SendRequest<'_>) -> Option<u32> {
    match (request.opcode, request.operands) {
        (Opcode::BindMemoryWindow, Operands::Bind(bind)) => Some(bind.key),
        _ => None,
    }
}
// ANCHOR_END: build_any

//! A WQE from its beginning to its end: which segments, in which order.
//!
//! Most work requests have one element of data. Their WQE fits one block of the ring, so that no
//! segment has to ask where the ring ends. The rest goes through [`write_any`], which does.

use super::checks::{Refusal, elements_fit};
use super::datagram::write_datagram;
use super::inline::Short;
use super::long::write_any;
use super::opcodes::Posted;
use super::segments::{Special, write_control, write_first_pointer, write_fixed, write_pointer};
use super::send_queue::{Built, SendQueue, Wqe};
use crate::bus::UarPage;
use crate::verbs::SendRequest;
use doorbell_tracer::Probe;
use std::hint::cold_path;
use std::num::NonZeroU32;

// ANCHOR: segments
/// The WQE of a request with one element: the segments in their order, but for the control segment,
/// which needs the WQE's length and comes last.
#[inline(always)]
pub fn one_pointer<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    built: Built,
    probe: &P,
) -> Built {
    let wqe = built.next();
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    let units = write_first_pointer(queue, wqe, &request.sg_list[0], fixed, probe);
    finish(queue, wqe, request, posted, built.head, units, probe);
    built.and_block(units)
}

/// The same with the data itself in place of the pointer to it, if it is short.
#[inline(always)]
pub fn one_inline<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    built: Built,
    probe: &P,
) -> Result<Built, Refusal> {
    let Some(short) = Short::of(queue, &request.sg_list[0], posted.units()) else {
        cold_path();
        return any_list(queue, request, posted, built, probe);
    };
    let wqe = built.next();
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    let units = short.write(queue, wqe, fixed, probe);
    finish(queue, wqe, request, posted, built.head, units, probe);
    Ok(built.and_block(units))
}

/// A datagram with one element: its first block is control segment and address, so that the pointer
/// begins the next. The opcodes of datagrams are not short, and so the checks are here.
#[inline(always)]
pub fn one_datagram<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    built: Built,
    probe: &P,
) -> Result<Built, Refusal> {
    if !queue.has_room(built.head, probe) {
        return Err(Refusal::Room);
    }
    if !elements_fit(queue, request, probe) {
        return Err(Refusal::Elements);
    }
    let wqe = built.next();
    let fixed = write_datagram(queue, wqe, request, probe).ok_or(Refusal::Operands)?;
    let units = write_pointer(queue, wqe, &request.sg_list[0], fixed, probe);
    finish(queue, wqe, request, posted, built.head, units, probe);
    Ok(built.and(units))
}

/// The same with any list of elements.
#[inline(always)]
pub fn any_list<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    built: Built,
    probe: &P,
) -> Result<Built, Refusal> {
    let units = write_any_list(queue, request, posted, built.cur_post, built.head, probe)?;
    Ok(built.and(units.get()))
}

/// Writes the WQE of any request as block `number`, and returns its length in units. A function of
/// its own, so that what it needs does not take registers away from the requests above, which are
/// most.
#[inline(never)]
fn write_any_list<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    number: u32,
    head: u32,
    probe: &P,
) -> Result<NonZeroU32, Refusal> {
    write_any(queue, request, posted, number, head, probe)
}

/// The control segment, and whose WQE this is.
#[inline(always)]
fn finish<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: Posted,
    head: u32,
    units: u32,
    probe: &P,
) {
    write_control(queue, wqe, request, posted, units, Special::default(), probe);
    queue.outstanding.remember(wqe.number, request.wr_id, head);
}
// ANCHOR_END: segments

//! A WQE from its beginning to its end: which segments, in which order.
//!
//! Most work requests have one element of data. Their WQE fits one block of the ring, so that no
//! segment has to ask where the ring ends. The rest goes through [`any_list`], which does.

use super::inline::{Short, write_inline};
use super::segments::{
    Posted, write_control, write_data_pointers, write_first_pointer, write_fixed,
};
use super::send_queue::{Built, SendQueue, Wqe};
use crate::bus::UarPage;
use crate::verbs::{SendFlags, SendRequest};
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

/// The same with the data itself in place of the pointer to it, if it is short. `None` if it does not
/// fit.
#[inline(always)]
pub fn one_inline<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    built: Built,
    probe: &P,
) -> Option<Built> {
    let Some(short) = Short::of(queue, &request.sg_list[0], posted.units()) else {
        cold_path();
        return any_list(queue, request, posted, built, probe);
    };
    let wqe = built.next();
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    let units = short.write(queue, wqe, fixed, probe);
    finish(queue, wqe, request, posted, built.head, units, probe);
    Some(built.and_block(units))
}

/// The same with any list of elements. `None` if inline data does not fit.
#[inline(always)]
pub fn any_list<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    built: Built,
    probe: &P,
) -> Option<Built> {
    let units = write_any_list(queue, request, posted, built.cur_post, built.head, probe)?;
    Some(built.and(units.get()))
}

/// Writes the WQE of any request as block `number`, and returns its length in units; `None` if
/// inline data does not fit. A function of its own, so that what it needs does not take registers
/// away from the requests above, which are most.
#[inline(never)]
fn write_any_list<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    number: u32,
    head: u32,
    probe: &P,
) -> Option<NonZeroU32> {
    let wqe = Wqe { number, block: queue.ring.block(number) };
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    let units = if request.send_flags.contains(SendFlags::INLINE) {
        write_inline(queue, wqe, request.sg_list, fixed, probe)?
    } else {
        write_data_pointers(queue, wqe, request.sg_list, fixed, probe)
    };
    finish(queue, wqe, request, posted, head, units, probe);
    NonZeroU32::new(units)
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
    write_control(queue, wqe, request, posted, units, probe);
    queue.outstanding.remember(wqe.number, request.wr_id, head);
}
// ANCHOR_END: segments

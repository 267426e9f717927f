//! A WQE from its beginning to its end: which segments, in which order.
//!
//! Most work requests have one element of data, and nothing else that is special. Their WQE begins with a
//! block of the ring that is written without asking where the ring ends. The rest goes through
//! [`build_any`](super::long::build_any), which asks.

use super::kinds::Usual;
use super::opcodes::WITH_REMOTE;
use super::segments::{write_remote, write_usual_control};
use super::send_queue::{Built, SendQueue};
use crate::bus::UarPage;
use crate::verbs::SendRequest;
use doorbell_tracer::Probe;

// ANCHOR: segments
/// The WQE of a usual request, behind `built`: the segments in their order, but for the control segment,
/// which needs the WQE's length and comes last. Whose it is remains to be remembered.
#[inline(always)]
pub fn usual<'r, U: UarPage, P: Probe, K: Usual<'r>>(
    queue: &SendQueue<U>,
    request: &SendRequest<'r>,
    (front, data): (u32, K),
    built: Built,
    probe: &P,
) -> Built {
    let wqe = built.next();
    if front == WITH_REMOTE {
        write_remote(queue, wqe, &request.remote, probe);
    }
    let units = data.write(queue, wqe, front, probe);
    let more = if K::UNITS_VARY { units.wrapping_sub(front + 1) } else { 0 };
    write_usual_control(queue, wqe, request, more, K::IMMEDIATE, probe);
    built.and_blocks(units, K::blocks(units))
}
// ANCHOR_END: segments

//! Requests that are nearly usual: several elements, inline data of any length, or a number that goes along.
//!
//! The usual ones need not ask for that, and these still need not ask for all that [`build_any`] asks.
//!
//! [`build_any`]: super::long::build_any

use super::inline::Copied;
use super::kinds::{Datagram, Several, Usual};
use super::opcodes::Posted;
use super::post_list::post_all;
use super::post_send::{end, is_inline, post_usual, tell_checks};
use super::queue_pair::Mlx5QueuePair;
use super::send_queue::{Built, SendQueue};
use super::wqe::usual;
use crate::bus::{Bus, UarPage};
use crate::verbs::{PostError, SendRequest};
use doorbell_tracer::Probe;
use spin::mutex::SpinMutexGuard as MutexGuard;
use std::hint::cold_path;
use std::num::NonZeroU32;
use std::slice;

// ANCHOR: common
/// One request that is nearly usual. What is not goes on as a list.
#[inline(never)]
pub fn post_common<B: Bus, P: Probe>(
    mlx5: &Mlx5QueuePair<B>,
    request: &SendRequest<'_>,
    mut queue: MutexGuard<'_, SendQueue<B::Page>>,
) -> Result<(), PostError> {
    let probe = P::of(&mlx5.user);
    let posted = queue.opcodes.now.posted[request.opcode as usize];
    let done = if !posted.contains(Posted::COMMON) {
        false
    } else if is_inline(request) {
        post_usual::<_, _, Copied>(&mut queue, request, posted.units(), probe)
    } else {
        post_usual::<_, _, Several<'_>>(&mut queue, request, posted.units(), probe)
    };
    if !done {
        cold_path();
        return post_all::<B, P, false>(mlx5, slice::from_ref(request), 0, queue);
    }
    end::<B, P>(queue, Ok(()), probe)
}

/// The WQE of a request of a list that is nearly usual, or a usual datagram: number `head`, from block `cur_post`
/// on. Returns its units.
#[inline(always)]
pub fn build_common<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    cur_post: u32,
    head: u32,
    probe: &P,
) -> Option<NonZeroU32> {
    let posted = queue.opcodes.now.posted[request.opcode as usize];
    if posted.contains(Posted::USUAL_DATAGRAM) {
        return build::<_, _, Datagram<'_>>(queue, request, cur_post, head, probe);
    }
    if !posted.contains(Posted::COMMON) {
        return None;
    }
    if is_inline(request) {
        return build::<_, _, Copied>(queue, request, cur_post, head, probe);
    }
    build::<_, _, Several<'_>>(queue, request, cur_post, head, probe)
}

/// The WQE of one whose data is of kind `K`.
#[inline(never)]
fn build<'r, U: UarPage, P: Probe, K: Usual<'r>>(
    queue: &mut SendQueue<U>,
    request: &'r SendRequest<'r>,
    cur_post: u32,
    head: u32,
    probe: &P,
) -> Option<NonZeroU32> {
    if !queue.fits(head) {
        return None;
    }
    let posted = queue.opcodes.now.posted[request.opcode as usize];
    let data = K::of(queue, request, posted.units())?;
    let begun = Built::nothing(queue.ring, head, cur_post);
    let probe = &probe.row();
    tell_checks(queue, request, posted, head, probe);
    queue.slots.view().remember(cur_post, request.wr_id, head);
    let built = usual(queue, request, (posted.units(), data), begun, probe);
    NonZeroU32::new(built.last_units)
}
// ANCHOR_END: common

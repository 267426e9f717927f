//! `mlx5_post_send`: what the slot of the ops table holds.
//!
//! ```text
//! lock the queue
//!   for each work request:
//!     opcode, room, number of elements: or stop here and say which
//!     write its WQE into the ring
//!   record and register: once, for all of them
//! unlock
//! ```

use super::checks::tell_elements;
use super::common::post_common;
use super::doorbell::{Alone, ring_doorbell};
use super::inline::Short;
use super::kinds::{Datagram, Pointer, Single, Usual, Way};
use super::lock::take;
use super::opcodes::{CONTROL_ONLY, Posted, WITH_REMOTE};
use super::post_list::{post_list, wait_and_post};
use super::queue_pair::Mlx5QueuePair;
use super::send_queue::{Built, SendQueue};
use super::wqe::usual;
use crate::bus::{Bus, UarPage};
use crate::verbs::{self, PostError, QueuePair, SendFlags, SendRequest};
use doorbell_tracer::{Group, Probe, Relation, Value, probe};
use spin::mutex::SpinMutexGuard as MutexGuard;
use std::hint::cold_path;
use std::slice;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: post_send
/// Posts work requests, in their order. The ops table holds this function twice: with probes that
/// record, and with probes that are nothing. (`mlx5_post_send`)
pub fn post_send<B: Bus, P: Probe>(
    qp: &QueuePair,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    let mlx5 = match qp.provider_at_once::<Mlx5QueuePair<B>>() {
        Some(mlx5) if mlx5.way == Way::Plain => mlx5,
        Some(mlx5) => return post_other::<B, P>(qp, mlx5, requests),
        None => return post_after_a_look::<B, P>(qp, requests),
    };
    match requests {
        [one] if is_inline(one) => post_one::<B, P, Short>(qp, mlx5, one),
        [one] => post_one::<B, P, Pointer>(qp, mlx5, one),
        any => post_list::<B, P, false>(qp, mlx5, any),
    }
}

/// The same for a queue pair that sends datagrams, or whose doorbell register has a lock: with copies of
/// their own, so that the others need not ask again.
#[inline(never)]
fn post_other<B: Bus, P: Probe>(
    qp: &QueuePair,
    mlx5: &Mlx5QueuePair<B>,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    match (mlx5.way, requests) {
        (Way::Datagrams, [one]) => post_one::<B, P, Datagram<'_>>(qp, mlx5, one),
        (Way::Shared, any) => post_list::<B, P, true>(qp, mlx5, any),
        (_, any) => post_list::<B, P, false>(qp, mlx5, any),
    }
}

/// The same where it takes a look to tell whose queue pair this is.
#[cold]
#[inline(never)]
fn post_after_a_look<B: Bus, P: Probe>(
    qp: &QueuePair,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    post_other::<B, P>(qp, Mlx5QueuePair::of(qp), requests)
}

/// Is the data to be copied into the WQE?
#[inline(always)]
pub fn is_inline(request: &SendRequest<'_>) -> bool {
    request.send_flags.contains(SendFlags::INLINE)
}
// ANCHOR_END: post_send

// ANCHOR: post_one
/// One request, if it is of the usual kind `K`: its WQE, and the doorbell. What is not goes on as a list.
#[inline(never)]
fn post_one<'r, B: Bus, P: Probe, K: Single<'r>>(
    qp: &QueuePair,
    mlx5: &Mlx5QueuePair<B>,
    request: &'r SendRequest<'r>,
) -> Result<(), PostError> {
    let probe = P::of(&mlx5.user);
    tell_call::<B, P>(qp, slice::from_ref(request), probe);
    let Some(mut queue) = mlx5.send.try_lock() else {
        return wait_and_post::<B, P>(mlx5, slice::from_ref(request));
    };
    probe!(P: probe, locked("sq.lock"));
    let posted = queue.opcodes.now.posted[request.opcode as usize];
    // Two copies once more: in each it is known where the data begins. Sends come first: theirs is the
    // shorter WQE, which an instruction more would weigh on.
    let done = if posted.intersects(K::OTHER) {
        post_usual::<_, _, K>(&mut queue, request, CONTROL_ONLY, probe)
    } else if posted.intersects(K::WITH_REMOTE) {
        post_usual::<_, _, K>(&mut queue, request, WITH_REMOTE, probe)
    } else {
        false
    };
    if !done {
        cold_path();
        return post_common::<B, P>(mlx5, request, queue);
    }
    end::<B, P>(queue, Ok(()), probe)
}

/// Builds the WQE of a usual request whose data begins behind `front` units, and rings. `false` if the
/// request is not usual after all, or there is no room; then nothing has been done.
#[inline(always)]
pub fn post_usual<'r, U: UarPage, P: Probe, K: Usual<'r>>(
    queue: &mut SendQueue<U>,
    request: &'r SendRequest<'r>,
    front: u32,
    probe: &P,
) -> bool {
    let head = queue.head;
    if !queue.fits(head) {
        return false;
    }
    let begun = queue.nothing_built(head);
    let Some(data) = K::of(queue, request, front) else {
        return false;
    };
    let posted = queue.opcodes.now.posted[request.opcode as usize];
    let row = probe.row();
    tell_checks(queue, request, posted, head, &row);
    let built = usual(queue, request, (front, data), begun, &row);
    queue.slots.view().remember(begun.cur_post, request.wr_id, head);
    probe!(P: row, index(queue.region, "sq.cur_post", built.cur_post));
    drop(row);
    let alone = Some(Alone { inline: K::INLINE });
    ring_doorbell::<_, _, false>(queue, built, built.last(true), 1, alone, probe);
    true
}

/// Takes the queue's lock.
#[inline(always)]
pub fn begin<B: Bus, P: Probe>(mlx5: &Mlx5QueuePair<B>) -> MutexGuard<'_, SendQueue<B::Page>> {
    let queue = take(&mlx5.send);
    probe!(P: P::of(&mlx5.user), locked("sq.lock"));
    queue
}

/// Gives it back.
#[inline(always)]
pub fn end<B: Bus, P: Probe>(
    queue: MutexGuard<'_, SendQueue<B::Page>>,
    result: Result<(), PostError>,
    probe: &P,
) -> Result<(), PostError> {
    drop(queue);
    let probe = &probe.row();
    probe!(P: probe, unlocked("sq.lock"));
    tell_return(&result, probe);
    result
}
// ANCHOR_END: post_one

// ANCHOR: build_wqe
/// The WQEs of the requests that `requests` begins with, as far as they are usual, the card fetches their data, and
/// it has `FRONT` units in front of it; and as far as there is room. Returns how many they are: the WQE of each
/// has a unit more than that.
#[inline(always)]
pub fn build_run<U: UarPage, P: Probe, const FRONT: u32>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    built: Built,
    probe: &P,
) -> u32 {
    let room = queue.room_for(built.head, requests.len());
    build_usual::<_, _, FRONT>(queue, &requests[..room], built.head, built.cur_post, probe)
}

/// The same where there is room for all, from number `head` and block `cur_post` on. It changes nothing of
/// the queue but its memory: so what the requests share stays in registers.
#[inline(never)]
fn build_usual<U: UarPage, P: Probe, const FRONT: u32>(
    queue: &SendQueue<U>,
    requests: &[SendRequest<'_>],
    head: u32,
    cur_post: u32,
    probe: &P,
) -> u32 {
    let slots = queue.slots.view();
    let mut built = Built::nothing(queue.ring, head, cur_post);
    for request in requests {
        let Some(posted) = usual_in_list::<_, FRONT>(queue, request) else { break };
        let Some(data) = Pointer::of(queue, request, FRONT) else { break };
        let probe = &probe.row();
        tell_checks(queue, request, posted, built.head, probe);
        slots.remember(built.cur_post, request.wr_id, built.head);
        built = usual(queue, request, (FRONT, data), built, probe);
        probe!(P: *probe, index(queue.region, "sq.cur_post", built.cur_post));
    }
    built.head.wrapping_sub(head)
}

/// What the table says of a request, if it is usual, the card fetches its data, and there are `FRONT` units in
/// front of it.
#[inline(always)]
pub fn usual_in_list<U: UarPage, const FRONT: u32>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
) -> Option<Posted> {
    let (table, opcode) = (queue.opcodes.now, request.opcode);
    let below = table.flags_below[FRONT as usize - 1][opcode as usize];
    (request.send_flags.bits() < below).then(|| table.posted[opcode as usize])
}

/// Tells of the checks that a usual request has passed.
#[inline(always)]
pub fn tell_checks<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    posted: Posted,
    head: u32,
    probe: &P,
) {
    tell_opcode(request, posted, probe);
    queue.tell_room(head, true, probe);
    tell_elements(queue, request, probe);
}

/// Tells whether the transport has the opcode.
#[inline(always)]
pub fn tell_opcode<P: Probe>(request: &SendRequest<'_>, posted: Posted, probe: &P) {
    probe!(
        P: *probe,
        check(
            "the opcode is one that is posted",
            (request.opcode.name(), Value::Hex(posted.difference(Posted::USUAL).bits().into())),
            Relation::NotEqual,
            ("no entry in OPCODES", 0_u32),
            posted.contains(Posted::YES)
        )
    );
}
// ANCHOR_END: build_wqe

// ANCHOR: post_send_trace
/// Tells of the call and of how it came here: through the table. The events are told in a row, which is
/// cheaper: nothing between them waits for another thread.
#[inline(always)]
pub fn tell_call<B: Bus, P: Probe>(qp: &QueuePair, requests: &[SendRequest<'_>], probe: &P) {
    let probe = &probe.row();
    probe!(
        at & verbs::POST_SEND_ENTRY,
        P: *probe,
        call(
            "ibv_post_send",
            [("qp", Value::Hex(qp.number().into())), ("requests", requests.len().into())]
        )
    );
    probe!(
        at & verbs::POST_SEND_CALL,
        P: *probe,
        dispatch("qp.context.ops", "post_send", std::any::type_name_of_val(&post_send::<B, P>))
    );
    probe!(P: *probe, call("mlx5_post_send", []));
}

/// Tells of the result, on both levels.
#[inline(always)]
fn tell_return<P: Probe>(result: &Result<(), PostError>, probe: &P) {
    probe!(P: *probe, returned("mlx5_post_send", outcome(result)));
    probe!(at & verbs::POST_SEND_CALL, P: *probe, returned("ibv_post_send", outcome(result)));
}

/// 0, or the error number that libmlx5 returns.
#[inline(always)]
fn outcome(result: &Result<(), PostError>) -> Value {
    match result {
        Ok(()) => Value::Number(0),
        Err(error) => errno(error),
    }
}

/// The error number, and the request.
#[cold]
#[inline(never)]
fn errno(error: &PostError) -> Value {
    format!("{} at request {}", error.cause.errno(), error.index).into()
}
// ANCHOR_END: post_send_trace

#[cfg(test)]
mod tests;

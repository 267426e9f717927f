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

use super::checks::{Refusal, elements_fit, why};
use super::doorbell::{Alone, ring_doorbell};
use super::kinds::{Any, Kind, One, OneDatagram, OneInline, Shared, Way};
use super::long::build_long;
use super::opcodes::Posted;
use super::queue_pair::Mlx5QueuePair;
use super::send_queue::{Built, SendQueue};
use super::settings::take;
use super::wqe::{any_list, one_datagram, one_inline, one_pointer};
use crate::bus::{Bus, UarPage};
use crate::verbs::{self, PostCause, PostError, QueuePair, SendRequest};
use doorbell_tracer::{Group, Probe, Relation, Value, probe};
use std::array;
use std::hint::cold_path;

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
    post_known::<B, P>(qp, mlx5, requests)
}

/// By the copy for what is known of the list.
#[inline(always)]
fn post_known<B: Bus, P: Probe>(
    qp: &QueuePair,
    mlx5: &Mlx5QueuePair<B>,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    match requests {
        [one] if Any::is_inline(one) && !one.sg_list.is_empty() => {
            post_locked::<B, P, OneInline>(qp, mlx5, array::from_ref(one))
        }
        [one] => post_locked::<B, P, One>(qp, mlx5, array::from_ref(one)),
        any => post_locked::<B, P, Any>(qp, mlx5, any),
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
    match requests {
        any if mlx5.way == Way::Shared => post_locked::<B, P, Shared>(qp, mlx5, any),
        [one] if !Any::is_inline(one) && one.sg_list.len() == 1 => {
            post_locked::<B, P, OneDatagram>(qp, mlx5, array::from_ref(one))
        }
        any => post_known::<B, P>(qp, mlx5, any),
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

/// The queue's lock, around all that is done.
#[inline(never)]
fn post_locked<B: Bus, P: Probe, K: Kind>(
    qp: &QueuePair,
    mlx5: &Mlx5QueuePair<B>,
    requests: &K::List<'_>,
) -> Result<(), PostError> {
    let requests = requests.as_ref();
    let probe = P::of(&mlx5.user);
    tell_call::<B, P>(qp, requests, probe);

    let mut queue = take(&mlx5.send);
    probe!(P: probe, locked("sq.lock"));
    let result = post_all::<_, _, K>(&mut queue, requests, probe);
    drop(queue);
    probe!(P: probe, unlocked("sq.lock"));

    tell_return(&result, probe);
    result
}
// ANCHOR_END: post_send

// ANCHOR: post_all
/// Builds a WQE for each request, then rings once for all of them. Where one is refused, it ends
/// there.
#[inline(always)]
fn post_all<U: UarPage, P: Probe, K: Kind>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    probe: &P,
) -> Result<(), PostError> {
    let Some(first) = requests.first() else {
        return Ok(());
    };
    let one = K::ONE || (K::SHARED && requests.len() == 1);
    let alone = one.then(|| Alone {
        // Without elements there is nothing to be inline.
        inline: K::is_inline(first) && (K::ONE || !first.sg_list.is_empty()),
    });
    let mut built = queue.nothing_built();
    for request in requests {
        match build::<_, _, K>(queue, request, built, probe) {
            Ok(more) => built = more,
            Err(refusal) => {
                let cause = why(queue, request, refusal);
                return Err(refuse::<_, _, K>(queue, requests, built, cause, probe));
            }
        }
        probe!(P: *probe, index(queue.region, "sq.cur_post", built.cur_post));
    }
    let (last, count) = (built.last(K::ONE), requests.len() as u32);
    ring_doorbell::<_, _, K>(queue, built, last, count, alone, probe);
    Ok(())
}

/// Rings for the requests before the one that is refused, and names it.
#[inline(always)]
fn refuse<U: UarPage, P: Probe, K: Kind>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    built: Built,
    cause: PostCause,
    probe: &P,
) -> PostError {
    cold_path();
    let index = built.head.wrapping_sub(queue.head);
    let alone = match &requests[..index as usize] {
        [one] => Some(Alone { inline: Any::is_inline(one) && !one.sg_list.is_empty() }),
        _ => None,
    };
    if index != 0 {
        ring_doorbell::<_, _, K>(queue, built, built.last(false), index, alone, probe);
    }
    PostError { index, cause }
}
// ANCHOR_END: post_all

// ANCHOR: build_wqe
/// One work request: checks, then its WQE behind those that are built. Returns how far we are then.
#[inline(always)]
pub(super) fn build<U: UarPage, P: Probe, K: Kind>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    built: Built,
    probe: &P,
) -> Result<Built, Refusal> {
    let posted = queue.opcodes.now[request.opcode as usize];
    probe!(
        P: *probe,
        check(
            "the opcode is one that is posted",
            (request.opcode.name(), Value::Hex(posted.difference(Posted::SHORT).bits().into())),
            Relation::NotEqual,
            ("no entry in OPCODES", 0_u32),
            posted.contains(Posted::YES)
        )
    );
    if K::DATAGRAM && posted.contains(Posted::DATAGRAM) {
        return one_datagram(queue, request, posted, built, probe);
    }
    if !posted.contains(Posted::SHORT) {
        let (number, head) = (built.cur_post, built.head);
        let units = build_long(queue, request, posted, number, head, probe)?;
        return Ok(built.and(units.get()));
    }
    if !queue.has_room(built.head, probe) {
        return Err(Refusal::Room);
    }
    if !elements_fit(queue, request, probe) {
        return Err(Refusal::Elements);
    }
    match (request.sg_list.len(), K::is_inline(request), K::ONE) {
        (1, false, _) => Ok(one_pointer(queue, request, posted, built, probe)),
        (1, true, true) => one_inline(queue, request, posted, built, probe),
        _ => {
            if K::ONE {
                cold_path();
            }
            any_list(queue, request, posted, built, probe)
        }
    }
}
// ANCHOR_END: build_wqe

// ANCHOR: post_send_trace
/// Tells of the call and of how it came here: through the table.
#[inline(always)]
fn tell_call<B: Bus, P: Probe>(qp: &QueuePair, requests: &[SendRequest<'_>], probe: &P) {
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
fn outcome(result: &Result<(), PostError>) -> Value {
    match result {
        Ok(()) => Value::Number(0),
        Err(error) => format!("{} at request {}", error.cause.errno(), error.index).into(),
    }
}
// ANCHOR_END: post_send_trace

#[cfg(test)]
mod tests;

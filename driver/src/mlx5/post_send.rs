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

use super::doorbell::{LastWqe, ring_doorbell};
use super::queue_pair::Mlx5QueuePair;
use super::segments::{OPCODES, write_control, write_segments};
use super::ring::Ring;
use super::send_queue::{SendQueue, UNITS_PER_BLOCK, blocks};
use crate::bus::{Registers, UarPage};
use crate::verbs::{self, PostCause, PostError, QueuePair, SendFlags, SendRequest};
use doorbell_tracer::{Group, Probe, Relation, Value, probe};

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: post_send
/// Posts work requests, in their order. The ops table holds this function twice: with probes that
/// record, and with probes that are nothing. (`mlx5_post_send`)
pub fn post_send<R: Registers, P: Probe>(
    qp: &QueuePair,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    let queue_pair = Mlx5QueuePair::<R>::of(qp);
    let probe = P::of(&queue_pair.tracer);
    tell_call::<R, P>(qp, requests, &probe);

    let mut queue = queue_pair.send.lock();
    probe!(probe, locked("sq.lock"));
    let result = post_all(&mut queue, requests, &probe);
    drop(queue);
    probe!(probe, unlocked("sq.lock"));

    tell_return(&result, &probe);
    result
}
// ANCHOR_END: post_send

// ANCHOR: post_all
/// Builds a WQE for each request until one is refused, then rings once for those built.
#[inline(always)]
fn post_all<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    probe: &P,
) -> Result<(), PostError> {
    let (ring, room) = (queue.ring, queue.room());
    let mut result = Ok(());
    let mut built = 0;
    let mut last = LastWqe::default();
    for request in requests {
        match build(queue, ring, request, room, built, probe) {
            Ok(wqe) => last = wqe,
            Err(cause) => {
                result = Err(refused(built, cause));
                break;
            }
        }
        built += 1;
    }
    if built > 0 {
        ring_doorbell(queue, ring, built, last, probe);
    }
    result
}
// ANCHOR_END: post_all

/// Names the request that was refused.
#[cold]
fn refused(built: u32, cause: PostCause) -> PostError {
    let index = built as usize;
    PostError { index, cause }
}

// ANCHOR: build_wqe
/// One work request: checks, segments, control segment, and the counter moves on.
#[inline(always)]
fn build<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    ring: Ring,
    request: &SendRequest<'_>,
    room: u32,
    built: u32,
    probe: &P,
) -> Result<LastWqe, PostCause> {
    let opcode = OPCODES[request.opcode as usize];
    probe!(*probe, check("the opcode is one that is posted",
        ("wr.opcode", request.opcode.name()), Relation::Equal, ("posted", "yes"), opcode.is_some()));
    let opcode = opcode.ok_or(PostCause::Opcode(request.opcode))?;
    queue.check_room(room, built, probe)?;
    check_elements(queue, request, probe)?;

    let block = queue.cur_post;
    let first = block.wrapping_mul(UNITS_PER_BLOCK);
    let end = write_segments(queue, ring, request, first.wrapping_add(1), probe)?;
    let units = end.wrapping_sub(first);
    write_control(queue, ring, request, opcode, units, probe);

    queue.outstanding.remember(block, request.wr_id, queue.head.wrapping_add(built));
    queue.cur_post = block.wrapping_add(blocks(units));
    probe!(*probe, index(queue.region, "sq.cur_post", queue.cur_post));
    let inline = request.send_flags.contains(SendFlags::INLINE);
    Ok(LastWqe { block, units, inline })
}
// ANCHOR_END: build_wqe

// ANCHOR: check_elements
/// A WQE has room for as many elements as the queue was created for. (`wr->num_sge > max_gs`)
#[inline(always)]
fn check_elements<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    probe: &P,
) -> Result<(), PostCause> {
    let (given, limit) = (request.sg_list.len(), queue.limits.max_sge as usize);
    probe!(*probe, check("elements fit the WQE",
        ("wr.num_sge", given), Relation::LessOrEqual, ("max_gs", limit), given <= limit));
    if given > limit {
        return Err(PostCause::TooManyElements { given, limit });
    }
    Ok(())
}
// ANCHOR_END: check_elements

// ANCHOR: post_send_trace
/// Tells of the call and of how it came here: through the table.
#[inline(always)]
fn tell_call<R: Registers, P: Probe>(qp: &QueuePair, requests: &[SendRequest<'_>], probe: &P) {
    probe!(at &verbs::POST_SEND_ENTRY, *probe, call("ibv_post_send",
        [("qp", Value::Hex(qp.number().into())), ("requests", requests.len().into())]));
    probe!(at &verbs::POST_SEND_CALL, *probe, dispatch("qp.context.ops", "post_send",
        std::any::type_name_of_val(&post_send::<R, P>)));
    probe!(*probe, call("mlx5_post_send", []));
}

/// Tells of the result, on both levels.
#[inline(always)]
fn tell_return<P: Probe>(result: &Result<(), PostError>, probe: &P) {
    probe!(*probe, returned("mlx5_post_send", outcome(result)));
    probe!(at &verbs::POST_SEND_CALL, *probe, returned("ibv_post_send", outcome(result)));
}

/// 0, or the error number that libmlx5 returns.
fn outcome(result: &Result<(), PostError>) -> Value {
    match result {
        Ok(()) => Value::Number(0),
        Err(error) => format!("{} at request {}", error.cause.errno(), error.index).into(),
    }
}
// ANCHOR_END: post_send_trace

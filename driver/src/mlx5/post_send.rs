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

use super::doorbell::ring_doorbell;
use super::inline::{self, write_inline};
use super::queue_pair::Mlx5QueuePair;
use super::segments::{OPCODES, Posted, write_control, write_data_pointers, write_fixed};
use super::send_queue::{SendQueue, Wqe, blocks};
use super::settings::take;
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

    let mut queue = take(&queue_pair.send);
    probe!(probe, locked("sq.lock"));
    let result = post_all(&mut queue, requests, &probe);
    drop(queue);
    probe!(probe, unlocked("sq.lock"));

    tell_return(&result, &probe);
    result
}
// ANCHOR_END: post_send

// ANCHOR: post_all
/// Builds a WQE for each request, then rings once for all of them. Where one is refused, it ends
/// there.
#[inline(always)]
fn post_all<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    probe: &P,
) -> Result<(), PostError> {
    let mut head = queue.head;
    let mut rest = requests;
    while let [request, behind @ ..] = rest {
        match build(queue, request, head, probe) {
            Ok(units) => queue.last_units = units,
            Err(why) => return refuse(queue, requests, request, rest.len(), why, probe),
        }
        queue.cur_post = queue.cur_post.wrapping_add(blocks(queue.last_units));
        probe!(*probe, index(queue.region, "sq.cur_post", queue.cur_post));
        head = head.wrapping_add(1);
        rest = behind;
    }
    if !requests.is_empty() {
        ring_doorbell(queue, requests, probe);
    }
    Ok(())
}
// ANCHOR_END: post_all

// ANCHOR: build_wqe
/// One work request: checks, segments, control segment, and whose WQE this block is. Returns the
/// WQE's length in 16-byte units.
#[inline(always)]
fn build<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    request: &SendRequest<'_>,
    head: u32,
    probe: &P,
) -> Result<u32, Refusal> {
    let posted = &OPCODES[request.opcode as usize];
    probe!(
        *probe,
        check(
            "the opcode is one that is posted",
            ("wr.opcode", request.opcode.name()),
            Relation::Equal,
            ("posted", "yes"),
            posted.is_some()
        )
    );
    let posted = posted.as_ref().ok_or(Refusal::Opcode)?;
    if !queue.has_room(head, probe) {
        return Err(Refusal::Room);
    }
    if !elements_fit(queue, request, probe) {
        return Err(Refusal::Elements);
    }

    if request.send_flags.contains(SendFlags::INLINE) {
        return build_inline(queue, request, posted, head, probe);
    }
    let wqe = queue.begin();
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    let end = write_data_pointers(queue, request.sg_list, fixed, probe);
    Ok(finish(queue, wqe, request, posted, end, head, probe))
}
// ANCHOR_END: build_wqe

// ANCHOR: segments
/// The same with the data itself in place of pointers to it. On its own, so that its copying does
/// not take registers away from the requests that have none.
#[inline(never)]
fn build_inline<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    posted: &Posted,
    head: u32,
    probe: &P,
) -> Result<u32, Refusal> {
    let wqe = queue.begin();
    let fixed = write_fixed(queue, wqe, request, posted, probe);
    let end = write_inline(queue, request.sg_list, fixed, probe).ok_or(Refusal::Inline)?;
    Ok(finish(queue, wqe, request, posted, end, head, probe))
}

/// The control segment, which needs the WQE's length, and whose WQE this is. `end` is the first
/// unit behind the data; returns the length in units.
#[inline(always)]
fn finish<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: &Posted,
    end: u32,
    head: u32,
    probe: &P,
) -> u32 {
    let units = end.wrapping_sub(wqe.unit());
    write_control(queue, wqe, request, posted, units, probe);
    queue.outstanding.remember(wqe.number, request.wr_id, head);
    units
}
// ANCHOR_END: segments

// ANCHOR: check_elements
/// A WQE has room for as many elements as the queue was created for. (`wr->num_sge > max_gs`)
#[inline(always)]
fn elements_fit<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    probe: &P,
) -> bool {
    let (given, limit) = (request.sg_list.len(), queue.limits.max_sge);
    probe!(
        *probe,
        check(
            "elements fit the WQE",
            ("wr.num_sge", given),
            Relation::LessOrEqual,
            ("max_gs", limit),
            given <= limit
        )
    );
    given <= limit
}
// ANCHOR_END: check_elements

/// Which step refused a request.
#[derive(Clone, Copy)]
enum Refusal {
    Opcode,
    Room,
    Elements,
    Inline,
}

/// Rings for the requests before the refused one, and names it and the reason with its numbers.
/// They are gathered here and not on the way, so that a request which is not refused pays nothing
/// for them.
#[cold]
#[inline(never)]
fn refuse<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    request: &SendRequest<'_>,
    left: usize,
    why: Refusal,
    probe: &P,
) -> Result<(), PostError> {
    let index = requests.len() - left;
    if index > 0 {
        ring_doorbell(queue, &requests[..index], probe);
    }
    let cause = match why {
        Refusal::Opcode => PostCause::Opcode(request.opcode),
        Refusal::Room => queue.full(),
        Refusal::Elements => {
            PostCause::TooManyElements { given: request.sg_list.len(), limit: queue.limits.max_sge }
        }
        Refusal::Inline => inline::why_not(queue, request.sg_list),
    };
    Err(PostError { index, cause })
}

// ANCHOR: post_send_trace
/// Tells of the call and of how it came here: through the table.
#[inline(always)]
fn tell_call<R: Registers, P: Probe>(qp: &QueuePair, requests: &[SendRequest<'_>], probe: &P) {
    probe!(
        at & verbs::POST_SEND_ENTRY,
        *probe,
        call(
            "ibv_post_send",
            [("qp", Value::Hex(qp.number().into())), ("requests", requests.len().into())]
        )
    );
    probe!(
        at & verbs::POST_SEND_CALL,
        *probe,
        dispatch("qp.context.ops", "post_send", std::any::type_name_of_val(&post_send::<R, P>))
    );
    probe!(*probe, call("mlx5_post_send", []));
}

/// Tells of the result, on both levels.
#[inline(always)]
fn tell_return<P: Probe>(result: &Result<(), PostError>, probe: &P) {
    probe!(*probe, returned("mlx5_post_send", outcome(result)));
    probe!(at & verbs::POST_SEND_CALL, *probe, returned("ibv_post_send", outcome(result)));
}

/// 0, or the error number that libmlx5 returns.
fn outcome(result: &Result<(), PostError>) -> Value {
    match result {
        Ok(()) => Value::Number(0),
        Err(error) => format!("{} at request {}", error.cause.errno(), error.index).into(),
    }
}
// ANCHOR_END: post_send_trace

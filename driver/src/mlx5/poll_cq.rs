//! `mlx5_poll_cq`: from CQEs to work completions.

use super::barrier::FROM_DEVICE;
use super::completion_queue::{CqState, Mlx5CompletionQueue};
use super::entries::{Entries, Entry, Next};
use super::lock::take;
use super::parse_cqe::{REQUESTER, REQUESTER_ERROR, RESPONDER_ERROR, parse_any, parse_sent};
use crate::bus::Bus;
use crate::verbs::{self, CompletionQueue, PollError, WorkCompletion, WorkStatus};
use doorbell_prm::cqe::CqeOpcode;
use doorbell_tracer::{Group, Probe, Relation, Value, probe};
use spin::mutex::SpinMutexGuard as MutexGuard;
use std::hint::cold_path;
use std::slice;
use zerocopy::IntoBytes;

const PROBE_GROUP: Group = Group::PollCq;

// ANCHOR: poll_cq
/// Takes completions out of the queue until it is empty or `completions` is full, then tells the
/// card how far. (`mlx5_poll_cq`)
pub fn poll_cq<B: Bus, P: Probe>(
    cq: &CompletionQueue,
    completions: &mut [WorkCompletion],
) -> Result<u32, PollError> {
    match cq.provider_at_once::<Mlx5CompletionQueue<B>>() {
        Some(mlx5) => poll_known::<B, P>(cq, mlx5, completions),
        None => poll_after_a_look::<B, P>(cq, completions),
    }
}

/// The same where it takes a look to tell whose queue this is.
#[cold]
#[inline(never)]
fn poll_after_a_look<B: Bus, P: Probe>(
    cq: &CompletionQueue,
    completions: &mut [WorkCompletion],
) -> Result<u32, PollError> {
    let mlx5 = cq.provider().ok_or(PollError::NotSupported)?;
    poll_known::<B, P>(cq, mlx5, completions)
}

/// By the copy for one completion, or by the other.
#[inline(always)]
fn poll_known<B: Bus, P: Probe>(
    cq: &CompletionQueue,
    mlx5: &Mlx5CompletionQueue<B>,
    completions: &mut [WorkCompletion],
) -> Result<u32, PollError> {
    let probe = P::of(&mlx5.tracer);
    probe!(
        at & verbs::POLL_CQ_CALL,
        P: probe,
        call(
            "ibv_poll_cq",
            [("cq", Value::Hex(cq.number().into())), ("entries", completions.len().into())]
        )
    );

    match completions {
        [one] => poll_one(mlx5, one, probe),
        any => poll_many(mlx5, any, probe),
    }
}

/// Takes the lock.
#[inline(always)]
fn begin<'a, B: Bus, P: Probe>(
    mlx5: &'a Mlx5CompletionQueue<B>,
    probe: &P,
) -> MutexGuard<'a, CqState> {
    let state = take(&mlx5.queue);
    probe!(P: *probe, locked("cq.lock"));
    state
}

/// Tells the card how far, and gives the lock back.
#[inline(always)]
fn finish<P: Probe>(
    mut state: MutexGuard<'_, CqState>,
    result: Result<u32, PollError>,
    probe: &P,
) -> Result<u32, PollError> {
    state.update_record(probe);
    drop(state);
    probe!(P: *probe, unlocked("cq.lock"));

    let polled = result.as_ref().map_or(0, |count| *count);
    probe!(at & verbs::POLL_CQ_CALL, P: *probe, returned("ibv_poll_cq", polled));
    result
}
// ANCHOR_END: poll_cq

// ANCHOR: poll_all
/// One completion, as many programs ask for it. What is rare goes another way to the end, so that here
/// nothing has to be kept across a call.
#[inline(always)]
fn poll_one<B: Bus, P: Probe>(
    mlx5: &Mlx5CompletionQueue<B>,
    completion: &mut WorkCompletion,
    probe: &P,
) -> Result<u32, PollError> {
    let Some(mut state) = mlx5.queue.try_lock() else {
        return poll_many(mlx5, slice::from_mut(completion), probe);
    };
    probe!(P: *probe, locked("cq.lock"));
    let next = state.next;
    let Some(found) = look(&state, next, probe) else {
        return finish(state, Ok(0), probe);
    };
    tell_consumed(&state, next, probe);
    let sender = if found.is_plain { state.last.if_of(next.entry) } else { None };
    let Some(sender) = sender else {
        return poll_other(state, found.op_own, completion, probe);
    };
    let done = parse_sent(sender, next.entry, completion);
    sender.outstanding.retire_all(done);
    tell_completion(completion, probe);
    state.consume();
    finish(state, Ok(1), probe)
}

/// The end of [`poll_one`] for an entry that is not of the queue pair whose send completed last, or not
/// of a send, or says of it more than that it is done.
#[inline(never)]
fn poll_other<P: Probe>(
    mut state: MutexGuard<'_, CqState>,
    op_own: u8,
    completion: &mut WorkCompletion,
    probe: &P,
) -> Result<u32, PollError> {
    let entry = state.next.entry;
    state.consume();
    let result = parse_any(&mut state, entry, op_own, completion, probe);
    if result.is_ok() {
        tell_completion(completion, probe);
    }
    finish(state, result.map(|_| 1), probe)
}

/// Fills `completions` as far as there are entries. Most come in runs of one queue pair, whose work
/// requests are retired when its run has ended.
#[inline(never)]
fn poll_many<B: Bus, P: Probe>(
    mlx5: &Mlx5CompletionQueue<B>,
    completions: &mut [WorkCompletion],
    probe: &P,
) -> Result<u32, PollError> {
    let mut state = begin(mlx5, probe);
    let entries = state.entries;
    let (mut next, mut run, mut done) = (state.next, state.last, 0);
    for completion in completions {
        let Some(found) = look(&state, next, probe) else {
            break;
        };
        tell_consumed(&state, next, probe);
        match run.if_of(next.entry) {
            Some(sender) if found.is_plain => done = parse_sent(sender, next.entry, completion),
            _ => {
                cold_path();
                // The run has ended, if it had begun.
                if next.index != state.next.index {
                    run.retire_all(done);
                }
                match parse_any(&mut state, next.entry, found.op_own, completion, probe) {
                    Ok(begun) => (run, done) = begun,
                    Err(error) => {
                        next.consume(entries);
                        state.next = next;
                        return finish(state, Err(error), probe);
                    }
                }
            }
        }
        tell_completion(completion, probe);
        next.consume(entries);
    }
    let polled = next.index.wrapping_sub(state.next.index);
    if polled != 0 {
        run.retire_all(done);
    }
    state.next = next;
    finish(state, Ok(polled), probe)
}

/// Tells that an entry is consumed.
#[inline(always)]
fn tell_consumed<P: Probe>(state: &CqState, next: Next, probe: &P) {
    let index = next.index.wrapping_add(1);
    probe!(P: *probe, index(state.region, "cq.consumer_index", index));
}
// ANCHOR_END: poll_all

// ANCHOR: poll_one
/// An entry that is ours.
struct Found {
    /// Its last byte.
    op_own: u8,
    /// It is of a send that is done, and says no more than that.
    is_plain: bool,
}

/// Looks at the next entry, whether it is ours. (`mlx5_get_next_cqe`)
///
/// The last byte of most entries holds nothing but the owner bit: the opcode of a send that is done is
/// 0. One comparison finds them.
#[inline(always)]
fn look<P: Probe>(state: &CqState, next: Next, probe: &P) -> Option<Found> {
    const { assert!(REQUESTER == 0) };
    let (entries, Next { index, entry, turn }) = (state.entries, next);
    let op_own = entry.op_own();
    probe!(P: *probe, load(state.region, entries.offset(index) + 63, "", &[op_own]));
    tell_owner(entries, index, op_own, probe);
    if u32::from(op_own) == turn {
        may_be_read(state, index, entry, op_own, probe);
        return Some(Found { op_own, is_plain: true });
    }
    if !Entries::is_ours_in(turn, op_own) {
        return None;
    }
    may_be_read(state, index, entry, op_own, probe);
    Some(Found { op_own, is_plain: false })
}

/// The rest of the entry must not have been read before its owner bit was.
#[inline(always)]
fn may_be_read<P: Probe>(state: &CqState, index: u32, entry: Entry, op_own: u8, probe: &P) {
    (FROM_DEVICE.pass)();
    probe!(P: *probe, barrier(FROM_DEVICE.name, FROM_DEVICE.instruction));
    probe!(
        P: *probe,
        load(state.region, state.entries.offset(index), layout(op_own), entry.copy().as_bytes())
    );
}
// ANCHOR_END: poll_one

// ANCHOR: completion_trace
/// Tells of the two looks at an entry's last byte: whether it was ever written, and in which turn.
#[inline(always)]
fn tell_owner<P: Probe>(entries: Entries, index: u32, op_own: u8, probe: &P) {
    let (opcode, invalid) = (op_own >> 4, CqeOpcode::Invalid as u8);
    probe!(
        P: *probe,
        check(
            "the card has written this entry before",
            ("opcode", u32::from(opcode)),
            Relation::NotEqual,
            ("MLX5_CQE_INVALID", u32::from(invalid)),
            opcode != invalid
        )
    );
    if opcode != invalid {
        probe!(
            P: *probe,
            check(
                "and in this turn of the ring",
                ("owner bit", u32::from(op_own & 1)),
                Relation::Equal,
                ("turn, from cq.consumer_index", entries.turn(index)),
                entries.is_ours(index, op_own)
            )
        );
    }
}

/// Tells of a work completion.
#[inline(always)]
fn tell_completion<P: Probe>(completion: &WorkCompletion, probe: &P) {
    let is_error = completion.status != WorkStatus::Success;
    probe!(
        P: *probe,
        completion(
            completion.wr_id,
            completion.status.name(),
            [
                ("qp_num", Value::Hex(completion.qp_num.into())),
                ("byte_len", completion.byte_len.into()),
                ("vendor_err", Value::Hex(if is_error { completion.vendor_err.into() } else { 0 })),
            ]
        )
    );
}

/// The layout that fits an entry.
fn layout(op_own: u8) -> &'static str {
    match op_own >> 4 {
        REQUESTER_ERROR | RESPONDER_ERROR => "error_cqe",
        _ => "cqe",
    }
}
// ANCHOR_END: completion_trace

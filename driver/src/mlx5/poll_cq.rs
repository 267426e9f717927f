//! `mlx5_poll_cq`: from CQEs to work completions.

use super::barrier::FROM_DEVICE;
use super::completion_queue::{CqState, Entries, Entry, Mlx5CompletionQueue};
use super::parse_cqe::{
    Last, REQUESTER, REQUESTER_ERROR, RESPONDER_ERROR, parse_other, parse_sent,
};
use super::settings::take;
use crate::bus::Bus;
use crate::verbs::{self, CompletionQueue, PollError, WorkCompletion};
use doorbell_prm::cqe::CqeOpcode;
use doorbell_tracer::{Group, Probe, Relation, Value, probe};
use std::array;
use zerocopy::IntoBytes;

const PROBE_GROUP: Group = Group::PollCq;

// ANCHOR: poll_cq
/// Takes completions out of the queue until it is empty or `completions` is full, then tells the
/// card how far. (`mlx5_poll_cq`)
///
/// Many programs ask for one completion at a time: for them the compiler makes a copy of the code
/// without the loop.
pub fn poll_cq<B: Bus, P: Probe>(
    cq: &CompletionQueue,
    completions: &mut [WorkCompletion],
) -> Result<u32, PollError> {
    match completions {
        [one] => poll_locked::<B, P, _>(cq, array::from_mut(one)),
        any => poll_locked::<B, P, _>(cq, any),
    }
}

/// The queue's lock, around all that is done.
#[inline(never)]
fn poll_locked<B: Bus, P: Probe, C: AsMut<[WorkCompletion]> + ?Sized>(
    cq: &CompletionQueue,
    completions: &mut C,
) -> Result<u32, PollError> {
    let completions = completions.as_mut();
    let mlx5 = Mlx5CompletionQueue::<B>::of(cq);
    let probe = P::of(&mlx5.tracer);
    probe!(
        at & verbs::POLL_CQ_CALL,
        P: probe,
        call(
            "ibv_poll_cq",
            [("cq", Value::Hex(cq.number().into())), ("entries", completions.len().into())]
        )
    );

    let mut state = take(&mlx5.queue);
    probe!(P: probe, locked("cq.lock"));
    let result = poll_all(&mut state, completions, &probe);
    state.update_record(&probe);
    drop(state);
    probe!(P: probe, unlocked("cq.lock"));

    let polled = result.as_ref().map_or(0, |count| *count);
    probe!(at & verbs::POLL_CQ_CALL, P: probe, returned("ibv_poll_cq", polled));
    result
}
// ANCHOR_END: poll_cq

// ANCHOR: poll_all
/// Fills `completions` as far as there are entries.
#[inline(always)]
fn poll_all<P: Probe>(
    state: &mut CqState,
    completions: &mut [WorkCompletion],
    probe: &P,
) -> Result<u32, PollError> {
    let entries = state.entries;
    let first = state.consumer_index;
    let mut index = first;
    let mut last = Last::none(state);
    for completion in completions {
        let entry = entries.at(index);
        let Some(op_own) = ours(state, entries, index, entry, probe) else {
            break;
        };
        index = index.wrapping_add(1);
        probe!(P: *probe, index(state.region, "cq.consumer_index", index));
        let opcode = op_own >> 4;
        if (opcode != REQUESTER || !parse_sent(state, &mut last, entry, completion))
            && let Err(error) = parse_other(state, entry, opcode, completion, probe)
        {
            state.consumer_index = index;
            return Err(error);
        }
        tell_completion(completion, probe);
    }
    state.consumer_index = index;
    Ok(index.wrapping_sub(first))
}
// ANCHOR_END: poll_all

// ANCHOR: poll_one
/// The last byte of the entry that `index` counts, if the entry is ours. Then the rest of it may be
/// read. (`mlx5_get_next_cqe`)
#[inline(always)]
fn ours<P: Probe>(
    state: &CqState,
    entries: Entries,
    index: u32,
    entry: Entry,
    probe: &P,
) -> Option<u8> {
    let op_own = entry.op_own();
    probe!(P: *probe, load(state.region, entries.offset(index) + 63, "", &[op_own]));
    tell_owner(entries, index, op_own, probe);
    if !entries.is_ours(index, op_own) {
        return None;
    }
    // The rest of the entry must not have been read before its owner bit was.
    (FROM_DEVICE.pass)();
    probe!(P: *probe, barrier(FROM_DEVICE.name, FROM_DEVICE.instruction));
    probe!(
        P: *probe,
        load(state.region, entries.offset(index), layout(op_own), entry.copy().as_bytes())
    );
    Some(op_own)
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
                ("turn, from cq.consumer_index", u32::from(entries.turn(index))),
                entries.is_ours(index, op_own)
            )
        );
    }
}

/// Tells of a work completion.
#[inline(always)]
fn tell_completion<P: Probe>(completion: &WorkCompletion, probe: &P) {
    probe!(
        P: *probe,
        completion(
            completion.wr_id,
            completion.status.name(),
            [
                ("qp_num", Value::Hex(completion.qp_num.into())),
                ("byte_len", completion.byte_len.into()),
                ("vendor_err", Value::Hex(completion.vendor_err.into())),
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

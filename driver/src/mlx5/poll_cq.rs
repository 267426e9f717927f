//! `mlx5_poll_cq`: from CQEs to work completions.

use super::barrier::FROM_DEVICE;
use super::completion_queue::{CqState, Entries, Entry, Mlx5CompletionQueue};
use super::send_queue::Outstanding;
use super::settings::take;
use crate::bus::Registers;
use crate::verbs::{self, Completed, CompletionQueue, PollError, WorkCompletion, WorkStatus};
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::wqe::SendOpcode;
use doorbell_tracer::{Group, Probe, Relation, Value, probe};
use std::sync::Arc;
use zerocopy::IntoBytes;

const PROBE_GROUP: Group = Group::PollCq;

/// Offsets of the words of a CQE that a poll reads (PRM, "Completion Queue Element").
const USER_INDEX: usize = 32;
const IMMEDIATE: usize = 36;
const BYTE_COUNT: usize = 44;
const SYNDROME: usize = 52;
const OPCODE_QPN: usize = 56;
const COUNTER_OWNER: usize = 60;

// ANCHOR: poll_cq
/// Takes completions out of the queue until it is empty or `completions` is full, then tells the
/// card how far. (`mlx5_poll_cq`)
pub fn poll_cq<R: Registers, P: Probe>(
    cq: &CompletionQueue,
    completions: &mut [WorkCompletion],
) -> Result<usize, PollError> {
    let mlx5 = Mlx5CompletionQueue::<R>::of(cq);
    let probe = P::of(&mlx5.tracer);
    probe!(
        at & verbs::POLL_CQ_CALL,
        probe,
        call(
            "ibv_poll_cq",
            [("cq", Value::Hex(cq.number().into())), ("entries", completions.len().into())]
        )
    );

    let mut state = take(&mlx5.queue);
    probe!(probe, locked("cq.lock"));
    let result = poll_all(&mut state, completions, &probe);
    state.update_record(&probe);
    drop(state);
    probe!(probe, unlocked("cq.lock"));

    let polled = result.as_ref().map_or(0, |count| *count);
    probe!(at & verbs::POLL_CQ_CALL, probe, returned("ibv_poll_cq", polled));
    result
}
// ANCHOR_END: poll_cq

/// Fills `completions` as far as there are entries.
#[inline(always)]
fn poll_all<P: Probe>(
    state: &mut CqState,
    completions: &mut [WorkCompletion],
    probe: &P,
) -> Result<usize, PollError> {
    let entries = state.entries;
    let mut count = 0;
    while let Some(completion) = completions.get_mut(count) {
        if !poll_one(state, entries, completion, probe)? {
            break;
        }
        count += 1;
    }
    Ok(count)
}

// ANCHOR: poll_one
/// Takes one entry, if it is ours. (`mlx5_poll_one`)
#[inline(always)]
fn poll_one<P: Probe>(
    state: &mut CqState,
    entries: Entries,
    completion: &mut WorkCompletion,
    probe: &P,
) -> Result<bool, PollError> {
    let index = state.consumer_index;
    let entry = entries.at(index);
    let op_own = entry.op_own();
    probe!(*probe, load(state.region, entries.offset(index) + 63, "", &[op_own]));
    let ours = entries.is_ours(index, op_own);
    probe!(
        *probe,
        check(
            "the card has written this entry in this turn of the ring",
            ("op_own", Value::Hex(op_own.into())),
            Relation::Equal,
            ("cq.consumer_index", index),
            ours
        )
    );
    if !ours {
        return Ok(false);
    }
    state.consumer_index = index.wrapping_add(1);
    probe!(*probe, index(state.region, "cq.consumer_index", state.consumer_index));

    // The rest of the entry must not have been read before its owner bit was.
    (FROM_DEVICE.pass)();
    probe!(*probe, barrier(FROM_DEVICE.name, FROM_DEVICE.instruction));
    probe!(
        *probe,
        load(state.region, entries.offset(index), layout(op_own), entry.copy().as_bytes())
    );
    parse(state, entry, op_own, completion)?;
    tell_completion(completion, probe);
    Ok(true)
}
// ANCHOR_END: poll_one

// ANCHOR: parse_cqe
/// What an entry says, by its opcode. Each field goes straight to its place. (`mlx5_parse_cqe`)
#[inline(always)]
fn parse(
    state: &CqState,
    entry: Entry,
    op_own: u8,
    completion: &mut WorkCompletion,
) -> Result<(), PollError> {
    let opcode_qpn = entry.word::<OPCODE_QPN>();
    completion.qp_num = opcode_qpn & 0xff_ffff;
    completion.status = WorkStatus::Success;
    completion.vendor_err = 0;
    completion.immediate = None;
    let opcode = op_own >> 4;
    if opcode != REQUESTER {
        return parse_other(state, entry, opcode, completion);
    }
    completion.wr_id = retire(&state.senders, entry)?;
    completion.opcode = SENT[(opcode_qpn >> 24) as usize];
    completion.byte_len = entry.word::<BYTE_COUNT>();
    Ok(())
}

/// The rest of an entry that is not of a send: of a receive, or of an error.
#[inline(never)]
fn parse_other(
    state: &CqState,
    entry: Entry,
    opcode: u8,
    completion: &mut WorkCompletion,
) -> Result<(), PollError> {
    completion.opcode = Completed::default();
    completion.byte_len = 0;
    match opcode {
        RECEIVED_WRITE_IMMEDIATE | RECEIVED | RECEIVED_IMMEDIATE => {
            completion.wr_id = retire(&state.receivers, entry)?;
            completion.opcode = received(opcode);
            completion.byte_len = entry.word::<BYTE_COUNT>();
            completion.immediate = (opcode != RECEIVED).then(|| entry.word::<IMMEDIATE>());
        }
        REQUESTER_ERROR | RESPONDER_ERROR => {
            let members = if opcode == REQUESTER_ERROR { &state.senders } else { &state.receivers };
            completion.wr_id = retire(members, entry)?;
            let syndromes = entry.word::<SYNDROME>();
            completion.status = status(syndromes as u8);
            completion.vendor_err = (syndromes >> 8) as u8;
        }
        opcode => return Err(PollError::UnknownOpcode { opcode }),
    }
    Ok(())
}

/// Retires the work request that an entry is of, and returns its `wr_id`: the entry names the
/// queue pair, and the WQE by its counter.
#[inline(always)]
fn retire(members: &[Option<Arc<Outstanding>>], entry: Entry) -> Result<u64, PollError> {
    let user_index = entry.word::<USER_INDEX>() & 0xff_ffff;
    let Some(Some(outstanding)) = members.get(user_index as usize) else {
        return Err(PollError::UnknownQueuePair { user_index });
    };
    let counter = entry.word::<COUNTER_OWNER>() >> 16;
    Ok(outstanding.retire(counter))
}

const REQUESTER: u8 = CqeOpcode::Requester as u8;
const RECEIVED_WRITE_IMMEDIATE: u8 = CqeOpcode::ResponderWriteImmediate as u8;
const RECEIVED: u8 = CqeOpcode::ResponderSend as u8;
const RECEIVED_IMMEDIATE: u8 = CqeOpcode::ResponderSendImmediate as u8;
const REQUESTER_ERROR: u8 = CqeOpcode::RequesterError as u8;
const RESPONDER_ERROR: u8 = CqeOpcode::ResponderError as u8;
// ANCHOR_END: parse_cqe

// ANCHOR: completion_opcode
/// What a send was, by the WQE opcode that the card gives back. (`handle_good_req`)
static SENT: [Completed; 256] = {
    let mut table = [Completed::Send; 256];
    table[SendOpcode::RdmaWrite as usize] = Completed::RdmaWrite;
    table[SendOpcode::RdmaWriteImmediate as usize] = Completed::RdmaWrite;
    table[SendOpcode::RdmaRead as usize] = Completed::RdmaRead;
    table
};

/// What arrived in a receive.
#[inline(always)]
fn received(opcode: u8) -> Completed {
    if opcode == RECEIVED_WRITE_IMMEDIATE {
        Completed::ReceiveRdmaWithImmediate
    } else {
        Completed::Receive
    }
}
// ANCHOR_END: completion_opcode

// ANCHOR: error_status
/// The verbs' status for the card's syndrome. (`mlx5_handle_error_cqe`)
#[cold]
fn status(syndrome: u8) -> WorkStatus {
    match CqeSyndrome::from_code(syndrome) {
        Some(CqeSyndrome::LocalLengthError) => WorkStatus::LocalLength,
        Some(CqeSyndrome::LocalQpOperationError) => WorkStatus::LocalQueuePairOperation,
        Some(CqeSyndrome::LocalProtectionError) => WorkStatus::LocalProtection,
        Some(CqeSyndrome::WorkRequestFlushed) => WorkStatus::Flushed,
        Some(CqeSyndrome::MemoryWindowBindError) => WorkStatus::MemoryWindowBind,
        Some(CqeSyndrome::BadResponseError) => WorkStatus::BadResponse,
        Some(CqeSyndrome::LocalAccessError) => WorkStatus::LocalAccess,
        Some(CqeSyndrome::RemoteInvalidRequest) => WorkStatus::RemoteInvalidRequest,
        Some(CqeSyndrome::RemoteAccessError) => WorkStatus::RemoteAccess,
        Some(CqeSyndrome::RemoteOperationError) => WorkStatus::RemoteOperation,
        Some(CqeSyndrome::TransportRetryExceeded) => WorkStatus::RetryExceeded,
        Some(CqeSyndrome::RnrRetryExceeded) => WorkStatus::ReceiverNotReady,
        Some(CqeSyndrome::RemoteAborted) => WorkStatus::RemoteAborted,
        None => WorkStatus::General,
    }
}
// ANCHOR_END: error_status

// ANCHOR: completion_trace
/// Tells of a work completion.
#[inline(always)]
fn tell_completion<P: Probe>(completion: &WorkCompletion, probe: &P) {
    probe!(
        *probe,
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

//! What a CQE says: from its fields to those of a work completion.

use super::completion_queue::{CqState, add};
use super::entries::Entry;
use super::outstanding::{Outstanding, Slots};
use crate::verbs::{Arrival, Completed, PollError, WorkCompletion, WorkStatus};
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::wqe::SendOpcode;
use doorbell_tracer::Probe;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;

/// Offsets of the words of a CQE that a poll reads (PRM, "Completion Queue Element").
const USER_INDEX: usize = 32;
const IMMEDIATE: usize = 36;
const BYTE_COUNT: usize = 44;
const SYNDROME: usize = 52;
const OPCODE_QPN: usize = 56;
const COUNTER_OWNER: usize = 60;

/// Bytes that an atomic operation brings.
const ATOMIC_LENGTH: u32 = 8;

// ANCHOR: parse_cqe
/// What the entry of a send says: each field goes straight to its place. Returns how many work requests
/// of its `sender` are done. (`mlx5_parse_cqe`)
#[inline(always)]
pub fn parse_sent(sender: Sender<'_>, entry: Entry, completion: &mut WorkCompletion) -> u32 {
    let (wr_id, done) = sender.slots.look_up(counter(entry));
    completion.wr_id = wr_id;
    completion.qp_num = sender.qp_num;
    completion.opcode = sender.opcodes[usize::from(entry.byte::<OPCODE_QPN>())];
    completion.byte_len = entry.word::<BYTE_COUNT>();
    completion.status = WorkStatus::Success;
    completion.immediate = None;
    done
}

/// What an entry of any kind says. The completions of its queue pair's sends may go on behind it: returns the
/// queue pair, and how many work requests are done; none if the entry is not of a plain send.
#[inline(never)]
pub fn parse_any<P: Probe>(
    state: &mut CqState,
    entry: Entry,
    op_own: u8,
    completion: &mut WorkCompletion,
    probe: &P,
) -> Result<(Last, u32), PollError> {
    let opcode = op_own >> 4;
    // Some entries of sends say more than that.
    let is_plain = op_own & !1 == REQUESTER << 4;
    let last = if is_plain { state.find_sender(entry) } else { Last::NONE };
    let Some(sender) = last.if_of(entry) else {
        parse_other(state, entry, opcode, completion, probe)?;
        return Ok((Last::NONE, 0));
    };
    let done = parse_sent(sender, entry, completion);
    sender.outstanding.retire_all(done);
    Ok((last, done))
}

/// What any other entry says: of a receive, of an error, or of a send that is looked at closely.
#[inline(never)]
fn parse_other<P: Probe>(
    state: &CqState,
    entry: Entry,
    opcode: u8,
    completion: &mut WorkCompletion,
    probe: &P,
) -> Result<(), PollError> {
    completion.qp_num = entry.word::<OPCODE_QPN>() & 0xff_ffff;
    completion.status = WorkStatus::Success;
    completion.immediate = None;
    completion.opcode = Completed::default();
    completion.byte_len = 0;
    match opcode {
        REQUESTER => {
            let user_index = entry.word::<USER_INDEX>();
            let outstanding = member(&state.senders, user_index)
                .or_else(|_| member(&state.watched, user_index))?;
            completion.opcode = SENT[usize::from(entry.byte::<OPCODE_QPN>())];
            completion.byte_len = entry.word::<BYTE_COUNT>();
            look_closely(outstanding, entry, completion);
            completion.wr_id = outstanding.retire(counter(entry));
        }
        RECEIVED_WRITE_IMMEDIATE | RECEIVED | RECEIVED_IMMEDIATE | RECEIVED_INVALIDATE => {
            let receives = member(&state.receivers, entry.word::<USER_INDEX>())?;
            completion.wr_id = receives.retire(counter(entry), probe);
            completion.opcode = received(opcode);
            completion.byte_len = entry.word::<BYTE_COUNT>();
            let immediate = matches!(opcode, RECEIVED_WRITE_IMMEDIATE | RECEIVED_IMMEDIATE);
            completion.immediate = immediate.then(|| entry.word::<IMMEDIATE>());
            completion.arrival = arrival(&entry.copy(), opcode);
        }
        REQUESTER_ERROR | RESPONDER_ERROR => {
            let (user_index, counter) = (entry.word::<USER_INDEX>(), counter(entry));
            completion.wr_id = match opcode {
                REQUESTER_ERROR => member(&state.senders, user_index)
                    .or_else(|_| member(&state.watched, user_index))?
                    .retire(counter),
                _ => member(&state.receivers, user_index)?.retire(counter, probe),
            };
            let syndromes = entry.word::<SYNDROME>();
            completion.status = status(syndromes as u8);
            completion.vendor_err = (syndromes >> 8) as u8;
        }
        opcode => return Err(PollError::UnknownOpcode { opcode }),
    }
    Ok(())
}

/// The counter of the WQE that an entry is of.
#[inline(always)]
fn counter(entry: Entry) -> u32 {
    entry.word::<COUNTER_OWNER>() >> 16
}

/// The work requests of the queue pair that an entry is of.
#[inline(always)]
fn member<T>(members: &[Option<T>], user_index: u32) -> Result<&T, PollError> {
    let user_index = user_index & 0xff_ffff;
    match members.get(user_index as usize) {
        Some(Some(member)) => Ok(member),
        _ => Err(PollError::UnknownQueuePair { user_index }),
    }
}

/// A queue pair whose sends complete here.
#[derive(Clone, Copy)]
pub struct Sender<'s> {
    /// Its number (QPN).
    qp_num: u32,
    /// Its work requests.
    slots: Slots<'s>,
    /// The same, to retire them.
    pub outstanding: &'s Outstanding,
    /// What they were, by the opcode of the WQE. It is here so that a run of completions has it at hand.
    opcodes: &'static Sent,
}

/// The queue pair whose send completed last: the next entry is often of the same. (`cur_rsc`, which
/// libmlx5 forgets at the end of each poll)
#[derive(Clone, Copy)]
pub struct Last {
    /// As its entries have it, in their byte order; of none, more than any has.
    user_index: u64,
    /// The queue pair, unless it is none.
    sender: MaybeUninit<Sender<'static>>,
}

impl Last {
    /// None yet, or none any more.
    pub const NONE: Self = Self { user_index: u64::MAX, sender: MaybeUninit::uninit() };

    /// This queue pair, if an entry of a send is of it.
    #[inline(always)]
    pub fn if_of(&self, entry: Entry) -> Option<Sender<'_>> {
        if self.user_index != u64::from(entry.big_endian::<USER_INDEX>()) {
            return None;
        }
        // SAFETY: the index of an entry has 32 bits, so that this is not `NONE`, and is one.
        Some(unsafe { self.sender.assume_init() })
    }

    /// So many of its work requests are done, if it is any.
    #[inline(always)]
    pub fn retire_all(&self, done: u32) {
        if self.user_index != Self::NONE.user_index {
            // SAFETY: it is not `NONE`, and is one.
            unsafe { self.sender.assume_init() }.outstanding.retire_all(done);
        }
    }
}

impl CqState {
    /// The queue pair that an entry of a send is of, by its user index; from now on it is `last`. None if it
    /// is one that is not known here, or whose sends are looked at closely.
    fn find_sender(&mut self, entry: Entry) -> Last {
        let user_index = entry.big_endian::<USER_INDEX>();
        let Ok(sender) = member(&self.senders, u32::from_be(user_index)) else {
            return Last::NONE;
        };
        let qp_num = entry.word::<OPCODE_QPN>() & 0xff_ffff;
        // SAFETY: `senders` holds it: who takes one out of there, under the queue's lock, sets `last` to
        // `NONE`, and no copy of that is kept beyond the lock.
        let outstanding = unsafe { NonNull::from(&**sender).as_ref() };
        let sender = Sender { qp_num, slots: outstanding.slots(), outstanding, opcodes: &SENT };
        self.last = Last { user_index: user_index.into(), sender: MaybeUninit::new(sender) };
        self.last
    }
}

/// The opcode of an entry of a send.
pub const REQUESTER: u8 = CqeOpcode::Requester as u8;
const RECEIVED_WRITE_IMMEDIATE: u8 = CqeOpcode::ResponderWriteImmediate as u8;
const RECEIVED: u8 = CqeOpcode::ResponderSend as u8;
const RECEIVED_IMMEDIATE: u8 = CqeOpcode::ResponderSendImmediate as u8;
const RECEIVED_INVALIDATE: u8 = CqeOpcode::ResponderSendInvalidate as u8;
/// The opcode of an entry of a send that failed.
pub const REQUESTER_ERROR: u8 = CqeOpcode::RequesterError as u8;
/// The opcode of an entry of a receive that failed.
pub const RESPONDER_ERROR: u8 = CqeOpcode::ResponderError as u8;
// ANCHOR_END: parse_cqe

impl CqState {
    // ANCHOR: watch
    /// Completions of atomics and of changes of memory keys do not say all about themselves. From now
    /// on each send of this queue pair is looked at closely; the others pay nothing for it.
    #[cold]
    pub fn watch(&mut self, sender: &Arc<Outstanding>) {
        let is_it = |known: &Option<Arc<Outstanding>>| {
            known.as_ref().is_some_and(|known| Arc::ptr_eq(known, sender))
        };
        if let Some(place) = self.senders.iter().position(is_it) {
            self.last = Last::NONE;
            let sender = self.senders[place].take();
            add(&mut self.watched, place as u32, sender);
        }
    }
    // ANCHOR_END: watch
}

// ANCHOR: completion_opcode
/// What a send was, by the WQE opcode that the card gives back.
type Sent = [Completed; 256];

/// It is this. (`handle_good_req`)
static SENT: Sent = {
    let mut table = [Completed::Send; 256];
    table[SendOpcode::RdmaWrite as usize] = Completed::RdmaWrite;
    table[SendOpcode::RdmaWriteImmediate as usize] = Completed::RdmaWrite;
    table[SendOpcode::RdmaRead as usize] = Completed::RdmaRead;
    table[SendOpcode::AtomicCompareSwap as usize] = Completed::CompareAndSwap;
    table[SendOpcode::AtomicFetchAdd as usize] = Completed::FetchAndAdd;
    table[SendOpcode::Umr as usize] = Completed::LocalInvalidate;
    table
};

/// What the entry does not say: an atomic operation's length, and which change of a memory key it was.
fn look_closely(outstanding: &Outstanding, entry: Entry, completion: &mut WorkCompletion) {
    match completion.opcode {
        Completed::CompareAndSwap | Completed::FetchAndAdd => completion.byte_len = ATOMIC_LENGTH,
        Completed::LocalInvalidate if outstanding.is_bind(counter(entry)) => {
            completion.opcode = Completed::BindMemoryWindow;
        }
        _ => {}
    }
}

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

// ANCHOR: arrival
/// What the entry of a receive says of the message. Most of it is of a datagram, whose receiver knows
/// nothing else about its sender. (`handle_responder`)
fn arrival(entry: &Cqe, opcode: u8) -> Arrival {
    let carried = entry.imm_inval_pkey.get();
    Arrival {
        invalidated: (opcode == RECEIVED_INVALIDATE).then_some(carried),
        src_qp: entry.rqpn(),
        grh: entry.grh() != 0,
        pkey_index: carried as u16,
        slid: entry.slid.get(),
        sl: entry.sl() as u8,
        dlid_path_bits: entry.ml_path & 0x7f,
    }
}
// ANCHOR_END: arrival

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

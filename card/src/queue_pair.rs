//! A queue pair as the card keeps it: its context, its two queues, and what it is busy with.

use crate::answers::Owed;
use crate::atomics::AtomicResult;
use crate::buffer::PageBuffer;
use crate::card::Card;
use crate::completion_queue::Entry;
use crate::dma::{Bus, PROBE_GROUP};
use crate::receive_queue::Receive;
use crate::responder::Inbound;
use crate::translation::Asker;
use crate::vendor_syndromes::vendor_syndrome_of;
use crate::window::Window;
use crate::xrc::XrcReceiver;
use doorbell_prm::Layout;
use doorbell_prm::commands::{PathMtu, QpContext, QpServiceType, QpState, SqContext};
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome, ErrorCqe};
use doorbell_prm::eqe::EventType;
use doorbell_prm::wqe::{SEGMENT_UNIT, SEND_BLOCK};
use doorbell_prm::zerocopy::{self, big_endian::U16};
use doorbell_tracer::{Value, probe};
use std::collections::VecDeque;

/// A queue pair.
#[derive(Debug, Clone)]
pub(crate) struct QueuePair {
    pub(crate) qpn: u32,
    pub(crate) state: QpState,
    pub(crate) context: QpContext,
    /// Receive queue first, then send queue.
    pub(crate) buffer: PageBuffer,
    pub(crate) send: Ring,
    pub(crate) receive: Ring,
    /// A WQE that came through the BlueFlame register, with its block number.
    pub(crate) blueflame: Option<(u16, Vec<u8>)>,
    /// The messages that are under way.
    pub(crate) window: Window,
    pub(crate) next_send_psn: u32,
    /// The message that is coming in.
    pub(crate) inbound: Option<Inbound>,
    /// A receive that a broken-off message of an unreliable connection has left for the next one.
    pub(crate) spare: Option<Receive>,
    /// What is to be answered, in the order of packet sequence numbers.
    pub(crate) answers: VecDeque<Owed>,
    /// What the latest atomics found, for those that come again.
    pub(crate) results: VecDeque<AtomicResult>,
    pub(crate) expected_psn: u32,
    /// The packet that is expected was asked for; others are dropped until it comes.
    pub(crate) refused: bool,
    /// Messages carried out for the other side.
    pub(crate) msn: u32,
    /// The shared receive queue that the message coming in names.
    pub(crate) receiver: Option<XrcReceiver>,
    /// In the error state: the doorbell record may say something new.
    pub(crate) recheck: bool,
    /// A piece of its work has failed: what is flushed now is flushed because of that.
    pub(crate) failed: bool,
    /// What a send queue that is an object of its own was created with.
    pub(crate) object: Option<Box<SqContext>>,
}

/// `rq_type`: a receive queue of its own, a shared one, or none.
pub(crate) const REGULAR_RQ: u8 = 0;
pub(crate) const SHARED_RQ: u8 = 1;
pub(crate) const NO_RQ: u8 = 3;

/// A ring of equal entries and two counters that wrap at 65536: how far software got, and how
/// far the card got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ring {
    /// First byte in the buffer.
    pub(crate) offset: u64,
    /// Size of an entry in bytes.
    pub(crate) stride: u64,
    /// Number of entries; 0 when there is no such queue.
    pub(crate) entries: u32,
    pub(crate) producer: u16,
    pub(crate) consumer: u16,
}

impl Ring {
    pub(crate) fn new(offset: u64, stride: u64, entries: u32) -> Self {
        Self { offset, stride, entries, producer: 0, consumer: 0 }
    }

    pub(crate) fn size(&self) -> u64 {
        self.stride * u64::from(self.entries)
    }

    /// Entries that software posted and the card has not begun.
    pub(crate) fn pending(&self) -> u16 {
        self.producer.wrapping_sub(self.consumer)
    }

    /// Whether software claims to have posted more than there is room for.
    pub(crate) fn is_overdrawn(&self) -> bool {
        u32::from(self.pending()) > self.entries
    }

    /// Where in the buffer entry number `index` lies; there must be entries.
    pub(crate) fn place(&self, index: u16) -> u64 {
        self.offset + u64::from(u32::from(index) & self.entries.saturating_sub(1)) * self.stride
    }
}

impl QueuePair {
    /// In RESET, with nothing posted.
    pub(crate) fn new(
        qpn: u32,
        mut context: QpContext,
        buffer: PageBuffer,
        send: Ring,
        receive: Ring,
    ) -> Self {
        context.set_state(QpState::Reset.code());
        Self {
            qpn,
            state: QpState::Reset,
            context,
            buffer,
            send,
            receive,
            blueflame: None,
            window: Window::default(),
            next_send_psn: 0,
            inbound: None,
            spare: None,
            answers: VecDeque::new(),
            results: VecDeque::new(),
            expected_psn: 0,
            refused: false,
            msn: 0,
            receiver: None,
            recheck: false,
            failed: false,
            object: None,
        }
    }

    /// What kind of queue pair it is; a send queue of its own is none.
    pub(crate) fn service(&self) -> Option<QpServiceType> {
        match self.object {
            None => QpServiceType::from_code(self.context.st()),
            Some(_) => None,
        }
    }

    pub(crate) fn asker(&self) -> Asker {
        Asker { qpn: self.qpn, pd: self.memory_domain() }
    }

    /// The most payload bytes of a packet.
    pub(crate) fn mtu(&self) -> usize {
        PathMtu::from_code(self.context.mtu()).map_or(256, PathMtu::bytes)
    }

    /// Whether requests of the other side are carried out.
    pub(crate) fn receives(&self) -> bool {
        matches!(self.state, QpState::ReadyToReceive | QpState::ReadyToSend)
    }

    /// The shared receive queue from which it receives, if it has one.
    pub(crate) fn shared_receive(&self) -> Option<u32> {
        if self.is_extended() {
            return self.receiver.map(|receiver| receiver.number);
        }
        let shared = self.context.rq_type() == SHARED_RQ;
        shared.then(|| self.context.srqn_rmpn_xrqn())
    }

    /// Whether the queue pair is connected to another one.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_reliable() || self.service() == Some(QpServiceType::UnreliableConnection)
    }

    /// Whether what it sends is acknowledged, and sent again when it is lost.
    pub(crate) fn is_reliable(&self) -> bool {
        self.service() == Some(QpServiceType::ReliableConnection) || self.is_extended()
    }

    /// Whether the queue pair sends datagrams, to whom each of them says.
    pub(crate) fn is_datagram(&self) -> bool {
        use QpServiceType::*;
        let service = self.service();
        matches!(service, Some(UnreliableDatagram | SubnetManagement | GeneralManagement))
    }

    /// The number by which others know it: the management queue pairs have numbers of their own.
    pub(crate) fn public_qpn(&self) -> u32 {
        match self.service() {
            Some(QpServiceType::SubnetManagement) => 0,
            Some(QpServiceType::GeneralManagement) => 1,
            _ => self.qpn,
        }
    }

    /// The number that completions carry.
    pub(crate) fn user_index(&self) -> u32 {
        self.context.user_index()
    }

    /// The receive queue of its own, if it has one, at the beginning of the buffer.
    pub(crate) fn receive_ring_of(context: &QpContext) -> Ring {
        if context.rq_type() != REGULAR_RQ {
            return Ring::new(0, SEGMENT_UNIT as u64, 0);
        }
        let stride = (SEGMENT_UNIT as u64) << context.log_rq_stride();
        Ring::new(0, stride, 1 << context.log_rq_size())
    }

    pub(crate) fn send_ring_of(context: &QpContext, receive: &Ring) -> Ring {
        let entries = match context.no_sq() {
            true => 0,
            false => 1 << context.log_sq_size(),
        };
        Ring::new(receive.size(), SEND_BLOCK as u64, entries)
    }

    /// Forgets all work, as a reset does.
    pub(crate) fn forget_work(&mut self) {
        self.window = Window::default();
        (self.inbound, self.spare, self.refused) = (None, None, false);
        self.receiver = None;
        self.answers.clear();
        self.results.clear();
        self.blueflame = None;
        (self.recheck, self.failed) = (false, false);
        for ring in [&mut self.send, &mut self.receive] {
            (ring.producer, ring.consumer) = (0, 0);
        }
        (self.next_send_psn, self.expected_psn, self.msn) = (0, 0, 0);
    }
}

/// A piece of work that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) syndrome: CqeSyndrome,
    /// Index of the WQE.
    pub(crate) index: u16,
    /// Opcode of a send WQE; `None` for a receive.
    pub(crate) opcode: Option<u8>,
}

impl Card {
    // ANCHOR: card_qp_state
    /// Changes the state of a queue pair.
    pub(crate) fn set_state(&mut self, qp: &mut QueuePair, state: QpState, bus: &Bus<'_>) {
        let before = std::mem::replace(&mut qp.state, state);
        qp.context.set_state(state.code());
        let kind = if qp.object.is_some() { "SQ" } else { "QP" };
        probe!(bus.tracer, state(kind, qp.qpn, before.label(), state.label()));
    }

    /// Brings a queue pair into the error state: what is under way is flushed at once, what is
    /// posted is flushed one piece a step.
    pub(crate) fn enter_error(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        if qp.state == QpState::Error {
            return;
        }
        self.set_state(qp, QpState::Error, bus);
        qp.recheck = true;
        qp.blueflame = None;
        qp.answers.clear();
        let syndrome = CqeSyndrome::WorkRequestFlushed;
        for message in std::mem::take(&mut qp.window).messages {
            self.report_failed(qp, &message, syndrome, bus);
        }
        let held = qp.inbound.take().and_then(|inbound| inbound.receive_index());
        if let Some(index) = held.or(qp.spare.take().map(|receive| receive.index)) {
            let failure = Failure { syndrome, index, opcode: None };
            self.complete_with_error(qp, failure, bus);
        }
        if qp.shares_receives() {
            // It takes no receive from now on, and the others of the queue need not wait for it.
            self.announce_qp(EventType::SrqLastWqe, qp, bus);
        }
    }
    // ANCHOR_END: card_qp_state

    /// Gives up on a queue pair whose queue cannot be read or makes no sense.
    pub(crate) fn catastrophe(&mut self, qp: &mut QueuePair, why: &'static str, bus: &mut Bus<'_>) {
        // ANCHOR: card_catastrophe
        probe!(bus.tracer, note(why, [("qpn", Value::Hex(qp.qpn.into()))]));
        // ANCHOR_END: card_catastrophe
        self.announce_qp(EventType::WorkQueueCatastrophicError, qp, bus);
        self.enter_error(qp, bus);
    }

    // ANCHOR: card_error_cqe
    /// Writes the error CQE of a failed piece of work. Errors are reported whether or not a
    /// completion was asked for.
    pub(crate) fn complete_with_error(
        &mut self,
        qp: &mut QueuePair,
        failure: Failure,
        bus: &mut Bus<'_>,
    ) {
        let is_send = failure.opcode.is_some();
        self.count_failure(qp, is_send, failure.syndrome);
        let mut cqe = ErrorCqe::zeroed();
        cqe.vendor_err_synd = vendor_syndrome_of(failure.syndrome, is_send, qp.failed);
        qp.failed |= failure.syndrome != CqeSyndrome::WorkRequestFlushed;
        let (receives, receiver_index) = qp.receive_completions();
        cqe.set_user_index(match failure.opcode {
            Some(_) => qp.user_index(),
            None => receiver_index,
        });
        cqe.syndrome = failure.syndrome.code();
        cqe.set_qpn(qp.qpn);
        cqe.wqe_counter = U16::new(failure.index);
        let cqn = match failure.opcode {
            Some(opcode) => {
                cqe.set_send_opcode(opcode.into());
                cqe.set_opcode(CqeOpcode::RequesterError.code());
                qp.context.cqn_snd()
            }
            None => {
                cqe.set_opcode(CqeOpcode::ResponderError.code());
                receives
            }
        };
        let entry =
            Entry { bytes: zerocopy::transmute!(cqe), layout: ErrorCqe::LAYOUT.name, wakes: true };
        self.complete(cqn, entry, bus);
    }
    // ANCHOR_END: card_error_cqe
}

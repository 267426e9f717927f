//! The responder's other half: acknowledgements, refusals, and the answers to reads and atomics.
//!
//! Answers leave in the order of packet sequence numbers, one packet a step. An acknowledgement speaks
//! for all packets before it, so one that has not left yet gives way to the next.

use crate::card::Card;
use crate::counters::Counted;
use crate::dma::{Bus, PROBE_GROUP, read_host};
use crate::fabric::drop_packet;
use crate::packets::{Acknowledgement, PSN_MASK, Packet};
use crate::queue_pair::QueuePair;
use crate::requester::read_response_opcode;
use crate::responder::{INVALID, OPERATIONAL, Refusal, remote_span, translated};
use crate::translation::{Asker, Right, Span};
use doorbell_prm::eqe::EventType;
use doorbell_prm::roce::{
    AETH_ACK, AETH_CREDITS_UNLIMITED, AETH_NAK, AETH_RNR_NAK, BthOpcode, NakCode,
};
use doorbell_tracer::{Value, probe};

/// An answer that is owed to the other side.
#[derive(Debug, Clone)]
pub(crate) struct Owed {
    /// Packet sequence number of its first packet.
    pub(crate) psn: u32,
    /// Messages carried out by then.
    pub(crate) msn: u32,
    pub(crate) what: Answer,
    /// The request came again, so the other side may have had the answer meanwhile.
    pub(crate) again: bool,
}

/// What is owed.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// An acknowledgement, or a refusal: kind and detail.
    Acknowledgement(u32, u32),
    /// The data of a read: how many packets are sent, of how many.
    Read { memory: Span, asker: Asker, sent: u64, packets: u64 },
    /// The value that an atomic operation found.
    Atomic(u64),
}

/// A request that was carried out, or is about to be answered.
pub(crate) const ACKNOWLEDGED: Answer = Answer::Acknowledgement(AETH_ACK, AETH_CREDITS_UNLIMITED);

impl Owed {
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.what, Answer::Read { .. })
    }

    /// Whether it is the answer to a read or an atomic.
    fn fetches(&self) -> bool {
        !matches!(self.what, Answer::Acknowledgement(..))
    }

    fn is_acknowledged(&self) -> bool {
        matches!(self.what, Answer::Acknowledgement(AETH_ACK, _))
    }

    /// Packet sequence numbers that the answer takes.
    pub(crate) fn packets(&self) -> u64 {
        match self.what {
            Answer::Read { packets, .. } => packets,
            _ => 1,
        }
    }
}

impl QueuePair {
    /// Whether it answers as many reads and atomics as it may at a time.
    fn is_busy_answering(&self) -> bool {
        let fetches = self.answers.iter().filter(|owed| owed.fetches()).count();
        fetches >= 1 << self.context.log_rra_max()
    }

    /// Makes room for the answer to a new read or atomic. The other side has no more under way than it
    /// may, this one included; so it has had the oldest answers, and those need not be repeated.
    pub(crate) fn has_room_to_answer(&mut self) -> bool {
        while self.is_busy_answering() {
            let Some(place) = self.answers.iter().position(|owed| owed.again) else { return false };
            self.answers.remove(place);
        }
        true
    }

    /// How many packets before the one that is expected now.
    pub(crate) fn behind(&self, psn: u32) -> u32 {
        self.expected_psn.wrapping_sub(psn) & PSN_MASK
    }

    /// Adds an answer at its place.
    pub(crate) fn owe(&mut self, psn: u32, what: Answer) {
        let owed = Owed { psn: psn & PSN_MASK, msn: self.msn, what, again: false };
        let (behind, expected) = (self.behind(owed.psn), self.expected_psn);
        let later = |other: &Owed| expected.wrapping_sub(other.psn) & PSN_MASK < behind;
        let place = self.answers.iter().position(later).unwrap_or(self.answers.len());
        let before = place.checked_sub(1).and_then(|before| self.answers.get_mut(before));
        match before {
            // This one says the same, and more.
            Some(before) if before.is_acknowledged() && !owed.fetches() => *before = owed,
            _ => self.answers.insert(place, owed),
        }
    }
}

impl QueuePair {
    /// Adds the answer to a request that came again. Where the first one is not sent yet, or in
    /// part, it goes back instead. Requests that come again and again are not all kept.
    pub(crate) fn owe_again(&mut self, again: Owed) {
        for owed in self.answers.iter_mut().filter(|owed| owed.fetches()) {
            let place = u64::from(again.psn.wrapping_sub(owed.psn) & PSN_MASK);
            if place < owed.packets() {
                if let Answer::Read { sent, .. } = &mut owed.what {
                    *sent = place.min(*sent);
                }
                return;
            }
        }
        if !self.is_busy_answering() {
            self.owe(again.psn, again.what);
            let here = |owed: &&mut Owed| owed.psn == again.psn && owed.fetches();
            self.answers.iter_mut().filter(here).for_each(|owed| owed.again = true);
        }
    }
}

impl Card {
    // ANCHOR: card_responder_read
    /// Checks a read request. Tells what its answer is, which it is from then on.
    pub(crate) fn begin_read(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &Bus<'_>,
    ) -> Result<Owed, Refusal> {
        let span = remote_span(packet).ok_or(INVALID)?;
        if !qp.context.rre() {
            return Err(INVALID);
        }
        let memory = self.granted(qp, span, Right::RemoteRead, bus)?;
        let packets = span.length.div_ceil(qp.mtu() as u64).max(1);
        let what = Answer::Read { memory, asker: qp.asker(), sent: 0, packets };
        Ok(Owed { psn: packet.psn, msn: qp.msn, what, again: false })
    }

    /// Sends the next packet of what is owed.
    pub(crate) fn send_answer(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(owed) = qp.answers.pop_front() else {
            return;
        };
        let to = qp.context.remote_qpn();
        let (kind, detail) = match owed.what {
            Answer::Acknowledgement(kind, detail) => (kind, detail),
            _ => (AETH_ACK, AETH_CREDITS_UNLIMITED),
        };
        let acknowledgement = Some(Acknowledgement { kind, detail, msn: owed.msn });
        match owed.what {
            Answer::Acknowledgement(..) => {
                let mut packet = Packet::new(BthOpcode::Acknowledge, to, owed.psn);
                packet.acknowledgement = acknowledgement;
                self.transmit(qp, &packet, bus);
            }
            Answer::Atomic(original) => {
                let mut packet = Packet::new(BthOpcode::AtomicAcknowledge, to, owed.psn);
                packet.acknowledgement = acknowledgement;
                packet.original = Some(original);
                self.transmit(qp, &packet, bus);
            }
            Answer::Read { .. } => self.send_read_response(qp, owed, bus),
        }
    }

    /// Sends the next packet of the answer to a read.
    fn send_read_response(&mut self, qp: &mut QueuePair, mut owed: Owed, bus: &mut Bus<'_>) {
        let Answer::Read { memory, asker, sent, packets } = &mut owed.what else { return };
        let mtu = qp.mtu() as u64;
        let from = *sent * mtu;
        let length = mtu.min(memory.length - from);
        let span = Span { address: memory.address.wrapping_add(from), length, ..*memory };
        let psn = owed.psn.wrapping_add(*sent as u32);
        let payload = match self.gather_remote(*asker, span, bus) {
            Ok(payload) => payload,
            Err(_) if owed.again => {
                return drop_packet("a read that comes again may read no longer", qp.qpn, bus);
            }
            Err(refusal) => return self.refuse(qp, psn, refusal, bus),
        };
        let (first, last) = (*sent == 0, *sent + 1 == *packets);
        let opcode = read_response_opcode(first, last);
        let mut packet = Packet::new(opcode, qp.context.remote_qpn(), psn);
        if opcode.has_aeth() {
            let (kind, detail) = (AETH_ACK, AETH_CREDITS_UNLIMITED);
            packet.acknowledgement = Some(Acknowledgement { kind, detail, msn: owed.msn });
        }
        packet.payload = payload;
        self.transmit(qp, &packet, bus);
        *sent += 1;
        if !last {
            qp.answers.push_front(owed);
        }
    }

    fn gather_remote(
        &self,
        asker: Asker,
        span: Span,
        bus: &mut Bus<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut payload = Vec::with_capacity(span.length as usize);
        for (address, length) in translated(&self.memory_keys, asker, span, Right::RemoteRead)? {
            let begin = payload.len();
            payload.resize(begin + length as usize, 0);
            let into = &mut payload[begin..];
            read_host!(bus, address, into, "RDMA read from memory", "").map_err(|_| OPERATIONAL)?;
        }
        Ok(payload)
    }
    // ANCHOR_END: card_responder_read

    // ANCHOR: card_responder_answer
    /// Sends a refusal or "not ready", behind what is owed for the packets before it.
    pub(crate) fn answer(
        &mut self,
        qp: &mut QueuePair,
        psn: u32,
        (kind, detail): (u32, u32),
        bus: &mut Bus<'_>,
    ) {
        qp.refused = true;
        qp.owe(psn, Answer::Acknowledgement(kind, detail));
        if qp.answers.len() == 1 {
            self.send_answer(qp, bus);
        }
    }

    /// Refuses a request. All refusals but "not ready" leave the queue pair in the error state,
    /// with an event where no receive could tell of it.
    pub(crate) fn refuse(
        &mut self,
        qp: &mut QueuePair,
        psn: u32,
        refusal: Refusal,
        bus: &mut Bus<'_>,
    ) {
        let code = match refusal {
            Refusal::NotReady => {
                self.count(qp, Counted::OutOfBuffer);
                let timer = qp.context.min_rnr_nak();
                return self.answer(qp, psn, (AETH_RNR_NAK, timer.into()), bus);
            }
            Refusal::Nak(code) | Refusal::Receive(code, _) => code,
            Refusal::Broken(why) => {
                let code = NakCode::RemoteOperationalError.code();
                self.answer(qp, psn, (AETH_NAK, code.into()), bus);
                return self.catastrophe(qp, why, bus);
            }
        };
        probe!(
            bus.tracer,
            note(
                "request refused",
                [("qpn", Value::Hex(qp.qpn.into())), ("NAK", Value::from(code.label())),]
            )
        );
        self.answer(qp, psn, (AETH_NAK, code.code().into()), bus);
        match refusal {
            Refusal::Receive(_, syndrome) => self.fail_receive(qp, syndrome, bus),
            _ if code == NakCode::RemoteAccessError => {
                self.announce_qp(EventType::WorkQueueAccessError, qp, bus);
            }
            _ => self.announce_qp(EventType::WorkQueueInvalidRequest, qp, bus),
        }
        // What was owed before the refusal, and the refusal itself, still go.
        let owed = std::mem::take(&mut qp.answers);
        self.enter_error(qp, bus);
        qp.answers = owed;
    }
    // ANCHOR_END: card_responder_answer
}

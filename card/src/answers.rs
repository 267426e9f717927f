//! The responder's other half: acknowledgements, refusals, and the answers to reads.

use crate::card::Card;
use crate::counters::Counted;
use crate::dma::{Bus, PROBE_GROUP, read_host};
use crate::packets::{Acknowledgement, Packet};
use crate::queue_pair::QueuePair;
use crate::requester::read_response_opcode;
use crate::responder::{ACCESS, INVALID, OPERATIONAL, Refusal, remote_span, translated};
use crate::translation::{Right, Span};
use doorbell_prm::eqe::EventType;
use doorbell_prm::roce::{
    AETH_ACK, AETH_CREDITS_UNLIMITED, AETH_NAK, AETH_RNR_NAK, BthOpcode, NakCode,
};
use doorbell_tracer::{Value, probe};

/// A read that is being answered, one packet a step.
#[derive(Debug, Clone)]
pub(crate) struct ReadJob {
    memory: Span,
    psn: u32,
    /// Packets sent, of how many.
    sent: u64,
    packets: u64,
}

impl Card {
    // ANCHOR: card_responder_read
    /// A read request: checked, and answered from then on. Tells how many packets the answer has.
    pub(crate) fn begin_read(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &Bus<'_>,
    ) -> Result<u64, Refusal> {
        let span = remote_span(packet).ok_or(INVALID)?;
        if qp.inbound.is_some() {
            return Err(INVALID);
        }
        if !qp.context.rre() {
            return Err(ACCESS);
        }
        let memory = self.granted(qp, span, Right::RemoteRead, bus)?;
        let packets = span.length.div_ceil(qp.mtu() as u64).max(1);
        qp.read = Some(ReadJob { memory, psn: packet.psn, sent: 0, packets });
        Ok(packets)
    }

    /// Sends the next packet of the answer to a read.
    pub(crate) fn answer_read(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(mut job) = qp.read.take() else {
            return;
        };
        let mtu = qp.mtu() as u64;
        let from = job.sent * mtu;
        let length = mtu.min(job.memory.length - from);
        let span = Span { address: job.memory.address.wrapping_add(from), length, ..job.memory };
        let psn = job.psn.wrapping_add(job.sent as u32);
        let payload = match self.gather_remote(qp, span, bus) {
            Ok(payload) => payload,
            Err(refusal) => return self.refuse(qp, psn, refusal, bus),
        };
        let (first, last) = (job.sent == 0, job.sent + 1 == job.packets);
        let opcode = read_response_opcode(first, last);
        let mut packet = Packet::new(opcode, qp.context.remote_qpn(), psn);
        if opcode.has_aeth() {
            let (kind, detail) = (AETH_ACK, AETH_CREDITS_UNLIMITED);
            packet.acknowledgement = Some(Acknowledgement { kind, detail, msn: qp.msn });
        }
        packet.payload = payload;
        self.transmit(qp, &packet, bus);
        job.sent += 1;
        qp.read = (!last).then_some(job);
    }

    fn gather_remote(
        &self,
        qp: &QueuePair,
        span: Span,
        bus: &mut Bus<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut payload = Vec::with_capacity(span.length as usize);
        for (address, length) in translated(&self.memory_keys, qp, span, Right::RemoteRead)? {
            let begin = payload.len();
            payload.resize(begin + length as usize, 0);
            let into = &mut payload[begin..];
            read_host!(bus, address, into, "RDMA read from memory", "").map_err(|_| OPERATIONAL)?;
        }
        Ok(payload)
    }
    // ANCHOR_END: card_responder_read

    // ANCHOR: card_responder_answer
    /// Sends an acknowledgement, a refusal, or "not ready".
    pub(crate) fn answer(
        &mut self,
        qp: &mut QueuePair,
        psn: u32,
        (kind, detail): (u32, u32),
        bus: &mut Bus<'_>,
    ) {
        let mut packet = Packet::new(BthOpcode::Acknowledge, qp.context.remote_qpn(), psn);
        packet.acknowledgement = Some(Acknowledgement { kind, detail, msn: qp.msn });
        self.transmit(qp, &packet, bus);
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
        self.enter_error(qp, bus);
    }
    // ANCHOR_END: card_responder_answer
}

//! The requester's other half: what the answer to a message means, and how the message ends.

use crate::card::Card;
use crate::completion_queue::Entry;
use crate::counters::Counted;
use crate::dma::{Bus, PROBE_GROUP, write_host};
use crate::packets::{PSN_MASK, Packet};
use crate::queue_pair::{Failure, QueuePair};
use crate::requester::{RNR_RETRY_FOREVER, read_response_opcode};
use crate::translation::{Right, translate};
use crate::work_request::{Part, WorkRequest};
use doorbell_prm::Layout;
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::roce::{AETH_ACK, AETH_RNR_NAK, BthOpcode, NakCode};
use doorbell_prm::wqe::SendOpcode;
use doorbell_prm::zerocopy::{self, big_endian::U16, big_endian::U32};
use doorbell_tracer::{Value, probe};

impl Card {
    // ANCHOR: card_requester_answer
    /// Takes an acknowledgement, a refusal, or a read response.
    pub(crate) fn take_response(&mut self, qp: &mut QueuePair, packet: Packet, bus: &mut Bus<'_>) {
        let Some(message) = &qp.message else { return };
        let place = message.place(packet.psn);
        if place >= message.packets {
            return;
        }
        if packet.opcode != BthOpcode::Acknowledge {
            return self.take_read_response(qp, packet, place, bus);
        }
        let Some(answer) = packet.acknowledgement else {
            return;
        };
        match answer.kind {
            AETH_ACK if message.is_read() => {}
            AETH_ACK if place + 1 == message.packets && message.waiting => {
                self.complete_message(qp, bus);
            }
            AETH_ACK => {}
            AETH_RNR_NAK => self.take_not_ready(qp, place, answer.detail, bus),
            _ => match refusal(answer.detail) {
                None => {
                    self.count(qp, Counted::SequenceError);
                    self.retry(qp, place, "the other side missed a packet: sent again", bus);
                }
                Some(syndrome) => self.fail_message(qp, syndrome, bus),
            },
        }
    }

    /// The other side had no receive posted.
    fn take_not_ready(&mut self, qp: &mut QueuePair, place: u64, timer: u32, bus: &mut Bus<'_>) {
        self.count(qp, Counted::NotReadyAnswer);
        let resume_at = self.ready_again(timer);
        let Some(message) = &mut qp.message else {
            return;
        };
        let left = message.rnr_retries;
        probe!(
            bus.tracer,
            note(
                "receiver not ready",
                [
                    ("qpn", Value::Hex(qp.qpn.into())),
                    ("retries left", Value::from(u32::from(left))),
                ]
            )
        );
        if left == 0 {
            return self.fail_message(qp, CqeSyndrome::RnrRetryExceeded, bus);
        }
        if left < RNR_RETRY_FOREVER {
            message.rnr_retries -= 1;
        }
        message.parked = left == RNR_RETRY_FOREVER || resume_at.is_some();
        message.resume_at = resume_at;
        message.rewind(place);
    }

    /// The answer can no longer come: sends again, or gives up.
    pub(crate) fn time_out(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        self.count(qp, Counted::Timeout);
        self.retry(qp, 0, "no answer: sent again", bus);
    }

    fn retry(&mut self, qp: &mut QueuePair, place: u64, why: &'static str, bus: &mut Bus<'_>) {
        let Some(message) = &mut qp.message else {
            return;
        };
        if message.retries == 0 {
            return self.fail_message(qp, CqeSyndrome::TransportRetryExceeded, bus);
        }
        message.retries -= 1;
        message.rewind(place);
        probe!(
            bus.tracer,
            note(
                why,
                [
                    ("qpn", Value::Hex(qp.qpn.into())),
                    ("retries left", Value::from(u32::from(message.retries))),
                ]
            )
        );
    }

    /// Takes one packet of the answer to a read, and scatters its bytes.
    fn take_read_response(
        &mut self,
        qp: &mut QueuePair,
        packet: Packet,
        place: u64,
        bus: &mut Bus<'_>,
    ) {
        let Some(message) = &qp.message else { return };
        if !message.is_read() || place != message.received {
            return;
        }
        let mtu = qp.mtu() as u64;
        let from = place * mtu;
        let length = mtu.min(message.request.length - from);
        let last = place + 1 == message.packets;
        if packet.opcode != read_response_opcode(place == 0, last)
            || packet.payload.len() as u64 != length
        {
            return self.fail_message(qp, CqeSyndrome::BadResponseError, bus);
        }
        if let Err(syndrome) = self.scatter_read(qp, &message.request, from, &packet.payload, bus) {
            return self.fail_message(qp, syndrome, bus);
        }
        if last {
            self.complete_message(qp, bus);
        } else if let Some(message) = &mut qp.message {
            message.received += 1;
        }
    }

    fn scatter_read(
        &self,
        qp: &QueuePair,
        request: &WorkRequest,
        from: u64,
        mut payload: &[u8],
        bus: &mut Bus<'_>,
    ) -> Result<(), CqeSyndrome> {
        for part in request.stretches(from, payload.len() as u64) {
            let Part::Memory(span) = part else { continue };
            let pieces = translate(&self.memory_keys, qp.asker(), span, Right::LocalWrite);
            for (address, length) in pieces.map_err(|_| CqeSyndrome::LocalProtectionError)? {
                let (now, rest) = payload.split_at((length as usize).min(payload.len()));
                write_host!(bus, address, now, "scatter of the read data", "")
                    .map_err(|_| CqeSyndrome::LocalQpOperationError)?;
                payload = rest;
            }
        }
        Ok(())
    }
    // ANCHOR_END: card_requester_answer

    // ANCHOR: card_requester_complete
    /// The message is done: a CQE if one was asked for, and on to the next.
    pub(crate) fn complete_message(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(message) = qp.message.take() else {
            return;
        };
        let request = &message.request;
        if request.opcode != SendOpcode::Nop {
            let next = message.first_psn.wrapping_add(message.packets as u32);
            qp.context.set_last_acked_psn(next.wrapping_sub(1) & PSN_MASK);
            qp.next_send_psn = next & PSN_MASK;
        }
        if !request.signaled {
            return;
        }
        let mut cqe = Cqe::zeroed();
        cqe.set_user_index(qp.user_index());
        cqe.set_send_opcode(request.raw_opcode.into());
        cqe.set_qpn(qp.qpn);
        cqe.wqe_counter = U16::new(request.index);
        cqe.set_opcode(CqeOpcode::Requester.code());
        if message.is_read() {
            cqe.byte_cnt = U32::new(request.length as u32);
        }
        let entry =
            Entry { bytes: zerocopy::transmute!(cqe), layout: Cqe::LAYOUT.name, wakes: false };
        if !self.complete(qp.context.cqn_snd(), entry, bus) {
            self.enter_error(qp, bus);
        }
    }

    /// The message failed: an error CQE, and the queue pair goes to the error state.
    pub(crate) fn fail_message(
        &mut self,
        qp: &mut QueuePair,
        syndrome: CqeSyndrome,
        bus: &mut Bus<'_>,
    ) {
        let Some(message) = qp.message.take() else {
            return;
        };
        let failure = Failure {
            syndrome,
            index: message.request.index,
            opcode: Some(message.request.raw_opcode),
        };
        self.complete_with_error(qp, failure, bus);
        self.enter_error(qp, bus);
    }
    // ANCHOR_END: card_requester_complete
}

/// What a NAK means for the requester; `None` for "send again".
fn refusal(detail: u32) -> Option<CqeSyndrome> {
    match NakCode::from_code(detail as u8) {
        Some(NakCode::PsnSequenceError) => None,
        Some(NakCode::InvalidRequest) => Some(CqeSyndrome::RemoteInvalidRequest),
        Some(NakCode::RemoteAccessError) => Some(CqeSyndrome::RemoteAccessError),
        Some(NakCode::RemoteOperationalError) => Some(CqeSyndrome::RemoteOperationError),
        Some(NakCode::InvalidRdRequest) | None => Some(CqeSyndrome::BadResponseError),
    }
}

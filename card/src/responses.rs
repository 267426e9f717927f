//! The requester's other half: what the answers to its messages mean.
//!
//! An answer to packet n says something about all packets before it, too: they have arrived. What was
//! sent or written with them is done; a read or an atomic among them has lost its answer, and is asked
//! for again.

use crate::card::Card;
use crate::counters::Counted;
use crate::dma::{Bus, PROBE_GROUP, write_host};
use crate::packets::Packet;
use crate::queue_pair::QueuePair;
use crate::translation::{Right, translate};
use crate::window::Ending;
use crate::work_request::{Part, WorkRequest};
use doorbell_prm::commands::QpState;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::{AETH_ACK, AETH_RNR_NAK, BthOpcode, NakCode};
use doorbell_tracer::{Value, probe};

/// `rnr_retry` of a queue pair that never gives up.
const RNR_RETRY_FOREVER: u8 = 7;

impl Card {
    // ANCHOR: card_requester_answer
    /// Takes an acknowledgement, a refusal, or what a read or an atomic fetched. One that no packet
    /// under way can have caused is ignored: it is an old one that was late.
    pub(crate) fn take_response(&mut self, qp: &mut QueuePair, packet: Packet, bus: &mut Bus<'_>) {
        let Some(index) = qp.window.find(packet.psn) else { return };
        if packet.opcode != BthOpcode::Acknowledge {
            return self.take_fetched(qp, index, packet, bus);
        }
        let Some(answer) = packet.acknowledgement else {
            return;
        };
        if answer.kind == AETH_ACK {
            self.acknowledge(qp, packet.psn.wrapping_add(1), bus);
            return;
        }
        // A refusal acknowledges all before it.
        if !self.acknowledge(qp, packet.psn, bus) {
            return;
        }
        match (answer.kind, refusal(answer.detail)) {
            (AETH_RNR_NAK, _) => self.take_not_ready(qp, answer.detail, bus),
            (_, Some(syndrome)) => self.end_message(qp, 0, Ending::Failed(syndrome), bus),
            (_, None) => {
                self.count(qp, Counted::SequenceError);
                self.retry(qp, "the other side missed a packet: sent again", bus);
            }
        }
    }

    /// All packets before `end` have arrived: what they sent or wrote is done. `false` when one of
    /// them is a read or an atomic whose answer is missing, or when the queue pair has failed.
    fn acknowledge(&mut self, qp: &mut QueuePair, end: u32, bus: &mut Bus<'_>) -> bool {
        while let Some(oldest) = qp.window.messages.front_mut() {
            let arrived = oldest.place(end).min(oldest.packets);
            if arrived <= oldest.answered {
                break;
            }
            if oldest.fetches() {
                self.retry(qp, "an answer was lost: asked for again", bus);
                return false;
            }
            oldest.note_answered(arrived);
            let done = arrived == oldest.packets;
            self.note_progress(qp);
            if done {
                self.end_message(qp, 0, Ending::Done, bus);
            }
        }
        qp.state == QpState::ReadyToSend
    }

    /// Something was answered: patience begins anew.
    fn note_progress(&self, qp: &mut QueuePair) {
        let late_at = self.answer_deadline(qp);
        let window = &mut qp.window;
        (window.tries, window.not_ready_tries, window.went_back) = (0, 0, false);
        window.late_at = late_at;
    }

    /// Takes a packet of what a read fetched, or the value that an atomic found, and scatters it.
    /// There are no others in between: of an answer that is ahead, something is missing.
    fn take_fetched(
        &mut self,
        qp: &mut QueuePair,
        index: usize,
        packet: Packet,
        bus: &mut Bus<'_>,
    ) {
        let message = &qp.window.messages[index];
        let is_atomic = packet.opcode == BthOpcode::AtomicAcknowledge;
        if !message.fetches() || is_atomic != message.request.operands.is_some() {
            return;
        }
        let first_psn = message.first_psn;
        if !self.acknowledge(qp, first_psn, bus) {
            return;
        }
        let message = &qp.window.messages[0];
        let place = message.place(packet.psn);
        if place != message.answered {
            return self.retry(qp, "a part of the answer was lost: asked for again", bus);
        }
        let mtu = qp.mtu() as u64;
        let bytes = match packet.original {
            Some(original) => Some(self.atomic_result(original)),
            None => is_right_piece(&packet, place, message.packets, message.request.length, mtu)
                .then_some(packet.payload),
        };
        let Some(bytes) = bytes else {
            return self.end_message(qp, 0, Ending::Failed(CqeSyndrome::BadResponseError), bus);
        };
        if let Err(syndrome) = self.scatter_fetched(qp, &message.request, place * mtu, &bytes, bus)
        {
            return self.end_message(qp, 0, Ending::Failed(syndrome), bus);
        }
        let message = &mut qp.window.messages[0];
        message.note_answered(place + 1);
        let done = message.answered == message.packets;
        self.note_progress(qp);
        if done {
            self.end_message(qp, 0, Ending::Done, bus);
        }
    }

    fn scatter_fetched(
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

    // ANCHOR: card_requester_retry
    /// The other side had no receive posted.
    fn take_not_ready(&mut self, qp: &mut QueuePair, timer: u32, bus: &mut Bus<'_>) {
        self.count(qp, Counted::NotReadyAnswer);
        let resume_at = self.ready_again(timer);
        let limit = qp.context.rnr_retry();
        let window = &mut qp.window;
        let left = limit.saturating_sub(window.not_ready_tries);
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
            let failed = Ending::Failed(CqeSyndrome::RnrRetryExceeded);
            return self.end_message(qp, 0, failed, bus);
        }
        if limit < RNR_RETRY_FOREVER {
            window.not_ready_tries += 1;
        }
        window.go_back();
        window.parked = limit == RNR_RETRY_FOREVER || resume_at.is_some();
        window.resume_at = resume_at;
    }

    /// The answer is late, or can no longer come: sends again, or gives up.
    pub(crate) fn time_out(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        self.count(qp, Counted::Timeout);
        qp.window.went_back = false;
        self.retry(qp, "no answer: sent again", bus);
    }

    /// Goes back to the first packet without an answer, or gives up. One gap makes many packets
    /// come out of order: until there is progress, only the timeout makes the card go back again.
    fn retry(&mut self, qp: &mut QueuePair, why: &'static str, bus: &mut Bus<'_>) {
        if qp.window.went_back {
            return;
        }
        let left = qp.context.retry_count().saturating_sub(qp.window.tries);
        if left == 0 {
            let failed = Ending::Failed(CqeSyndrome::TransportRetryExceeded);
            return self.end_message(qp, 0, failed, bus);
        }
        qp.window.tries += 1;
        qp.window.go_back();
        probe!(
            bus.tracer,
            note(
                why,
                [
                    ("qpn", Value::Hex(qp.qpn.into())),
                    ("retries left", Value::from(u32::from(left - 1))),
                ]
            )
        );
    }
    // ANCHOR_END: card_requester_retry
}

/// Whether a packet of a read's answer is long enough for its place, and ends the answer where it
/// should. One that begins the answer anew may come at any place: a read whose answer was lost
/// in part asks for the rest.
fn is_right_piece(packet: &Packet, place: u64, packets: u64, length: u64, mtu: u64) -> bool {
    use BthOpcode::{ReadResponseFirst, ReadResponseLast, ReadResponseOnly};
    let begins = matches!(packet.opcode, ReadResponseFirst | ReadResponseOnly);
    let ends = matches!(packet.opcode, ReadResponseLast | ReadResponseOnly);
    (begins || place > 0)
        && ends == (place + 1 == packets)
        && packet.payload.len() as u64 == mtu.min(length - place * mtu)
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

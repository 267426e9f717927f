//! The requester: sends a message packet by packet, and waits for the answer.
//!
//! This card lets each message be answered before it begins the next of the same queue pair; a
//! ConnectX keeps many under way. Without a clock (see [`crate::time`]) a retry that a ConnectX
//! would make after a while is made at once, and an answer counts as lost when nothing is left
//! that could still bring it. Retry counts are kept.

use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP, read_host};
use crate::packets::{PSN_MASK, Packet, RemoteMemory};
use crate::queue_pair::QueuePair;
use crate::translation::{Right, Span, check, translate};
use crate::work_request::{Part, WorkRequest};
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::BthOpcode;
use doorbell_prm::wqe::SendOpcode;
use doorbell_tracer::{Value, probe};

/// The request that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) request: WorkRequest,
    pub(crate) first_psn: u32,
    /// Packet sequence numbers that the message takes: packets of data, either way.
    pub(crate) packets: u64,
    /// Request packets sent; 1 for a read.
    pub(crate) sent: u64,
    /// Response packets of a read that came in.
    pub(crate) received: u64,
    /// All is sent; the answer is not here yet.
    pub(crate) waiting: bool,
    /// The other side is not ready: not before `resume_at`, when there is a clock.
    pub(crate) parked: bool,
    pub(crate) resume_at: Option<u64>,
    /// When the answer is late, when there is a clock.
    pub(crate) late_at: Option<u64>,
    /// Retries left after a lost packet or answer.
    pub(crate) retries: u8,
    /// Retries left after "not ready".
    pub(crate) rnr_retries: u8,
}

/// `rnr_retry` of a queue pair that never gives up.
pub(crate) const RNR_RETRY_FOREVER: u8 = 7;

impl Message {
    pub(crate) fn new(request: WorkRequest, qp: &QueuePair) -> Self {
        Self {
            packets: request.length.div_ceil(qp.mtu() as u64).max(1),
            first_psn: qp.next_send_psn,
            sent: 0,
            received: 0,
            waiting: false,
            parked: false,
            resume_at: None,
            late_at: None,
            retries: qp.context.retry_count(),
            rnr_retries: qp.context.rnr_retry(),
            request,
        }
    }

    pub(crate) fn is_read(&self) -> bool {
        self.request.opcode == SendOpcode::RdmaRead
    }

    /// Places in the message, counted in packets, of a packet sequence number.
    pub(crate) fn place(&self, psn: u32) -> u64 {
        u64::from(psn.wrapping_sub(self.first_psn) & PSN_MASK)
    }

    /// Goes back to packet `place`, to send from there again.
    pub(crate) fn rewind(&mut self, place: u64) {
        self.sent = if self.is_read() { 0 } else { place.min(self.sent) };
        self.received = 0;
        self.waiting = false;
    }
}

impl Card {
    // ANCHOR: card_requester_checks
    /// Checks a new message as far as this side can: its length, and every key it uses.
    pub(crate) fn check_message(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(message) = &qp.message else { return };
        let request = &message.request;
        if request.length > 1 << qp.context.log_msg_max() {
            return self.fail_message(qp, CqeSyndrome::LocalLengthError, bus);
        }
        let right = match request.opcode {
            SendOpcode::RdmaRead => Right::LocalWrite,
            _ => Right::LocalRead,
        };
        for part in &request.parts {
            let Part::Memory(span) = part else { continue };
            if let Err(fault) = check(&self.memory_keys, qp.asker(), *span, right) {
                self.tell_key_fault(*span, fault, bus);
                return self.fail_message(qp, CqeSyndrome::LocalProtectionError, bus);
            }
        }
        if request.opcode == SendOpcode::Nop {
            self.complete_message(qp, bus);
        }
    }

    pub(crate) fn tell_key_fault(
        &self,
        span: Span,
        fault: crate::translation::KeyFault,
        bus: &Bus<'_>,
    ) {
        probe!(
            bus.tracer,
            note(
                fault.text(),
                [
                    ("key", Value::Hex(span.key.into())),
                    ("address", Value::Hex(span.address)),
                    ("length", Value::Number(span.length)),
                ]
            )
        );
    }
    // ANCHOR_END: card_requester_checks

    // ANCHOR: card_requester_send
    /// Sends the next packet of the message under way.
    pub(crate) fn send_next_packet(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(message) = &qp.message else { return };
        let (place, packets) = (message.sent, message.packets);
        let packet = match message.is_read() {
            true => Ok(read_request(qp, message)),
            false => self.data_packet(qp, message, bus),
        };
        let packet = match packet {
            Ok(packet) => packet,
            Err(syndrome) => return self.fail_message(qp, syndrome, bus),
        };
        self.transmit(qp, &packet, bus);
        let late_at = self.answer_deadline(qp);
        if let Some(message) = &mut qp.message {
            message.late_at = late_at;
            message.sent = place + 1;
            message.waiting = message.is_read() || message.sent == packets;
        }
    }

    /// Packet number `message.sent` of a send or write, with the bytes that belong into it.
    fn data_packet(
        &self,
        qp: &QueuePair,
        message: &Message,
        bus: &mut Bus<'_>,
    ) -> Result<Packet, CqeSyndrome> {
        let request = &message.request;
        let mtu = qp.mtu() as u64;
        let from = message.sent * mtu;
        let length = mtu.min(request.length - from);
        let (first, last) = (message.sent == 0, message.sent + 1 == message.packets);
        let opcode = data_opcode(request.opcode, first, last);
        let psn = message.first_psn.wrapping_add(message.sent as u32);
        let mut packet = Packet::new(opcode, qp.context.remote_qpn(), psn);
        packet.acknowledge_request = last;
        packet.solicited = last && request.solicited;
        if opcode.has_reth() {
            packet.memory = remote_memory(request);
        }
        if opcode.has_immediate() {
            packet.immediate = Some(request.immediate);
        }
        packet.payload = self.gather(qp, request, from, length, bus)?;
        Ok(packet)
    }

    /// Collects bytes of a message, from the WQE itself or by DMA.
    pub(crate) fn gather(
        &self,
        qp: &QueuePair,
        request: &WorkRequest,
        from: u64,
        length: u64,
        bus: &mut Bus<'_>,
    ) -> Result<Vec<u8>, CqeSyndrome> {
        let mut payload = Vec::with_capacity(length as usize);
        for part in request.stretches(from, length) {
            let span = match part {
                Part::Inline(bytes) => {
                    payload.extend(bytes);
                    continue;
                }
                Part::Memory(span) => span,
            };
            let pieces = translate(&self.memory_keys, qp.asker(), span, Right::LocalRead);
            for (address, length) in pieces.map_err(|_| CqeSyndrome::LocalProtectionError)? {
                let begin = payload.len();
                payload.resize(begin + length as usize, 0);
                let into = &mut payload[begin..];
                read_host!(bus, address, into, "gather of the message", "")
                    .map_err(|_| CqeSyndrome::LocalQpOperationError)?;
            }
        }
        Ok(payload)
    }
    // ANCHOR_END: card_requester_send
}

fn read_request(qp: &QueuePair, message: &Message) -> Packet {
    let opcode = BthOpcode::ReadRequest;
    let mut packet = Packet::new(opcode, qp.context.remote_qpn(), message.first_psn);
    packet.memory = remote_memory(&message.request);
    packet
}

fn remote_memory(request: &WorkRequest) -> Option<RemoteMemory> {
    let (address, rkey) = request.remote?;
    let length = request.length as u32;
    Some(RemoteMemory { address, rkey, length })
}

/// The packet opcode of a send or write, by its place in the message.
fn data_opcode(opcode: SendOpcode, first: bool, last: bool) -> BthOpcode {
    use BthOpcode::*;
    match (opcode, first, last) {
        (SendOpcode::RdmaWrite, true, true) => WriteOnly,
        (SendOpcode::RdmaWriteImmediate, true, true) => WriteOnlyImmediate,
        (SendOpcode::RdmaWrite | SendOpcode::RdmaWriteImmediate, true, false) => WriteFirst,
        (SendOpcode::RdmaWrite | SendOpcode::RdmaWriteImmediate, false, false) => WriteMiddle,
        (SendOpcode::RdmaWrite, false, true) => WriteLast,
        (SendOpcode::RdmaWriteImmediate, false, true) => WriteLastImmediate,
        (SendOpcode::SendImmediate, true, true) => SendOnlyImmediate,
        (SendOpcode::SendImmediate, false, true) => SendLastImmediate,
        (_, true, true) => SendOnly,
        (_, true, false) => SendFirst,
        (_, false, false) => SendMiddle,
        (_, false, true) => SendLast,
    }
}

/// The packet opcode of a read response, by its place in the message.
pub(crate) fn read_response_opcode(first: bool, last: bool) -> BthOpcode {
    match (first, last) {
        (true, true) => BthOpcode::ReadResponseOnly,
        (true, false) => BthOpcode::ReadResponseFirst,
        (false, false) => BthOpcode::ReadResponseMiddle,
        (false, true) => BthOpcode::ReadResponseLast,
    }
}

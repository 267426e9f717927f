//! The requester: checks a message, and sends it packet by packet.
//!
//! Several messages of a queue pair may be under way, see [`crate::window`]. The last packet of each
//! asks for an acknowledgement, and in a long message one packet now and then.

use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP, read_host};
use crate::packets::{AtomicOperation, Packet, RemoteMemory};
use crate::queue_pair::QueuePair;
use crate::translation::{Right, Span, check, translate};
use crate::window::{Ending, Message, UNASKED};
use crate::work_request::{Part, WorkRequest};
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::BthOpcode;
use doorbell_prm::wqe::SendOpcode;
use doorbell_tracer::{Value, probe};

impl Card {
    // ANCHOR: card_requester_checks
    /// Starts the newest message, unless a fence holds it back until all reads and atomics before
    /// it are answered.
    pub(crate) fn start_message(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        if qp.window.is_fenced() {
            return;
        }
        if let Some(message) = qp.window.messages.back_mut() {
            message.started = true;
        }
        self.check_message(qp, bus);
        if qp.is_datagram() {
            self.send_datagram(qp, bus);
        }
    }

    /// Checks a new message as far as this side can: its length, and every key it uses.
    fn check_message(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(message) = qp.window.messages.back() else { return };
        let request = &message.request;
        if request.length > 1 << qp.context.log_msg_max() {
            return self.fail_message(qp, CqeSyndrome::LocalLengthError, bus);
        }
        let right = match request.fetches() {
            true => Right::LocalWrite,
            false => Right::LocalRead,
        };
        for part in &request.parts {
            let Part::Memory(span) = part else { continue };
            if let Err(fault) = check(&self.memory_keys, qp.asker(), *span, right) {
                self.tell_key_fault(*span, fault, bus);
                return self.fail_message(qp, CqeSyndrome::LocalProtectionError, bus);
            }
        }
        match request.opcode {
            SendOpcode::Nop => self.complete_message(qp, bus),
            SendOpcode::Umr => self.change_key(qp, bus),
            _ => {}
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
    /// Sends the next packet of the oldest message that has one.
    pub(crate) fn send_next_packet(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(index) = qp.may_send() else { return };
        let message = &qp.window.messages[index];
        let packet = match message.request.opcode {
            SendOpcode::RdmaRead => Ok(read_request(qp, message)),
            _ if message.fetches() => Ok(atomic_request(qp, message)),
            _ => self.data_packet(qp, message, bus),
        };
        let packet = match packet {
            Ok(packet) => packet,
            Err(syndrome) => {
                return self.end_message(qp, index, Ending::Failed(syndrome), bus);
            }
        };
        self.transmit(qp, &packet, bus);
        let late_at = self.answer_deadline(qp);
        let window = &mut qp.window;
        window.unasked = if packet.acknowledge_request { 0 } else { window.unasked + 1 };
        if !window.waits_for_answer() {
            window.late_at = late_at;
        }
        let message = &mut window.messages[index];
        match message.fetches() {
            true => message.note_sent(message.packets),
            false => message.note_sent(message.sent + 1),
        }
        if !qp.is_reliable() {
            // No answer will come: what is sent is done.
            let message = &mut qp.window.messages[index];
            message.note_answered(message.sent);
            if message.sent == message.packets {
                self.end_message(qp, index, Ending::Done, bus);
            }
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
        let psn = message.psn(message.sent);
        let mut packet = Packet::new(opcode, qp.context.remote_qpn(), psn);
        packet.acknowledge_request = last || qp.window.unasked + 1 >= unasked_limit(qp);
        packet.receiver = request.receiver;
        packet.solicited = last && request.solicited;
        if opcode.has_reth() {
            packet.memory = remote_memory(request, 0);
        }
        if opcode.has_immediate() {
            packet.immediate = Some(request.immediate);
        }
        if opcode.has_invalidate() {
            packet.invalidate = Some(u32::from_be_bytes(request.immediate));
        }
        packet.payload = self.gather(qp, request, from, length, bus)?;
        if !qp.is_reliable() {
            let unreliable = CqeSyndrome::LocalQpOperationError;
            packet.opcode = opcode.unreliable().ok_or(unreliable)?;
            packet.acknowledge_request = false;
        }
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

/// How many packets may go before one asks for an acknowledgement. The context has a logarithm;
/// 0, as in one that names none, is taken for the most this card allows.
fn unasked_limit(qp: &QueuePair) -> u64 {
    match qp.context.log_ack_req_freq() {
        0 => UNASKED,
        log => UNASKED.min(1 << log),
    }
}

/// Asks for a read's data, from the first packet of it that is missing.
fn read_request(qp: &QueuePair, message: &Message) -> Packet {
    let psn = message.psn(message.answered);
    let mut packet = Packet::new(BthOpcode::ReadRequest, qp.context.remote_qpn(), psn);
    packet.memory = remote_memory(&message.request, message.answered * qp.mtu() as u64);
    packet.receiver = message.request.receiver;
    packet
}

fn atomic_request(qp: &QueuePair, message: &Message) -> Packet {
    let request = &message.request;
    let opcode = match request.opcode {
        SendOpcode::AtomicCompareSwap => BthOpcode::CompareSwap,
        _ => BthOpcode::FetchAdd,
    };
    let mut packet = Packet::new(opcode, qp.context.remote_qpn(), message.first_psn);
    packet.receiver = request.receiver;
    let operands = request.remote.zip(request.operands);
    packet.atomic = operands.map(|((address, rkey), operands)| AtomicOperation {
        address,
        rkey,
        swap_add: operands.swap_add,
        compare: operands.compare,
    });
    packet
}

/// The remote memory of a request, without its first bytes.
fn remote_memory(request: &WorkRequest, skip: u64) -> Option<RemoteMemory> {
    let (address, rkey) = request.remote?;
    let length = request.length.saturating_sub(skip) as u32;
    Some(RemoteMemory { address: address.wrapping_add(skip), rkey, length })
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
        (SendOpcode::SendInvalidate, true, true) => SendOnlyInvalidate,
        (SendOpcode::SendInvalidate, false, true) => SendLastInvalidate,
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

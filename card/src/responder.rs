//! The responder: carries out what the other side asks for, and answers.

use crate::answers::{ACKNOWLEDGED, Answer, Owed};
use crate::card::Card;
use crate::counters::Counted;
use crate::dma::{Bus, write_host};
use crate::fabric::drop_packet;
use crate::packets::{PSN_MASK, Packet};
use crate::queue_pair::QueuePair;
use crate::receive_queue::Receive;
use crate::translation::{Asker, MemoryKeys, Right, Span, check, translate};
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::roce::{AETH_NAK, BthOpcode, NakCode};

/// The message that is coming in.
#[derive(Debug, Clone)]
pub(crate) enum Inbound {
    /// A send, into the receive that it took.
    Send { receive: Receive, written: u64 },
    /// A write, into the memory that its first packet named.
    Write { memory: Span, written: u64 },
}

impl Inbound {
    /// Index of the receive WQE that the message holds.
    pub(crate) fn receive_index(&self) -> Option<u16> {
        match self {
            Self::Send { receive, .. } => Some(receive.index),
            Self::Write { .. } => None,
        }
    }
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    /// Nothing was posted to receive into.
    NotReady,
    /// The request is refused, and the queue pair fails.
    Nak(NakCode),
    /// The same, and the receive that the message holds fails with this.
    Receive(NakCode, CqeSyndrome),
    /// The queue pair's own memory cannot be read.
    Broken(&'static str),
}

/// A request that is none here: malformed, or of a kind that the queue pair does not allow, whatever its key
/// says. (rxe's `check_op_valid` before its `check_rkey`.)
pub(crate) const INVALID: Refusal = Refusal::Nak(NakCode::InvalidRequest);
/// A key, a range or a right of memory that does not serve.
pub(crate) const ACCESS: Refusal = Refusal::Nak(NakCode::RemoteAccessError);
pub(crate) const OPERATIONAL: Refusal = Refusal::Nak(NakCode::RemoteOperationalError);

impl Card {
    // ANCHOR: card_responder
    /// Takes a request: the one expected is carried out, an old one is answered again, and one
    /// from the future means that a packet was lost. That is said once; what follows is dropped
    /// until the packet comes that was asked for.
    pub(crate) fn take_request(&mut self, qp: &mut QueuePair, packet: Packet, bus: &mut Bus<'_>) {
        let ahead = packet.psn.wrapping_sub(qp.expected_psn) & PSN_MASK;
        if ahead == 0 {
            qp.refused = false;
            return self.carry_out(qp, packet, bus);
        }
        if ahead < PSN_MASK / 2 {
            self.count(qp, Counted::OutOfSequence);
            if !qp.refused {
                let (psn, code) = (qp.expected_psn, NakCode::PsnSequenceError);
                self.answer(qp, psn, (AETH_NAK, code.code().into()), bus);
            }
            return;
        }
        self.count(qp, Counted::Duplicate);
        self.answer_again(qp, packet, bus);
    }

    fn carry_out(&mut self, qp: &mut QueuePair, packet: Packet, bus: &mut Bus<'_>) {
        let owed = match self.serve(qp, &packet, bus) {
            Ok(owed) => owed,
            Err(refusal) => return self.refuse(qp, packet.psn, refusal, bus),
        };
        self.count(qp, Counted::Request(packet.opcode));
        let span = owed.as_ref().map_or(1, Owed::packets);
        qp.expected_psn = qp.expected_psn.wrapping_add(span as u32) & PSN_MASK;
        if owed.is_some() || ends_message(packet.opcode) {
            qp.msn = qp.msn.wrapping_add(1) & PSN_MASK;
        }
        match owed {
            Some(owed) => qp.owe(owed.psn, owed.what),
            None if packet.acknowledge_request => qp.owe(packet.psn, ACKNOWLEDGED),
            None => {}
        }
    }

    /// Carries out a request; tells what its answer is, when it is more than an acknowledgement.
    fn serve(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> Result<Option<Owed>, Refusal> {
        let fetches = packet.opcode == BthOpcode::ReadRequest || packet.opcode.has_atomic();
        if fetches && (qp.inbound.is_some() || !qp.has_room_to_answer()) {
            return Err(INVALID);
        }
        match packet.opcode {
            BthOpcode::ReadRequest => self.begin_read(qp, packet, bus).map(Some),
            _ if fetches => self.execute_atomic(qp, packet, bus).map(Some),
            _ => self.take_data(qp, packet, bus).map(|()| None),
        }
    }

    /// Answers a request that was carried out before. A send or write is not carried out again, and
    /// an atomic neither: what it found was kept. A read is; it changes nothing. None of them is refused:
    /// the connection may have gone on long ago.
    fn answer_again(&mut self, qp: &mut QueuePair, packet: Packet, bus: &mut Bus<'_>) {
        let psn = packet.psn;
        match packet.opcode {
            BthOpcode::ReadRequest => match self.begin_read(qp, &packet, bus) {
                Ok(owed) if owed.packets() <= qp.behind(psn).into() => qp.owe_again(owed),
                Ok(_) => {
                    drop_packet("a read that was never asked for is not repeated", qp.qpn, bus)
                }
                // It may only be late: the other side has had its answer, and has closed the memory since.
                Err(_) => drop_packet("a read that comes again may read no longer", qp.qpn, bus),
            },
            _ if packet.opcode.has_atomic() => match qp.found_by(psn) {
                Some(original) => {
                    let what = Answer::Atomic(original);
                    qp.owe_again(Owed { psn, msn: qp.msn, what, again: true });
                }
                None => drop_packet("an atomic is not done twice: its result is gone", qp.qpn, bus),
            },
            _ if packet.acknowledge_request => {
                qp.owe(qp.expected_psn.wrapping_sub(1), ACKNOWLEDGED);
            }
            _ => {}
        }
    }

    /// One packet of a send or write.
    pub(crate) fn take_data(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> Result<(), Refusal> {
        let (first, last) = (begins_message(packet.opcode), ends_message(packet.opcode));
        let length = packet.payload.len();
        // All packets but the last are full, and only a lone one may be empty.
        let fits = match (first, last) {
            (_, false) => length == qp.mtu(),
            (true, true) => length <= qp.mtu(),
            (false, true) => (1..=qp.mtu()).contains(&length),
        };
        if !fits || first != qp.inbound.is_none() {
            return Err(INVALID);
        }
        match is_send(packet.opcode) {
            true => self.take_send(qp, packet, bus),
            false => self.take_write(qp, packet, bus),
        }
    }
    // ANCHOR_END: card_responder

    // ANCHOR: card_responder_send
    fn take_send(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> Result<(), Refusal> {
        let (receive, written) = match qp.inbound.take() {
            None => (self.take_receive(qp, bus)?, 0),
            Some(Inbound::Send { receive, written }) => (receive, written),
            Some(write) => {
                qp.inbound = Some(write);
                return Err(INVALID);
            }
        };
        let done = self.scatter(qp, &receive, written, &packet.payload, bus);
        let length = written + packet.payload.len() as u64;
        if done.is_err() || !ends_message(packet.opcode) {
            qp.inbound = Some(Inbound::Send { receive, written: length });
            return done;
        }
        if self.invalidate_asked(qp, receive.index, packet, bus) {
            self.complete_receive(qp, receive.index, length, packet, bus);
        }
        Ok(())
    }
    // ANCHOR_END: card_responder_send

    // ANCHOR: card_responder_write
    /// A write: its first packet names the memory, and all of it is checked before the first
    /// byte is written.
    fn take_write(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> Result<(), Refusal> {
        let (memory, written) = match (&qp.inbound, packet.memory) {
            (None, Some(_)) => (self.writable(qp, packet, bus)?, 0),
            (Some(Inbound::Write { memory, written }), None) => (*memory, *written),
            _ => return Err(INVALID),
        };
        let length = written + packet.payload.len() as u64;
        let last = ends_message(packet.opcode);
        if length > memory.length || last && length != memory.length {
            return Err(INVALID);
        }
        // Immediate data needs a receive; without one, nothing of the packet is carried out.
        let receive = match packet.immediate {
            Some(_) => Some(self.take_receive(qp, bus)?),
            None => None,
        };
        let span = Span {
            address: memory.address.wrapping_add(written),
            length: packet.payload.len() as u64,
            ..memory
        };
        if let Err(refusal) = self.write_remote(qp, span, &packet.payload, bus) {
            // The receive was not used: it is flushed with the others, or serves the next message.
            match receive {
                Some(receive) if qp.is_reliable() => self.untake_receive(qp, &receive),
                Some(receive) => qp.spare = Some(receive),
                None => {}
            }
            return Err(refusal);
        }
        let unfinished = Inbound::Write { memory, written: length };
        qp.inbound = (!last).then_some(unfinished);
        if let Some(receive) = receive {
            self.complete_receive(qp, receive.index, length, packet, bus);
        }
        Ok(())
    }

    fn write_remote(
        &self,
        qp: &QueuePair,
        span: Span,
        mut payload: &[u8],
        bus: &mut Bus<'_>,
    ) -> Result<(), Refusal> {
        for (address, length) in
            translated(&self.memory_keys, qp.asker(), span, Right::RemoteWrite)?
        {
            let (now, rest) = payload.split_at((length as usize).min(payload.len()));
            write_host!(bus, address, now, "RDMA write into memory", "")
                .map_err(|_| OPERATIONAL)?;
            payload = rest;
        }
        Ok(())
    }

    fn writable(&self, qp: &QueuePair, packet: &Packet, bus: &Bus<'_>) -> Result<Span, Refusal> {
        let span = remote_span(packet).ok_or(INVALID)?;
        if !qp.context.rwe() {
            return Err(INVALID);
        }
        self.granted(qp, span, Right::RemoteWrite, bus)
    }

    /// The span, if its key allows this. A span without bytes needs no key.
    pub(crate) fn granted(
        &self,
        qp: &QueuePair,
        span: Span,
        right: Right,
        bus: &Bus<'_>,
    ) -> Result<Span, Refusal> {
        if span.length == 0 {
            return Ok(span);
        }
        match check(&self.memory_keys, qp.asker(), span, right) {
            Ok(_) => Ok(span),
            Err(fault) => {
                self.tell_key_fault(span, fault, bus);
                Err(ACCESS)
            }
        }
    }
    // ANCHOR_END: card_responder_write
}

pub(crate) fn translated(
    keys: &MemoryKeys,
    asker: Asker,
    span: Span,
    right: Right,
) -> Result<Vec<(u64, u64)>, Refusal> {
    match span.length {
        0 => Ok(Vec::new()),
        _ => translate(keys, asker, span, right).map_err(|_| ACCESS),
    }
}

pub(crate) fn remote_span(packet: &Packet) -> Option<Span> {
    let memory = packet.memory?;
    Some(Span { key: memory.rkey, address: memory.address, length: memory.length.into() })
}

fn is_send(opcode: BthOpcode) -> bool {
    opcode.operation().code() <= BthOpcode::SendOnlyImmediate.code() || opcode.has_invalidate()
}

pub(crate) fn begins_message(opcode: BthOpcode) -> bool {
    use BthOpcode::*;
    matches!(
        opcode.operation(),
        SendFirst
            | SendOnly
            | SendOnlyImmediate
            | SendOnlyInvalidate
            | WriteFirst
            | WriteOnly
            | WriteOnlyImmediate
    )
}

fn ends_message(opcode: BthOpcode) -> bool {
    use BthOpcode::*;
    matches!(
        opcode.operation(),
        SendLast
            | SendLastImmediate
            | SendLastInvalidate
            | SendOnlyInvalidate
            | SendOnly
            | SendOnlyImmediate
            | WriteLast
            | WriteLastImmediate
            | WriteOnly
            | WriteOnlyImmediate
    )
}

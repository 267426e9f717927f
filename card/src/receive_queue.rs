//! The receive queue: taking a receive WQE, filling it, and reporting it.

use crate::card::Card;
use crate::completion_queue::Entry;
use crate::dma::{Bus, read_host, write_host};
use crate::packets::Packet;
use crate::queue_pair::{Failure, QueuePair};
use crate::responder::Refusal;
use crate::shared_ring::SharedReceive;
use crate::translation::{Right, Span, translate};
use crate::work_request::data_span;
use doorbell_prm::Layout;
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::doorbell::{QpDoorbellRecord, RECEIVE_RECORD_OFFSET};
use doorbell_prm::roce::NakCode;
use doorbell_prm::wqe::{DataSegment, INVALID_LKEY, ReceiveSignature};
use doorbell_prm::zerocopy::{self, FromBytes, big_endian::U16, big_endian::U32};

/// A receive WQE that a message has taken.
#[derive(Debug, Clone)]
pub(crate) struct Receive {
    pub(crate) index: u16,
    pub(crate) scatter: Vec<Span>,
}

impl Receive {
    /// How many bytes fit.
    pub(crate) fn room(&self) -> u64 {
        self.scatter.iter().map(|part| part.length).sum()
    }
}

impl Card {
    // ANCHOR: card_receive
    /// Takes the next receive WQE. Posting a receive rings no doorbell register: the card looks
    /// at the doorbell record when it has used up what it knows of.
    pub(crate) fn take_receive(
        &mut self,
        qp: &mut QueuePair,
        bus: &mut Bus<'_>,
    ) -> Result<Receive, Refusal> {
        if let Some(spare) = qp.spare.take() {
            return Ok(spare);
        }
        if let Some(shared) = qp.shared_receive() {
            return self.take_shared(shared, bus);
        }
        if qp.receive.entries == 0 {
            return Err(Refusal::NotReady);
        }
        if qp.receive.pending() == 0 {
            read_receive_counter(qp, bus)?;
        }
        if qp.receive.pending() == 0 {
            return Err(Refusal::NotReady);
        }
        let index = qp.receive.consumer;
        let scatter = fetch(qp, index, bus)?;
        qp.receive.consumer = index.wrapping_add(1);
        Ok(Receive { index, scatter })
    }

    /// Gives the receive WQE that was taken last back, unused.
    pub(crate) fn untake_receive(&mut self, qp: &mut QueuePair, receive: &Receive) {
        let shared = qp.shared_receive().and_then(|number| self.shared_receives.get_mut(&number));
        match shared {
            Some(queue) => queue.untake(receive.index),
            None => qp.receive.consumer = receive.index,
        }
    }

    /// Writes bytes `from..` of a message to where its receive WQE says.
    pub(crate) fn scatter(
        &mut self,
        qp: &QueuePair,
        receive: &Receive,
        from: u64,
        mut payload: &[u8],
        bus: &mut Bus<'_>,
    ) -> Result<(), Refusal> {
        let protection =
            Refusal::Receive(NakCode::RemoteOperationalError, CqeSyndrome::LocalProtectionError);
        let mut skip = from;
        for part in &receive.scatter {
            if skip >= part.length {
                skip -= part.length;
                continue;
            }
            if payload.is_empty() {
                break;
            }
            let span = Span {
                address: part.address.wrapping_add(skip),
                length: (part.length - skip).min(payload.len() as u64),
                ..*part
            };
            skip = 0;
            let pieces = translate(&self.memory_keys, qp.asker(), span, Right::LocalWrite);
            let pieces = pieces.map_err(|fault| {
                self.tell_key_fault(span, fault, bus);
                protection
            })?;
            for (address, length) in pieces {
                let (now, rest) = payload.split_at((length as usize).min(payload.len()));
                write_host!(bus, address, now, "scatter of the message", "")
                    .map_err(|_| protection)?;
                payload = rest;
            }
        }
        match payload.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Receive(NakCode::InvalidRequest, CqeSyndrome::LocalLengthError)),
        }
    }

    /// Reports a message that came in whole.
    pub(crate) fn complete_receive(
        &mut self,
        qp: &mut QueuePair,
        index: u16,
        length: u64,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) {
        let opcode = match (packet.memory_is_written(), packet.immediate, packet.invalidate) {
            (true, _, _) => CqeOpcode::ResponderWriteImmediate,
            (false, Some(_), _) => CqeOpcode::ResponderSendImmediate,
            (false, None, Some(_)) => CqeOpcode::ResponderSendInvalidate,
            (false, None, None) => CqeOpcode::ResponderSend,
        };
        let mut cqe = Cqe::zeroed();
        let (cqn, user_index) = qp.receive_completions();
        cqe.set_user_index(user_index);
        cqe.set_rqpn(qp.context.remote_qpn());
        cqe.imm_inval_pkey = match packet.invalidate {
            Some(key) => key.into(),
            None => U32::from_bytes(packet.immediate.unwrap_or_default()),
        };
        cqe.byte_cnt = U32::new(length as u32);
        cqe.set_qpn(qp.qpn);
        cqe.wqe_counter = U16::new(index);
        cqe.set_opcode(opcode.code());
        cqe.set_solicited(packet.solicited.into());
        let entry = Entry {
            bytes: zerocopy::transmute!(cqe),
            layout: Cqe::LAYOUT.name,
            wakes: packet.solicited,
        };
        if !self.complete(cqn, entry, bus) {
            self.enter_error(qp, bus);
        }
    }

    /// Reports the receive that the incoming message holds as failed.
    pub(crate) fn fail_receive(
        &mut self,
        qp: &mut QueuePair,
        syndrome: CqeSyndrome,
        bus: &mut Bus<'_>,
    ) {
        if let Some(index) = qp.inbound.take().and_then(|inbound| inbound.receive_index()) {
            let opcode = None;
            self.complete_with_error(qp, Failure { syndrome, index, opcode }, bus);
        }
    }
    // ANCHOR_END: card_receive
}

// ANCHOR: card_receive_fetch
/// Learns from the doorbell record how far software got with its receives.
fn read_receive_counter(qp: &mut QueuePair, bus: &mut Bus<'_>) -> Result<(), Refusal> {
    let mut word = [0; 4];
    let address = qp.context.dbr_addr() + RECEIVE_RECORD_OFFSET as u64;
    read_host!(
        bus,
        address,
        &mut word,
        "receive counter of the doorbell record",
        "qp_doorbell_record"
    )
    .map_err(|_| Refusal::Broken("the doorbell record cannot be read"))?;
    let mut record = QpDoorbellRecord::zeroed();
    record.receive = U32::from_bytes(word);
    let known = qp.receive.producer;
    qp.receive.producer = record.receive_counter() as u16;
    if qp.receive.is_overdrawn() {
        // None of them is posted, so none of them is flushed.
        qp.receive.producer = known;
        return Err(Refusal::Broken("the doorbell record is ahead of the queue"));
    }
    Ok(())
}

/// Reads a receive WQE.
fn fetch(qp: &QueuePair, index: u16, bus: &mut Bus<'_>) -> Result<Vec<Span>, Refusal> {
    let mut wqe = vec![0; qp.receive.stride as usize];
    let mut done = 0;
    let signed = qp.context.wq_signature();
    for (address, length) in qp.buffer.pieces(qp.receive.place(index), qp.receive.stride) {
        let part = &mut wqe[done..done + length as usize];
        let read = match signed {
            true => read_host!(bus, address, part, "receive WQE fetch", "wqe_receive_signature"),
            false => read_host!(bus, address, part, "receive WQE fetch", "wqe_data_segment"),
        };
        read.map_err(|_| Refusal::Broken("the receive queue cannot be read"))?;
        done += length as usize;
    }
    // The signature is not looked at: which bytes a ConnectX counts in it is not public.
    let front = if signed { ReceiveSignature::SIZE } else { 0 };
    Ok(read_scatter(wqe.get(front..).unwrap_or_default()))
}

/// The data segments of a receive WQE, up to the one that ends the list, or to its end.
pub(crate) fn read_scatter(wqe: &[u8]) -> Vec<Span> {
    let segments = wqe.chunks_exact(DataSegment::SIZE);
    let segments = segments.filter_map(|bytes| DataSegment::ref_from_bytes(bytes).ok());
    let listed = segments.take_while(|segment| segment.lkey.get() != INVALID_LKEY);
    listed.map(data_span).collect()
}

/// The same for a shared receive queue.
pub(crate) fn read_shared_counter(
    queue: &mut SharedReceive,
    bus: &mut Bus<'_>,
) -> Result<(), Refusal> {
    let mut word = [0; 4];
    read_host!(
        bus,
        queue.record,
        &mut word,
        "counter of the shared receive queue's doorbell record",
        "qp_doorbell_record"
    )
    .map_err(|_| Refusal::Broken("the doorbell record cannot be read"))?;
    let known = queue.posted;
    queue.posted = u32::from_be_bytes(word) as u16;
    if u32::from(queue.pending()) > 1 << queue.log_entries {
        // None of them is posted, so the next message takes none of them.
        queue.posted = known;
        return Err(Refusal::Broken("the doorbell record is ahead of the queue"));
    }
    Ok(())
}

/// Reads a WQE of a shared receive queue, its next segment included.
pub(crate) fn fetch_shared(
    queue: &SharedReceive,
    index: u16,
    bus: &mut Bus<'_>,
) -> Result<Vec<u8>, Refusal> {
    let stride = 1_u64 << queue.log_stride;
    let mut wqe = vec![0; stride as usize];
    let mut done = 0;
    for (address, length) in queue.buffer.pieces(u64::from(index) * stride, stride) {
        let part = &mut wqe[done..done + length as usize];
        read_host!(bus, address, part, "shared receive WQE fetch", "wqe_srq_next_segment")
            .map_err(|_| Refusal::Broken("the shared receive queue cannot be read"))?;
        done += length as usize;
    }
    Ok(wqe)
}
// ANCHOR_END: card_receive_fetch

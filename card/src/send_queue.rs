//! The send queue: finding the next WQE, and reading it.

use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP, read_host};
use crate::host::DmaFault;
use crate::look::has_news;
use crate::queue_pair::{Failure, QueuePair};
use crate::work_request::{WorkRequest, read_work_request};
use doorbell_prm::commands::QpState;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::doorbell::QpDoorbellRecord;
use doorbell_prm::wqe::{ControlSegment, SEGMENT_UNIT, SEND_BLOCK, SendOpcode};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use doorbell_tracer::{Value, probe};

/// Why a WQE was not executed.
enum Refused {
    /// It makes no sense; its opcode is as found, and so many blocks of the ring are its own.
    Wqe { syndrome: CqeSyndrome, opcode: u8, blocks: u16 },
    /// The queue's memory cannot be read.
    Dma,
}

impl From<DmaFault> for Refused {
    fn from(_: DmaFault) -> Self {
        Self::Dma
    }
}

impl Card {
    // ANCHOR: card_send_doorbell
    /// Takes a write to a send doorbell: the first bytes of a control segment, or a whole WQE.
    ///
    /// The doorbell only says that there is something. How far software got is in the doorbell
    /// record, in host memory. A doorbell for a queue that is not there, or that belongs to
    /// another page, is ignored.
    pub(crate) fn ring_send_queue(&mut self, page: u32, bytes: Vec<u8>, bus: &mut Bus<'_>) {
        let Some((head, _)) = bytes.split_first_chunk::<8>() else {
            return;
        };
        let mut control = ControlSegment::zeroed();
        control.as_mut_bytes()[..8].copy_from_slice(head);
        let (qpn, index) = (control.qpn(), control.wqe_index() as u16);
        let found = self.queue_pairs.get(qpn);
        let known = found.is_some_and(|qp| qp.context.uar_page() == page && qp.send.entries > 0);
        if !known {
            probe!(
                bus.tracer,
                note(
                    "doorbell ignored: no such send queue on this page",
                    [("qpn", Value::Hex(qpn.into())), ("uar page", Value::Hex(page.into())),]
                )
            );
            return;
        }
        self.with_qp(qpn, |card, qp| {
            let whole = bytes.len() >= control.ds() as usize * SEGMENT_UNIT;
            let whole = bytes.len() >= SEND_BLOCK && whole && control.ds() > 0;
            card.notice_posted(qp, whole.then_some((index, bytes)), bus);
        });
    }

    /// Learns from the doorbell record what was posted to a send queue.
    pub(crate) fn notice_posted(
        &mut self,
        qp: &mut QueuePair,
        blueflame: Option<(u16, Vec<u8>)>,
        bus: &mut Bus<'_>,
    ) {
        if !matches!(qp.state, QpState::ReadyToSend | QpState::Error) {
            probe!(
                bus.tracer,
                note(
                    "doorbell ignored: the queue pair is not ready to send",
                    [("qpn", Value::Hex(qp.qpn.into())), ("state", Value::from(qp.state.label()))]
                )
            );
            return;
        }
        if qp.state == QpState::Error {
            qp.recheck = true;
            return;
        }
        let known = qp.send.producer;
        if read_send_counter(qp, bus).is_err() {
            return self.catastrophe(qp, "the doorbell record cannot be read", bus);
        }
        if qp.send.is_overdrawn() {
            // None of them is posted, so none of them is flushed.
            qp.send.producer = known;
            return self.catastrophe(qp, "the doorbell record is ahead of the queue", bus);
        }
        if qp.send.pending() == 0 {
            probe!(
                bus.tracer,
                note(
                    "the doorbell record says nothing new",
                    [
                        ("qpn", Value::Hex(qp.qpn.into())),
                        ("send counter", Value::from(qp.send.producer)),
                    ]
                )
            );
            return;
        }
        if blueflame.is_some() {
            qp.blueflame = blueflame;
        }
    }

    /// Begins the next WQE of a queue pair that may begin one; or starts the one that a fence held
    /// back.
    pub(crate) fn begin_wqe(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        if qp.window.messages.back().is_some_and(|newest| !newest.started) {
            return self.start_message(qp, bus);
        }
        let index = qp.send.consumer;
        let has_atomics = self.has_atomics();
        match fetch(qp, bus).and_then(|wqe| understand(qp, &wqe, has_atomics)) {
            Ok(request) => {
                qp.send.consumer = index.wrapping_add(request.blocks);
                qp.begin_message(request);
                self.start_message(qp, bus);
            }
            Err(Refused::Wqe { syndrome, opcode, blocks }) => {
                qp.send.consumer = index.wrapping_add(blocks);
                qp.begin_message(WorkRequest::refused(index, opcode));
                self.fail_message(qp, syndrome, bus);
            }
            Err(Refused::Dma) => self.catastrophe(qp, "the send queue cannot be read", bus),
        }
    }
    // ANCHOR_END: card_send_doorbell

    /// Flushes one posted piece of work of a queue pair in the error state. `false` when there is
    /// none.
    pub(crate) fn flush_one(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) -> bool {
        if std::mem::take(&mut qp.recheck) && has_news(qp, bus) {
            read_both_counters(qp, bus);
        }
        let syndrome = CqeSyndrome::WorkRequestFlushed;
        if qp.send.pending() > 0 {
            let index = qp.send.consumer;
            let (blocks, opcode) = size_of_next(qp, bus);
            qp.send.consumer = index.wrapping_add(blocks);
            let opcode = Some(opcode);
            self.complete_with_error(qp, Failure { syndrome, index, opcode }, bus);
            return true;
        }
        if qp.receive.pending() > 0 {
            let index = qp.receive.consumer;
            qp.receive.consumer = index.wrapping_add(1);
            let opcode = None;
            self.complete_with_error(qp, Failure { syndrome, index, opcode }, bus);
            return true;
        }
        false
    }
}

// ANCHOR: card_doorbell_record
/// Tells that a doorbell was not seen, but its record: the register is memory that software maps.
pub(crate) fn tell_record_seen(qpn: u32, bus: &Bus<'_>) {
    probe!(bus.tracer, note("send doorbell seen in the record", [("qpn", Value::Hex(qpn.into()))]));
}

/// Learns from the doorbell record how far software got with its sends.
fn read_send_counter(qp: &mut QueuePair, bus: &mut Bus<'_>) -> Result<(), DmaFault> {
    let mut record = QpDoorbellRecord::zeroed();
    let address = qp.context.dbr_addr();
    read_host!(bus, address, record.as_mut_bytes(), "doorbell record", "qp_doorbell_record")?;
    qp.send.producer = record.send_counter() as u16;
    Ok(())
}

/// Learns how far software got with both queues. What makes no sense counts as nothing posted.
fn read_both_counters(qp: &mut QueuePair, bus: &mut Bus<'_>) {
    let mut record = QpDoorbellRecord::zeroed();
    let address = qp.context.dbr_addr();
    let read = read_host!(
        bus,
        address,
        record.as_mut_bytes(),
        "doorbell record of a failed queue pair",
        "qp_doorbell_record"
    );
    if read.is_err() {
        return;
    }
    let counters = [record.send_counter(), record.receive_counter()];
    for (ring, counter) in [&mut qp.send, &mut qp.receive].into_iter().zip(counters) {
        ring.producer = counter as u16;
        if ring.is_overdrawn() {
            ring.producer = ring.consumer;
        }
    }
}
// ANCHOR_END: card_doorbell_record

/// Which blocks of a WQE are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartOfWqe {
    /// The first, or all.
    First,
    /// Those behind the first.
    Rest,
}

// ANCHOR: card_wqe_fetch
/// The next WQE: from the BlueFlame register when it came that way, else by DMA from the ring.
fn fetch(qp: &mut QueuePair, bus: &mut Bus<'_>) -> Result<Vec<u8>, Refused> {
    let next = qp.send.consumer;
    if let Some((index, bytes)) = qp.blueflame.take()
        && index == next
    {
        probe!(
            bus.tracer,
            note(
                "WQE taken from the BlueFlame register: no DMA needed",
                [("qpn", Value::Hex(qp.qpn.into())), ("wqe index", Value::from(index)),]
            )
        );
        return Ok(bytes);
    }
    let mut wqe = vec![0; SEND_BLOCK];
    read_blocks(qp, next, &mut wqe, PartOfWqe::First, bus)?;
    let blocks = blocks_of(&wqe);
    if blocks > 1 && blocks <= qp.send.pending() {
        let mut rest = vec![0; usize::from(blocks - 1) * SEND_BLOCK];
        read_blocks(qp, next.wrapping_add(1), &mut rest, PartOfWqe::Rest, bus)?;
        wqe.extend(rest);
    }
    Ok(wqe)
}

/// Reads whole blocks from the ring, which ends somewhere and goes on at its beginning. A WQE's control
/// segment is at the beginning of its first block, and of no other.
fn read_blocks(
    qp: &QueuePair,
    first: u16,
    into: &mut [u8],
    part: PartOfWqe,
    bus: &mut Bus<'_>,
) -> Result<(), DmaFault> {
    let end = qp.send.offset + qp.send.size();
    let mut at = qp.send.place(first);
    let mut done = 0;
    while done < into.len() {
        let run = (end - at).min((into.len() - done) as u64);
        for (address, length) in qp.buffer.pieces(at, run) {
            let bytes = &mut into[done..done + length as usize];
            match part {
                PartOfWqe::First if done == 0 => {
                    read_host!(bus, address, bytes, "WQE fetch", "wqe_control_segment")?;
                }
                _ => read_host!(bus, address, bytes, "WQE fetch, continued", "")?,
            }
            done += length as usize;
        }
        at = qp.send.offset;
    }
    Ok(())
}
// ANCHOR_END: card_wqe_fetch

/// How many blocks a WQE takes, by its control segment; at least one.
fn blocks_of(wqe: &[u8]) -> u16 {
    let control = ControlSegment::ref_from_prefix(wqe);
    let units = control.map_or(0, |(control, _)| control.ds() as usize);
    (units * SEGMENT_UNIT).div_ceil(SEND_BLOCK).max(1) as u16
}

/// How many blocks of the ring a WQE that is not executed takes with it: all of its own. Software
/// keeps a work request's number at its first block alone, so that an error CQE for a later block
/// would name a work request of an earlier turn (libmlx5: `wrid` and `wqe_head`, read by
/// `mlx5_poll_cq`). A DS count that reaches beyond what is posted cannot be true: one block.
fn own_blocks(qp: &QueuePair, wqe: &[u8]) -> u16 {
    match blocks_of(wqe) {
        blocks if blocks <= qp.send.pending() => blocks,
        _ => 1,
    }
}

// ANCHOR: card_wqe_check
/// Checks a WQE's control segment against the queue, and reads the segments behind it.
///
/// A DS count of 0, one that reaches beyond what is posted, a block number or queue pair number
/// that is not this WQE's, anything but a NOP in a send queue of its own, a read or an atomic on an
/// unreliable connection, an atomic on a card without, a signature that is not right where the queue pair
/// has them: each is a local queue pair operation error. (What a ConnectX reports for a wrong signature is
/// not public; this is its error for a WQE that makes no sense.)
fn understand(qp: &QueuePair, wqe: &[u8], has_atomics: bool) -> Result<WorkRequest, Refused> {
    let Ok((control, _)) = ControlSegment::ref_from_prefix(wqe) else {
        return Err(Refused::Dma);
    };
    let opcode = control.opcode() as u8;
    let blocks = blocks_of(wqe);
    let own = own_blocks(qp, wqe);
    let refused = |syndrome| Refused::Wqe { syndrome, opcode, blocks: own };
    let executes = match qp.object {
        None => qp.is_connected() || qp.is_datagram(),
        Some(_) => opcode == SendOpcode::Nop.code(),
    };
    let right = executes
        && control.ds() > 0
        && blocks <= qp.send.pending()
        && control.wqe_index() == u32::from(qp.send.consumer)
        && control.qpn() == qp.qpn;
    if !right {
        return Err(refused(CqeSyndrome::LocalQpOperationError));
    }
    let length = control.ds() as usize * SEGMENT_UNIT;
    let bytes = wqe.get(..length);
    let bytes = bytes.ok_or_else(|| refused(CqeSyndrome::LocalQpOperationError))?;
    // With its signature all bytes of a WQE are 0xff together.
    let together = bytes.iter().fold(0, |sum, byte| sum ^ byte);
    if qp.context.wq_signature() && together != 0xff {
        return Err(refused(CqeSyndrome::LocalQpOperationError));
    }
    let service = (qp.is_datagram(), qp.is_extended());
    let request = read_work_request(control, bytes, blocks, service).map_err(refused)?;
    // Nothing comes back over a connection that does not acknowledge.
    let unanswered = request.fetches() && !qp.is_reliable();
    match unanswered || (request.operands.is_some() && !has_atomics) {
        true => Err(refused(CqeSyndrome::LocalQpOperationError)),
        false => Ok(request),
    }
}
// ANCHOR_END: card_wqe_check

/// Size and opcode of the WQE that is flushed next, as far as they can be made out.
fn size_of_next(qp: &QueuePair, bus: &mut Bus<'_>) -> (u16, u8) {
    let mut wqe = [0; SEND_BLOCK];
    if read_blocks(qp, qp.send.consumer, &mut wqe, PartOfWqe::First, bus).is_err() {
        return (1, 0);
    }
    let control = ControlSegment::ref_from_prefix(&wqe);
    let opcode = control.map_or(0, |(control, _)| control.opcode() as u8);
    (own_blocks(qp, &wqe), opcode)
}

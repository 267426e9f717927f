//! From the bytes of a send WQE to what is asked for.

use crate::translation::Span;
use crate::umr::{KeyChange, read_key_change};
use crate::xrc::read_receiver;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::wqe::{
    AtomicSegment, COMPACT_DATAGRAM_SIZE, ControlSegment, DataSegment, DatagramSegment,
    INLINE_SEGMENT, InlineHeader, RemoteAddressSegment, SEGMENT_UNIT, SendOpcode,
};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};

/// A send work request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkRequest {
    /// Number of its first block.
    pub(crate) index: u16,
    /// How many blocks it takes.
    pub(crate) blocks: u16,
    pub(crate) opcode: SendOpcode,
    pub(crate) raw_opcode: u8,
    pub(crate) signaled: bool,
    pub(crate) solicited: bool,
    /// It waits for all reads and atomics before it.
    pub(crate) is_fenced: bool,
    pub(crate) immediate: [u8; 4],
    /// Where a datagram goes.
    pub(crate) destination: Option<DatagramSegment>,
    /// The shared receive queue of the other side that it is for.
    pub(crate) receiver: Option<u32>,
    /// Address and key on the other side.
    pub(crate) remote: Option<(u64, u32)>,
    /// Operands of an atomic operation.
    pub(crate) operands: Option<Operands>,
    pub(crate) parts: Vec<Part>,
    /// How it changes a memory key.
    pub(crate) key_change: Option<Box<KeyChange>>,
    /// Bytes of all parts together.
    pub(crate) length: u64,
}

/// Operands of an atomic operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operands {
    pub(crate) swap_add: u64,
    pub(crate) compare: u64,
}

/// Bytes that an atomic operation works on.
pub(crate) const ATOMIC_SIZE: u64 = 8;
/// Fence modes that wait for reads and atomics (Linux, `MLX5_FENCE_MODE_*`): fence, strong ordering,
/// and small fence together with fence. The small fence alone orders local work, which this card
/// does in order anyway.
const FENCES: [u8; 3] = [2, 3, 4];

/// A part of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes that were in the WQE.
    Inline(Vec<u8>),
    /// Bytes in memory.
    Memory(Span),
}

impl Part {
    fn length(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Memory(span) => span.length,
        }
    }
}

impl WorkRequest {
    /// Whether the other side hears of it.
    pub(crate) fn has_packets(&self) -> bool {
        !matches!(self.opcode, SendOpcode::Nop | SendOpcode::Umr)
    }

    /// What stands for a WQE that could not be understood, to be reported in its turn.
    pub(crate) fn refused(index: u16, raw_opcode: u8) -> Self {
        Self {
            index,
            blocks: 1,
            opcode: SendOpcode::Nop,
            raw_opcode,
            signaled: true,
            solicited: false,
            is_fenced: false,
            immediate: [0; 4],
            destination: None,
            receiver: None,
            remote: None,
            operands: None,
            parts: Vec::new(),
            length: 0,
            key_change: None,
        }
    }

    /// Whether something comes back for it, which is written to its parts: a read, an atomic.
    pub(crate) fn fetches(&self) -> bool {
        self.opcode == SendOpcode::RdmaRead || is_atomic(self.opcode)
    }

    /// The stretches of the parts that make up bytes `from` to `from + length` of the data.
    pub(crate) fn stretches(&self, from: u64, length: u64) -> Vec<Part> {
        let (mut skip, mut left) = (from, length);
        let mut found = Vec::new();
        for part in &self.parts {
            let size = part.length();
            if skip >= size {
                skip -= size;
                continue;
            }
            let take = (size - skip).min(left);
            if take == 0 {
                break;
            }
            found.push(match part {
                Part::Inline(bytes) => {
                    Part::Inline(bytes[skip as usize..(skip + take) as usize].to_vec())
                }
                Part::Memory(span) => Part::Memory(Span {
                    key: span.key,
                    address: span.address.wrapping_add(skip),
                    length: take,
                }),
            });
            (skip, left) = (0, left - take);
        }
        found
    }
}

// ANCHOR: card_wqe_segments
/// Reads the segments of a WQE; `bytes` are as many as its DS count says.
///
/// An opcode that the card does not know or does not support, a segment that is missing or not
/// whole, and inline data where the card would have to write, are local queue pair operation
/// errors. An atomic without room for its result is a local length error.
pub(crate) fn read_work_request(
    control: &ControlSegment,
    bytes: &[u8],
    blocks: u16,
    (is_datagram, is_extended): (bool, bool),
) -> Result<WorkRequest, CqeSyndrome> {
    let refused = CqeSyndrome::LocalQpOperationError;
    let opcode = SendOpcode::from_code(control.opcode() as u8).ok_or(refused)?;
    let mut rest = bytes.get(ControlSegment::SIZE..).ok_or(refused)?;
    use SendOpcode::*;
    let mut destination = None;
    if is_datagram && opcode != Nop {
        let (found, after) = read_destination(opcode, rest)?;
        (destination, rest) = (Some(found), after);
    }
    let mut receiver = None;
    if is_extended {
        (receiver, rest) = read_receiver(opcode, rest)?;
    }
    let remote = match opcode {
        Nop | Umr | Send | SendImmediate | SendInvalidate => None,
        RdmaWrite | RdmaWriteImmediate | RdmaRead | AtomicCompareSwap | AtomicFetchAdd => {
            let (segment, after) =
                RemoteAddressSegment::ref_from_prefix(rest).map_err(|_| refused)?;
            rest = after;
            Some((segment.remote_address.get(), segment.rkey.get()))
        }
        _ => return Err(refused),
    };
    let mut operands = None;
    if is_atomic(opcode) {
        let (segment, after) = AtomicSegment::ref_from_prefix(rest).map_err(|_| refused)?;
        rest = after;
        let (swap_add, compare) = (segment.swap_add.get(), segment.compare.get());
        operands = Some(Operands { swap_add, compare });
    }
    let parts = match opcode {
        Nop | Umr => Vec::new(),
        _ => read_parts(rest)?,
    };
    let fetches = opcode == RdmaRead || is_atomic(opcode);
    if fetches && parts.iter().any(|part| matches!(part, Part::Inline(_))) {
        return Err(refused);
    }
    let key_change = match opcode {
        Umr => Some(Box::new(read_key_change(control, rest)?)),
        _ => None,
    };
    let mut length = parts.iter().map(Part::length).sum();
    if is_atomic(opcode) {
        // There must be room for the value; what there is beyond it is left alone.
        if length < ATOMIC_SIZE {
            return Err(CqeSyndrome::LocalLengthError);
        }
        length = ATOMIC_SIZE;
    }
    Ok(WorkRequest {
        index: control.wqe_index() as u16,
        blocks,
        opcode,
        raw_opcode: opcode.code(),
        signaled: control.completion_mode() & 2 != 0,
        solicited: control.solicited() == 1,
        is_fenced: FENCES.contains(&control.fence_mode()),
        immediate: control.immediate.to_bytes(),
        destination,
        receiver,
        remote,
        operands,
        parts,
        length,
        key_change,
    })
}

fn is_atomic(opcode: SendOpcode) -> bool {
    matches!(opcode, SendOpcode::AtomicCompareSwap | SendOpcode::AtomicFetchAdd)
}

/// Reads the datagram segment; what a short one lacks is zeros. A datagram can be sent, and nothing
/// else.
fn read_destination(
    opcode: SendOpcode,
    bytes: &[u8],
) -> Result<(DatagramSegment, &[u8]), CqeSyndrome> {
    let refused = CqeSyndrome::LocalQpOperationError;
    if !matches!(opcode, SendOpcode::Send | SendOpcode::SendImmediate) {
        return Err(refused);
    }
    let compact_bytes = bytes.get(..COMPACT_DATAGRAM_SIZE).ok_or(refused)?;
    let mut compact = DatagramSegment::zeroed();
    compact.as_mut_bytes()[..COMPACT_DATAGRAM_SIZE].copy_from_slice(compact_bytes);
    if compact.extended() == 0 {
        return Ok((compact, bytes.get(COMPACT_DATAGRAM_SIZE..).ok_or(refused)?));
    }
    let (segment, rest) = DatagramSegment::read_from_prefix(bytes).map_err(|_| refused)?;
    Ok((segment, rest))
}

/// Reads data and inline segments up to the end of the WQE.
fn read_parts(mut rest: &[u8]) -> Result<Vec<Part>, CqeSyndrome> {
    let refused = CqeSyndrome::LocalQpOperationError;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (word, _) = rest.split_first_chunk::<4>().ok_or(refused)?;
        let word = u32::from_be_bytes(*word);
        if word & INLINE_SEGMENT == 0 {
            let (segment, after) = DataSegment::ref_from_prefix(rest).map_err(|_| refused)?;
            parts.push(Part::Memory(data_span(segment)));
            rest = after;
            continue;
        }
        let length = (word & !INLINE_SEGMENT) as usize;
        let end = InlineHeader::SIZE.checked_add(length).ok_or(refused)?;
        let data = rest.get(InlineHeader::SIZE..end).ok_or(refused)?;
        parts.push(Part::Inline(data.to_vec()));
        rest = rest.get(end.next_multiple_of(SEGMENT_UNIT)..).unwrap_or(&[]);
    }
    Ok(parts)
}
// ANCHOR_END: card_wqe_segments

/// The memory that a data segment means. A byte count of 0 stands for 2 GiB.
pub(crate) fn data_span(segment: &DataSegment) -> Span {
    let length = match segment.byte_count.get() {
        0 => 1 << 31,
        count => u64::from(count),
    };
    Span { key: segment.lkey.get(), address: segment.address.get(), length }
}

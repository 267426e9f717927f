//! RoCE packets: built from their parts, and taken apart with every length checked. What is in front
//! of the base transport header is in [`envelope`](mod@envelope).

mod envelope;

pub(crate) use envelope::{Addressing, GlobalRoute, routed};

use crate::invariant_crc::{invariant_crc, routed_invariant_crc};
use doorbell_prm::roce::{
    AcknowledgeHeader, AtomicAcknowledgeHeader, AtomicExtendedHeader, BaseTransportHeader,
    BthOpcode, DatagramHeader, EthernetHeader, ExtendedReliableHeader, INVARIANT_CRC_SIZE,
    ImmediateHeader, InvalidateHeader, RdmaExtendedHeader,
};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use envelope::{envelope, open};

/// DETH: who sends a datagram, and the receiver's queue key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) queue_key: u32,
    pub(crate) source_qpn: u32,
}

/// RETH: which memory of the receiver is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RemoteMemory {
    pub(crate) address: u64,
    pub(crate) rkey: u32,
    pub(crate) length: u32,
}

/// AtomicETH: an atomic operation on the receiver's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtomicOperation {
    pub(crate) address: u64,
    pub(crate) rkey: u32,
    pub(crate) swap_add: u64,
    pub(crate) compare: u64,
}

/// AETH: how a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    pub(crate) kind: u32,
    pub(crate) detail: u32,
    pub(crate) msn: u32,
}

/// The InfiniBand part of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) opcode: BthOpcode,
    pub(crate) destination_qpn: u32,
    pub(crate) psn: u32,
    pub(crate) acknowledge_request: bool,
    pub(crate) solicited: bool,
    /// It is one of an extended reliable connection. The opcode is that of a plain one.
    pub(crate) is_extended: bool,
    /// XRCETH: the shared receive queue that it is for.
    pub(crate) receiver: Option<u32>,
    pub(crate) datagram: Option<Datagram>,
    pub(crate) memory: Option<RemoteMemory>,
    pub(crate) atomic: Option<AtomicOperation>,
    pub(crate) acknowledgement: Option<Acknowledgement>,
    /// AtomicAckETH: the value that an atomic operation found.
    pub(crate) original: Option<u64>,
    pub(crate) immediate: Option<[u8; 4]>,
    /// IETH: the receiver's key that is to be invalidated.
    pub(crate) invalidate: Option<u32>,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// A packet without extended headers and payload.
    pub(crate) fn new(opcode: BthOpcode, destination_qpn: u32, psn: u32) -> Self {
        Self {
            opcode,
            destination_qpn,
            psn: psn & PSN_MASK,
            acknowledge_request: false,
            solicited: false,
            is_extended: false,
            receiver: None,
            datagram: None,
            memory: None,
            atomic: None,
            acknowledgement: None,
            original: None,
            immediate: None,
            invalidate: None,
            payload: Vec::new(),
        }
    }

    /// The opcode that it has on the wire.
    pub(crate) fn wire_opcode(&self) -> BthOpcode {
        let extended = self.opcode.extended().filter(|_| self.is_extended);
        extended.unwrap_or(self.opcode)
    }

    /// Whether the packet belongs to an RDMA write.
    pub(crate) fn memory_is_written(&self) -> bool {
        let writes = BthOpcode::WriteFirst.code()..=BthOpcode::WriteOnlyImmediate.code();
        writes.contains(&self.opcode.operation().code())
    }
}

/// Packet sequence numbers have 24 bits.
pub(crate) const PSN_MASK: u32 = 0xff_ffff;

/// The partition key of the default partition, the only one there is.
const DEFAULT_PKEY: u16 = 0xffff;

// ANCHOR: card_packet_build
/// The bytes of a packet, from its Ethernet header to its invariant CRC.
pub(crate) fn build(packet: &Packet, addressing: &Addressing) -> Vec<u8> {
    let transport = transport(packet);
    let mut bytes = envelope(addressing, transport.len() + INVARIANT_CRC_SIZE);
    bytes.extend(transport);
    let crc = right_crc(addressing, &bytes[EthernetHeader::SIZE..]);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// The invariant CRC of a packet, given from what is behind its Ethernet header to its padding.
fn right_crc(addressing: &Addressing, packet: &[u8]) -> u32 {
    match addressing.route {
        Some(_) => routed_invariant_crc(packet),
        None => invariant_crc(packet),
    }
}

/// Base transport header, extended headers in their order, payload and padding.
fn transport(packet: &Packet) -> Vec<u8> {
    let padding = packet.payload.len().wrapping_neg() % 4;
    let mut base = BaseTransportHeader::zeroed();
    base.opcode = packet.wire_opcode().code();
    base.set_solicited(packet.solicited.into());
    base.set_migration(1);
    base.set_pad_count(padding as u8);
    base.pkey = DEFAULT_PKEY.into();
    base.set_destination_qpn(packet.destination_qpn);
    base.set_acknowledge_request(packet.acknowledge_request.into());
    base.set_psn(packet.psn);
    let mut bytes = base.as_bytes().to_vec();
    if packet.wire_opcode().has_xrceth() {
        let mut header = ExtendedReliableHeader::zeroed();
        header.set_receiver(packet.receiver.unwrap_or_default());
        bytes.extend(header.as_bytes());
    }
    if let Some(datagram) = packet.datagram {
        let mut header = DatagramHeader::zeroed();
        header.queue_key = datagram.queue_key.into();
        header.set_source_qpn(datagram.source_qpn);
        bytes.extend(header.as_bytes());
    }
    if let Some(memory) = packet.memory {
        let header = RdmaExtendedHeader {
            virtual_address: memory.address.into(),
            rkey: memory.rkey.into(),
            dma_length: memory.length.into(),
        };
        bytes.extend(header.as_bytes());
    }
    if let Some(atomic) = packet.atomic {
        let header = AtomicExtendedHeader {
            virtual_address: atomic.address.into(),
            rkey: atomic.rkey.into(),
            swap_add: atomic.swap_add.into(),
            compare: atomic.compare.into(),
        };
        bytes.extend(header.as_bytes());
    }
    if let Some(acknowledgement) = packet.acknowledgement {
        let mut header = AcknowledgeHeader::zeroed();
        header.set_kind(acknowledgement.kind);
        header.set_detail(acknowledgement.detail);
        header.set_msn(acknowledgement.msn);
        bytes.extend(header.as_bytes());
    }
    if let Some(original) = packet.original {
        bytes.extend(original.to_be_bytes());
    }
    if let Some(immediate) = packet.immediate {
        bytes.extend(immediate);
    }
    if let Some(key) = packet.invalidate {
        bytes.extend(InvalidateHeader { rkey: key.into() }.as_bytes());
    }
    bytes.extend(&packet.payload);
    bytes.resize(bytes.len() + padding, 0);
    bytes
}
// ANCHOR_END: card_packet_build

/// Takes a packet apart. `None` when it is not a whole RoCE packet of a known opcode with right
/// lengths, checksum and CRC: such packets are dropped without a word.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Addressing, Packet)> {
    let (covered, crc) = bytes.split_last_chunk::<INVARIANT_CRC_SIZE>()?;
    let (addressing, transport) = open(covered)?;
    let right = right_crc(&addressing, covered.get(EthernetHeader::SIZE..)?);
    (right == u32::from_le_bytes(*crc)).then_some(())?;
    Some((addressing, parse_transport(transport)?))
}

fn parse_transport(bytes: &[u8]) -> Option<Packet> {
    let (base, mut rest) = BaseTransportHeader::ref_from_prefix(bytes).ok()?;
    let opcode = BthOpcode::from_code(base.opcode)?;
    if base.pkey.get() != DEFAULT_PKEY {
        return None;
    }
    let mut packet = Packet::new(opcode.unextended(), base.destination_qpn(), base.psn());
    packet.is_extended = opcode.is_extended();
    packet.acknowledge_request = base.acknowledge_request() == 1;
    packet.solicited = base.solicited() == 1;
    if opcode.has_xrceth() {
        let (header, after) = ExtendedReliableHeader::ref_from_prefix(rest).ok()?;
        packet.receiver = Some(header.receiver());
        rest = after;
    }
    if opcode.has_deth() {
        let (header, after) = DatagramHeader::ref_from_prefix(rest).ok()?;
        packet.datagram =
            Some(Datagram { queue_key: header.queue_key.get(), source_qpn: header.source_qpn() });
        rest = after;
    }
    if opcode.has_reth() {
        let (header, after) = RdmaExtendedHeader::ref_from_prefix(rest).ok()?;
        packet.memory = Some(RemoteMemory {
            address: header.virtual_address.get(),
            rkey: header.rkey.get(),
            length: header.dma_length.get(),
        });
        rest = after;
    }
    if opcode.has_atomic() {
        let (header, after) = AtomicExtendedHeader::ref_from_prefix(rest).ok()?;
        packet.atomic = Some(AtomicOperation {
            address: header.virtual_address.get(),
            rkey: header.rkey.get(),
            swap_add: header.swap_add.get(),
            compare: header.compare.get(),
        });
        rest = after;
    }
    if opcode.has_aeth() {
        let (header, after) = AcknowledgeHeader::ref_from_prefix(rest).ok()?;
        packet.acknowledgement = Some(Acknowledgement {
            kind: header.kind(),
            detail: header.detail(),
            msn: header.msn(),
        });
        rest = after;
    }
    if opcode.has_atomic_acknowledgement() {
        let (header, after) = AtomicAcknowledgeHeader::ref_from_prefix(rest).ok()?;
        packet.original = Some(header.original.get());
        rest = after;
    }
    if opcode.has_immediate() {
        let (header, after) = ImmediateHeader::ref_from_prefix(rest).ok()?;
        packet.immediate = Some(header.immediate.to_bytes());
        rest = after;
    }
    if opcode.has_invalidate() {
        let (header, after) = InvalidateHeader::ref_from_prefix(rest).ok()?;
        packet.invalidate = Some(header.rkey.get());
        rest = after;
    }
    let payload = rest.len().checked_sub(base.pad_count().into())?;
    packet.payload = rest.get(..payload)?.to_vec();
    Some(packet)
}

#[cfg(test)]
mod tests;

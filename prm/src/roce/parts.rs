//! A packet, taken apart: which headers it has, where its payload lies and where its check sum.

use super::{
    AcknowledgeHeader, AtomicAcknowledgeHeader, AtomicExtendedHeader, BaseTransportHeader,
    BthOpcode, DatagramHeader, EthernetHeader, ExtendedReliableHeader, INVARIANT_CRC_SIZE,
    ImmediateHeader, InvalidateHeader, Ipv4Header, RdmaExtendedHeader, UdpHeader,
};
use crate::layout::{Layout, LayoutInfo};

/// One part of a packet.
#[derive(Debug, Clone, Copy)]
pub struct PacketPart {
    /// What it is, in words.
    pub title: &'static str,
    /// First byte.
    pub offset: usize,
    /// Length in bytes.
    pub len: usize,
    /// The layout of a header; payload and check sum have none.
    pub layout: Option<&'static LayoutInfo>,
}

/// A header: what it is called, and its layout.
type Header = (&'static str, &'static LayoutInfo);

/// The headers that every RoCE v2 packet begins with.
const OUTER: [Header; 4] = [
    ("Ethernet", EthernetHeader::LAYOUT),
    ("IPv4", Ipv4Header::LAYOUT),
    ("UDP", UdpHeader::LAYOUT),
    ("base transport", BaseTransportHeader::LAYOUT),
];

/// Takes a RoCE v2 packet apart, from its Ethernet header to its invariant CRC, in the order of
/// its bytes and without a gap. Of a packet that was cut short come the headers that are whole; what
/// is left over counts as payload and check sum.
pub fn packet_parts(packet: &[u8]) -> Vec<PacketPart> {
    let mut parts = Vec::new();
    let mut at = 0;
    for (title, layout) in OUTER.into_iter().chain(extended(packet)) {
        if packet.len() < at + layout.size {
            break;
        }
        parts.push(PacketPart { title, offset: at, len: layout.size, layout: Some(layout) });
        at += layout.size;
    }
    let crc = packet.len().saturating_sub(INVARIANT_CRC_SIZE).max(at);
    for (title, first, end) in [("payload", at, crc), ("invariant CRC", crc, packet.len())] {
        if first < end {
            parts.push(PacketPart { title, offset: first, len: end - first, layout: None });
        }
    }
    parts
}

/// The extended headers that the opcode demands.
fn extended(packet: &[u8]) -> impl Iterator<Item = Header> {
    let place = EthernetHeader::SIZE + Ipv4Header::SIZE + UdpHeader::SIZE;
    let opcode = packet.get(place).copied().and_then(BthOpcode::from_code);
    let demanded = opcode.map_or([false; 8], |opcode| {
        [
            opcode.has_deth(),
            opcode.has_xrceth(),
            opcode.has_reth(),
            opcode.has_atomic(),
            opcode.has_aeth(),
            opcode.has_atomic_acknowledgement(),
            opcode.has_immediate(),
            opcode.has_invalidate(),
        ]
    });
    let headers = [
        ("datagram extended", DatagramHeader::LAYOUT),
        ("XRC extended", ExtendedReliableHeader::LAYOUT),
        ("RDMA extended", RdmaExtendedHeader::LAYOUT),
        ("atomic extended", AtomicExtendedHeader::LAYOUT),
        ("acknowledge", AcknowledgeHeader::LAYOUT),
        ("atomic acknowledge", AtomicAcknowledgeHeader::LAYOUT),
        ("immediate data", ImmediateHeader::LAYOUT),
        ("invalidate extended", InvalidateHeader::LAYOUT),
    ];
    headers.into_iter().zip(demanded).filter(|(_, wanted)| *wanted).map(|(header, _)| header)
}

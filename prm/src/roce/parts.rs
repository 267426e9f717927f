//! A packet, taken apart: which headers it has, where its payload lies and where its check sum.

use super::{
    AcknowledgeHeader, AtomicAcknowledgeHeader, AtomicExtendedHeader, BaseTransportHeader,
    BthOpcode, DatagramHeader, ETHER_TYPE_ROCE_V1, EthernetHeader, ExtendedReliableHeader,
    GlobalRouteHeader, INVARIANT_CRC_SIZE, ImmediateHeader, InvalidateHeader, Ipv4Header,
    RdmaExtendedHeader, UdpHeader,
};
use crate::layout::{Layout, LayoutInfo};
use zerocopy::FromBytes;

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
/// Those of RoCE v1.
const OUTER_OF_V1: [Header; 3] = [
    ("Ethernet", EthernetHeader::LAYOUT),
    ("global route", GlobalRouteHeader::LAYOUT),
    ("base transport", BaseTransportHeader::LAYOUT),
];

/// The headers that this packet begins with.
fn outer(packet: &[u8]) -> &'static [Header] {
    match EthernetHeader::ref_from_prefix(packet) {
        Ok((ethernet, _)) if ethernet.ether_type.get() == ETHER_TYPE_ROCE_V1 => &OUTER_OF_V1,
        _ => &OUTER,
    }
}

/// Takes a RoCE packet apart, from its Ethernet header to its invariant CRC, in the order of
/// its bytes and without a gap. Of a packet that was cut short come the headers that are whole; what
/// is left over counts as payload and check sum.
pub fn packet_parts(packet: &[u8]) -> Vec<PacketPart> {
    let mut parts = Vec::new();
    let mut at = 0;
    let outer = outer(packet);
    for (title, layout) in outer.iter().copied().chain(extended(packet, transport_at(outer))) {
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

/// Where the base transport header is, the last of them.
fn transport_at(outer: &[Header]) -> usize {
    outer.iter().map(|(_, layout)| layout.size).sum::<usize>() - BaseTransportHeader::SIZE
}

/// The extended headers that the opcode, which is at this place, demands.
fn extended(packet: &[u8], place: usize) -> impl Iterator<Item = Header> {
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

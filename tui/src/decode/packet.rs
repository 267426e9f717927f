//! The headers of a RoCE v2 packet, one after the other, as its opcode orders them.

use crate::decode::object::Section;
use doorbell_prm::roce::{
    AcknowledgeHeader, AtomicExtendedHeader, BaseTransportHeader, BthOpcode, EthernetHeader,
    ImmediateHeader, Ipv4Header, RdmaExtendedHeader, UdpHeader,
};
use doorbell_prm::{Layout, LayoutInfo};

/// Bytes of the invariant CRC at a packet's end.
const INVARIANT_CRC: usize = 4;

/// The parts of a packet from its Ethernet header to its invariant CRC. A packet that was cut
/// short gives the headers that are whole, and the rest as data.
pub fn packet_sections(bytes: &[u8]) -> Vec<Section> {
    let mut headers = vec![
        EthernetHeader::LAYOUT,
        Ipv4Header::LAYOUT,
        UdpHeader::LAYOUT,
        BaseTransportHeader::LAYOUT,
    ];
    headers.extend(extended(bytes));
    let mut found = Vec::new();
    let mut at = 0;
    for header in headers {
        let Some(own) = bytes.get(at..at + header.size) else {
            break;
        };
        found.push(Section::of_layout(header.name, at, own));
        at += header.size;
    }
    let crc = bytes.len().saturating_sub(INVARIANT_CRC).max(at);
    for (title, first, end) in [("payload", at, crc), ("invariant CRC", crc, bytes.len())] {
        match bytes.get(first..end) {
            Some(own) if !own.is_empty() => found.push(Section::of_data(title, first, own)),
            _ => {}
        }
    }
    found
}

/// The extended headers that the opcode demands.
fn extended(bytes: &[u8]) -> Vec<&'static LayoutInfo> {
    let place = EthernetHeader::LAYOUT.size + Ipv4Header::LAYOUT.size + UdpHeader::LAYOUT.size;
    let Some(opcode) = bytes.get(place).copied().and_then(BthOpcode::from_code) else {
        return Vec::new();
    };
    let atomic = matches!(opcode, BthOpcode::CompareSwap | BthOpcode::FetchAdd);
    let demanded = [
        (opcode.has_reth(), RdmaExtendedHeader::LAYOUT),
        (atomic, AtomicExtendedHeader::LAYOUT),
        (opcode.has_aeth(), AcknowledgeHeader::LAYOUT),
        (opcode.has_immediate(), ImmediateHeader::LAYOUT),
    ];
    let there = demanded.into_iter().filter(|(wanted, _)| *wanted);
    there.map(|(_, layout)| layout).collect()
}

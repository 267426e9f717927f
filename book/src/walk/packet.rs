//! A packet, taken apart into its headers.

use doorbell_prm::Layout;
use doorbell_prm::roce::{
    AcknowledgeHeader, AtomicExtendedHeader, BaseTransportHeader, BthOpcode, EthernetHeader,
    INVARIANT_CRC_SIZE, ImmediateHeader, Ipv4Header, RdmaExtendedHeader, UdpHeader,
};
use doorbell_prm::{LayoutInfo, zerocopy::FromBytes};

/// What a piece of a packet is, its layout's name, its bytes.
pub(super) type Piece<'a> = (&'static str, &'static str, &'a [u8]);

/// The headers of a RoCEv2 packet in order, its payload, and its check sum. What cannot be
/// recognised is answered as plain bytes.
pub(super) fn headers(packet: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = packet;
    let outer = [
        ("Ethernet", EthernetHeader::LAYOUT),
        ("IPv4", Ipv4Header::LAYOUT),
        ("UDP", UdpHeader::LAYOUT),
    ];
    for (title, layout) in outer {
        take(&mut pieces, &mut rest, title, layout);
    }
    let opcode = BaseTransportHeader::ref_from_prefix(rest)
        .ok()
        .and_then(|(header, _)| BthOpcode::from_code(header.opcode));
    take(&mut pieces, &mut rest, "base transport", BaseTransportHeader::LAYOUT);
    for (title, layout) in opcode.map(extended).unwrap_or_default() {
        take(&mut pieces, &mut rest, title, layout);
    }
    let end = rest.len().saturating_sub(INVARIANT_CRC_SIZE);
    let (payload, check) = rest.split_at(end);
    for (title, bytes) in [("payload", payload), ("invariant CRC", check)] {
        if !bytes.is_empty() {
            pieces.push((title, "", bytes));
        }
    }
    pieces
}

/// The headers that an opcode demands behind the base transport header.
fn extended(opcode: BthOpcode) -> Vec<(&'static str, &'static LayoutInfo)> {
    let atomic = matches!(opcode, BthOpcode::CompareSwap | BthOpcode::FetchAdd);
    let demanded = [
        (opcode.has_reth(), "RDMA", RdmaExtendedHeader::LAYOUT),
        (atomic, "atomic", AtomicExtendedHeader::LAYOUT),
        (opcode.has_aeth(), "acknowledge", AcknowledgeHeader::LAYOUT),
        (opcode.has_immediate(), "immediate", ImmediateHeader::LAYOUT),
    ];
    demanded
        .into_iter()
        .filter(|(wanted, _, _)| *wanted)
        .map(|(_, title, layout)| (title, layout))
        .collect()
}

/// Takes one header off the front, if it is whole.
fn take<'a>(
    pieces: &mut Vec<Piece<'a>>,
    rest: &mut &'a [u8],
    title: &'static str,
    layout: &'static LayoutInfo,
) {
    if let Some((header, behind)) = rest.split_at_checked(layout.size) {
        pieces.push((title, layout.name, header));
        *rest = behind;
    }
}

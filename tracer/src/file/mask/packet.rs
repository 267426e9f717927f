//! Where the payload of a RoCEv2 packet lies.

use std::ops::Range;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;
/// Bytes of a UDP header.
const UDP: usize = 8;
/// Bytes of a base transport header (BTH; InfiniBand Architecture Specification, volume 1, 9.2).
const BTH: usize = 12;

/// The bytes of a packet, from its Ethernet header on, that are payload: all behind its headers,
/// the ICRC too, since it is computed over the payload. Of a packet that is not RoCEv2, all behind
/// the Ethernet header.
pub(super) fn payload(packet: &[u8]) -> Range<usize> {
    let start = headers(packet).unwrap_or(ETHERNET);
    start.min(packet.len())..packet.len()
}

/// Length of all headers.
fn headers(packet: &[u8]) -> Option<usize> {
    let (ip, protocol) = match packet.get(12..14)? {
        [0x08, 0x00] => (usize::from(packet.get(ETHERNET)? & 15) * 4, *packet.get(ETHERNET + 9)?),
        [0x86, 0xdd] => (40, *packet.get(ETHERNET + 6)?),
        _ => return None,
    };
    let udp = ETHERNET + ip;
    let destination = packet.get(udp + 2..udp + 4)?;
    if protocol != 17 || destination != 4791_u16.to_be_bytes() {
        return None;
    }
    let bth = udp + UDP;
    Some(bth + BTH + extended(*packet.get(bth)?))
}

/// Length of the extended headers behind a BTH with this opcode; 0 for those that are not known
/// (InfiniBand Architecture Specification, volume 1, table 38 of 9.2.1).
fn extended(opcode: u8) -> usize {
    // DETH, in front of the others in datagrams.
    let datagram = if opcode >> 5 == 3 { 8 } else { 0 };
    datagram
        + match opcode & 31 {
            // RETH; with ImmDt.
            0x06 | 0x0a | 0x0c => 16,
            0x0b => 20,
            // ImmDt or IETH.
            0x03 | 0x05 | 0x09 | 0x16 | 0x17 => 4,
            // AETH; with AtomicAckETH.
            0x0d | 0x0f | 0x10 | 0x11 => 4,
            0x12 => 12,
            // AtomicETH.
            0x13 | 0x14 => 28,
            _ => 0,
        }
}

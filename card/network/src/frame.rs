//! From the card's frames to the content of datagrams, and back.

use crate::address::mac_of;
use doorbell_prm::roce::{EthernetHeader, Ipv4Header, ROCE_UDP_PORT, UdpHeader};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use std::net::{Ipv4Addr, SocketAddrV4};

const ETHER_TYPE_IPV4: u16 = 0x0800;
const PROTOCOL_UDP: u8 = 17;

/// What the receiver's card sees, as a socket does not tell it.
const TIME_TO_LIVE: u8 = 64;

/// The longest content that an IPv4 datagram has room for.
const MOST: usize = u16::MAX as usize - Ipv4Header::SIZE - UdpHeader::SIZE;

/// What a socket needs of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) to: Ipv4Addr,
    pub(crate) source_port: u16,
    pub(crate) time_to_live: u8,
    pub(crate) type_of_service: u8,
    /// From the base transport header to the invariant CRC.
    pub(crate) content: &'a [u8],
}

/// Takes the headers off. `None` if the frame is not RoCE v2 over IPv4.
pub(crate) fn unwrap(frame: &[u8]) -> Option<Datagram<'_>> {
    let (ethernet, rest) = EthernetHeader::ref_from_prefix(frame).ok()?;
    let (ip, rest) = Ipv4Header::ref_from_prefix(rest).ok()?;
    let (udp, content) = UdpHeader::ref_from_prefix(rest).ok()?;
    let right = ethernet.ether_type.get() == ETHER_TYPE_IPV4
        && (ip.version(), ip.header_words(), ip.protocol) == (4, 5, PROTOCOL_UDP)
        && udp.destination_port.get() == ROCE_UDP_PORT;
    right.then_some(Datagram {
        to: Ipv4Addr::from(ip.destination),
        source_port: udp.source_port.get(),
        time_to_live: ip.time_to_live,
        type_of_service: ip.dscp_ecn,
        content,
    })
}

/// Puts headers on, as the card at `to` expects them. `None` if it is too long to have been a datagram.
pub(crate) fn wrap(from: SocketAddrV4, to: Ipv4Addr, content: &[u8]) -> Option<Vec<u8>> {
    if content.len() > MOST {
        return None;
    }
    let udp_length = UdpHeader::SIZE + content.len();
    let mut ethernet = EthernetHeader::zeroed();
    ethernet.destination = mac_of(to);
    ethernet.source = mac_of(*from.ip());
    ethernet.ether_type = ETHER_TYPE_IPV4.into();

    let mut ip = Ipv4Header::zeroed();
    ip.set_version(4);
    ip.set_header_words((Ipv4Header::SIZE / 4) as u8);
    ip.total_length = ((Ipv4Header::SIZE + udp_length) as u16).into();
    ip.set_dont_fragment(1);
    ip.time_to_live = TIME_TO_LIVE;
    ip.protocol = PROTOCOL_UDP;
    (ip.source, ip.destination) = (from.ip().octets(), to.octets());
    ip.checksum = checksum(ip.as_bytes()).into();

    let mut udp = UdpHeader::zeroed();
    udp.source_port = from.port().into();
    udp.destination_port = ROCE_UDP_PORT.into();
    udp.length = (udp_length as u16).into();

    Some([ethernet.as_bytes(), ip.as_bytes(), udp.as_bytes(), content].concat())
}

/// The ones' complement of the ones' complement sum of the header's words (RFC 791).
fn checksum(header: &[u8]) -> u16 {
    let words = header.as_chunks::<2>().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), 0xc040);
    const TO: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

    #[test]
    fn what_is_put_on_can_be_taken_off() {
        let frame = wrap(FROM, TO, b"content").expect("short enough");
        assert_eq!(checksum(&frame[14..34]), 0);
        let datagram = unwrap(&frame).expect("RoCE v2");
        assert_eq!((datagram.to, datagram.source_port), (TO, 0xc040));
        assert_eq!(datagram.content, b"content");
        assert_eq!((datagram.time_to_live, datagram.type_of_service), (TIME_TO_LIVE, 0));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let frame = wrap(FROM, TO, b"content").expect("short enough");
        for length in 0..42 {
            assert_eq!(unwrap(&frame[..length]), None, "{length}");
        }
        // Another protocol, another version of IP, another port.
        for (at, byte) in [(12, 0x86), (14, 0x46), (23, 6), (37, 1)] {
            let mut other = frame.clone();
            other[at] = byte;
            assert_eq!(unwrap(&other), None, "byte {at}");
        }
        assert_eq!(wrap(FROM, TO, &[0; MOST + 1]), None);
    }
}

use super::envelope::{ipv4_checksum, routed};
use super::*;
use doorbell_prm::roce::{AETH_ACK, AETH_CREDITS_UNLIMITED, Ipv4Header};
use proptest::prelude::*;

fn addressing() -> Addressing {
    Addressing {
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 0, 2],
        source_ip: [192, 168, 0, 1],
        destination_ip: [192, 168, 0, 2],
        source_port: 0xc000,
        time_to_live: 64,
        traffic_class: 2,
        route: None,
    }
}

fn write_of(payload: &[u8]) -> Packet {
    let mut packet = Packet::new(BthOpcode::WriteOnlyImmediate, 0x41, 0x123456);
    packet.acknowledge_request = true;
    packet.memory =
        Some(RemoteMemory { address: 0x1000, rkey: 0x10007, length: payload.len() as u32 });
    packet.immediate = Some(*b"imm!");
    packet.payload = payload.to_vec();
    packet
}

#[test]
fn a_packet_comes_back_as_it_was() {
    for length in 0..9 {
        let packet = write_of(&[7; 9][..length]);
        let bytes = build(&packet, &addressing());
        assert_eq!(bytes.len() % 4, 2, "14 bytes of Ethernet, then words");
        assert_eq!(parse(&bytes), Some((addressing(), packet)));
    }
    let mut ack = Packet::new(BthOpcode::Acknowledge, 0x42, 5);
    ack.acknowledgement =
        Some(Acknowledgement { kind: AETH_ACK, detail: AETH_CREDITS_UNLIMITED, msn: 9 });
    assert_eq!(parse(&build(&ack, &addressing())), Some((addressing(), ack)));
}

/// A datagram, a message that invalidates a key, and the packets of an extended reliable connection:
/// all come back as they were, and their headers lie where the table of parts has them.
#[test]
fn every_kind_of_packet_comes_back_as_it_was() {
    use BthOpcode::*;
    let mut datagram = Packet::new(DatagramSendOnlyImmediate, 0x41, 1);
    datagram.datagram = Some(Datagram { queue_key: 0x1234, source_qpn: 0x40 });
    datagram.immediate = Some(*b"imm!");
    let mut invalidating = Packet::new(SendOnlyInvalidate, 0x41, 2);
    invalidating.invalidate = Some(0x20142);
    let mut extended = write_of(b"");
    (extended.is_extended, extended.receiver) = (true, Some(0x12_3456));
    let mut middle = Packet::new(SendMiddle, 0x41, 3);
    (middle.is_extended, middle.receiver) = (true, Some(7));
    let mut both = invalidating.clone();
    (both.is_extended, both.receiver) = (true, Some(7));
    let mut answer = Packet::new(Acknowledge, 0x42, 5);
    answer.acknowledgement = Some(Acknowledgement { kind: AETH_ACK, detail: 31, msn: 9 });
    answer.is_extended = true;
    let cases: [(Packet, u8, &[&str]); 6] = [
        (datagram, 0x65, &["datagram extended", "immediate data"]),
        (invalidating, 0x17, &["invalidate extended"]),
        (extended, 0xab, &["XRC extended", "RDMA extended", "immediate data"]),
        (middle, 0xa1, &["XRC extended"]),
        (both, 0xb7, &["XRC extended", "invalidate extended"]),
        (answer, 0xb1, &["acknowledge"]),
    ];
    for (mut packet, opcode, expected) in cases {
        packet.payload = if packet.acknowledgement.is_some() { vec![] } else { vec![9; 5] };
        let bytes = build(&packet, &addressing());
        assert_eq!(bytes[42], opcode);
        let parts = doorbell_prm::roce::packet_parts(&bytes).into_iter();
        let titles: Vec<&str> = parts.skip(4).map(|part| part.title).collect();
        let headers = &titles[..titles.len() - 1 - usize::from(!packet.payload.is_empty())];
        assert_eq!(headers, expected);
        assert_eq!(parse(&bytes), Some((addressing(), packet)));
    }
}

#[test]
fn a_packet_with_any_bit_changed_on_the_way_is_not_the_same_packet() {
    let packet = write_of(b"payload");
    let bytes = build(&packet, &addressing());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 0x80 >> (bit % 8);
        let same = Some((addressing(), packet.clone()));
        // Congestion bits, the byte beside them and the UDP checksum may change on the way.
        let masked = [40, 41, 46].contains(&(bit / 8));
        assert_eq!(parse(&changed) == same, masked, "bit {bit}");
    }
}

/// A datagram with a global route header: the LIDs are in the addresses of Ethernet, all else is in the
/// header. What routers may change are traffic class, flow label and hop limit there, and the byte
/// with the congestion bits of the base transport header.
#[test]
fn a_datagram_with_a_global_route_header_comes_back_as_it_was() {
    let route = GlobalRoute {
        source_gid: [0xa1; 16],
        destination_gid: [0xb2; 16],
        traffic_class: 0x5a,
        flow_label: 0x9_8765,
        hop_limit: 63,
    };
    let addressing = routed(7, 0x1234, route);
    let mut packet = Packet::new(BthOpcode::DatagramSendOnly, 0x41, 1);
    packet.datagram = Some(Datagram { queue_key: 0x1234, source_qpn: 0x40 });
    packet.payload = b"hello".to_vec();
    let bytes = build(&packet, &addressing);
    // Version, class and flow; transport header, datagram header, eight bytes, CRC; base transport follows.
    assert_eq!(
        bytes[..24],
        *b"\x02\0\0\0\x12\x34\x02\0\0\0\0\x07\x89\x15\x65\xa9\x87\x65\0\x20\x1b\x3f\xa1\xa1"
    );
    let parts = doorbell_prm::roce::packet_parts(&bytes).into_iter();
    let titles: Vec<&str> = parts.map(|part| part.title).collect();
    let outer = ["Ethernet", "global route", "base transport", "datagram extended"];
    assert_eq!(titles, [&outer[..], &["payload", "invariant CRC"]].concat());
    assert_eq!(parse(&bytes), Some((addressing, packet.clone())));
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 0x80 >> (bit % 8);
        let read = parse(&changed).map(|(_, packet)| packet);
        // The LIDs are not of the header that the CRC covers. The version has no other value.
        let masked =
            [4, 5, 10, 11, 15, 16, 17, 21, 58].contains(&(bit / 8)) || (116..120).contains(&bit);
        assert_eq!(read == Some(packet.clone()), masked, "bit {bit}");
    }
}

#[test]
fn the_ipv4_checksum_is_that_of_a_captured_packet() {
    // From a packet that a ConnectX-4 Lx sent; see the tests of the invariant CRC.
    let header = [
        0x45, 0xc2, 0x00, 0x3c, 0x71, 0x8c, 0x40, 0x00, 0x40, 0x11, 0x91, 0x61, 0x0a, 0x00, 0x11,
        0x01, 0x0a, 0x00, 0x12, 0x01,
    ];
    let mut header = Ipv4Header::read_from_bytes(&header).unwrap();
    header.checksum = 0.into();
    assert_eq!(ipv4_checksum(&header), 0x9161);
}

proptest! {
    #[test]
    fn any_bytes_are_taken_apart_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(parse(&bytes), None);
    }

    /// Right on the outside, anything inside: lengths and CRC fit.
    #[test]
    fn any_transport_bytes_are_taken_apart_without_a_panic(transport in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Some(packet) = parse_transport(&transport) {
            prop_assert!(packet.payload.len() <= transport.len());
        }
    }
}

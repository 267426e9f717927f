//! A card's end of the network, against plain sockets and against another end.

use doorbell_card::Network;
use doorbell_card_network::*;
use doorbell_prm::roce::{EthernetHeader, Ipv4Header, ROCE_UDP_PORT, UdpHeader};
use doorbell_prm::zerocopy::IntoBytes;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

/// An address of this test process alone, as far as its number goes.
fn address(last: u8) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, last)
}

fn open(last: u8, impairments: Impairments) -> UdpNetwork {
    UdpNetwork::open(address(last), impairments).expect("a loopback address that nobody has")
}

/// A frame as a card makes it, but for its content.
fn frame(from: Ipv4Addr, to: Ipv4Addr, source_port: u16, content: &[u8]) -> Vec<u8> {
    let mut ethernet = EthernetHeader::zeroed();
    (ethernet.destination, ethernet.source) = (mac_of(to), mac_of(from));
    ethernet.ether_type = 0x0800.into();
    let mut ip = Ipv4Header::zeroed();
    ip.set_version(4);
    ip.set_header_words(5);
    ip.set_dont_fragment(1);
    ip.total_length = (28 + content.len() as u16).into();
    (ip.time_to_live, ip.protocol) = (64, 17);
    (ip.source, ip.destination) = (from.octets(), to.octets());
    let words = ip.as_bytes().chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let sum: u32 = words.sum();
    ip.checksum = (!((sum & 0xffff) + (sum >> 16)) as u16).into();
    let mut udp = UdpHeader::zeroed();
    udp.source_port = source_port.into();
    udp.destination_port = ROCE_UDP_PORT.into();
    udp.length = (8 + content.len() as u16).into();
    [ethernet.as_bytes(), ip.as_bytes(), udp.as_bytes(), content].concat()
}

/// What comes within some seconds.
fn received(network: &UdpNetwork) -> Option<Vec<u8>> {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(120) {
        if let Some(packet) = network.receive() {
            return Some(packet);
        }
        network.wait(Duration::from_millis(10));
    }
    None
}

#[test]
fn a_frame_arrives_as_it_was_sent() {
    let (one, two) = (open(2, Impairments::default()), open(3, Impairments::default()));
    for length in [16, 1040, 4112] {
        let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let sent = frame(one.address(), two.address(), 0xc042, &content);
        one.send(sent.clone());
        assert_eq!(received(&two), Some(sent), "{length} bytes");
    }
    assert_eq!((one.traffic().sent, two.traffic().received), (3, 3));
    assert_eq!(one.receive(), None, "nothing comes back");
}

#[test]
fn the_datagram_leaves_from_the_address_and_port_that_the_packet_names() {
    let one = open(4, Impairments::default());
    let plain = UdpSocket::bind((address(5), ROCE_UDP_PORT)).expect("nobody has it");
    plain.set_read_timeout(Some(Duration::from_secs(120))).expect("set");
    // More queue pairs than sockets are kept.
    for source_port in (0xc000..0xc180).chain([0xc000, 0xffff]) {
        one.send(frame(one.address(), address(5), source_port, b"content"));
        let mut bytes = [0; 100];
        let (length, from) = plain.recv_from(&mut bytes).expect("a datagram");
        assert_eq!(from, (one.address(), source_port).into());
        assert_eq!(&bytes[..length], b"content");
    }
}

#[test]
fn an_address_that_cannot_be_is_refused_with_the_reason() {
    let _one = open(6, Impairments::default());
    let refusal = |address| {
        UdpNetwork::open(address, Impairments::default()).expect_err("it cannot be").to_string()
    };
    let taken = refusal(address(6));
    assert!(taken.contains("another card has the address"), "{taken}");
    // The range for documentation: no machine has it.
    let elsewhere = refusal(Ipv4Addr::new(192, 0, 2, 55));
    assert!(elsewhere.contains("no address of this machine"), "{elsewhere}");
    for nobody in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)] {
        let nobody = refusal(nobody);
        assert!(nobody.contains("no address of one card"), "{nobody}");
    }
}

#[test]
fn an_address_is_free_again_when_its_card_is_gone() {
    drop(open(7, Impairments::default()));
    open(7, Impairments::default());
}

#[test]
fn what_the_system_will_not_send_is_counted_with_its_words() {
    let one = open(8, Impairments::default());
    // Nothing leaves the machine from a loopback address.
    one.send(frame(one.address(), Ipv4Addr::new(192, 0, 2, 1), 0xc000, b"content"));
    one.send(b"no frame".to_vec());
    let traffic = one.traffic();
    assert_eq!((traffic.sent, traffic.refused), (0, 2));
    assert!(traffic.refusal.expect("a reason").contains("no packet of RoCE"));
}

#[test]
fn what_is_lost_doubled_or_held_back_is() {
    let always = Chance::ALWAYS;
    let two = open(10, Impairments::default());
    let lossy = open(9, Impairments { loss: always, ..Impairments::default() });
    lossy.send(frame(lossy.address(), two.address(), 0xc000, b"lost"));
    assert_eq!((lossy.traffic().sent, lossy.traffic().fates.lost), (0, 1));
    drop(lossy);
    let double = open(9, Impairments { duplicate: always, ..Impairments::default() });
    double.send(frame(double.address(), two.address(), 0xc000, b"twice"));
    let first = received(&two);
    while double.traffic().sent < 2 {
        assert_eq!(double.receive(), None);
    }
    assert!(first.is_some() && received(&two) == first);
    assert_eq!(double.traffic().fates.duplicated, 1);
    assert_eq!(two.receive(), None, "and not three times; nor the lost one");
    drop(double);
    let delay = Duration::from_millis(30);
    let slow = open(9, Impairments { delay, ..Impairments::default() });
    let begin = Instant::now();
    slow.send(frame(slow.address(), two.address(), 0xc000, b"late"));
    assert_eq!(slow.traffic().sent, 0);
    // It leaves when its sender has its turn: when it looks for what has come.
    loop {
        assert_eq!(slow.receive(), None);
        if slow.traffic().sent > 0 {
            break;
        }
        slow.wait(Duration::from_secs(600));
    }
    assert!((delay..Duration::from_secs(300)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert!(received(&two).is_some_and(|packet| packet.ends_with(b"late")));
}

#[test]
fn waiting_ends_with_a_packet_or_with_its_time() {
    let (one, two) = (open(11, Impairments::default()), open(12, Impairments::default()));
    let begin = Instant::now();
    two.wait(Duration::from_millis(20));
    assert!(begin.elapsed() >= Duration::from_millis(20));
    one.send(frame(one.address(), two.address(), 0xc000, b"content"));
    let begin = Instant::now();
    two.wait(Duration::from_secs(600));
    assert!(begin.elapsed() < Duration::from_secs(300));
    let before = two.time();
    assert!(two.time() >= before && before > 0);
}

//! What is in front of the base transport header: Ethernet, IPv4 and UDP with RoCE v2. A packet with a
//! global route header has the form of RoCE v1: Ethernet, and that header.

use crate::infiniband::{envelope_of, lid_of_mac};
use doorbell_prm::roce::{
    ETHER_TYPE_ROCE_V1, EthernetHeader, GRH_NEXT_HEADER, GRH_VERSION, GlobalRouteHeader,
    INVARIANT_CRC_SIZE, Ipv4Header, ROCE_UDP_PORT, UdpHeader,
};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};

/// Where a packet comes from and goes to: what the layers below InfiniBand need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addressing {
    pub(crate) source_mac: [u8; 6],
    pub(crate) destination_mac: [u8; 6],
    pub(crate) source_ip: [u8; 4],
    pub(crate) destination_ip: [u8; 4],
    pub(crate) source_port: u16,
    pub(crate) time_to_live: u8,
    /// DSCP and ECN bits.
    pub(crate) traffic_class: u8,
    /// What its global route header says, where an InfiniBand packet has one. The addresses of IP are
    /// those that belong to its LIDs then, and port, time to live and traffic class are none.
    pub(crate) route: Option<GlobalRoute>,
}

/// A global route header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GlobalRoute {
    pub(crate) source_gid: [u8; 16],
    pub(crate) destination_gid: [u8; 16],
    pub(crate) traffic_class: u8,
    pub(crate) flow_label: u32,
    pub(crate) hop_limit: u8,
}

const ETHER_TYPE_IPV4: u16 = 0x0800;
const PROTOCOL_UDP: u8 = 17;

/// The headers in front of so many bytes, the invariant CRC counted.
pub(super) fn envelope(addressing: &Addressing, length: usize) -> Vec<u8> {
    let mut ethernet = EthernetHeader::zeroed();
    ethernet.destination = addressing.destination_mac;
    ethernet.source = addressing.source_mac;
    ethernet.ether_type = match addressing.route {
        Some(_) => ETHER_TYPE_ROCE_V1.into(),
        None => ETHER_TYPE_IPV4.into(),
    };
    let headers = EthernetHeader::SIZE + GlobalRouteHeader::SIZE;
    let mut bytes = Vec::with_capacity(headers + length);
    bytes.extend(ethernet.as_bytes());
    match &addressing.route {
        Some(route) => bytes.extend(global_route(route, length).as_bytes()),
        None => {
            let udp = udp(addressing, UdpHeader::SIZE + length);
            bytes.extend(ipv4(addressing, Ipv4Header::SIZE + UdpHeader::SIZE + length).as_bytes());
            bytes.extend(udp.as_bytes());
        }
    }
    bytes
}

/// Opens the envelope of a packet, which is given without its invariant CRC: whom it is from and for,
/// and what is in it, from the base transport header on.
pub(super) fn open(packet: &[u8]) -> Option<(Addressing, &[u8])> {
    let (ethernet, inner) = EthernetHeader::ref_from_prefix(packet).ok()?;
    match ethernet.ether_type.get() {
        ETHER_TYPE_IPV4 => open_udp(ethernet, inner),
        ETHER_TYPE_ROCE_V1 => open_routed(ethernet, inner),
        _ => None,
    }
}

fn open_udp<'a>(ethernet: &EthernetHeader, inner: &'a [u8]) -> Option<(Addressing, &'a [u8])> {
    let (ip, rest) = Ipv4Header::ref_from_prefix(inner).ok()?;
    let (udp, transport) = UdpHeader::ref_from_prefix(rest).ok()?;
    let right = (ip.version(), ip.header_words(), ip.protocol) == (4, 5, PROTOCOL_UDP)
        && usize::from(ip.total_length.get()) == inner.len() + INVARIANT_CRC_SIZE
        && ipv4_checksum(ip) == 0
        && udp.destination_port.get() == ROCE_UDP_PORT
        && usize::from(udp.length.get()) == rest.len() + INVARIANT_CRC_SIZE;
    let addressing = Addressing {
        source_mac: ethernet.source,
        destination_mac: ethernet.destination,
        source_ip: ip.source,
        destination_ip: ip.destination,
        source_port: udp.source_port.get(),
        time_to_live: ip.time_to_live,
        traffic_class: ip.dscp_ecn,
        route: None,
    };
    right.then_some((addressing, transport))
}

fn open_routed<'a>(ethernet: &EthernetHeader, inner: &'a [u8]) -> Option<(Addressing, &'a [u8])> {
    let (grh, transport) = GlobalRouteHeader::ref_from_prefix(inner).ok()?;
    let right = (grh.ip_version(), grh.next_header) == (GRH_VERSION, GRH_NEXT_HEADER)
        && usize::from(grh.payload_length.get()) == transport.len() + INVARIANT_CRC_SIZE;
    let route = GlobalRoute {
        source_gid: grh.source_gid,
        destination_gid: grh.destination_gid,
        traffic_class: grh.traffic_class() as u8,
        flow_label: grh.flow_label(),
        hop_limit: grh.hop_limit,
    };
    let (source, destination) = (lid_of_mac(ethernet.source)?, lid_of_mac(ethernet.destination)?);
    right.then_some((routed(source, destination, route), transport))
}

/// The addresses of a packet with a global route header, from LID to LID.
pub(crate) fn routed(source_lid: u16, destination_lid: u16, route: GlobalRoute) -> Addressing {
    let lids = envelope_of(source_lid, destination_lid, 0);
    Addressing { time_to_live: 0, route: Some(route), ..lids }
}

fn global_route(route: &GlobalRoute, length: usize) -> GlobalRouteHeader {
    let mut header = GlobalRouteHeader::zeroed();
    header.set_ip_version(GRH_VERSION);
    header.set_traffic_class(route.traffic_class.into());
    header.set_flow_label(route.flow_label);
    header.payload_length = (length as u16).into();
    header.next_header = GRH_NEXT_HEADER;
    header.hop_limit = route.hop_limit;
    header.source_gid = route.source_gid;
    header.destination_gid = route.destination_gid;
    header
}

fn udp(addressing: &Addressing, length: usize) -> UdpHeader {
    let mut udp = UdpHeader::zeroed();
    udp.source_port = addressing.source_port.into();
    udp.destination_port = ROCE_UDP_PORT.into();
    udp.length = (length as u16).into();
    udp
}

fn ipv4(addressing: &Addressing, length: usize) -> Ipv4Header {
    let mut header = Ipv4Header::zeroed();
    header.set_version(4);
    header.set_header_words((Ipv4Header::SIZE / 4) as u8);
    header.dscp_ecn = addressing.traffic_class;
    header.total_length = (length as u16).into();
    header.set_dont_fragment(1);
    header.time_to_live = addressing.time_to_live;
    header.protocol = PROTOCOL_UDP;
    header.source = addressing.source_ip;
    header.destination = addressing.destination_ip;
    header.checksum = ipv4_checksum(&header).into();
    header
}

/// The ones' complement of the ones' complement sum of the header's words.
pub(super) fn ipv4_checksum(header: &Ipv4Header) -> u16 {
    let words = header.as_bytes().as_chunks::<2>().0.iter();
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

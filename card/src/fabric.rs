//! Packets leave a queue pair, and reach another one: of the same card, or by the wire.
//!
//! A packet that is addressed to somebody who is not there is gone, and its sender finds out as it
//! would on a real network, by hearing nothing.

use crate::card::Card;
use crate::config::CardConfig;
use crate::dma::{Bus, PROBE_GROUP};
use crate::infiniband::{envelope_of, ip_of_lid};
use crate::packets::{Addressing, Packet, build, parse};
use crate::queue_pair::QueuePair;
use doorbell_prm::commands::{AddressPath, QpState, RoceAddress};
use doorbell_prm::roce::{BthOpcode, EthernetHeader, Ipv4Header, UdpHeader};
use doorbell_tracer::{Value, probe};

/// The RoCE address table: the card's own addresses.
#[derive(Debug, Clone)]
pub(crate) struct RoceTable(Vec<RoceAddress>);

/// Entries of the table.
pub(crate) const ROCE_ADDRESSES: usize = 16;

/// `roce_version` of RoCE v2.
pub(crate) const ROCE_V2: u8 = 2;

impl RoceTable {
    pub(crate) fn new(config: &CardConfig) -> Self {
        let mut table = vec![RoceAddress::zeroed(); ROCE_ADDRESSES];
        if let Some(first) = table.first_mut() {
            let [a, b, c, d, e, f] = config.mac;
            first
                .set_source_l3_address(mapped(config.ipv4))
                .set_source_mac_47_32(u16::from_be_bytes([a, b]))
                .set_source_mac_31_0(u32::from_be_bytes([c, d, e, f]))
                .set_roce_version(ROCE_V2);
        }
        Self(table)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&RoceAddress> {
        self.0.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut RoceAddress> {
        self.0.get_mut(index)
    }

    /// Whether a packet to these addresses is for this card.
    fn has(&self, mac: [u8; 6], ip: [u8; 4]) -> bool {
        let ours = |entry: &RoceAddress| {
            is_used(entry) && mac_of(entry) == mac && last_four(entry.source_l3_address()) == ip
        };
        self.0.iter().any(ours)
    }
}

/// Whether an entry of the table holds an address.
pub(crate) fn is_used(entry: &RoceAddress) -> bool {
    entry.roce_version() == ROCE_V2 && mac_of(entry) != [0; 6]
}

/// An IPv4 address as a GID.
fn mapped([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}

/// The IPv4 address in a GID, when it holds one.
pub(crate) fn unmapped(gid: [u8; 16]) -> Option<[u8; 4]> {
    let ip = last_four(gid);
    (gid == mapped(ip)).then_some(ip)
}

fn last_four(bytes: [u8; 16]) -> [u8; 4] {
    [bytes[12], bytes[13], bytes[14], bytes[15]]
}

fn mac_of(entry: &RoceAddress) -> [u8; 6] {
    joined(entry.source_mac_47_32(), entry.source_mac_31_0())
}

/// The other side's MAC address in an address path.
pub(crate) fn remote_mac(path: &AddressPath) -> [u8; 6] {
    joined(path.rmac_47_32(), path.rmac_31_0())
}

fn joined(high: u16, low: u32) -> [u8; 6] {
    let ([a, b], [c, d, e, f]) = (high.to_be_bytes(), low.to_be_bytes());
    [a, b, c, d, e, f]
}

/// Ethernet, IP and UDP headers.
const ENVELOPE_SIZE: usize = EthernetHeader::SIZE + Ipv4Header::SIZE + UdpHeader::SIZE;
/// InfiniBand's local route header and variant CRC.
const LOCAL_ROUTE_SIZE: usize = 8;
const VARIANT_CRC_SIZE: usize = 2;

const PORT_IS_DOWN: &str = "packet dropped: the port is not active";

/// Time to live of a path that names none.
const DEFAULT_TIME_TO_LIVE: u8 = 64;
/// The lowest UDP source port of RoCE v2; a queue pair that is given none derives its own.
pub(crate) const LOWEST_SOURCE_PORT: u16 = 0xc000;

impl Card {
    // ANCHOR: card_fabric
    /// Puts a packet for the other side of a queue pair on the wire.
    pub(crate) fn transmit(&mut self, qp: &QueuePair, packet: &Packet, bus: &Bus<'_>) {
        let Some(addressing) = self.addressing(qp) else { return };
        match qp.is_extended() {
            true => {
                let packet = Packet { is_extended: true, ..packet.clone() };
                self.transmit_to(&addressing, qp, &packet, bus);
            }
            false => self.transmit_to(&addressing, qp, packet, bus),
        }
    }

    /// Puts a packet for anybody on the wire.
    pub(crate) fn transmit_to(
        &mut self,
        addressing: &Addressing,
        qp: &QueuePair,
        packet: &Packet,
        bus: &Bus<'_>,
    ) {
        if !self.is_port_active() {
            return drop_packet(PORT_IS_DOWN, packet.destination_qpn, bus);
        }
        let bytes = build(packet, addressing);
        let (from, to, name) = (qp.qpn, packet.destination_qpn, packet.wire_opcode().label());
        probe!(bus.tracer, packet(from, to, name, packet.psn, &bytes));
        self.transmitted.add(self.wire_length(addressing, bytes.len()));
        match self.config.has_wire && !self.is_own(addressing) {
            true => self.wire.leaving.push_back(bytes),
            false => self.fabric.push_back(bytes),
        }
    }

    /// Takes a packet from the wire.
    pub(crate) fn deliver(&mut self, bytes: &[u8], bus: &mut Bus<'_>) {
        let Some((addressing, packet)) = parse(bytes) else {
            return drop_packet("packet dropped: malformed", 0, bus);
        };
        let qpn = packet.destination_qpn;
        if !self.is_port_active() {
            return drop_packet(PORT_IS_DOWN, qpn, bus);
        }
        if !self.is_own(&addressing) {
            return drop_packet("packet dropped: nobody has this address", qpn, bus);
        }
        self.received.add(self.wire_length(&addressing, bytes.len()));
        if packet.opcode.has_deth() {
            return self.deliver_datagram(bytes, &addressing, &packet, bus);
        }
        let found = self.queue_pairs.get(qpn);
        let from = |qp: &QueuePair| match self.lid() {
            Some(_) => ip_of_lid(qp.context.primary_address_path().rlid()),
            None => last_four(qp.context.primary_address_path().rgid_rip()),
        };
        let expected = |qp: &QueuePair| expects(qp, &packet) && from(qp) == addressing.source_ip;
        if !found.is_some_and(expected) {
            return drop_packet("packet dropped: no queue pair that expects it", qpn, bus);
        }
        self.with_qp(qpn, |card, qp| match packet.opcode {
            opcode if is_response(opcode) => card.take_response(qp, packet, bus),
            opcode if opcode.is_unreliable() => card.take_unreliable(qp, &packet, bus),
            _ if card.find_receiver(qp, &packet, bus) => card.take_request(qp, packet, bus),
            _ => {}
        });
    }

    /// How many bytes of a packet would be on the wire. An InfiniBand packet would have a local
    /// route header in front and a checksum at its end, in place of the envelope.
    fn wire_length(&self, addressing: &Addressing, length: usize) -> usize {
        let envelope = match addressing.route {
            Some(_) => EthernetHeader::SIZE,
            None => ENVELOPE_SIZE,
        };
        match self.lid() {
            Some(_) => length - envelope + LOCAL_ROUTE_SIZE + VARIANT_CRC_SIZE,
            None => length,
        }
    }

    /// A global route header must name the port, too (InfiniBand specification, 9.6.1.2). Over Ethernet
    /// there are none: that is RoCE v1.
    fn is_own(&self, addressing: &Addressing) -> bool {
        let route = addressing.route;
        match self.lid() {
            Some(lid) => {
                addressing.destination_ip == ip_of_lid(lid)
                    && route.is_none_or(|route| route.destination_gid == self.gid(0))
            }
            None => {
                route.is_none()
                    && self.roce.has(addressing.destination_mac, addressing.destination_ip)
            }
        }
    }

    fn addressing(&self, qp: &QueuePair) -> Option<Addressing> {
        self.way(qp, qp.context.primary_address_path())
    }

    /// The addresses of packets that take this path.
    pub(crate) fn way(&self, qp: &QueuePair, path: &AddressPath) -> Option<Addressing> {
        let own_port = source_port(qp);
        if let Some(lid) = self.lid() {
            return Some(envelope_of(lid, path.rlid(), own_port));
        }
        let own = self.roce.get(path.src_addr_index().into())?;
        Some(Addressing {
            source_mac: mac_of(own),
            destination_mac: remote_mac(path),
            source_ip: last_four(own.source_l3_address()),
            destination_ip: last_four(path.rgid_rip()),
            source_port: match path.udp_sport() {
                0 => own_port,
                port => port,
            },
            time_to_live: match path.hop_limit() {
                0 => DEFAULT_TIME_TO_LIVE,
                limit => limit,
            },
            traffic_class: path.tclass(),
            route: None,
        })
    }
    // ANCHOR_END: card_fabric
}

/// The UDP source port of a queue pair that was given none.
pub(crate) fn source_port(qp: &QueuePair) -> u16 {
    LOWEST_SOURCE_PORT | (qp.qpn as u16 & !LOWEST_SOURCE_PORT)
}

/// Whether a queue pair is in a state to take a packet, and of the packet's service.
fn expects(qp: &QueuePair, packet: &Packet) -> bool {
    let ready = match is_response(packet.opcode) {
        true => qp.state == QpState::ReadyToSend,
        false => qp.receives(),
    };
    let reliable = qp.is_reliable() != packet.opcode.is_unreliable();
    ready && qp.is_connected() && reliable && qp.suits(packet)
}

pub(crate) fn is_response(opcode: BthOpcode) -> bool {
    let responses = BthOpcode::ReadResponseFirst.code()..=BthOpcode::AtomicAcknowledge.code();
    responses.contains(&opcode.code())
}

// ANCHOR: card_drop
pub(crate) fn drop_packet(why: &'static str, qpn: u32, bus: &Bus<'_>) {
    probe!(bus.tracer, note(why, [("destination qpn", Value::Hex(qpn.into()))]));
}
// ANCHOR_END: card_drop

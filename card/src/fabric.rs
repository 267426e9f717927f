//! The wire: packets leave a queue pair, and reach another one of the same card.
//!
//! There is nothing outside: a packet that is addressed to somebody else is gone, and its sender
//! finds out as it would on a real network, by hearing nothing.

use crate::card::Card;
use crate::config::CardConfig;
use crate::dma::{Bus, PROBE_GROUP};
use crate::packets::{Addressing, Packet, build, parse};
use crate::queue_pair::QueuePair;
use doorbell_prm::commands::{AddressPath, QpState, RoceAddress};
use doorbell_prm::roce::BthOpcode;
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

/// Time to live of a path that names none.
const DEFAULT_TIME_TO_LIVE: u8 = 64;
/// The lowest UDP source port of RoCE v2; a queue pair that is given none derives its own.
pub(crate) const LOWEST_SOURCE_PORT: u16 = 0xc000;

impl Card {
    // ANCHOR: card_fabric
    /// Puts a packet on the wire.
    pub(crate) fn transmit(&mut self, qp: &QueuePair, packet: &Packet, bus: &Bus<'_>) {
        let Some(addressing) = self.addressing(qp) else {
            return;
        };
        let bytes = build(packet, &addressing);
        let (from, to, name) = (qp.qpn, packet.destination_qpn, packet.opcode.label());
        probe!(bus.tracer, packet(from, to, name, packet.psn, &bytes));
        self.fabric.push_back(bytes);
    }

    /// Takes a packet from the wire.
    pub(crate) fn deliver(&mut self, bytes: &[u8], bus: &mut Bus<'_>) {
        let Some((addressing, packet)) = parse(bytes) else {
            return drop_packet("packet dropped: malformed", 0, bus);
        };
        let qpn = packet.destination_qpn;
        if !self.roce.has(addressing.destination_mac, addressing.destination_ip) {
            return drop_packet("packet dropped: nobody has this address", qpn, bus);
        }
        let found = self.queue_pairs.get(&qpn);
        if !found.is_some_and(|qp| expects(qp, &addressing, &packet)) {
            return drop_packet("packet dropped: no queue pair that expects it", qpn, bus);
        }
        self.with_qp(qpn, |card, qp| match is_response(packet.opcode) {
            true => card.take_response(qp, packet, bus),
            false => card.take_request(qp, packet, bus),
        });
    }

    fn addressing(&self, qp: &QueuePair) -> Option<Addressing> {
        let path = qp.context.primary_address_path();
        let own = self.roce.get(path.src_addr_index().into())?;
        Some(Addressing {
            source_mac: mac_of(own),
            destination_mac: remote_mac(path),
            source_ip: last_four(own.source_l3_address()),
            destination_ip: last_four(path.rgid_rip()),
            source_port: match path.udp_sport() {
                0 => LOWEST_SOURCE_PORT | (qp.qpn as u16 & !LOWEST_SOURCE_PORT),
                port => port,
            },
            time_to_live: match path.hop_limit() {
                0 => DEFAULT_TIME_TO_LIVE,
                limit => limit,
            },
            traffic_class: path.tclass(),
        })
    }
    // ANCHOR_END: card_fabric
}

/// Whether a queue pair is in a state to take a packet, and the packet comes from its other side.
fn expects(qp: &QueuePair, addressing: &Addressing, packet: &Packet) -> bool {
    let path = qp.context.primary_address_path();
    let ready = match is_response(packet.opcode) {
        true => qp.state == QpState::ReadyToSend,
        false => qp.receives(),
    };
    ready && last_four(path.rgid_rip()) == addressing.source_ip
}

fn is_response(opcode: BthOpcode) -> bool {
    let responses = BthOpcode::ReadResponseFirst.code()..=BthOpcode::AtomicAcknowledge.code();
    responses.contains(&opcode.code())
}

// ANCHOR: card_drop
fn drop_packet(why: &'static str, qpn: u32, bus: &Bus<'_>) {
    probe!(bus.tracer, note(why, [("destination qpn", Value::Hex(qpn.into()))]));
}
// ANCHOR_END: card_drop

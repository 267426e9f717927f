//! The InfiniBand port: LIDs, the tables of GIDs and partition keys, and the link's registers.
//!
//! Packets between queue pairs are the same as those of RoCE. The local route header that
//! InfiniBand has in place of Ethernet and IP is not made: LIDs take the place of addresses, in
//! an envelope of the same form, see [`envelope_of`]. A datagram whose address vector asks for a global
//! route header has it, in an envelope of the form of RoCE v1. Packets of connections have none: nobody
//! could see it.

use crate::card::Card;
use crate::config::{CardConfig, Link};
use crate::packets::Addressing;
use crate::reason::Reason;
use doorbell_prm::commands::*;
use doorbell_prm::zerocopy::IntoBytes;

/// Entries of the GID table, and of the partition key table: what the capabilities say.
pub(crate) const GIDS: usize = 8;
pub(crate) const PARTITION_KEYS: usize = 128;
/// The first half of the GID of a port in a subnet that nobody named otherwise.
pub(crate) const DEFAULT_GID_PREFIX: u64 = 0xfe80_0000_0000_0000;
/// The highest LID of a single port; above it are those of multicast groups.
const LAST_UNICAST_LID: u16 = 0xbfff;

/// `cap_mask1`: there is a system image GUID; speeds above 10 Gb/s a lane are known.
pub(crate) const PORT_CAPABILITIES: u32 = 1 << 11 | 1 << 14;
/// What software may announce in `cap_mask1`: subnet manager, communication management, SNMP
/// tunnelling, device management, vendor classes.
pub(crate) const ANNOUNCED_BY_SOFTWARE: u32 = 1 << 1 | 1 << 16 | 1 << 17 | 1 << 19 | 1 << 20;
/// Widths: 1X and 4X are possible, 4X it is.
const WIDTHS: u16 = 1 << 0 | 1 << 2;
const WIDTH_4X: u16 = 1 << 2;
/// Speeds: from SDR to HDR, HDR it is.
const SPEEDS: u16 = 0x7f;
const SPEED_HDR: u16 = 1 << 6;
/// The longest packets in bytes.
const MTU: u16 = 4096;
/// Virtual lanes, as PortInfo codes them: lane 0 only.
pub(crate) const LANE_0: u8 = 1;

/// The default partition key, the only one there is.
pub(crate) const DEFAULT_PKEY: u16 = 0xffff;
/// IEEE company number of Mellanox.
pub(crate) const VENDOR: [u8; 3] = [0x00, 0x02, 0xc9];
/// `subnet_timeout`: 4.096 us times 2 to this power.
pub(crate) const SUBNET_TIMEOUT: u8 = 18;
/// Physical states of a port: it looks for another at the far end; the link is up.
const POLLING: u8 = 2;
const LINK_UP: u8 = 5;

/// PortInfo: 1X and 4X; 2.5, 5 and 10 Gb/s a lane; FDR, EDR and HDR above; HDR now.
pub(crate) const INFO_WIDTHS: u8 = 1 | 2;
pub(crate) const INFO_WIDTH_4X: u8 = 2;
pub(crate) const INFO_SPEEDS: u8 = 1 | 2 | 4;
pub(crate) const INFO_SPEED_QDR: u8 = 4;
pub(crate) const INFO_EXTENDED_SPEEDS: u8 = 1 | 2 | 4;
pub(crate) const INFO_EXTENDED_HDR: u8 = 4;

/// Addresses of the envelope: a LID becomes the last two bytes of a MAC address that belongs to
/// nobody, and of an IPv4 address that is never routed.
pub(crate) fn envelope_of(source_lid: u16, destination_lid: u16, source_port: u16) -> Addressing {
    Addressing {
        source_mac: mac_of_lid(source_lid),
        destination_mac: mac_of_lid(destination_lid),
        source_ip: ip_of_lid(source_lid),
        destination_ip: ip_of_lid(destination_lid),
        source_port,
        time_to_live: 1,
        traffic_class: 0,
        route: None,
    }
}

pub(crate) fn mac_of_lid(lid: u16) -> [u8; 6] {
    let [high, low] = lid.to_be_bytes();
    [0x02, 0, 0, 0, high, low]
}

pub(crate) fn ip_of_lid(lid: u16) -> [u8; 4] {
    let [high, low] = lid.to_be_bytes();
    [169, 254, high, low]
}

/// The LID that a MAC address of the envelope stands for.
pub(crate) fn lid_of_mac(mac: [u8; 6]) -> Option<u16> {
    let lid = u16::from_be_bytes([mac[4], mac[5]]);
    (mac == mac_of_lid(lid)).then_some(lid)
}

/// The bytes of the LID in an address of the envelope.
pub(crate) fn lid_of_ip([_, _, high, low]: [u8; 4]) -> [u8; 2] {
    [high, low]
}

impl Card {
    /// The port's LID, when it is an InfiniBand port.
    pub(crate) fn lid(&self) -> Option<u16> {
        match self.config.link {
            Link::InfiniBand { lid } => Some(lid),
            Link::Ethernet => None,
        }
    }

    /// The physical state of the port.
    pub(crate) fn physical_state(&self) -> u8 {
        if self.cable.has_link() { LINK_UP } else { POLLING }
    }

    /// A route is a LID, and a GID index where a global header is wanted.
    pub(crate) fn check_route(&self, path: &AddressPath) -> Result<(), Reason> {
        if !(1..=LAST_UNICAST_LID).contains(&path.rlid()) {
            return Err(Reason::RemoteAddress);
        }
        if path.grh() && usize::from(path.src_addr_index()) >= GIDS {
            return Err(Reason::SourceAddress);
        }
        Ok(())
    }

    /// The GID table: the port's own GID, and nothing else.
    pub(crate) fn gid(&self, index: usize) -> [u8; 16] {
        let mut gid = [0; 16];
        if index == 0 {
            gid[..8].copy_from_slice(&DEFAULT_GID_PREFIX.to_be_bytes());
            gid[8..].copy_from_slice(&self.config.port_guid.to_be_bytes());
        }
        gid
    }
}

/// PTYS: width and speed of the link; a port that is down has neither.
pub(crate) fn link_register(config: &CardConfig, is_up: bool) -> Vec<u8> {
    let mut register = PtysRegister::zeroed();
    register.set_local_port(1);
    if config.link != Link::Ethernet {
        register
            .set_proto_mask(PROTOCOL_INFINIBAND)
            .set_ib_link_width_capability(WIDTHS)
            .set_ib_link_width_admin(WIDTHS)
            .set_ib_proto_capability(SPEEDS)
            .set_ib_proto_admin(SPEEDS);
        if is_up {
            register.set_ib_link_width_oper(WIDTH_4X).set_ib_proto_oper(SPEED_HDR);
        }
    }
    register.as_bytes().to_vec()
}

/// PMTU: the longest packets.
pub(crate) fn mtu_register() -> Vec<u8> {
    let mut register = PmtuRegister::zeroed();
    register.set_local_port(1).set_max_mtu(MTU).set_admin_mtu(MTU).set_oper_mtu(MTU);
    register.as_bytes().to_vec()
}

/// PVLC: virtual lanes.
pub(crate) fn lanes_register() -> Vec<u8> {
    let mut register = PvlcRegister::zeroed();
    register
        .set_local_port(1)
        .set_vl_hw_cap(LANE_0)
        .set_vl_admin(LANE_0)
        .set_vl_operational(LANE_0);
    register.as_bytes().to_vec()
}

/// `proto_mask` of InfiniBand.
const PROTOCOL_INFINIBAND: u8 = 1;

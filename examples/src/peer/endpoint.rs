//! This side's end: its port, its addresses, and how a queue pair comes to be connected.

use super::error::PeerError;
use super::exchange::Destination;
use crate::{Device, World};
use doorbell_card_network::mac_of_gid;
use doorbell_driver::verbs::{
    AddressVector, ConnectTo, ConnectUnreliably, Context, FirstPsn, LinkLayer, Peer as Anybody,
    PortAttributes, QueuePair, SendParameters, Transport,
};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

/// How long a program sleeps between two looks for something that the card does not bring.
const LOOK: Duration = Duration::from_millis(1);

/// A port, as the other side must know it.
pub struct Endpoint {
    /// The device.
    pub context: Arc<Context>,
    device: Device,
    own: AddressVector,
    port: PortAttributes,
    gid_index: Option<u8>,
    gid: [u8; 16],
}

/// What both sides of a connection agree on.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Code of the largest payload of a packet.
    pub path_mtu: u8,
    /// Service level of the packets.
    pub service_level: u8,
    /// RDMA reads and atomics outstanding at a time, each way.
    pub rd_atomic: u8,
}

impl Endpoint {
    /// The opened device's end; with the entry `gid_index` of its table as the GID, if one is given.
    pub fn of(
        world: &World,
        context: &Arc<Context>,
        gid_index: Option<u8>,
    ) -> Result<Self, PeerError> {
        let (own, port) = (context.query_gid()?, context.query_port()?);
        let gid = match gid_index {
            Some(index) => context.gid(index)?,
            None if port.link_layer == LinkLayer::Ethernet => own.gid,
            None => [0; 16],
        };
        let (context, device) = (Arc::clone(context), world.device.clone());
        Ok(Self { context, device, own, port, gid_index, gid })
    }

    /// Whether there is a way to another process at all.
    pub fn check_wire(&self) -> Result<(), PeerError> {
        match &self.device {
            Device::Card => Err(PeerError::NoWire),
            Device::Vfio(_) if self.own.mac != [0; 6] => Err(PeerError::NoMac),
            _ => Ok(()),
        }
    }

    /// How a queue pair of this port is called.
    pub fn destination(&self, qp: &QueuePair, psn: u32) -> Destination {
        Destination { lid: self.port.lid, qpn: qp.number(), psn, gid: self.gid }
    }

    /// The way to the other side.
    pub fn way_to(&self, to: Destination, service_level: u8) -> Result<AddressVector, PeerError> {
        let global = to.gid[8..] != [0; 8];
        if !global && self.port.link_layer == LinkLayer::Ethernet {
            return Err(PeerError::NoGid);
        }
        let not_here = || PeerError::NotOnTheNetwork(Ipv6Addr::from(to.gid));
        let mac = match self.device {
            // Software cards have the MAC address that belongs to their IPv4 address.
            Device::Wired(_) => mac_of_gid(to.gid).ok_or_else(not_here)?,
            // The kernel finds it; without the kernel, both sides are at one port.
            _ => self.own.mac,
        };
        Ok(AddressVector {
            gid: to.gid,
            global,
            lid: to.lid,
            mac,
            hop_limit: 1,
            source_gid_index: self.gid_index.unwrap_or(self.own.source_gid_index),
            service_level,
        })
    }

    // ANCHOR: pingpong_connect
    /// Brings the queue pair from INIT to RTS. (`pp_connect_ctx`)
    pub fn connect(
        &self,
        qp: &QueuePair,
        psn: u32,
        to: Destination,
        terms: Terms,
    ) -> Result<(), PeerError> {
        let Destination { qpn: qp_num, psn: first_psn, .. } = to;
        let (address, path_mtu) = (self.way_to(to, terms.service_level)?, terms.path_mtu);
        match qp.transport() {
            Transport::ReliableConnection => {
                qp.connect(&ConnectTo {
                    qp_num,
                    path_mtu,
                    first_psn,
                    max_dest_rd_atomic: terms.rd_atomic,
                    min_rnr_timer: 12,
                    address,
                })?;
                qp.start(&SendParameters {
                    first_psn: psn,
                    timeout: 14,
                    retry_count: 7,
                    rnr_retry: 7,
                    max_rd_atomic: terms.rd_atomic,
                })?;
            }
            Transport::UnreliableConnection => {
                qp.connect(&ConnectUnreliably { qp_num, path_mtu, first_psn, address })?;
                qp.start(FirstPsn(psn))?;
            }
            Transport::UnreliableDatagram => {
                qp.connect(Anybody::Anyone)?;
                qp.start(FirstPsn(psn))?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: pingpong_connect

    /// Bytes of the longest datagram: an MTU of the port.
    pub fn longest_datagram(&self) -> u32 {
        128 << self.port.active_mtu
    }

    /// What a program does while it waits for something that the card does not bring: the software
    /// card gets its turn, for others time passes.
    pub fn turn(&self) {
        self.context.relax();
        if !matches!(self.device, Device::Wired(_) | Device::Card) {
            sleep(LOOK);
        }
    }
}

/// A first packet sequence number that is not that of the last run: packets of it that are still
/// on their way are not taken for ours.
pub fn first_psn() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.subsec_nanos());
    nanoseconds.wrapping_mul(0x9e37_79b1) >> 8
}

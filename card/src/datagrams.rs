//! Unreliable datagrams: one packet each, to whom it says, with no answer. The management queue
//! pairs, which others know as numbers 0 and 1, speak in datagrams too.
//!
//! Over Ethernet every datagram has an IPv4 header in the place of the global route header. On
//! InfiniBand there is a global route header where the address vector asks for one. There are no
//! multicast groups.

use crate::card::Card;
use crate::completion_queue::Entry;
use crate::counters::Counted;
use crate::dma::Bus;
use crate::fabric::drop_packet;
use crate::infiniband::{GIDS, lid_of_ip};
use crate::packets::{Addressing, Datagram, GlobalRoute, Packet, routed};
use crate::queue_pair::{Failure, QueuePair};
use crate::responder::Refusal;
use doorbell_prm::Layout;
use doorbell_prm::commands::{AddressPath, QpServiceType};
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::roce::{BthOpcode, EthernetHeader, GlobalRouteHeader, Ipv4Header};
use doorbell_prm::wqe::{DatagramSegment, SendOpcode};
use doorbell_prm::zerocopy::{self, big_endian::U16, big_endian::U32};

/// A receive has room for a global route header before the data, whether one came or not.
const ROUTE_HEADER_SIZE: u64 = 40;
/// In `grh` and `sl` of a CQE: the route header is in the receive's memory, and is one of IPv4.
const ROUTE_HEADER_IN_DATA: u32 = 1;
const ROUTE_HEADER_IS_IPV4: u32 = 2;
/// In the queue key of a WQE: the sender's own key is meant.
const OWN_QUEUE_KEY: u32 = 1 << 31;

impl Card {
    /// Sends the datagram under way. It is done when it is sent.
    pub(crate) fn send_datagram(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let Some(message) = qp.window.messages.back() else { return };
        if message.ending.is_some() {
            return;
        }
        let request = &message.request;
        let to = request.destination.unwrap_or_else(DatagramSegment::zeroed);
        let Some(addressing) = self.datagram_way(qp, &to) else {
            return self.fail_message(qp, CqeSyndrome::LocalQpOperationError, bus);
        };
        // A datagram has one packet.
        if request.length > qp.mtu() as u64 {
            return self.fail_message(qp, CqeSyndrome::LocalLengthError, bus);
        }
        let immediate = request.opcode == SendOpcode::SendImmediate;
        let opcode = match immediate {
            true => BthOpcode::DatagramSendOnlyImmediate,
            false => BthOpcode::DatagramSendOnly,
        };
        let mut packet = Packet::new(opcode, to.destination_qpn(), message.first_psn);
        packet.solicited = request.solicited;
        packet.immediate = immediate.then_some(request.immediate);
        packet.datagram = Some(Datagram {
            queue_key: match to.queue_key.get() & OWN_QUEUE_KEY {
                0 => to.queue_key.get(),
                _ => qp.context.q_key(),
            },
            source_qpn: qp.public_qpn(),
        });
        match self.gather(qp, request, 0, request.length, bus) {
            Ok(payload) => packet.payload = payload,
            Err(syndrome) => return self.fail_message(qp, syndrome, bus),
        }
        self.transmit_to(&addressing, qp, &packet, bus);
        self.complete_message(qp, bus);
    }

    /// The way that a datagram segment describes. Over Ethernet that takes all 48 bytes of it, with
    /// one of the own addresses and an IPv4 address; the place of the LID holds the UDP source port.
    fn datagram_way(&self, qp: &QueuePair, to: &DatagramSegment) -> Option<Addressing> {
        if let Some(lid) = self.lid()
            && to.extended() == 1
            && to.grh() == 1
        {
            return Some(routed(lid, to.rlid.get(), self.global_route(to)?));
        }
        let [a, b, c, d, e, f] = to.rmac;
        let mut path = AddressPath::zeroed();
        path.set_rlid(to.rlid.get())
            .set_udp_sport(to.rlid.get())
            .set_src_addr_index(to.source_gid_index() as u8)
            .set_rgid_rip(to.rgid)
            .set_rmac_47_32(u16::from_be_bytes([a, b]))
            .set_rmac_31_0(u32::from_be_bytes([c, d, e, f]))
            .set_hop_limit(to.hop_limit)
            .set_tclass(to.tclass);
        if self.lid().is_none() {
            self.check_path(&path).ok()?;
        }
        self.way(qp, &path)
    }

    /// The global route header of a datagram, on InfiniBand; from one of the own GIDs.
    fn global_route(&self, to: &DatagramSegment) -> Option<GlobalRoute> {
        let index = to.source_gid_index() as usize;
        (index < GIDS).then(|| GlobalRoute {
            source_gid: self.gid(index),
            destination_gid: to.rgid,
            traffic_class: to.tclass,
            flow_label: to.flow_label(),
            hop_limit: to.hop_limit,
        })
    }

    /// Takes a datagram from the wire. One that nobody expects is dropped without a word.
    pub(crate) fn deliver_datagram(
        &mut self,
        bytes: &[u8],
        addressing: &Addressing,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) {
        let (qpn, Some(datagram)) = (packet.destination_qpn, packet.datagram) else {
            return;
        };
        let Some(qp) = self.queue_pairs.takes_datagrams(qpn) else {
            return drop_packet("datagram dropped: no queue pair that expects it", qpn, bus);
        };
        let open = qp.context.st() == QpServiceType::SubnetManagement.code();
        if !open && qp.context.q_key() != datagram.queue_key {
            return drop_packet("datagram dropped: a wrong queue key", qpn, bus);
        }
        let header = self.route_header(bytes, addressing);
        let length = ROUTE_HEADER_SIZE + packet.payload.len() as u64;
        self.with_qp(qp.qpn, |card, qp| match card.take_receive(qp, bus) {
            // Without a shared queue the receive is kept for the next one (InfiniBand
            // specification, 9.9.3, class D).
            Ok(receive) if receive.room() < length && qp.shared_receive().is_none() => {
                card.untake_receive(qp, &receive);
                drop_packet("datagram dropped: the receive is too short", qp.qpn, bus);
            }
            Ok(receive) => {
                let message = [header, &packet.payload].concat();
                let from = ROUTE_HEADER_SIZE - header.len() as u64;
                match card.scatter(qp, &receive, from, &message, bus) {
                    Ok(()) => {
                        let arrived = (addressing, packet, datagram);
                        card.complete_datagram(qp, receive.index, arrived, bus);
                    }
                    Err(refusal) => card.fail_datagram(qp, receive.index, refusal, bus),
                }
            }
            Err(Refusal::Broken(why)) => card.catastrophe(qp, why, bus),
            Err(_) => {
                card.count(qp, Counted::OutOfBuffer);
                drop_packet("datagram dropped: no receive is posted", qp.qpn, bus);
            }
        });
    }

    /// What lies right in front of the data in the receive's memory: the global route header, or with
    /// RoCE v2 the IPv4 header, in the last 20 of the 40 bytes (`union rdma_network_hdr` of Linux).
    /// The bytes before it are left as they are; so are all 40 where no route header came.
    fn route_header<'a>(&self, bytes: &'a [u8], addressing: &Addressing) -> &'a [u8] {
        let length = match (self.lid(), addressing.route) {
            (Some(_), Some(_)) => GlobalRouteHeader::SIZE,
            (Some(_), None) => 0,
            (None, _) => Ipv4Header::SIZE,
        };
        bytes.get(EthernetHeader::SIZE..EthernetHeader::SIZE + length).unwrap_or_default()
    }

    fn fail_datagram(
        &mut self,
        qp: &mut QueuePair,
        index: u16,
        refusal: Refusal,
        bus: &mut Bus<'_>,
    ) {
        let syndrome = match refusal {
            Refusal::Receive(_, syndrome) => syndrome,
            _ => CqeSyndrome::LocalQpOperationError,
        };
        self.complete_with_error(qp, Failure { syndrome, index, opcode: None }, bus);
        self.enter_error(qp, bus);
    }

    fn complete_datagram(
        &mut self,
        qp: &mut QueuePair,
        index: u16,
        (addressing, packet, datagram): (&Addressing, &Packet, Datagram),
        bus: &mut Bus<'_>,
    ) {
        let mut cqe = Cqe::zeroed();
        cqe.set_user_index(qp.user_index());
        match self.lid() {
            Some(_) => {
                cqe.slid = U16::from_bytes(lid_of_ip(addressing.source_ip));
                cqe.set_grh(addressing.route.map_or(0, |_| ROUTE_HEADER_IN_DATA));
            }
            None => {
                cqe.set_grh(ROUTE_HEADER_IN_DATA);
                cqe.set_sl(ROUTE_HEADER_IS_IPV4);
            }
        }
        cqe.set_rqpn(datagram.source_qpn);
        // Without immediate data, the index of the partition key: the first.
        cqe.imm_inval_pkey = U32::from_bytes(packet.immediate.unwrap_or_default());
        cqe.byte_cnt = U32::new(ROUTE_HEADER_SIZE as u32 + packet.payload.len() as u32);
        cqe.set_qpn(qp.qpn);
        cqe.wqe_counter = U16::new(index);
        cqe.set_opcode(match packet.immediate {
            Some(_) => CqeOpcode::ResponderSendImmediate.code(),
            None => CqeOpcode::ResponderSend.code(),
        });
        cqe.set_solicited(packet.solicited.into());
        let entry = Entry {
            bytes: zerocopy::transmute!(cqe),
            layout: Cqe::LAYOUT.name,
            wakes: packet.solicited,
        };
        if !self.complete(qp.context.cqn_rcv(), entry, bus) {
            self.enter_error(qp, bus);
        }
    }
}

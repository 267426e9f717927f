//! Unreliable datagrams: one packet each, to whom it says, with no answer. The management queue
//! pairs, which others know as numbers 0 and 1, speak in datagrams too.

use crate::card::Card;
use crate::completion_queue::Entry;
use crate::counters::Counted;
use crate::dma::Bus;
use crate::fabric::{drop_packet, source_port};
use crate::infiniband::{envelope_of, lid_of_ip};
use crate::packets::{Addressing, Datagram, Packet};
use crate::queue_pair::{Failure, QueuePair};
use crate::receive_queue::Receive;
use crate::responder::Refusal;
use doorbell_prm::Layout;
use doorbell_prm::commands::QpServiceType;
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::roce::BthOpcode;
use doorbell_prm::zerocopy::{self, big_endian::U16, big_endian::U32};

/// A receive has room for a global route header before the data, whether one came or not.
const ROUTE_HEADER_SIZE: u64 = 40;
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
        let (Some(destination), Some(lid)) = (request.destination, self.lid()) else {
            return self.fail_message(qp, CqeSyndrome::LocalQpOperationError, bus);
        };
        if request.length > qp.mtu() as u64 {
            return self.fail_message(qp, CqeSyndrome::LocalLengthError, bus);
        }
        let immediate = request.opcode == doorbell_prm::wqe::SendOpcode::SendImmediate;
        let opcode = match immediate {
            true => BthOpcode::DatagramSendOnlyImmediate,
            false => BthOpcode::DatagramSendOnly,
        };
        let mut packet = Packet::new(opcode, destination.qpn, message.first_psn);
        packet.solicited = request.solicited;
        packet.immediate = immediate.then_some(request.immediate);
        packet.datagram = Some(Datagram {
            queue_key: match destination.queue_key & OWN_QUEUE_KEY {
                0 => destination.queue_key,
                _ => qp.context.q_key(),
            },
            source_qpn: qp.public_qpn(),
        });
        match self.gather(qp, request, 0, request.length, bus) {
            Ok(payload) => packet.payload = payload,
            Err(syndrome) => return self.fail_message(qp, syndrome, bus),
        }
        let addressing = envelope_of(lid, destination.lid, source_port(qp));
        self.transmit_to(&addressing, qp, &packet, bus);
        self.complete_message(qp, bus);
    }

    /// Takes a datagram from the wire. One that nobody expects is dropped without a word.
    pub(crate) fn deliver_datagram(
        &mut self,
        addressing: &Addressing,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) {
        let (qpn, Some(datagram)) = (packet.destination_qpn, packet.datagram) else {
            return;
        };
        let meant = |qp: &&QueuePair| qp.is_datagram() && qp.public_qpn() == qpn && qp.receives();
        let Some(qp) = self.queue_pairs.values().find(meant) else {
            return drop_packet("datagram dropped: no queue pair that expects it", qpn, bus);
        };
        let open = qp.context.st() == QpServiceType::SubnetManagement.code();
        if !open && qp.context.q_key() != datagram.queue_key {
            return drop_packet("datagram dropped: a wrong queue key", qpn, bus);
        }
        self.with_qp(qp.qpn, |card, qp| match card.take_receive(qp, bus) {
            Ok(receive) => card.take_datagram(qp, &receive, (addressing, packet, datagram), bus),
            Err(Refusal::Broken(why)) => card.catastrophe(qp, why, bus),
            Err(_) => {
                card.count(qp, Counted::OutOfBuffer);
                drop_packet("datagram dropped: no receive is posted", qp.qpn, bus);
            }
        });
    }

    fn take_datagram(
        &mut self,
        qp: &mut QueuePair,
        receive: &Receive,
        (addressing, packet, datagram): (&Addressing, &Packet, Datagram),
        bus: &mut Bus<'_>,
    ) {
        let scattered = self.scatter(qp, receive, ROUTE_HEADER_SIZE, &packet.payload, bus);
        if let Err(refusal) = scattered {
            let syndrome = match refusal {
                Refusal::Receive(_, syndrome) => syndrome,
                _ => CqeSyndrome::LocalQpOperationError,
            };
            let failure = Failure { syndrome, index: receive.index, opcode: None };
            self.complete_with_error(qp, failure, bus);
            return self.enter_error(qp, bus);
        }
        let mut cqe = Cqe::zeroed();
        cqe.set_user_index(qp.user_index());
        cqe.slid = U16::from_bytes(lid_of_ip(addressing.source_ip));
        cqe.set_rqpn(datagram.source_qpn);
        // Without immediate data, the index of the partition key: the first.
        cqe.imm_inval_pkey = U32::from_bytes(packet.immediate.unwrap_or_default());
        cqe.byte_cnt = U32::new(ROUTE_HEADER_SIZE as u32 + packet.payload.len() as u32);
        cqe.set_qpn(qp.qpn);
        cqe.wqe_counter = U16::new(receive.index);
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

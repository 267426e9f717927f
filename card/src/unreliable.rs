//! The responder of an unreliable connection: it says nothing.
//!
//! When a packet is lost, the rest of its message is dropped, and nobody is told. The next message is
//! taken as if nothing had been, with the receive that the broken-off one had taken. (InfiniBand
//! specification, 9.8.)

use crate::card::Card;
use crate::counters::Counted;
use crate::dma::Bus;
use crate::fabric::drop_packet;
use crate::packets::{PSN_MASK, Packet};
use crate::queue_pair::QueuePair;
use crate::responder::{Inbound, Refusal, begins_message};
use doorbell_prm::roce::NakCode;

impl Card {
    // ANCHOR: card_unreliable
    /// Takes a packet of a send or write, if it goes on where the last one stopped or begins a message.
    pub(crate) fn take_unreliable(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) {
        let (begins, lost) = (begins_message(packet.opcode), packet.psn != qp.expected_psn);
        if lost {
            self.count(qp, Counted::OutOfSequence);
        }
        if begins || lost {
            qp.break_off();
        }
        qp.expected_psn = packet.psn.wrapping_add(1) & PSN_MASK;
        if !begins && qp.inbound.is_none() {
            return drop_packet("the rest of a message that lost a packet", qp.qpn, bus);
        }
        match self.take_data(qp, packet, bus) {
            Ok(()) => self.count(qp, Counted::Request(packet.opcode)),
            Err(Refusal::Broken(why)) => self.catastrophe(qp, why, bus),
            // The memory of a receive is this side's own affair, and its program hears of it.
            Err(Refusal::Receive(NakCode::RemoteOperationalError, syndrome)) => {
                self.fail_receive(qp, syndrome, bus);
                self.enter_error(qp, bus);
            }
            Err(refusal) => {
                if matches!(refusal, Refusal::NotReady) {
                    self.count(qp, Counted::OutOfBuffer);
                }
                qp.break_off();
                drop_packet("a message that cannot be carried out", qp.qpn, bus);
            }
        }
    }
    // ANCHOR_END: card_unreliable
}

impl QueuePair {
    /// Gives up the message that is coming in. The receive that it took serves the next one.
    fn break_off(&mut self) {
        if let Some(Inbound::Send { receive, .. }) = self.inbound.take() {
            self.spare = Some(receive);
        }
    }
}

//! Extended reliable connections (XRC): each message says into which shared receive queue it goes.
//!
//! A program that talks to many others, each with many processes, would need a connection to every
//! process. With XRC it needs one to each machine. The queue pair there (the target) has neither a
//! send queue nor receives of its own. A message names an XRC shared receive queue, in the WQE
//! behind the control segment and in the packet behind the base transport header, and the process
//! that owns this queue finds the message on the queue's own completion queue. Target and queue must
//! be of the same XRC domain; memory is that of the queue's protection domain.
//!
//! Everything else is as with a reliable connection: so packets are kept with the opcodes of one,
//! and get those of XRC on their way out.

use crate::card::Card;
use crate::dma::Bus;
use crate::fabric::is_response;
use crate::packets::Packet;
use crate::queue_pair::QueuePair;
use crate::reason::Reason;
use crate::responder::{ACCESS, INVALID};
use doorbell_prm::commands::{QpContext, QpServiceType};
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::wqe::{SendOpcode, XrcSegment};
use doorbell_prm::zerocopy::FromBytes;

/// The shared receive queue that the message coming in goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct XrcReceiver {
    pub(crate) number: u32,
    pd: u32,
    cqn: u32,
    user_index: u32,
}

/// Reads the segment that names the receiver's queue. Requests that change keys have none.
pub(crate) fn read_receiver(
    opcode: SendOpcode,
    bytes: &[u8],
) -> Result<(Option<u32>, &[u8]), CqeSyndrome> {
    if matches!(opcode, SendOpcode::Nop | SendOpcode::Umr) {
        return Ok((None, bytes));
    }
    let segment = XrcSegment::ref_from_prefix(bytes);
    let (segment, rest) = segment.map_err(|_| CqeSyndrome::LocalQpOperationError)?;
    Ok((Some(segment.receiver()), rest))
}

impl QueuePair {
    /// Whether each of its messages says which shared receive queue it is for.
    pub(crate) fn is_extended(&self) -> bool {
        self.service() == Some(QpServiceType::ExtendedReliableConnection)
    }

    /// Whether it is the end of an extended reliable connection that receives.
    fn is_target(&self) -> bool {
        self.is_extended() && self.context.no_sq()
    }

    /// Whether the packet is one of its kind of connection; requests come to targets only.
    pub(crate) fn suits(&self, packet: &Packet) -> bool {
        let serves = self.is_target() || !self.is_extended() || is_response(packet.opcode);
        self.is_extended() == packet.is_extended && serves
    }

    /// The protection domain of memory that it uses.
    pub(crate) fn memory_domain(&self) -> u32 {
        self.receiver.map_or(self.context.pd(), |receiver| receiver.pd)
    }

    /// The completion queue of its receives, and the number that its completions carry there.
    pub(crate) fn receive_completions(&self) -> (u32, u32) {
        match self.receiver {
            Some(receiver) => (receiver.cqn, receiver.user_index),
            None => (self.context.cqn_rcv(), self.user_index()),
        }
    }

    /// Whether "last WQE reached" says something: with a shared receive queue, at the end that takes
    /// receives from it.
    pub(crate) fn shares_receives(&self) -> bool {
        self.shared_receive().is_some() || self.is_target()
    }
}

impl Card {
    /// What an extended reliable connection needs at its creation. A target has no send queue, so it
    /// needs no doorbell.
    pub(crate) fn check_new_extended(&self, context: &QpContext) -> Result<(), Reason> {
        match self.numbers.xrc_domains.contains(context.xrcd()) {
            true if context.no_sq() => Ok(()),
            true => self.has_uar(context.uar_page()),
            false => Err(Reason::NoSuchDomain),
        }
    }

    // ANCHOR: card_xrc
    /// Finds the queue that a request to a target names, before the request is carried out. `false`
    /// when it is refused: there is no such queue, it is of another domain, or a message goes on
    /// into another queue than it began with.
    pub(crate) fn find_receiver(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> bool {
        if !qp.is_extended() || is_response(packet.opcode) {
            return true;
        }
        let found = packet.receiver.and_then(|number| {
            let queue = self.shared_receives.get(&number)?;
            let context = queue.xrc.filter(|_| queue.xrcd == Some(qp.context.xrcd()))?;
            let (cqn, user_index) = (context.cqn(), context.user_index());
            Some(XrcReceiver { number, pd: queue.pd, cqn, user_index })
        });
        if qp.inbound.is_some() && found != qp.receiver {
            self.refuse(qp, packet.psn, INVALID, bus);
            return false;
        }
        qp.receiver = found;
        if found.is_none() {
            self.refuse(qp, packet.psn, ACCESS, bus);
        }
        found.is_some()
    }
    // ANCHOR_END: card_xrc
}

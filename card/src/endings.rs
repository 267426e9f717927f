//! How messages end: in their order, with a completion for those that asked, and for each that failed.

use crate::card::Card;
use crate::completion_queue::Entry;
use crate::dma::Bus;
use crate::packets::PSN_MASK;
use crate::queue_pair::{Failure, QueuePair};
use crate::window::{Ending, Message};
use doorbell_prm::Layout;
use doorbell_prm::cqe::{Cqe, CqeOpcode, CqeSyndrome};
use doorbell_prm::zerocopy::{self, big_endian::U16, big_endian::U32};

impl Card {
    // ANCHOR: card_requester_complete
    /// The newest message is done.
    pub(crate) fn complete_message(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        self.end_newest(qp, Ending::Done, bus);
    }

    /// The newest message failed.
    pub(crate) fn fail_message(
        &mut self,
        qp: &mut QueuePair,
        syndrome: CqeSyndrome,
        bus: &mut Bus<'_>,
    ) {
        self.end_newest(qp, Ending::Failed(syndrome), bus);
    }

    fn end_newest(&mut self, qp: &mut QueuePair, ending: Ending, bus: &mut Bus<'_>) {
        if let Some(newest) = qp.window.messages.len().checked_sub(1) {
            self.end_message(qp, newest, ending, bus);
        }
    }

    /// A message has ended. It is reported when all before it have: completions come in the order
    /// in which the work was posted.
    pub(crate) fn end_message(
        &mut self,
        qp: &mut QueuePair,
        index: usize,
        ending: Ending,
        bus: &mut Bus<'_>,
    ) {
        if let Some(message) = qp.window.messages.get_mut(index) {
            message.ending.get_or_insert(ending);
        }
        while let Some(ending) = qp.window.messages.front().and_then(|oldest| oldest.ending) {
            let Some(message) = qp.window.messages.pop_front() else { break };
            match ending {
                Ending::Done => self.report_done(qp, &message, bus),
                Ending::Failed(syndrome) => {
                    self.report_failed(qp, &message, syndrome, bus);
                    self.enter_error(qp, bus);
                }
            }
        }
    }

    /// A CQE, if one was asked for.
    fn report_done(&mut self, qp: &mut QueuePair, message: &Message, bus: &mut Bus<'_>) {
        let request = &message.request;
        if message.packets > 0 {
            let last = message.psn(message.packets).wrapping_sub(1);
            qp.context.set_last_acked_psn(last & PSN_MASK);
        }
        if !request.signaled {
            return;
        }
        let mut cqe = Cqe::zeroed();
        cqe.set_user_index(qp.user_index());
        cqe.set_send_opcode(request.raw_opcode.into());
        cqe.set_qpn(qp.qpn);
        cqe.wqe_counter = U16::new(request.index);
        cqe.set_opcode(CqeOpcode::Requester.code());
        if message.fetches() {
            cqe.byte_cnt = U32::new(request.length as u32);
        }
        let entry =
            Entry { bytes: zerocopy::transmute!(cqe), layout: Cqe::LAYOUT.name, wakes: false };
        if !self.complete(qp.context.cqn_snd(), entry, bus) {
            self.enter_error(qp, bus);
        }
    }

    /// An error CQE, whether or not one was asked for.
    pub(crate) fn report_failed(
        &mut self,
        qp: &mut QueuePair,
        message: &Message,
        syndrome: CqeSyndrome,
        bus: &mut Bus<'_>,
    ) {
        let (index, opcode) = (message.request.index, Some(message.request.raw_opcode));
        self.complete_with_error(qp, Failure { syndrome, index, opcode }, bus);
    }
    // ANCHOR_END: card_requester_complete
}

//! Commands on queue pairs: creation, the way from RESET to RTS, and back.

use crate::administration::{Answer, Given, plain};
use crate::buffer::PageBuffer;
use crate::capabilities::{LOG_MAX_MESSAGE, LOG_MAX_QP_SIZE, LOG_MAX_READS};
use crate::card::Card;
use crate::config::Link;
use crate::dma::{Bus, PROBE_GROUP};
use crate::fabric::{is_used, remote_mac, unmapped};
use crate::qp_options::apply_optional;
use crate::queue_pair::{NO_RQ, QueuePair, REGULAR_RQ, SHARED_RQ};
use crate::reason::Reason;
use doorbell_prm::commands::*;
use doorbell_tracer::probe;

impl Card {
    // ANCHOR: card_create_qp
    pub(crate) fn create_qp(
        &mut self,
        given: Given<'_, CreateQpIn>,
        bus: &Bus<'_>,
    ) -> Answer<CreateQpOut> {
        let context = *given.input.qpc();
        self.check_new_qp(&context)?;
        let receive = QueuePair::receive_ring_of(&context);
        let send = QueuePair::send_ring_of(&context, &receive);
        let buffer = PageBuffer::of_queue(
            given.tail,
            context.log_page_size(),
            context.page_offset(),
            receive.size() + send.size(),
        )?;
        let qpn = self.numbers.queue_pairs.take()?;
        self.queue_pairs.insert(QueuePair::new(qpn, context, buffer, send, receive));
        probe!(bus.tracer, state("QP", qpn, "", QpState::Reset.label()));
        let mut output = CreateQpOut::zeroed();
        output.set_qpn(qpn);
        plain(output)
    }

    /// The queue pair with this number; a send queue of its own is none.
    pub(crate) fn find_qp(&self, qpn: u32) -> Result<&QueuePair, Reason> {
        let found = self.queue_pairs.get(qpn).filter(|qp| qp.object.is_none());
        found.ok_or(Reason::NoSuchQp)
    }

    fn check_new_qp(&self, context: &QpContext) -> Result<(), Reason> {
        if !self.has_service(context.st()) {
            return Err(Reason::ServiceType);
        }
        if ![REGULAR_RQ, SHARED_RQ, NO_RQ].contains(&context.rq_type()) {
            return Err(Reason::ReceiveQueueType);
        }
        let shared = self.shared_receives.contains_key(&context.srqn_rmpn_xrqn());
        if context.rq_type() == SHARED_RQ && !shared {
            return Err(Reason::NoSuchSharedReceive);
        }
        if context.log_sq_size().max(context.log_rq_size()) > LOG_MAX_QP_SIZE {
            return Err(Reason::QueueSize);
        }
        if !context.dbr_addr().is_multiple_of(8) {
            return Err(Reason::RecordAddress);
        }
        // Memory is registered for every domain.
        let registers = context.st() == QpServiceType::Registration.code();
        if !registers && !self.numbers.domains.contains(context.pd()) {
            return Err(Reason::NoSuchPd);
        }
        let mut queues = [context.cqn_snd(), context.cqn_rcv()].into_iter();
        if !queues.all(|cqn| self.completion_queues.contains_key(&cqn)) {
            return Err(Reason::NoSuchCq);
        }
        if context.st() == QpServiceType::ExtendedReliableConnection.code() {
            return self.check_new_extended(context);
        }
        self.has_uar(context.uar_page())
    }
    // ANCHOR_END: card_create_qp

    /// Connections, reliable or not, and datagrams; on InfiniBand also extended reliable connections, the
    /// management queue pairs, and the queue pair by which an operating system would register memory.
    fn has_service(&self, code: u8) -> bool {
        use QpServiceType::*;
        match QpServiceType::from_code(code) {
            Some(ReliableConnection | UnreliableConnection | UnreliableDatagram) => true,
            Some(
                ExtendedReliableConnection | SubnetManagement | GeneralManagement | Registration,
            ) => self.config.link != Link::Ethernet,
            _ => false,
        }
    }

    pub(crate) fn destroy_qp(&mut self, given: Given<'_, DestroyQpIn>) -> Answer<DestroyQpOut> {
        let qpn = given.input.qpn();
        self.find_qp(qpn)?;
        self.queue_pairs.remove(qpn);
        self.numbers.queue_pairs.give_back(qpn);
        plain(DestroyQpOut::zeroed())
    }

    pub(crate) fn query_qp(&mut self, given: Given<'_, QueryQpIn>) -> Answer<QueryQpOut> {
        let qp = self.find_qp(given.input.qpn())?;
        let mut output = QueryQpOut::zeroed();
        let context = output.qpc_mut();
        *context = qp.context;
        context
            .set_state(qp.state.code())
            .set_next_send_psn(qp.next_send_psn)
            .set_next_rcv_psn(qp.expected_psn)
            .set_rmsn(qp.msn)
            .set_hw_sq_wqebb_counter(qp.send.consumer)
            .set_sw_sq_wqebb_counter(qp.send.producer)
            .set_hw_rq_counter(qp.receive.consumer.into())
            .set_sw_rq_counter(qp.receive.producer.into());
        plain(output)
    }

    // ANCHOR: card_rst2init
    /// RESET to INIT: partition, port, and what the other side will be allowed.
    pub(crate) fn rst2init(
        &mut self,
        given: Given<'_, Rst2initQpIn>,
        bus: &Bus<'_>,
    ) -> Answer<Rst2initQpOut> {
        let wanted = given.input.qpc();
        let path = wanted.primary_address_path();
        self.transition(given.input.qpn(), (QpState::Reset, QpState::Init), bus, |_, qp| {
            if path.vhca_port_num() != 1 {
                return Err(Reason::PortNumber);
            }
            if path.pkey_index() != 0 {
                return Err(Reason::TableIndex);
            }
            let own = qp.context.primary_address_path_mut();
            own.set_vhca_port_num(1).set_pkey_index(0);
            qp.context
                .set_pm_state(wanted.pm_state())
                .set_rre(wanted.rre())
                .set_rwe(wanted.rwe())
                .set_rae(wanted.rae())
                .set_q_key(wanted.q_key())
                .set_counter_set_id(wanted.counter_set_id());
            Ok(())
        })?;
        plain(Rst2initQpOut::zeroed())
    }
    // ANCHOR_END: card_rst2init

    // ANCHOR: card_init2rtr
    /// INIT to RTR: who the other side is, how to reach it, and which packet to expect first.
    pub(crate) fn init2rtr(
        &mut self,
        given: Given<'_, Init2rtrQpIn>,
        bus: &Bus<'_>,
    ) -> Answer<Init2rtrQpOut> {
        let (wanted, mask) = (given.input.qpc(), given.input.opt_param_mask());
        let states = (QpState::Init, QpState::ReadyToReceive);
        self.transition(given.input.qpn(), states, bus, |card, qp| {
            card.check_parameters(wanted)?;
            if qp.is_connected() {
                card.check_path(wanted.primary_address_path())?;
            }
            let own = qp.context.primary_address_path_mut();
            *own = *wanted.primary_address_path();
            own.set_vhca_port_num(1).set_pkey_index(0);
            qp.context
                .set_mtu(wanted.mtu())
                .set_log_msg_max(wanted.log_msg_max())
                .set_remote_qpn(wanted.remote_qpn())
                .set_log_rra_max(wanted.log_rra_max())
                .set_min_rnr_nak(wanted.min_rnr_nak())
                .set_next_rcv_psn(wanted.next_rcv_psn());
            qp.expected_psn = wanted.next_rcv_psn();
            take_request_frequency(qp, wanted);
            apply_optional(qp, wanted, mask)
        })?;
        plain(Init2rtrQpOut::zeroed())
    }

    fn check_parameters(&self, wanted: &QpContext) -> Result<(), Reason> {
        PathMtu::from_code(wanted.mtu()).ok_or(Reason::PathMtu)?;
        if wanted.log_msg_max() > LOG_MAX_MESSAGE {
            return Err(Reason::MessageSize);
        }
        if wanted.log_rra_max() > LOG_MAX_READS {
            return Err(Reason::ReadDepth);
        }
        Ok(())
    }

    pub(crate) fn check_path(&self, path: &AddressPath) -> Result<(), Reason> {
        if let Link::InfiniBand { .. } = self.config.link {
            return self.check_route(path);
        }
        if unmapped(path.rgid_rip()).is_none() || remote_mac(path) == [0; 6] {
            return Err(Reason::RemoteAddress);
        }
        let own = self.roce.get(path.src_addr_index().into());
        match own.is_some_and(is_used) {
            true => Ok(()),
            false => Err(Reason::SourceAddress),
        }
    }
    // ANCHOR_END: card_init2rtr

    // ANCHOR: card_rtr2rts
    /// RTR to RTS: which packet to send first, and how patient to be.
    pub(crate) fn rtr2rts(
        &mut self,
        given: Given<'_, Rtr2rtsQpIn>,
        bus: &Bus<'_>,
    ) -> Answer<Rtr2rtsQpOut> {
        let (wanted, mask) = (given.input.qpc(), given.input.opt_param_mask());
        let states = (QpState::ReadyToReceive, QpState::ReadyToSend);
        self.transition(given.input.qpn(), states, bus, |_, qp| {
            if wanted.log_sra_max() > LOG_MAX_READS {
                return Err(Reason::ReadDepth);
            }
            let timeout = wanted.primary_address_path().ack_timeout();
            qp.context.primary_address_path_mut().set_ack_timeout(timeout);
            qp.context
                .set_retry_count(wanted.retry_count())
                .set_rnr_retry(wanted.rnr_retry())
                .set_log_sra_max(wanted.log_sra_max())
                .set_next_send_psn(wanted.next_send_psn());
            qp.next_send_psn = wanted.next_send_psn();
            take_request_frequency(qp, wanted);
            apply_optional(qp, wanted, mask)
        })?;
        plain(Rtr2rtsQpOut::zeroed())
    }
    // ANCHOR_END: card_rtr2rts

    /// Any state to ERR: what is posted comes back as flushed.
    pub(crate) fn fail_qp(
        &mut self,
        given: Given<'_, ToErrQpIn>,
        bus: &mut Bus<'_>,
    ) -> Answer<ToErrQpOut> {
        let qpn = given.input.qpn();
        self.find_qp(qpn)?;
        self.with_qp(qpn, |card, qp| card.enter_error(qp, bus));
        plain(ToErrQpOut::zeroed())
    }

    /// Any state to RESET: what is posted is forgotten, without a word.
    pub(crate) fn reset_qp(
        &mut self,
        given: Given<'_, ToRstQpIn>,
        bus: &Bus<'_>,
    ) -> Answer<ToRstQpOut> {
        let qpn = given.input.qpn();
        self.find_qp(qpn)?;
        self.with_qp(qpn, |card, qp| {
            qp.forget_work();
            card.set_state(qp, QpState::Reset, bus);
        });
        plain(ToRstQpOut::zeroed())
    }

    /// A transition: only from the right state, and only if the parameters are taken.
    fn transition(
        &mut self,
        qpn: u32,
        (from, to): (QpState, QpState),
        bus: &Bus<'_>,
        apply: impl FnOnce(&Self, &mut QueuePair) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        self.find_qp(qpn)?;
        let mut outcome = Ok(());
        self.with_qp(qpn, |card, qp| {
            if qp.state != from {
                outcome = Err(Reason::QpState);
                return;
            }
            outcome = apply(card, qp);
            if outcome.is_ok() {
                card.set_state(qp, to, bus);
            }
        });
        outcome
    }
}

/// How often acknowledgements are asked for. `mlx5_ib` says it in every transition; one that says
/// nothing leaves it as it is.
fn take_request_frequency(qp: &mut QueuePair, wanted: &QpContext) {
    if wanted.log_ack_req_freq() > 0 {
        qp.context.set_log_ack_req_freq(wanted.log_ack_req_freq());
    }
}

//! Send queues that are objects of their own: created without a queue pair, with nobody on the
//! other side.
//!
//! Ethernet drivers send with them. This card has no Ethernet packets to send: it executes NOP, and
//! everything else is a local operation error. With NOP the kernel tries BlueFlame before it lets
//! programs use it (`mlx5_core`, `wc.c`).
//!
//! Doorbells carry queue pair numbers and send queue numbers in the same field, so both kinds share
//! one space of numbers, and here one map: a send queue is kept as a [`QueuePair`] that has no
//! receive queue and no service.

use crate::administration::{Answer, Given, plain};
use crate::buffer::PageBuffer;
use crate::capabilities::LOG_MAX_QP_SIZE;
use crate::card::Card;
use crate::dma::Bus;
use crate::queue_pair::{NO_RQ, QueuePair, Ring};
use crate::reason::Reason;
use doorbell_prm::commands::*;
use doorbell_prm::wqe::SEND_BLOCK;

/// `wq_type`: WQEs follow one another.
const CYCLIC: u8 = 1;

impl Card {
    pub(crate) fn create_sq(&mut self, given: Given<'_, CreateSqIn>) -> Answer<CreateSqOut> {
        let context = *given.input.ctx();
        let queue = context.wq();
        self.check_new_sq(&context)?;
        let send = Ring::new(0, SEND_BLOCK as u64, 1 << queue.log_wq_sz());
        let (log_page_size, page_offset) = (queue.log_wq_pg_sz(), queue.page_offset());
        let buffer = PageBuffer::of_queue(given.tail, log_page_size, page_offset, send.size())?;
        let sqn = self.numbers.queue_pairs.take()?;
        let mut shared = QpContext::zeroed();
        shared
            .set_rq_type(NO_RQ)
            .set_pd(queue.pd())
            .set_uar_page(queue.uar_page())
            .set_cqn_snd(context.cqn())
            .set_user_index(context.user_index())
            .set_dbr_addr(queue.dbr_addr());
        let mut created = QueuePair::new(sqn, shared, buffer, send, Ring::new(0, 0, 0));
        created.object = Some(Box::new(context));
        self.queue_pairs.insert(created);
        let mut output = CreateSqOut::zeroed();
        output.set_sqn(sqn);
        plain(output)
    }

    /// A NOP touches no memory, so the protection domain is not looked at: the kernel's trial of
    /// BlueFlame names none.
    fn check_new_sq(&self, context: &SqContext) -> Result<(), Reason> {
        let queue = context.wq();
        let unsupported = context.hairpin()
            || context.reg_umr()
            || context.rlky()
            || !context.flush_in_error_en()
            || queue.wq_umem_valid()
            || queue.dbr_umem_valid()
            || queue.wq_type() != CYCLIC;
        if unsupported || context.state() != SqState::Reset.code() {
            return Err(Reason::SendQueueFeature);
        }
        let stride = 1_usize << queue.log_wq_stride();
        if queue.log_wq_sz() > LOG_MAX_QP_SIZE || stride != SEND_BLOCK {
            return Err(Reason::QueueSize);
        }
        if !queue.dbr_addr().is_multiple_of(8) {
            return Err(Reason::RecordAddress);
        }
        if !self.completion_queues.contains_key(&context.cqn()) {
            return Err(Reason::NoSuchCq);
        }
        self.has_uar(queue.uar_page())
    }

    /// Only the state can be changed, and only from the state that the input names.
    pub(crate) fn modify_sq(
        &mut self,
        given: Given<'_, ModifySqIn>,
        bus: &mut Bus<'_>,
    ) -> Answer<ModifySqOut> {
        use SqState::*;
        let sqn = given.input.sqn();
        let now = state_of(self.send_queue_object(sqn)?);
        if given.input.modify_bitmask() != 0 {
            return Err(Reason::SendQueueFeature);
        }
        if given.input.sq_state() != now.code() {
            return Err(Reason::SendQueueState);
        }
        let next = SqState::from_code(given.input.ctx().state()).ok_or(Reason::SendQueueState)?;
        match (now, next) {
            (Reset, Ready) => self.with_qp(sqn, |card, sq| {
                card.set_state(sq, QpState::ReadyToSend, bus);
            }),
            (Ready, Error) => self.with_qp(sqn, |card, sq| card.enter_error(sq, bus)),
            (Ready | Error, Reset) => self.with_qp(sqn, |card, sq| {
                sq.forget_work();
                card.set_state(sq, QpState::Reset, bus);
            }),
            _ => return Err(Reason::SendQueueState),
        }
        plain(ModifySqOut::zeroed())
    }

    pub(crate) fn destroy_sq(&mut self, given: Given<'_, DestroySqIn>) -> Answer<DestroySqOut> {
        let sqn = given.input.sqn();
        self.send_queue_object(sqn)?;
        self.queue_pairs.remove(sqn);
        self.numbers.queue_pairs.give_back(sqn);
        plain(DestroySqOut::zeroed())
    }

    pub(crate) fn query_sq(&mut self, given: Given<'_, QuerySqIn>) -> Answer<QuerySqOut> {
        let sq = self.send_queue_object(given.input.sqn())?;
        let mut output = QuerySqOut::zeroed();
        let context = output.sq_context_mut();
        *context = sq.object.as_deref().copied().unwrap_or_default();
        context.set_state(state_of(sq).code());
        context
            .wq_mut()
            .set_hw_counter(sq.send.consumer.into())
            .set_sw_counter(sq.send.producer.into());
        plain(output)
    }

    fn send_queue_object(&self, sqn: u32) -> Result<&QueuePair, Reason> {
        let found = self.queue_pairs.get(sqn).filter(|sq| sq.object.is_some());
        found.ok_or(Reason::NoSuchSendQueue)
    }
}

fn state_of(sq: &QueuePair) -> SqState {
    match sq.state {
        QpState::ReadyToSend => SqState::Ready,
        QpState::Error => SqState::Error,
        _ => SqState::Reset,
    }
}

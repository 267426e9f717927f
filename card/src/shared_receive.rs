//! Shared receive queues: commands for both kinds, XRC queues and receive memory pools.
//!
//! A ConnectX calls an ordinary shared receive queue a receive memory pool. The two differ in
//! their commands and in what an XRC queue knows in addition; their rings are the same, and
//! [`crate::shared_ring`] works on them.

use crate::administration::{Answer, Given, plain};
use crate::buffer::PageBuffer;
use crate::capabilities::LOG_MAX_SRQ_SIZE;
use crate::card::Card;
use crate::queue_pairs::Used;
use crate::reason::Reason;
use crate::shared_ring::SharedReceive;
use doorbell_prm::commands::*;

/// `wq_type`: WQEs say which one comes next.
const LINKED_LIST: u8 = 0;
/// `state` of a receive memory pool that can be used.
const POOL_READY: u8 = 1;

/// What both kinds have in common.
struct Shape {
    pd: u32,
    log_entries: u8,
    log_stride: u8,
    log_page_size: u8,
    page_offset: u8,
    record: u64,
    low_water: u16,
}

impl Card {
    pub(crate) fn create_rmp(&mut self, given: Given<'_, CreateRmpIn>) -> Answer<CreateRmpOut> {
        let queue = given.input.ctx().wq();
        if queue.wq_type() != LINKED_LIST {
            return Err(Reason::ReceiveQueueType);
        }
        let shape = Shape {
            pd: queue.pd(),
            log_entries: queue.log_wq_sz(),
            log_stride: queue.log_wq_stride(),
            log_page_size: queue.log_wq_pg_sz(),
            page_offset: queue.page_offset(),
            record: queue.dbr_addr(),
            low_water: queue.lwm(),
        };
        let number = self.add_shared(shape, None, given.tail)?;
        let mut output = CreateRmpOut::zeroed();
        output.set_rmpn(number);
        plain(output)
    }

    pub(crate) fn create_xrc_srq(
        &mut self,
        given: Given<'_, CreateXrcSrqIn>,
    ) -> Answer<CreateXrcSrqOut> {
        let context = given.input.xrc_srq_context_entry();
        if !self.numbers.xrc_domains.contains(context.xrcd()) {
            return Err(Reason::NoSuchDomain);
        }
        if !self.completion_queues.contains_key(&context.cqn()) {
            return Err(Reason::NoSuchCq);
        }
        let shape = Shape {
            pd: context.pd(),
            log_entries: context.log_xrc_srq_size(),
            log_stride: context.log_rq_stride() + 4,
            log_page_size: context.log_page_size(),
            page_offset: context.page_offset(),
            record: u64::from(context.db_record_addr_h()) << 32
                | u64::from(context.db_record_addr_l()) << 2,
            low_water: context.lwm(),
        };
        let number = self.add_shared(shape, Some(*context), given.tail)?;
        let mut output = CreateXrcSrqOut::zeroed();
        output.set_xrc_srqn(number);
        plain(output)
    }

    fn add_shared(
        &mut self,
        shape: Shape,
        xrc: Option<XrcSrqContext>,
        list: &[u8],
    ) -> Result<u32, Reason> {
        if !(1..=LOG_MAX_SRQ_SIZE).contains(&shape.log_entries) || shape.log_stride < 5 {
            return Err(Reason::QueueSize);
        }
        if !shape.record.is_multiple_of(8) {
            return Err(Reason::RecordAddress);
        }
        if !self.numbers.domains.contains(shape.pd) {
            return Err(Reason::NoSuchPd);
        }
        let buffer = PageBuffer::of_queue(
            list,
            shape.log_page_size,
            shape.page_offset,
            1 << (shape.log_entries + shape.log_stride),
        )?;
        let number = self.numbers.shared_receives.take()?;
        let queue = SharedReceive {
            pd: shape.pd,
            xrcd: xrc.map(|context| context.xrcd()),
            xrc,
            buffer,
            log_entries: shape.log_entries,
            log_stride: shape.log_stride,
            log_page_size: shape.log_page_size,
            page_offset: shape.page_offset,
            record: shape.record,
            low_water: shape.low_water,
            head: 0,
            taken: 0,
            posted: 0,
        };
        self.shared_receives.insert(number, queue);
        Ok(number)
    }

    pub(crate) fn destroy_rmp(&mut self, given: Given<'_, DestroyRmpIn>) -> Answer<DestroyRmpOut> {
        self.remove_shared(given.input.rmpn(), false)?;
        plain(DestroyRmpOut::zeroed())
    }

    pub(crate) fn destroy_xrc_srq(
        &mut self,
        given: Given<'_, DestroyXrcSrqIn>,
    ) -> Answer<DestroyXrcSrqOut> {
        self.remove_shared(given.input.xrc_srqn(), true)?;
        plain(DestroyXrcSrqOut::zeroed())
    }

    fn remove_shared(&mut self, number: u32, is_xrc: bool) -> Result<(), Reason> {
        self.shared(number, is_xrc)?;
        if self.queue_pairs.any_uses(Used::SharedReceive(number)) {
            return Err(Reason::InUse);
        }
        self.shared_receives.remove(&number);
        self.numbers.shared_receives.give_back(number);
        Ok(())
    }

    pub(crate) fn query_rmp(&mut self, given: Given<'_, QueryRmpIn>) -> Answer<QueryRmpOut> {
        let queue = self.shared(given.input.rmpn(), false)?;
        let mut output = QueryRmpOut::zeroed();
        let context = output.rmp_context_mut();
        context.set_state(POOL_READY);
        context
            .wq_mut()
            .set_wq_type(LINKED_LIST)
            .set_pd(queue.pd)
            .set_log_wq_sz(queue.log_entries)
            .set_log_wq_stride(queue.log_stride)
            .set_log_wq_pg_sz(queue.log_page_size)
            .set_page_offset(queue.page_offset)
            .set_dbr_addr(queue.record)
            .set_lwm(queue.low_water)
            .set_hw_counter(queue.taken.into())
            .set_sw_counter(queue.posted.into());
        plain(output)
    }

    pub(crate) fn query_xrc_srq(
        &mut self,
        given: Given<'_, QueryXrcSrqIn>,
    ) -> Answer<QueryXrcSrqOut> {
        let queue = self.shared(given.input.xrc_srqn(), true)?;
        let mut output = QueryXrcSrqOut::zeroed();
        let context = output.xrc_srq_context_entry_mut();
        *context = queue.xrc.unwrap_or_default();
        context.set_lwm(queue.low_water).set_wqe_cnt(queue.pending());
        plain(output)
    }

    /// Sets the low-water mark of a pool; nothing else of it can be changed.
    pub(crate) fn modify_rmp(&mut self, given: Given<'_, ModifyRmpIn>) -> Answer<ModifyRmpOut> {
        let low_water = given.input.ctx().wq().lwm();
        let queue = self.shared(given.input.rmpn(), false)?;
        if given.input.bitmask().lwm() {
            queue.low_water = low_water;
        }
        plain(ModifyRmpOut::zeroed())
    }

    pub(crate) fn arm_xrc_srq(&mut self, given: Given<'_, ArmXrcSrqIn>) -> Answer<ArmXrcSrqOut> {
        self.shared(given.input.xrc_srqn(), true)?.low_water = given.input.lwm();
        plain(ArmXrcSrqOut::zeroed())
    }

    /// The shared receive queue with this number, when it is of the right kind.
    fn shared(&mut self, number: u32, is_xrc: bool) -> Result<&mut SharedReceive, Reason> {
        let queue = self.shared_receives.get_mut(&number);
        queue.filter(|queue| queue.xrc.is_some() == is_xrc).ok_or(Reason::NoSuchSharedReceive)
    }
}

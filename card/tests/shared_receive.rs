//! Shared receive queues: both kinds of commands, and the linked list that they keep.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::eqe::{EventType, QpEventData};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};
use support::*;

/// A pool of 8 WQEs of 64 bytes, linked in their order, in a page of its own.
struct Pool {
    number: u32,
    buffer: u64,
    record: u64,
    posted: u16,
}

fn pool_input(pd: u32, record: u64) -> CreateRmpIn {
    let mut input = CreateRmpIn::new();
    let queue = input.ctx_mut().set_state(1).wq_mut();
    queue.set_pd(pd).set_log_wq_sz(3).set_log_wq_stride(6).set_dbr_addr(record);
    input
}

fn create_pool(it: &mut Machine, pd: u32) -> Pool {
    let (buffer, record) = (it.page(), it.page());
    let number = it.command(&pool_input(pd, record), &buffer.to_be_bytes()).rmpn();
    for index in 0..8_u16 {
        let mut next = NextSegment::zeroed();
        next.next_wqe_index = ((index + 1) % 8).into();
        it.memory.put(buffer + u64::from(index) * 64, next.as_bytes());
    }
    Pool { number, buffer, record, posted: 0 }
}

impl Pool {
    /// Fills the WQE at `index` and counts it.
    fn post(&mut self, it: &mut Setup, index: u64, address: u64, length: u32) {
        let data = DataSegment::new(length, it.key, address);
        let segments = [data.as_bytes(), DataSegment::end_of_list().as_bytes()].concat();
        it.machine.memory.put(self.buffer + index * 64 + 16, &segments);
        self.posted += 1;
        it.machine.memory.put(self.record, &u32::from(self.posted).to_be_bytes());
    }
}

/// Pair 0 sends to pairs 1 and 2, which receive from one pool.
fn shared() -> (Setup, Pool) {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    let pool = create_pool(&mut it.machine, it.pd);
    it.pairs.truncate(0);
    for receiver in 0..4 {
        let (buffer, record) = (it.machine.page(), it.machine.page());
        let mut input = it.qp_input(receiver % 2, record);
        if receiver % 2 == 1 {
            input.qpc_mut().set_rq_type(1).set_srqn_rmpn_xrqn(pool.number).set_log_rq_size(0);
        }
        let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
        // Without a receive queue of its own, the send queue begins the buffer.
        let buffer = if receiver % 2 == 1 { buffer - RQ_BYTES } else { buffer };
        it.pairs.push(Pair { qpn, buffer, record, cq: receiver % 2, posted: 0, received: 0 });
    }
    for (pair, remote) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        it.connect(pair, remote, Connection::default());
    }
    (it, pool)
}

#[test]
fn two_queue_pairs_take_receives_in_the_order_of_the_list() {
    let (mut it, mut pool) = shared();
    for index in 0..3 {
        pool.post(&mut it, index, VIRTUAL + 0x8000 + index * 0x100, 64);
    }
    it.post(0, &[send_inline(b"one")]);
    it.post(2, &[send_inline(b"two")]);
    it.post(0, &[send_inline(b"three")]);
    assert_eq!(it.outcomes(1), [Done(2, 0), Done(2, 1), Done(2, 2)]);
    assert_eq!(it.get(VIRTUAL + 0x8100, 3), b"two");
    assert_eq!(it.get(VIRTUAL + 0x8200, 5), b"three");
    let mut query = QueryRmpIn::new();
    let answer = it.machine.command(query.set_rmpn(pool.number), &[]);
    let queue = answer.rmp_context().wq();
    assert_eq!((queue.hw_counter(), queue.sw_counter(), queue.log_wq_sz()), (3, 3, 3));
}

#[test]
fn the_list_is_followed_where_it_leads() {
    let (mut it, mut pool) = shared();
    let mut next = NextSegment::zeroed();
    next.next_wqe_index = 5.into();
    it.machine.memory.put(pool.buffer, next.as_bytes());
    pool.post(&mut it, 0, VIRTUAL + 0x8000, 64);
    pool.post(&mut it, 5, VIRTUAL + 0x9000, 64);
    it.post(0, &[send_inline(b"a")]);
    it.post(0, &[send_inline(b"b")]);
    assert_eq!(it.outcomes(1), [Done(2, 0), Done(2, 5)]);
    assert_eq!(it.get(VIRTUAL + 0x9000, 1), b"b");
}

#[test]
fn an_empty_queue_is_not_ready_and_a_wild_record_is_a_catastrophe() {
    let (mut it, pool) = shared();
    it.post(0, &[send_inline(b"none")]);
    let syndrome = doorbell_prm::cqe::CqeSyndrome::RnrRetryExceeded;
    assert_eq!(it.outcomes(0), [Failed(syndrome, 0)]);
    it.machine.memory.put(pool.record, &9_u32.to_be_bytes());
    it.post(2, &[send_inline(b"wild")]);
    assert_eq!(it.state(3), QpState::Error);
    let events: Vec<u8> = std::iter::from_fn(|| it.event().map(|event| event.event_type)).collect();
    assert!(events.contains(&EventType::WorkQueueCatastrophicError.code()));
    assert!(events.contains(&EventType::SrqLastWqe.code()));
}

#[test]
fn the_low_water_mark_raises_one_event() {
    let (mut it, mut pool) = shared();
    let mut modify = ModifyRmpIn::new();
    modify.set_rmpn(pool.number).bitmask_mut().set_lwm(true);
    modify.ctx_mut().wq_mut().set_lwm(2);
    it.machine.command(&modify, &[]);
    for index in 0..3 {
        pool.post(&mut it, index, VIRTUAL + 0x8000, 64);
    }
    it.post(0, &[send_inline(b"1")]);
    assert_eq!(it.event(), None, "two are left");
    it.post(0, &[send_inline(b"2")]);
    let event = it.event().expect("one is left");
    assert_eq!(event.event_type, EventType::SrqLimit.code());
    let data = QpEventData::read_from_bytes(&event.event_data).unwrap();
    assert_eq!(data.qpn_rqn_sqn(), pool.number);
    it.post(0, &[send_inline(b"3")]);
    assert_eq!(it.event(), None, "the mark is used up");
}

#[test]
fn pools_are_checked() {
    let (mut it, pool) = shared();
    let page = it.machine.page().to_be_bytes();
    let good = pool_input(it.pd, 0x8000);
    let mut check = |change: &dyn Fn(&mut WorkQueueContext) -> &mut WorkQueueContext,
                     expected: CommandStatus| {
        let mut input = good;
        change(input.ctx_mut().wq_mut());
        assert_eq!(it.machine.refused(&input, &page).0, expected);
    };
    check(&|queue| queue.set_wq_type(1), BadParameter);
    check(&|queue| queue.set_log_wq_sz(16), BadParameter);
    check(&|queue| queue.set_log_wq_stride(4), BadParameter);
    check(&|queue| queue.set_dbr_addr(4), BadParameter);
    check(&|queue| queue.set_pd(0x999), BadResource);
    check(&|queue| queue.set_log_wq_sz(8), BadInputLength);
    check(&|queue| queue.set_log_wq_pg_sz(31), BadParameter);
    let destroy = *DestroyRmpIn::new().set_rmpn(pool.number);
    assert_eq!(it.machine.refused(&destroy, &[]).0, BadResourceState);
    for pair in [1, 3] {
        it.machine.command(DestroyQpIn::new().set_qpn(it.pairs[pair].qpn), &[]);
    }
    it.machine.command(&destroy, &[]);
    assert_eq!(it.machine.refused(&destroy, &[]).0, BadResource);
}

#[test]
fn an_xrc_queue_needs_its_domain_and_completion_queue() {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    let xrcd = it.machine.command(&AllocXrcdIn::new(), &[]).xrcd();
    let page = it.machine.page().to_be_bytes();
    let mut input = CreateXrcSrqIn::new();
    input
        .xrc_srq_context_entry_mut()
        .set_log_xrc_srq_size(3)
        .set_log_rq_stride(2)
        .set_pd(it.pd)
        .set_xrcd(xrcd)
        .set_cqn(it.cqs[0].number)
        .set_db_record_addr_l(0x8000 >> 2);
    let mut wrong = input;
    wrong.xrc_srq_context_entry_mut().set_xrcd(0x999);
    assert_eq!(it.machine.refused(&wrong, &page).0, BadResource);
    let mut wrong = input;
    wrong.xrc_srq_context_entry_mut().set_cqn(0x999);
    assert_eq!(it.machine.refused(&wrong, &page).0, BadResource);
    let number = it.machine.command(&input, &page).xrc_srqn();
    let dealloc = *DeallocXrcdIn::new().set_xrcd(xrcd);
    assert_eq!(it.machine.refused(&dealloc, &[]).0, BadResourceState);
    it.machine.command(ArmXrcSrqIn::new().set_xrc_srqn(number).set_lwm(5), &[]);
    let answer = it.machine.command(QueryXrcSrqIn::new().set_xrc_srqn(number), &[]);
    assert_eq!(answer.xrc_srq_context_entry().lwm(), 5);
    assert_eq!(answer.xrc_srq_context_entry().xrcd(), xrcd);
    assert_eq!(it.machine.refused(DestroyRmpIn::new().set_rmpn(number), &[]).0, BadResource);
    it.machine.command(DestroyXrcSrqIn::new().set_xrc_srqn(number), &[]);
    it.machine.command(&dealloc, &[]);
}

/// A record that claims more than the queue has room for: no queue pair takes any of it.
#[test]
fn a_record_that_is_ahead_of_the_pool_posts_nothing() {
    let (mut it, pool) = shared();
    it.machine.memory.put(pool.record, &9_u32.to_be_bytes());
    for (sender, receiver) in [(0, 1), (2, 3)] {
        it.post(sender, &[send_inline(b"hello")]);
        assert_eq!(it.state(receiver), QpState::Error, "each finds out for itself");
        assert_eq!(it.outcomes(receiver), []);
    }
}

//! Extended reliable connections: messages that say into which shared receive queue they go.

mod support;

use doorbell_card::{CardConfig, DmaFault, Host};
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome::*;
use doorbell_prm::cqe::ErrorCqe;
use doorbell_prm::eqe::EventType;
use doorbell_prm::roce::{BaseTransportHeader, BthOpcode, ExtendedReliableHeader};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use doorbell_tracer::Tracer;
use proptest::prelude::*;
use support::data::{Outcome::*, *};
use support::*;

/// The queue pair that sends, and the one that receives.
const SENDER: usize = 0;
const TARGET: usize = 1;
const USER_INDEX: u32 = 0x77;
/// Bytes of the headers before the base transport header.
const ENVELOPE: usize = 14 + 20 + 8;

/// A shared receive queue of the test's driver.
#[derive(Debug, Clone, Copy)]
struct Shared {
    number: u32,
    buffer: u64,
    record: u64,
    posted: u32,
}

/// A target and who sends to it; the queue of the receiver has completion queue 1.
struct Extended {
    it: Setup,
    xrcd: u32,
    shared: Shared,
}

fn domain(it: &mut Setup) -> u32 {
    it.machine.command(&AllocXrcdIn::new(), &[]).xrcd()
}

fn shared_queue(it: &mut Setup, xrcd: u32) -> Shared {
    let (buffer, record) = (it.machine.page(), it.machine.page());
    let mut input = CreateXrcSrqIn::new();
    input
        .xrc_srq_context_entry_mut()
        .set_xrcd(xrcd)
        .set_pd(it.pd)
        .set_cqn(it.cqs[1].number)
        .set_user_index(USER_INDEX)
        .set_log_xrc_srq_size(3)
        .set_log_rq_stride(2)
        .set_db_record_addr_h((record >> 32) as u32)
        .set_db_record_addr_l((record >> 2) as u32 & 0x3fff_ffff);
    let number = it.machine.command(&input, &buffer.to_be_bytes()).xrc_srqn();
    for index in 0..8_u64 {
        let mut next = NextSegment::zeroed();
        next.next_wqe_index = ((index as u16 + 1) % 8).into();
        it.machine.memory.put(buffer + index * 64, next.as_bytes());
    }
    Shared { number, buffer, record, posted: 0 }
}

/// What `mlx5_ib` asks for: the domain and the memory of a target's queues are not those of the
/// queue pair, and a target has neither queues nor a doorbell page.
fn pair_input(it: &Setup, shared: u32, xrcd: u32, record: u64) -> CreateQpIn {
    let mut input = it.qp_input(0, record);
    input
        .qpc_mut()
        .set_st(QpServiceType::ExtendedReliableConnection.code())
        .set_rq_type(1)
        .set_srqn_rmpn_xrqn(shared)
        .set_log_rq_size(0)
        .set_log_rq_stride(0)
        .set_xrcd(xrcd);
    input
}

fn sender(it: &mut Setup, shared: u32, xrcd: u32) -> Pair {
    let (buffer, record) = (it.machine.page(), it.machine.page());
    let input = pair_input(it, shared, xrcd, record);
    let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
    // There is no receive queue in front of the send queue.
    Pair { qpn, buffer: buffer - RQ_BYTES, record, cq: 0, posted: 0, received: 0 }
}

fn target(it: &mut Setup, shared: u32, xrcd: u32) -> Pair {
    let other_pd = it.machine.command(&AllocPdIn::new(), &[]).pd();
    let mut input = pair_input(it, shared, xrcd, 0);
    input.qpc_mut().set_no_sq(true).set_log_sq_size(0).set_uar_page(0).set_pd(other_pd);
    let qpn = it.machine.command(&input, &[]).qpn();
    Pair { qpn, buffer: 0, record: 0, cq: 1, posted: 0, received: 0 }
}

fn setup() -> Extended {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    let xrcd = domain(&mut it);
    let shared = shared_queue(&mut it, xrcd);
    let own = domain(&mut it);
    it.pairs[SENDER] = sender(&mut it, shared.number, own);
    it.pairs[TARGET] = target(&mut it, shared.number, xrcd);
    it.connect(SENDER, TARGET, Connection::default());
    it.connect(TARGET, SENDER, Connection::default());
    Extended { it, xrcd, shared }
}

impl Extended {
    fn receive(&mut self, address: u64, length: u32) {
        let data = DataSegment::new(length, self.it.key, address);
        let at = self.shared.buffer + u64::from(self.shared.posted % 8) * 64 + 16;
        self.it.machine.memory.put(at, data.as_bytes());
        self.it.machine.memory.put(at + 16, DataSegment::end_of_list().as_bytes());
        self.shared.posted += 1;
        self.it.machine.memory.put(self.shared.record, &self.shared.posted.to_be_bytes());
    }
}

/// A WQE that names a receiver behind its control segment.
fn extended(opcode: SendOpcode, immediate: u32, receiver: u32, segments: &[&[u8]]) -> Vec<u8> {
    let mut segment = XrcSegment::zeroed();
    segment.set_receiver(receiver);
    let all = [&[segment.as_bytes()], segments].concat();
    wqe(opcode, CONTROL_CQ_UPDATE, immediate, &all)
}

fn send(receiver: u32, bytes: &[u8]) -> Vec<u8> {
    let header = InlineHeader::new(bytes.len() as u32);
    extended(SendOpcode::Send, 0, receiver, &[header.as_bytes(), bytes])
}

fn access(opcode: SendOpcode, receiver: u32, key: u32, local: (u64, u32, u32)) -> Vec<u8> {
    let remote = RemoteAddressSegment::new(VIRTUAL + 0x8000, key);
    let data = DataSegment::new(local.1, local.2, local.0);
    extended(opcode, 0, receiver, &[remote.as_bytes(), data.as_bytes()])
}

#[test]
fn a_message_goes_to_the_queue_that_it_names() {
    let mut pair = setup();
    let second = shared_queue(&mut pair.it, pair.xrcd);
    pair.receive(VIRTUAL + 0x1000, 100);
    pair.receive(VIRTUAL + 0x2000, 1000);
    let first = pair.shared.number;
    pair.it.post(SENDER, &[send(first, b"hello")]);
    assert_eq!(pair.it.outcomes(SENDER), [Done(0, 0)]);
    assert_eq!(pair.it.get(VIRTUAL + 0x1000, 5), b"hello");
    let cqe = pair.it.poll(TARGET).expect("a completion");
    assert_eq!((outcome(cqe), cqe.byte_cnt.get()), (Done(2, 0), 5));
    // The queue pair is the target's, the number the queue's.
    assert_eq!((cqe.qpn(), cqe.user_index()), (pair.it.pairs[TARGET].qpn, USER_INDEX));
    // Several packets, with immediate data.
    pair.it.put(VIRTUAL, &pattern(700));
    let data = DataSegment::new(700, pair.it.key, VIRTUAL);
    let long = extended(SendOpcode::SendImmediate, 0xabcd, first, &[data.as_bytes()]);
    pair.it.post(SENDER, &[long]);
    assert_eq!(pair.it.get(VIRTUAL + 0x2000, 700), pattern(700));
    let cqe = pair.it.poll(TARGET).expect("a completion");
    assert_eq!((outcome(cqe), cqe.imm_inval_pkey.get()), (Done(3, 1), 0xabcd));
    assert_eq!(pair.it.outcomes(SENDER), [Done(0, 1)]);
    // The other queue has nothing posted.
    pair.it.post(SENDER, &[send(second.number, b"nobody")]);
    assert_eq!(pair.it.outcomes(SENDER), [Failed(RnrRetryExceeded, 2)]);
    assert_eq!(pair.it.state(TARGET), QpState::ReadyToSend);
}

#[test]
fn memory_is_that_of_the_queues_domain() {
    let mut pair = setup();
    let (key, receiver) = (pair.it.key, pair.shared.number);
    pair.it.put(VIRTUAL, &pattern(600));
    pair.it.post(
        SENDER,
        &[
            access(SendOpcode::RdmaWrite, receiver, key, (VIRTUAL, 600, key)),
            access(SendOpcode::RdmaRead, receiver, key, (VIRTUAL + 0x4000, 600, key)),
        ],
    );
    assert_eq!(pair.it.outcomes(SENDER), [Done(0, 0), Done(0, 1)]);
    assert_eq!(pair.it.get(VIRTUAL + 0x8000, 600), pattern(600));
    assert_eq!(pair.it.get(VIRTUAL + 0x4000, 600), pattern(600));
    // A key of the domain that the target itself was created with.
    let mut query = QueryQpIn::new();
    query.set_qpn(pair.it.pairs[TARGET].qpn);
    let pd = pair.it.machine.command(&query, &[]).qpc().pd();
    let pages = pair.it.pages.clone();
    let foreign = register(&mut pair.it.machine, pd, &pages, |_| ());
    let bad = access(SendOpcode::RdmaWrite, receiver, foreign, (VIRTUAL, 8, key));
    pair.it.post(SENDER, &[bad]);
    assert_eq!(pair.it.outcomes(SENDER), [Failed(RemoteAccessError, 2)]);
}

#[test]
fn atomics_name_their_queue_too() {
    let mut pair = setup();
    let (key, receiver) = (pair.it.key, pair.shared.number);
    pair.it.put(VIRTUAL + 0x8000, &40_u64.to_le_bytes());
    let remote = RemoteAddressSegment::new(VIRTUAL + 0x8000, key);
    let operands = AtomicSegment { swap_add: 2.into(), compare: 0.into() };
    let data = DataSegment::new(8, key, VIRTUAL);
    let add = extended(
        SendOpcode::AtomicFetchAdd,
        0,
        receiver,
        &[remote.as_bytes(), operands.as_bytes(), data.as_bytes()],
    );
    pair.it.post(SENDER, &[add]);
    assert_eq!(pair.it.outcomes(SENDER), [Done(0, 0)]);
    assert_eq!(pair.it.get(VIRTUAL + 0x8000, 8), 42_u64.to_le_bytes());
}

#[test]
fn a_queue_that_is_not_the_targets_is_refused() {
    type Pick = fn(&mut Extended) -> u32;
    let picks: [Pick; 3] = [
        |_| 0x999,
        |pair| {
            let other = domain(&mut pair.it);
            shared_queue(&mut pair.it, other).number
        },
        // One that is no XRC queue.
        |pair| {
            let (record, buffer) = (pair.it.machine.page(), pair.it.machine.page());
            let mut pool = CreateRmpIn::new();
            let queue = pool.ctx_mut().wq_mut();
            queue.set_pd(pair.it.pd).set_log_wq_sz(3).set_log_wq_stride(6).set_dbr_addr(record);
            pair.it.machine.command(&pool, &buffer.to_be_bytes()).rmpn()
        },
    ];
    for pick in picks {
        let mut pair = setup();
        let number = pick(&mut pair);
        pair.it.post(SENDER, &[send(number, b"no")]);
        assert_eq!(pair.it.outcomes(SENDER), [Failed(RemoteAccessError, 0)]);
        assert_eq!(pair.it.state(TARGET), QpState::Error);
        let event = pair.it.event().expect("an event");
        assert_eq!(event.event_type, EventType::WorkQueueAccessError.code());
    }
}

#[test]
fn a_receive_that_is_too_short_fails_on_the_queues_own_completion_queue() {
    let mut pair = setup();
    pair.receive(VIRTUAL + 0x1000, 4);
    let receiver = pair.shared.number;
    pair.it.post(SENDER, &[send(receiver, b"hello")]);
    assert_eq!(pair.it.outcomes(SENDER), [Failed(RemoteInvalidRequest, 0)]);
    let cqe = pair.it.poll(TARGET).expect("a completion");
    assert_eq!(outcome(cqe), Failed(LocalLengthError, 0));
    let error = ErrorCqe::read_from_bytes(cqe.as_bytes()).unwrap();
    assert_eq!((error.qpn(), error.user_index()), (pair.it.pairs[TARGET].qpn, USER_INDEX));
}

#[test]
fn every_request_carries_the_queue_and_answers_do_not() {
    let config = CardConfig { has_wire: true, ..CardConfig::infiniband(7) };
    let machine = Machine::of(config, Tracer::off()).brought_up();
    let mut it = Setup::with(machine, Connection::default());
    let xrcd = domain(&mut it);
    let shared = shared_queue(&mut it, xrcd);
    it.pairs[SENDER] = sender(&mut it, shared.number, xrcd);
    let qpn = it.pairs[SENDER].qpn;
    let init = it.to_init(qpn);
    it.machine.command(&init, &[]);
    let mut rtr = it.to_rtr(qpn, 0x321, Connection::default());
    rtr.qpc_mut().primary_address_path_mut().set_rlid(9);
    it.machine.command(&rtr, &[]);
    let mut rts = it.to_rts(qpn, Connection::default());
    rts.qpc_mut().primary_address_path_mut().set_ack_timeout(0);
    it.machine.command(&rts, &[]);
    it.put(VIRTUAL, &pattern(600));
    let data = DataSegment::new(600, it.key, VIRTUAL);
    it.post(SENDER, &[extended(SendOpcode::Send, 0, 0x12_3456, &[data.as_bytes()])]);
    let mut sent = Vec::new();
    while let Some(packet) = it.machine.card.take_packet() {
        let (base, rest) = BaseTransportHeader::read_from_prefix(&packet[ENVELOPE..]).unwrap();
        let (header, payload) = ExtendedReliableHeader::read_from_prefix(rest).unwrap();
        assert_eq!(header.receiver(), 0x12_3456);
        let from = 256 * sent.len();
        let length = 256.min(600 - from);
        assert_eq!(payload[..length], pattern(600)[from..from + length]);
        sent.push(BthOpcode::from_code(base.opcode).expect("a known opcode"));
    }
    use BthOpcode::*;
    assert_eq!(sent, [ExtendedSendFirst, ExtendedSendMiddle, ExtendedSendLast]);
    assert!(!ExtendedAcknowledge.has_xrceth() && !ExtendedReadResponseMiddle.has_xrceth());
    assert!(ExtendedReadRequest.has_xrceth() && ExtendedFetchAdd.has_xrceth());
}

#[test]
fn only_a_target_takes_requests_and_only_of_its_kind() {
    // A sender that is connected to a sender; and to a plain reliable connection, and back.
    for case in 0..3 {
        let mut pair = setup();
        let (shared, xrcd) = (pair.shared.number, pair.xrcd);
        let plain = pair.it.create_pair(1);
        let first = sender(&mut pair.it, shared, xrcd);
        let second = sender(&mut pair.it, shared, xrcd);
        let third = target(&mut pair.it, shared, xrcd);
        let (from, to) = [(first, second), (first, plain), (plain, third)][case];
        pair.it.pairs.extend([from, to]);
        pair.it.connect(2, 3, Connection::default());
        pair.it.connect(3, 2, Connection::default());
        pair.receive(VIRTUAL + 0x1000, 64);
        let wqe = if case == 2 { send_inline(b"hello") } else { send(shared, b"hello") };
        pair.it.post(2, &[wqe]);
        assert_eq!(pair.it.outcomes(2), [Failed(TransportRetryExceeded, 0)], "case {case}");
    }
}

proptest! {
    /// Any request to any queue, after a good one or before: the card never panics, and comes to
    /// rest.
    #[test]
    fn any_requests_come_to_rest(
        requests in prop::collection::vec(
            (prop_oneof![Just(0x01u8), Just(0x08), Just(0x0a), Just(0x0b), Just(0x10), any::<u8>()],
             prop_oneof![Just(0x20u32), 0x1e..0x24_u32, any::<u32>()],
             prop::collection::vec(any::<u8>(), 0..64)),
            1..4,
        ),
        length in 0u32..300,
    ) {
        let mut pair = setup();
        pair.receive(VIRTUAL, length);
        for (opcode, receiver, body) in requests {
            let mut wqe = send(receiver, b"");
            wqe[3] = opcode;
            wqe.truncate(32);
            wqe.extend(body);
            wqe[7] = wqe.len().div_ceil(16) as u8;
            pair.it.post(SENDER, &[wqe]);
        }
        pair.it.machine.settle();
    }
}

#[test]
fn a_wqe_without_its_segment_is_an_operation_error() {
    let mut pair = setup();
    pair.it.post(SENDER, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[])]);
    assert_eq!(pair.it.outcomes(SENDER), [Failed(LocalQpOperationError, 0)]);
    // A NOP goes nowhere.
    let mut pair = setup();
    pair.it.post(SENDER, &[wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[])]);
    assert_eq!(pair.it.outcomes(SENDER), [Done(0, 0)]);
}

#[test]
fn creation_needs_a_domain_and_holds_it() {
    use CommandStatus::*;
    let mut pair = setup();
    let page = pair.it.machine.page();
    let (shared, list) = (pair.shared.number, page.to_be_bytes());
    let input = pair_input(&pair.it, shared, 0x999, page);
    assert_eq!(pair.it.machine.refused(&input, &list).0, BadResource);
    // One with a send queue needs a doorbell page.
    let mut input = pair_input(&pair.it, shared, pair.xrcd, page);
    input.qpc_mut().set_uar_page(0);
    assert_eq!(pair.it.machine.refused(&input, &list).0, BadResource);
    let mut destroy = DestroyQpIn::new();
    for index in [SENDER, TARGET] {
        let mut free = DestroyXrcSrqIn::new();
        free.set_xrc_srqn(shared);
        assert_eq!(pair.it.machine.refused(&free, &[]).0, BadResourceState);
        destroy.set_qpn(pair.it.pairs[index].qpn);
        pair.it.machine.command(&destroy, &[]);
    }
    let mut free = DestroyXrcSrqIn::new();
    free.set_xrc_srqn(shared);
    pair.it.machine.command(&free, &[]);
    let own = domain(&mut pair.it);
    let dummy = shared_queue(&mut pair.it, pair.xrcd).number;
    target(&mut pair.it, dummy, own);
    let mut dealloc = DeallocXrcdIn::new();
    dealloc.set_xrcd(own);
    assert_eq!(pair.it.machine.refused(&dealloc, &[]).0, BadResourceState);
    // Over Ethernet the card has no XRC.
    let mut it = Setup::new();
    let input = pair_input(&it, 0, 1, page);
    assert_eq!(it.machine.refused(&input, &list).0, BadParameter);
}

/// It has neither queue, so nothing is counted in a record: the driver gives no address of one.
#[test]
fn of_a_target_that_failed_no_doorbell_record_is_read() {
    let mut it = setup();
    let qpn = it.it.pairs[TARGET].qpn;
    it.it.machine.command(ToErrQpIn::new().set_qpn(qpn), &[]);
    let Machine { card, memory, .. } = &mut it.it.machine;
    let mut host = Watched { memory, read: Vec::new() };
    // It looks again and again for something to flush.
    for _ in 0..10 {
        card.run(&mut host);
    }
    assert_eq!(host.read, Vec::<u64>::new());
}

/// Memory that notes what is read, also where nothing is.
struct Watched<'a> {
    memory: &'a mut Memory,
    read: Vec<u64>,
}

impl Host for Watched<'_> {
    fn dma_read(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        self.read.push(address);
        self.memory.dma_read(address, into)
    }

    fn dma_write(&mut self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        self.memory.dma_write(address, bytes)
    }

    fn interrupt(&mut self, vector: u32) {
        self.memory.interrupt(vector);
    }
}

//! Atomic operations: what they do, what they answer, who may, and that none is done twice.

mod support;

use doorbell_card::CardConfig;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::eqe::EventType;
use doorbell_prm::roce::BthOpcode::*;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::Tracer;
use support::data::{Outcome::*, *};
use support::network::*;
use support::*;

const REQUEST: u8 = CqeOpcode::Requester.code();
const REMOTE: u64 = VIRTUAL + 0x3008;

/// A machine whose driver asked for results in the host's byte order.
fn setup() -> Setup {
    let machine = Machine::new().brought_up_with(|machine| machine.choose_byte_order(1));
    Setup::with(machine, Connection::default())
}

fn number(it: &Setup, address: u64) -> u64 {
    u64::from_le_bytes(it.get(address, 8).try_into().unwrap())
}

#[test]
fn fetch_and_add_adds_and_answers_what_was_there() {
    let mut it = setup();
    let key = it.key;
    it.put(REMOTE, &0xffff_ffff_u64.to_le_bytes());
    it.put(VIRTUAL, &[0xee; 16]);
    let wqes = [1, u64::MAX].map(|add| atomic_add((REMOTE, key), add, (VIRTUAL, 8, key)));
    it.post(0, &wqes[..1]);
    assert_eq!(number(&it, REMOTE), 0x1_0000_0000);
    assert_eq!(number(&it, VIRTUAL), 0xffff_ffff);
    let cqe = it.poll(0).expect("a completion");
    assert_eq!((outcome(cqe), cqe.send_opcode(), cqe.byte_cnt.get()), (Done(REQUEST, 0), 0x12, 8));
    it.post(0, &wqes[1..]);
    assert_eq!(number(&it, REMOTE), 0xffff_ffff, "it wraps around");
    assert_eq!(number(&it, VIRTUAL), 0x1_0000_0000);
    assert_eq!(it.get(VIRTUAL + 8, 8), [0xee; 8]);
    assert_eq!(it.poll(1), None, "the other side's program hears nothing");
}

#[test]
fn compare_and_swap_swaps_only_what_it_finds() {
    let mut it = setup();
    let key = it.key;
    it.put(REMOTE, &7_u64.to_le_bytes());
    it.post(0, &[atomic_swap((REMOTE, key), (9, 8), (VIRTUAL, 8, key))]);
    assert_eq!((number(&it, REMOTE), number(&it, VIRTUAL)), (7, 7));
    it.post(0, &[atomic_swap((REMOTE, key), (9, 7), (VIRTUAL, 8, key))]);
    assert_eq!((number(&it, REMOTE), number(&it, VIRTUAL)), (9, 7));
    let cqe = it.poll(0).expect("a completion");
    assert_eq!((cqe.send_opcode(), cqe.byte_cnt.get()), (0x11, 8));
    assert_eq!(it.outcomes(0), [Done(REQUEST, 1)]);
}

#[test]
fn a_driver_that_asks_for_nothing_gets_the_packets_byte_order() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(REMOTE, &0x0102_u64.to_le_bytes());
    it.post(0, &[atomic_add((REMOTE, key), 1, (VIRTUAL, 8, key))]);
    assert_eq!(it.get(VIRTUAL, 8), 0x0102_u64.to_be_bytes());
    assert_eq!(number(&it, REMOTE), 0x0103, "numbers in memory are the host's all the same");
}

#[test]
fn a_result_is_scattered_and_longer_pieces_are_left_alone() {
    let mut it = setup();
    let key = it.key;
    it.put(REMOTE, b"original");
    it.put(VIRTUAL, &[0xee; 32]);
    let remote = RemoteAddressSegment::new(REMOTE, key);
    let operands = AtomicSegment { swap_add: 0.into(), compare: 0.into() };
    let pieces = [(VIRTUAL, 3), (VIRTUAL + 16, 9)];
    let pieces = pieces.map(|(address, length)| DataSegment::new(length, key, address));
    let segments: [&[u8]; 4] =
        [remote.as_bytes(), operands.as_bytes(), pieces[0].as_bytes(), pieces[1].as_bytes()];
    it.post(0, &[wqe(SendOpcode::AtomicFetchAdd, CONTROL_CQ_UPDATE, 0, &segments)]);
    assert_eq!(it.outcomes(0), [Done(REQUEST, 0)]);
    assert_eq!(it.get(VIRTUAL, 4), b"ori\xee");
    assert_eq!(it.get(VIRTUAL + 16, 6), b"ginal\xee");
}

#[test]
fn a_wqe_without_room_for_the_result() {
    let mut it = setup();
    let bad = atomic_add((REMOTE, it.key), 1, (VIRTUAL, 7, it.key));
    fails_with(&mut it, bad, CqeSyndrome::LocalLengthError);
    let mut it = setup();
    let remote = RemoteAddressSegment::new(REMOTE, it.key);
    let operands = AtomicSegment { swap_add: 1.into(), compare: 0.into() };
    let inline = [InlineHeader::new(8).as_bytes(), &[0; 12]].concat();
    let segments: [&[u8]; 3] = [remote.as_bytes(), operands.as_bytes(), &inline];
    let bad = wqe(SendOpcode::AtomicFetchAdd, CONTROL_CQ_UPDATE, 0, &segments);
    fails_with(&mut it, bad, CqeSyndrome::LocalQpOperationError);
    let mut it = setup();
    let bad = wqe(SendOpcode::AtomicFetchAdd, CONTROL_CQ_UPDATE, 0, &segments[..1]);
    fails_with(&mut it, bad, CqeSyndrome::LocalQpOperationError);
    assert_eq!(number(&it, REMOTE), 0);
}

#[test]
fn a_place_that_is_not_aligned() {
    let mut it = setup();
    let bad = atomic_add((REMOTE + 4, it.key), 1, (VIRTUAL, 8, it.key));
    fails_with(&mut it, bad, CqeSyndrome::RemoteInvalidRequest);
    assert_eq!(it.event().unwrap().event_type, EventType::WorkQueueInvalidRequest.code());
    assert_eq!(it.get(REMOTE, 16), [0; 16]);
}

#[test]
fn a_key_or_a_queue_pair_without_the_right() {
    let mut it = setup();
    let (pd, pages) = (it.pd, it.pages.clone());
    let key = register(&mut it.machine, pd, &pages, |key| {
        key.set_a(false);
    });
    let bad = atomic_add((REMOTE, key), 1, (VIRTUAL, 8, it.key));
    fails_with(&mut it, bad, CqeSyndrome::RemoteAccessError);
    assert_eq!(it.event().unwrap().event_type, EventType::WorkQueueAccessError.code());

    let mut it = setup();
    let qpn = it.pairs[1].qpn;
    it.machine.command(Rts2rtsQpIn::new().set_qpn(qpn).set_opt_param_mask(1 << 2), &[]);
    let bad = atomic_add((REMOTE, it.key), 1, (VIRTUAL, 8, it.key));
    fails_with(&mut it, bad, CqeSyndrome::RemoteInvalidRequest);
    assert_eq!(number(&it, REMOTE), 0);
}

fn network(connection: Connection) -> Network {
    Network::new(Connection { first_psn: 10, ack_timeout: 11, ..connection })
}

fn add(it: &Network, local: u64) -> Vec<u8> {
    let keys = [0, 1].map(|side| it.sides[side].key);
    atomic_add((REMOTE, keys[1]), 1, (VIRTUAL + local, 8, keys[0]))
}

#[test]
fn an_atomic_whose_answer_is_lost_is_asked_for_again_and_done_once() {
    let mut it = network(Connection::default());
    let wqes = [add(&it, 0), add(&it, 8)];
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    assert_eq!(heads(&packets), [(FetchAdd, 10), (FetchAdd, 11)]);
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(AtomicAcknowledge, 10), (AtomicAcknowledge, 11)]);
    assert_eq!(answer(&answers[1]), (0, 31, 2));
    // The first is lost. That the second comes tells of it.
    it.bring(0, answers[1..].to_vec());
    assert_eq!(it.sides[0].outcomes(0), []);
    let again = it.sent(0);
    assert_eq!(heads(&again), [(FetchAdd, 10), (FetchAdd, 11)]);
    it.bring(1, again);
    let answers = it.sent(1);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), [Done(REQUEST, 0), Done(REQUEST, 1)]);
    assert_eq!(number(&it.sides[1], REMOTE), 2, "added twice and not four times");
    assert_eq!((number(&it.sides[0], VIRTUAL), number(&it.sides[0], VIRTUAL + 8)), (0, 1));
}

#[test]
fn results_are_kept_for_as_many_as_may_be_under_way() {
    let mut it = network(Connection { log_sra_max: 0, log_rra_max: 0, ..Connection::default() });
    let mut requests = Vec::new();
    for _ in 0..2 {
        let wqe = add(&it, 0);
        it.sides[0].post(0, &[wqe]);
        let packets = it.sent(0);
        requests.extend(packets.clone());
        it.bring(1, packets);
        let answers = it.sent(1);
        it.bring(0, answers);
    }
    it.bring(1, [requests[1].clone()]);
    assert_eq!(heads(&it.sent(1)), [(AtomicAcknowledge, 11)], "the last is known");
    it.bring(1, [requests[0].clone()]);
    assert_eq!(it.sent(1), Vec::<Vec<u8>>::new(), "the one before is not, and not done again");
    assert_eq!(number(&it.sides[1], REMOTE), 2);
}

#[test]
fn a_late_copy_of_an_answered_request_takes_no_room_from_the_next() {
    let mut it = network(Connection { log_sra_max: 0, log_rra_max: 0, ..Connection::default() });
    let wqe = add(&it, 0);
    it.sides[0].post(0, std::slice::from_ref(&wqe));
    let first = it.sent(0);
    it.bring(1, first.clone());
    let answers = it.sent(1);
    it.bring(0, answers);
    it.sides[0].post(0, &[wqe]);
    let second = it.sent(0);
    it.bring(1, [first, second].concat());
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(AtomicAcknowledge, 11)], "no refusal, and no answer twice");
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), [Done(REQUEST, 0), Done(REQUEST, 1)]);
    assert_eq!(number(&it.sides[1], REMOTE), 2);
}

#[test]
fn reads_and_atomics_count_together() {
    let mut it = network(Connection { log_sra_max: 1, ..Connection::default() });
    let keys = [0, 1].map(|side| it.sides[side].key);
    let read = rdma(SendOpcode::RdmaRead, (VIRTUAL, keys[1]), (VIRTUAL, 8, keys[0]));
    let wqes = [add(&it, 0), read, add(&it, 8)];
    it.sides[0].post(0, &wqes);
    assert_eq!(heads(&it.sent(0)), [(FetchAdd, 10), (ReadRequest, 11)]);
}

#[test]
fn two_sides_that_count_in_one_place_lose_nothing() {
    let mut it = setup();
    let key = it.key;
    for round in 0..8 {
        let heads = [0, 1].map(|pair| {
            it.place(pair, &atomic_add((REMOTE, key), 1, (VIRTUAL + pair as u64 * 8, 8, key)))
        });
        for head in heads {
            it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
        }
        it.machine.settle();
        let found = [number(&it, VIRTUAL), number(&it, VIRTUAL + 8)];
        assert!(found.contains(&(round * 2)) && found.contains(&(round * 2 + 1)), "{found:?}");
    }
    assert_eq!(number(&it, REMOTE), 16);
}

/// The capabilities say so, a WQE is refused, and what comes by packet too.
#[test]
fn a_card_without_atomics_carries_none_out() {
    let config = CardConfig { atomics: false, ..CardConfig::default() };
    let mut it =
        Setup::with(Machine::of(config, Tracer::off()).brought_up(), Connection::default());
    let capability = *it.machine.command(&QueryHcaCapIn::new(), &[]).capability();
    assert!(!capability.atomic());
    let mut query = QueryHcaCapIn::new();
    query.set_op_mod(capability_op_mod(CapabilityGroup::Atomic, false));
    let group = *it.machine.command(&query, &[]).capability();
    assert!(group.as_bytes().iter().all(|byte| *byte == 0), "nothing of the group");
    let key = it.key;
    it.put(REMOTE, &7_u64.to_le_bytes());
    fails_with(
        &mut it,
        atomic_add((REMOTE, key), 1, (VIRTUAL, 8, key)),
        CqeSyndrome::LocalQpOperationError,
    );
    assert_eq!(number(&it, REMOTE), 7);
}

//! Two cards with a wire between them, and a card whose peer is gone.

mod support;

use doorbell_card::CardConfig;
use doorbell_prm::commands::QpState;
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::wqe::*;
use doorbell_tracer::Tracer;
use support::data::{Outcome::*, *};
use support::*;

const REQUEST: u8 = CqeOpcode::Requester.code();
const RECEIVED: u8 = CqeOpcode::ResponderSend.code();

/// A card on a wire, with its clock at 1 s.
fn machine(lid: u16) -> Setup {
    let config = CardConfig { has_wire: true, ..CardConfig::infiniband(lid) };
    let mut machine = Machine::of(config, Tracer::off()).brought_up();
    machine.card.tell_time(SECOND);
    Setup::with(machine, Connection::default())
}

const SECOND: u64 = 1_000_000_000;

/// The first queue pairs of two cards, connected with each other.
fn pair() -> (Setup, Setup) {
    let (mut one, mut two) = (machine(1), machine(2));
    for it in [&mut one, &mut two] {
        it.pairs[0] = it.create_pair(0);
    }
    let (first, second) = (one.pairs[0].qpn, two.pairs[0].qpn);
    connect(&mut one, second, 2);
    connect(&mut two, first, 1);
    (one, two)
}

/// Connects queue pair 0 with one of the card that has this LID; it waits 8 ms for answers.
fn connect(it: &mut Setup, remote: u32, lid: u16) {
    let (qpn, connection) = (it.pairs[0].qpn, Connection::default());
    let init = it.to_init(qpn);
    it.machine.command(&init, &[]);
    let mut rtr = it.to_rtr(qpn, remote, connection);
    rtr.qpc_mut().primary_address_path_mut().set_rlid(lid);
    it.machine.command(&rtr, &[]);
    let mut rts = it.to_rts(qpn, connection);
    rts.qpc_mut().primary_address_path_mut().set_ack_timeout(11);
    it.machine.command(&rts, &[]);
}

/// Carries packets between both cards until nothing moves; answers how many went each way.
fn carry(one: &mut Setup, two: &mut Setup) -> [usize; 2] {
    let mut count = [0; 2];
    loop {
        one.machine.settle();
        two.machine.settle();
        let before = count;
        while let Some(packet) = one.machine.card.take_packet() {
            two.machine.card.bring_packet(packet);
            count[0] += 1;
        }
        while let Some(packet) = two.machine.card.take_packet() {
            one.machine.card.bring_packet(packet);
            count[1] += 1;
        }
        if count == before {
            return count;
        }
    }
}

#[test]
fn messages_go_both_ways_and_memory_is_read_and_written() {
    let (mut one, mut two) = pair();
    two.receive(0, &[(VIRTUAL + 0x2000, 64)]);
    one.post(0, &[send_inline(b"by wire")]);
    assert_eq!(carry(&mut one, &mut two), [1, 1], "a message and its acknowledgement");
    assert_eq!(two.get(VIRTUAL + 0x2000, 7), b"by wire");
    assert_eq!(
        (one.outcomes(0), two.outcomes(0)),
        (vec![Done(REQUEST, 0)], vec![Done(RECEIVED, 0)])
    );
    one.put(VIRTUAL, &pattern(1000));
    let (key, remote) = (one.key, two.key);
    let write = rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, remote), (VIRTUAL, 1000, key));
    let read =
        rdma(SendOpcode::RdmaRead, (VIRTUAL + 0x8000, remote), (VIRTUAL + 0x4000, 1000, key));
    one.post(0, &[write, read]);
    carry(&mut one, &mut two);
    assert_eq!(two.get(VIRTUAL + 0x8000, 1000), pattern(1000));
    assert_eq!(one.get(VIRTUAL + 0x4000, 1000), pattern(1000));
    assert_eq!(one.outcomes(0), [Done(REQUEST, 1), Done(REQUEST, 2)]);
    one.receive(0, &[(VIRTUAL + 0x3000, 64)]);
    two.post(0, &[send_inline(b"and back")]);
    carry(&mut one, &mut two);
    assert_eq!(one.get(VIRTUAL + 0x3000, 8), b"and back");
}

#[test]
fn packets_to_the_own_port_do_not_leave() {
    let mut it = machine(1);
    it.machine.card.tell_time(SECOND);
    it.receive(1, &[(VIRTUAL, 64)]);
    it.post(0, &[send_inline(b"home")]);
    assert!(!it.machine.card.has_packet());
    assert_eq!(it.get(VIRTUAL, 4), b"home");
}

#[test]
fn a_full_wire_holds_the_sender_back_and_loses_nothing() {
    let (mut one, mut two) = pair();
    let key = one.key;
    one.put(VIRTUAL, &pattern(0x8000));
    let remote = (VIRTUAL + 0x8000, two.key);
    one.post(0, &[rdma(SendOpcode::RdmaWrite, remote, (VIRTUAL, 0x8000, key))]);
    let mut waiting = Vec::new();
    while let Some(packet) = one.machine.card.take_packet() {
        waiting.push(packet);
    }
    assert_eq!(waiting.len(), 64, "of 128 packets, those that the wire has room for");
    waiting.into_iter().for_each(|packet| two.machine.card.bring_packet(packet));
    carry(&mut one, &mut two);
    assert_eq!(two.get(VIRTUAL + 0x8000, 0x8000), pattern(0x8000));
    assert_eq!(one.outcomes(0), [Done(REQUEST, 0)]);
}

#[test]
fn a_lost_answer_is_asked_for_again_and_nothing_is_done_twice() {
    let (mut one, mut two) = pair();
    two.receive(0, &[(VIRTUAL, 64)]);
    two.receive(0, &[(VIRTUAL + 0x100, 64)]);
    one.post(0, &[send_inline(b"once")]);
    let packet = one.machine.card.take_packet().expect("a message");
    two.machine.card.bring_packet(packet);
    two.machine.settle();
    two.machine.card.take_packet().expect("an acknowledgement, which is lost");
    one.machine.card.tell_time(SECOND + 7_000_000);
    assert_eq!(carry(&mut one, &mut two), [0, 0], "the answer is not late yet");
    one.machine.card.tell_time(SECOND + 9_000_000);
    assert_eq!(carry(&mut one, &mut two), [1, 1]);
    assert_eq!(one.outcomes(0), [Done(REQUEST, 0)]);
    assert_eq!(two.outcomes(0), [Done(RECEIVED, 0)], "received once");
}

/// Retries 3 times, 8 ms apart, and gives up: with the error that programs know as "transport retry
/// counter exceeded".
#[test]
fn a_card_whose_peer_is_gone_gives_up_after_its_retries() {
    let (mut one, two) = pair();
    drop(two);
    one.post(0, &[send_inline(b"hello?"), send_inline(b"anybody?")]);
    let mut sent = 0;
    for retry in 0..8 {
        one.machine.card.tell_time(SECOND + retry * 9_000_000);
        one.machine.settle();
        sent += std::iter::from_fn(|| one.machine.card.take_packet()).count();
        let failed = one.state(0) == QpState::Error;
        assert_eq!(failed, retry >= 4, "after {retry} timeouts");
    }
    assert_eq!(sent, 2 * 4, "both once, and three times again");
    let expected = [
        Failed(CqeSyndrome::TransportRetryExceeded, 0),
        Failed(CqeSyndrome::WorkRequestFlushed, 1),
    ];
    assert_eq!(one.outcomes(0), expected);
}

#[test]
fn packets_for_others_and_nonsense_from_the_wire_are_dropped() {
    let (mut one, mut two) = pair();
    one.post(0, &[send_inline(b"for two")]);
    let packet = one.machine.card.take_packet().expect("a message");
    let mut three = machine(3);
    for bytes in [packet.clone(), packet[..20].to_vec(), Vec::new(), vec![0xff; 4096]] {
        three.machine.card.bring_packet(bytes);
        three.machine.settle();
        assert!(!three.machine.card.has_packet(), "nothing is passed on or answered");
    }
    // A bit that flipped on the way: the checksum tells.
    let mut flipped = packet;
    flipped[60] ^= 1;
    two.receive(0, &[(VIRTUAL, 64)]);
    two.machine.card.bring_packet(flipped);
    two.machine.settle();
    assert_eq!(two.outcomes(0), []);
}

#[test]
fn a_cable_that_is_out_lets_nothing_in_or_out() {
    let (mut one, mut two) = pair();
    one.receive(0, &[(VIRTUAL, 64)]);
    two.receive(0, &[(VIRTUAL, 64)]);
    one.post(0, &[send_inline(b"on its way")]);
    two.machine.card.unplug();
    assert_eq!(carry(&mut one, &mut two), [1, 0], "it came in at a port that is down");
    assert_eq!((two.get(VIRTUAL, 2), two.outcomes(0)), (vec![0; 2], vec![]));
    two.post(0, &[send_inline(b"the other way")]);
    assert_eq!(carry(&mut one, &mut two), [0, 0]);
    two.machine.card.plug();
    two.machine.settle();
    // The subnet manager takes 250 ms.
    two.machine.card.tell_time(SECOND + SECOND / 4);
    two.machine.settle();
    one.machine.card.tell_time(SECOND + SECOND / 100);
    assert_eq!(carry(&mut one, &mut two), [2, 2], "once more, and answers");
    assert_eq!(two.get(VIRTUAL, 10), b"on its way");
    assert_eq!(one.get(VIRTUAL, 13), b"the other way");
}

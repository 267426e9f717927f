//! Unreliable connections: nobody answers, and nobody is told of a loss.

mod support;

use doorbell_prm::commands::{QpServiceType, QpState};
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::roce::BthOpcode::*;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::IntoBytes;
use support::data::{Outcome::*, *};
use support::network::*;

const REQUEST: u8 = CqeOpcode::Requester.code();
const RECEIVED: u8 = CqeOpcode::ResponderSend.code();

fn network() -> Network {
    let connection = Connection { first_psn: 10, ..Connection::default() };
    Network::of(QpServiceType::UnreliableConnection, connection)
}

/// A signalled SEND of the first bytes of memory.
fn send(it: &Network, length: u32) -> Vec<u8> {
    let data = DataSegment::new(length, it.sides[0].key, VIRTUAL);
    wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[data.as_bytes()])
}

fn write(it: &Network, opcode: SendOpcode, remote: (u64, u32), length: u32) -> Vec<u8> {
    let data = DataSegment::new(length, it.sides[0].key, VIRTUAL);
    let remote = RemoteAddressSegment::new(remote.0, remote.1);
    wqe(opcode, CONTROL_CQ_UPDATE, 0x1234, &[remote.as_bytes(), data.as_bytes()])
}

#[test]
fn messages_arrive_and_are_done_when_they_are_sent() {
    let mut it = network();
    it.sides[0].put(VIRTUAL, &pattern(600));
    it.sides[1].receive(0, &[(VIRTUAL + 0x1000, 600)]);
    it.sides[1].receive(0, &[]);
    let remote = (VIRTUAL + 0x2000, it.sides[1].key);
    let wqes = [
        send(&it, 600),
        write(&it, SendOpcode::RdmaWrite, remote, 300),
        write(&it, SendOpcode::RdmaWriteImmediate, (remote.0 + 300, remote.1), 8),
    ];
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    let expected = [
        (UnreliableSendFirst, 10),
        (UnreliableSendMiddle, 11),
        (UnreliableSendLast, 12),
        (UnreliableWriteFirst, 13),
        (UnreliableWriteLast, 14),
        (UnreliableWriteOnlyImmediate, 15),
    ];
    assert_eq!(heads(&packets), expected);
    assert!(!packets.iter().any(|packet| asks_for_acknowledgement(packet)));
    let done: Vec<_> = (0..3).map(|index| Done(REQUEST, index)).collect();
    assert_eq!(it.sides[0].outcomes(0), done, "before anything has arrived");
    it.bring(1, packets);
    assert_eq!(it.sent(1), Vec::<Vec<u8>>::new(), "and nobody answers");
    assert_eq!(it.sides[1].get(VIRTUAL + 0x1000, 600), pattern(600));
    assert_eq!(it.sides[1].get(VIRTUAL + 0x2000, 300), pattern(300));
    let received = it.sides[1].poll(0).expect("the send");
    assert_eq!((outcome(received), received.byte_cnt.get()), (Done(RECEIVED, 0), 600));
    let written = it.sides[1].poll(0).expect("the immediate data");
    assert_eq!(outcome(written), Done(CqeOpcode::ResponderWriteImmediate.code(), 1));
    assert_eq!(written.imm_inval_pkey.get(), 0x1234);
}

#[test]
fn a_long_message_needs_no_answer_either() {
    let mut it = network();
    it.sides[0].put(VIRTUAL, &pattern(0xa000));
    let remote = (VIRTUAL, it.sides[1].key);
    let wqe = write(&it, SendOpcode::RdmaWrite, remote, 0xa000);
    it.sides[0].post(0, &[wqe]);
    let packets = it.sent(0);
    assert_eq!(packets.len(), 160, "more than a reliable connection sends without an answer");
    assert_eq!(it.sides[0].outcomes(0), [Done(REQUEST, 0)]);
    it.bring(1, packets);
    assert_eq!(it.sides[1].get(VIRTUAL, 0xa000), pattern(0xa000));
}

/// Whichever packet is lost: the message is dropped, and its receive serves the next one.
#[test]
fn a_message_that_loses_a_packet_is_dropped() {
    for lost in 0..3 {
        let mut it = network();
        it.sides[0].put(VIRTUAL, &pattern(600));
        it.sides[1].receive(0, &[(VIRTUAL + 0x1000, 600)]);
        it.sides[1].receive(0, &[(VIRTUAL + 0x2000, 600)]);
        let wqe = send(&it, 600);
        it.sides[0].post(0, &[wqe.clone(), wqe.clone(), wqe]);
        let mut packets = it.sent(0);
        packets.remove(lost);
        it.bring(1, packets);
        let expected = [Done(RECEIVED, 0), Done(RECEIVED, 1)];
        assert_eq!(it.sides[1].outcomes(0), expected, "without packet {lost}");
        assert_eq!(it.sides[1].get(VIRTUAL + 0x1000, 600), pattern(600));
        assert_eq!(it.sides[1].get(VIRTUAL + 0x2000, 600), pattern(600));
        assert_eq!(it.sent(1), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_write_that_loses_a_packet_is_dropped_from_there_on() {
    let mut it = network();
    it.sides[0].put(VIRTUAL, &[7; 1000]);
    it.sides[1].receive(0, &[]);
    let remote = (VIRTUAL, it.sides[1].key);
    let wqe = write(&it, SendOpcode::RdmaWriteImmediate, remote, 1000);
    it.sides[0].post(0, &[wqe]);
    let mut packets = it.sent(0);
    packets.remove(1);
    it.bring(1, packets);
    assert_eq!(it.sides[1].get(VIRTUAL, 257), [[7; 256].as_slice(), &[0]].concat());
    assert_eq!(it.sides[1].get(VIRTUAL + 768, 232), [0; 232]);
    assert_eq!(it.sides[1].outcomes(0), [], "and the immediate data with it");
}

#[test]
fn what_may_not_be_done_is_dropped_without_a_word() {
    let mut it = network();
    it.sides[0].put(VIRTUAL, &[7; 600]);
    let key = it.sides[1].key;
    let wqes = [
        send(&it, 8), // no receive is posted
        write(&it, SendOpcode::RdmaWrite, (VIRTUAL, key ^ 1), 8),
        write(&it, SendOpcode::RdmaWriteImmediate, (VIRTUAL, key ^ 1), 8),
    ];
    it.sides[0].post(0, &wqes);
    it.carry();
    assert_eq!(it.sides[0].outcomes(0).len(), 3);
    assert!(it.sides[0].state(0) == QpState::ReadyToSend);
    assert_eq!(it.sides[1].outcomes(0), []);
    // A message that is too long for its receive; the next one is not.
    it.sides[1].receive(0, &[(VIRTUAL + 0x1000, 300)]);
    let wqes = [send(&it, 600), send(&it, 100)];
    it.sides[0].post(0, &wqes);
    it.carry();
    let received = it.sides[1].poll(0).expect("the second message");
    assert_eq!((outcome(received), received.byte_cnt.get()), (Done(RECEIVED, 0), 100));
    assert_eq!(it.sides[1].get(VIRTUAL, 8), [0; 8]);
    assert_eq!(it.sides[1].state(0), QpState::ReadyToSend);
    assert!(it.sides[1].event().is_none(), "nobody is told");
}

#[test]
fn a_receive_that_was_left_over_is_flushed() {
    let mut it = network();
    it.sides[1].receive(0, &[(VIRTUAL, 600)]);
    it.sides[1].receive(0, &[(VIRTUAL, 600)]);
    let wqe = send(&it, 600);
    it.sides[0].post(0, &[wqe]);
    let packets = it.sent(0);
    it.bring(1, [packets[0].clone(), packets[2].clone()]);
    let number = it.sides[1].pairs[0].qpn;
    let mut fail = doorbell_prm::commands::ToErrQpIn::new();
    it.sides[1].machine.command(fail.set_qpn(number), &[]);
    let flushed = [0, 1].map(|index| Failed(CqeSyndrome::WorkRequestFlushed, index));
    assert_eq!(it.sides[1].outcomes(0), flushed);
}

#[test]
fn a_receive_whose_memory_is_gone_fails_its_queue_pair() {
    let mut it = network();
    let segment = DataSegment::new(100, 0x1234, VIRTUAL);
    let end = DataSegment::end_of_list();
    it.sides[1].raw_receive(0, &[segment.as_bytes(), end.as_bytes()].concat());
    let wqe = send(&it, 8);
    it.sides[0].post(0, &[wqe]);
    it.carry();
    let expected = [Failed(CqeSyndrome::LocalProtectionError, 0)];
    assert_eq!(it.sides[1].outcomes(0), expected);
    assert_eq!(it.sides[1].state(0), QpState::Error);
    assert_eq!(it.sides[0].outcomes(0), [Done(REQUEST, 0)], "the sender hears nothing of it");
}

#[test]
fn nothing_can_be_fetched() {
    for number in 0..3 {
        let mut it = network();
        let (remote, local) = ((VIRTUAL, it.sides[1].key), (VIRTUAL, 8, it.sides[0].key));
        let wqe = match number {
            0 => rdma(SendOpcode::RdmaRead, remote, local),
            1 => atomic_add(remote, 1, local),
            _ => atomic_swap(remote, (1, 0), local),
        };
        fails_with(&mut it.sides[0], wqe, CqeSyndrome::LocalQpOperationError);
    }
}

#[test]
fn connections_of_different_kinds_do_not_hear_each_other() {
    for (sender, receiver) in [(0, 1), (1, 0)] {
        let services = [QpServiceType::ReliableConnection, QpServiceType::UnreliableConnection];
        let connection = Connection { first_psn: 10, ..Connection::default() };
        let mut from = Network::of(services[sender], connection);
        let mut to = Network::of(services[receiver], connection);
        to.sides[1].receive(0, &[(VIRTUAL, 64)]);
        from.sides[0].post(0, &[send_inline(b"hello")]);
        let packets = from.sent(0);
        assert_eq!(packets.len(), 1);
        to.bring(1, packets.clone());
        assert_eq!(to.sent(1), Vec::<Vec<u8>>::new());
        assert_eq!(to.sides[1].outcomes(0), []);
        // The same packet is one that its own kind understands.
        from.sides[1].receive(0, &[(VIRTUAL, 64)]);
        from.bring(1, packets);
        assert_eq!(from.sides[1].outcomes(0), [Done(RECEIVED, 0)]);
    }
}

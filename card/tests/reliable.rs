//! The rules of a reliable connection, packet by packet: what is sent before an answer comes, and what
//! an answer means. Losses are in `losses.rs`.

mod support;

use doorbell_prm::commands::QpState;
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::roce::BthOpcode::*;
use doorbell_prm::roce::{AETH_ACK, BthOpcode};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::IntoBytes;
use support::data::{Outcome::*, *};
use support::network::numbered::*;
use support::network::*;

const REQUEST: u8 = CqeOpcode::Requester.code();

/// The same work request with a fence mode.
fn fenced(mut wqe: Vec<u8>, mode: u8) -> Vec<u8> {
    wqe[11] |= mode;
    wqe
}

fn done(indexes: impl IntoIterator<Item = u16>) -> Vec<Outcome> {
    indexes.into_iter().map(|index| Done(REQUEST, index)).collect()
}

#[test]
fn messages_do_not_wait_for_each_other_and_one_answer_does_for_all() {
    let mut it = network();
    let wqes: Vec<_> = (0..5).map(|number| write(&it, number * 64, 64)).collect();
    it.sides[0].put(VIRTUAL, &pattern(320));
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    let expected: Vec<_> = (10..15).map(|psn| (WriteOnly, psn)).collect();
    assert_eq!(heads(&packets), expected, "before any answer");
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 14)], "for all of them");
    assert_eq!(answer(&answers[0]), (AETH_ACK, 31, 5), "five messages were carried out");
    assert_eq!(it.sides[0].outcomes(0), []);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done(0..5));
    assert_eq!(it.sides[1].get(VIRTUAL, 320), pattern(320));
}

#[test]
fn an_answer_in_the_middle_of_a_message_completes_those_before_it() {
    let mut it = Network::new(Connection { log_ack_req_freq: 2, ..connection() });
    let wqes = [write(&it, 0, 64), write(&it, 0x100, 1200), write(&it, 0x1000, 64)];
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    let asking = packets.iter().filter(|packet| asks_for_acknowledgement(packet));
    let asking: Vec<u32> = asking.map(|packet| head(packet).1).collect();
    assert_eq!(asking, [10, 14, 15, 16], "the last of each, and every fourth");
    it.bring(1, packets[..5].to_vec());
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 14)]);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done([0]));
    // The rest was lost. It is sent again from where the answer ended.
    it.wait(LATE);
    let again = it.sent(0);
    assert_eq!(heads(&again), [(WriteLast, 15), (WriteOnly, 16)]);
    it.bring(1, again);
    let answers = it.sent(1);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done([1, 2]));
}

#[test]
fn so_many_packets_go_without_an_answer_and_no_more() {
    let mut it = network();
    let wqe = write(&it, 0, 0x8000);
    it.sides[0].post(0, &[wqe.clone(), wqe]);
    let packets = it.sent(0);
    assert_eq!(packets.len(), 128, "half of what was posted");
    let asking: Vec<usize> =
        (0..128).filter(|at| asks_for_acknowledgement(&packets[*at])).collect();
    assert_eq!(asking, [63, 127], "long before the window closes");
    it.bring(1, packets[..64].to_vec());
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 73)]);
    it.bring(0, answers);
    assert_eq!(it.sent(0).len(), 64);
}

#[test]
fn the_answer_to_a_read_acknowledges_what_was_sent_before_it() {
    let mut it = network();
    let wqes = [write(&it, 0, 64), read(&it, 0x1000, 64)];
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 10), (ReadResponseOnly, 11)]);
    it.bring(0, answers[1..].to_vec());
    assert_eq!(it.sides[0].outcomes(0), done(0..2));
}

#[test]
fn no_more_reads_are_under_way_than_agreed() {
    let mut it = Network::new(Connection { log_sra_max: 1, ..connection() });
    let wqes: Vec<_> = (0..5).map(|number| read(&it, number * 64, 64)).collect();
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    assert_eq!(heads(&packets), [(ReadRequest, 10), (ReadRequest, 11)]);
    it.bring(1, packets);
    let answers = it.sent(1);
    it.bring(0, answers[..1].to_vec());
    assert_eq!(heads(&it.sent(0)), [(ReadRequest, 12)], "one is answered, one more may go");
}

#[test]
fn a_responder_takes_no_more_reads_than_agreed() {
    let mut it = Network::new(Connection { log_rra_max: 0, ..connection() });
    let wqes: Vec<_> = (0..3).map(|number| read(&it, number * 64, 64)).collect();
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    assert_eq!(packets.len(), 3);
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(ReadResponseOnly, 10), (Acknowledge, 11)], "the first still is");
    assert_eq!(it.sides[1].state(0), QpState::Error);
    it.bring(0, answers);
    let expected = [
        Done(REQUEST, 0),
        Failed(CqeSyndrome::RemoteInvalidRequest, 1),
        Failed(CqeSyndrome::WorkRequestFlushed, 2),
    ];
    assert_eq!(it.sides[0].outcomes(0), expected);
}

#[test]
fn a_fence_waits_for_reads_and_for_nothing_else() {
    // Linux: MLX5_FENCE_MODE_FENCE, _STRONG_ORDERING, _SMALL_AND_FENCE.
    for mode in [2 << 5, 3 << 5, CONTROL_FENCE] {
        let mut it = network();
        let wqes = [
            write(&it, 0, 64),
            read(&it, 0x1000, 64),
            fenced(write(&it, 0x1000, 64), mode),
            write(&it, 0x2000, 64),
        ];
        it.sides[1].put(VIRTUAL + 0x1000, b"before");
        it.sides[0].put(VIRTUAL + 0x1000, b"after!");
        it.sides[0].post(0, &wqes);
        let packets = it.sent(0);
        assert_eq!(heads(&packets), [(WriteOnly, 10), (ReadRequest, 11)], "{mode:#x}");
        it.bring(1, packets);
        let answers = it.sent(1);
        it.bring(0, answers);
        let packets = it.sent(0);
        assert_eq!(heads(&packets), [(WriteOnly, 12), (WriteOnly, 13)]);
        it.bring(1, packets);
        assert_eq!(it.sides[1].get(VIRTUAL + 0x1000, 6), b"before", "what was read goes back");
    }
    for mode in [0, CONTROL_INITIATOR_SMALL_FENCE] {
        let mut it = network();
        let wqes = [read(&it, 0x1000, 64), fenced(write(&it, 0, 64), mode)];
        it.sides[0].post(0, &wqes);
        assert_eq!(it.sent(0).len(), 2, "no fence that waits for reads: {mode:#x}");
    }
    let mut it = network();
    let wqes = [write(&it, 0, 64), fenced(write(&it, 0x1000, 64), CONTROL_FENCE)];
    it.sides[0].post(0, &wqes);
    assert_eq!(it.sent(0).len(), 2, "a write is not waited for");
}

#[test]
fn completions_keep_the_order_of_the_work() {
    let mut it = network();
    let nop = wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    let mut bad = write(&it, 0, 64);
    bad[36] ^= 1; // the lkey
    let wqes = [write(&it, 0, 64), nop, bad, write(&it, 0, 64)];
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    assert_eq!(packets.len(), 1, "nothing goes behind a request that failed");
    assert_eq!(it.sides[0].outcomes(0), [], "a NOP and a failure wait for the write before them");
    it.bring(1, packets);
    let answers = it.sent(1);
    it.bring(0, answers);
    let expected = [
        Done(REQUEST, 0),
        Done(REQUEST, 1),
        Failed(CqeSyndrome::LocalProtectionError, 2),
        Failed(CqeSyndrome::WorkRequestFlushed, 3),
    ];
    assert_eq!(it.sides[0].outcomes(0), expected);
}

#[test]
fn work_that_is_done_at_once_holds_nothing_up() {
    let mut it = network();
    let nop = wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    let wqes = [write(&it, 0, 64), nop, write(&it, 64, 64)];
    it.sides[0].post(0, &wqes);
    assert_eq!(it.sent(0).len(), 2);
    assert_eq!(it.sides[0].outcomes(0), []);
}

#[test]
fn a_refusal_fails_its_message_and_completes_those_before_it() {
    let mut it = network();
    let mut bad = write(&it, 0, 64);
    bad[26] ^= 1; // the rkey
    let wqes = [write(&it, 0, 64), read(&it, 0x1000, 64), bad, write(&it, 64, 64)];
    it.sides[0].post(0, &wqes);
    it.carry();
    let expected = [
        Done(REQUEST, 0),
        Done(REQUEST, 1),
        Failed(CqeSyndrome::RemoteAccessError, 2),
        Failed(CqeSyndrome::WorkRequestFlushed, 3),
    ];
    assert_eq!(it.sides[0].outcomes(0), expected);
    assert_eq!(it.sides[1].state(0), QpState::Error);
}

/// The names are those of the specification.
#[test]
fn a_long_send_has_a_first_a_middle_and_a_last_packet() {
    let mut it = network();
    let data = DataSegment::new(600, it.sides[0].key, VIRTUAL);
    it.sides[0].post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[data.as_bytes()])]);
    let opcodes: Vec<BthOpcode> =
        heads(&it.sent(0)).into_iter().map(|(opcode, _)| opcode).collect();
    assert_eq!(opcodes, [SendFirst, SendMiddle, SendLast]);
}

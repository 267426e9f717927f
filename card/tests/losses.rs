//! What a reliable connection does about packets that are lost, late, or come twice.

mod support;

use doorbell_prm::commands::{DestroyMkeyIn, QpState};
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::roce::BthOpcode::*;
use doorbell_prm::roce::{AETH_ACK, AETH_NAK, AETH_RNR_NAK};
use support::data::{Outcome::*, *};
use support::network::numbered::*;
use support::network::*;

const REQUEST: u8 = CqeOpcode::Requester.code();
const RECEIVED: u8 = CqeOpcode::ResponderSend.code();

fn done(indexes: impl IntoIterator<Item = u16>) -> Vec<Outcome> {
    indexes.into_iter().map(|index| Done(REQUEST, index)).collect()
}

#[test]
fn a_gap_is_told_once_and_all_is_sent_again_from_there() {
    let mut it = network();
    let wqes: Vec<_> = (0..5).map(|number| write(&it, number * 64, 64)).collect();
    it.sides[0].put(VIRTUAL, &pattern(320));
    it.sides[0].post(0, &wqes);
    let mut packets = it.sent(0);
    packets.remove(1);
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 11)], "of three that came too early");
    assert_eq!(answer(&answers[0]), (AETH_NAK, 0, 1));
    it.bring(0, answers.clone());
    assert_eq!(it.sides[0].outcomes(0), done([0]), "all before the gap has arrived");
    let again = it.sent(0);
    assert_eq!(heads(&again), (11..15).map(|psn| (WriteOnly, psn)).collect::<Vec<_>>());
    // The same refusal once more: the card has gone back already.
    it.bring(0, answers);
    assert_eq!(it.sent(0), Vec::<Vec<u8>>::new());
    // Lost again: the responder has said what it wants, and waits for it.
    it.bring(1, again[1..].to_vec());
    assert_eq!(it.sent(1), Vec::<Vec<u8>>::new());
    it.wait(LATE);
    let again = it.sent(0);
    it.bring(1, again[..1].to_vec());
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 11)]);
    // A new gap is told anew.
    it.bring(1, again[2..].to_vec());
    assert_eq!(answer(&it.sent(1)[0]), (AETH_NAK, 0, 2));
    it.bring(1, again[1..].to_vec());
    let answers = it.sent(1);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done(1..5));
    assert_eq!(it.sides[1].get(VIRTUAL, 320), pattern(320));
}

#[test]
fn what_comes_twice_is_answered_twice_and_done_once() {
    let mut it = network();
    it.sides[1].receive(0, &[(VIRTUAL + 0x2000, 64)]);
    it.sides[1].receive(0, &[(VIRTUAL + 0x3000, 64)]);
    let wqes = [write(&it, 0, 8), send_inline(b"message")];
    it.sides[0].put(VIRTUAL, b"written.");
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    it.bring(1, packets.clone());
    assert_eq!(heads(&it.sent(1)), [(Acknowledge, 11)]);
    it.sides[1].put(VIRTUAL, b"mine now");
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 11)]);
    assert_eq!(answer(&answers[0]), (AETH_ACK, 31, 2));
    assert_eq!(it.sides[1].get(VIRTUAL, 8), b"mine now", "not written again");
    assert_eq!(it.sides[1].outcomes(0), [Done(RECEIVED, 0)], "not received again");
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done(0..2));
}

#[test]
fn of_a_read_that_was_answered_in_part_the_rest_is_asked_for() {
    let mut it = network();
    let wqe = read(&it, 0x1000, 1100);
    it.sides[1].put(VIRTUAL + 0x1000, &pattern(1100));
    it.sides[0].post(0, &[wqe]);
    let request = it.sent(0);
    assert_eq!(asked(&request[0]), (VIRTUAL + 0x1000, 1100));
    it.bring(1, request);
    let mut answers = it.sent(1);
    let middle = ReadResponseMiddle;
    let expected =
        [(ReadResponseFirst, 10), (middle, 11), (middle, 12), (middle, 13), (ReadResponseLast, 14)];
    assert_eq!(heads(&answers), expected);
    answers.remove(2);
    it.bring(0, answers);
    let again = it.sent(0);
    assert_eq!(heads(&again), [(ReadRequest, 12)], "at once, and one time only");
    assert_eq!(asked(&again[0]), (VIRTUAL + 0x1000 + 512, 1100 - 512));
    it.bring(1, again);
    let answers = it.sent(1);
    let expected = [(ReadResponseFirst, 12), (middle, 13), (ReadResponseLast, 14)];
    assert_eq!(heads(&answers), expected);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done([0]));
    assert_eq!(it.sides[0].get(VIRTUAL + 0x1000, 1100), pattern(1100));
}

#[test]
fn an_answer_that_jumps_over_a_read_means_that_the_reads_own_was_lost() {
    let mut it = network();
    let wqes = [read(&it, 0x1000, 300), write(&it, 0, 64), read(&it, 0x2000, 10)];
    it.sides[1].put(VIRTUAL + 0x1000, &pattern(300));
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    assert_eq!(heads(&packets), [(ReadRequest, 10), (WriteOnly, 12), (ReadRequest, 13)]);
    it.bring(1, packets);
    let answers = it.sent(1);
    let expected = [
        (ReadResponseFirst, 10),
        (ReadResponseLast, 11),
        (Acknowledge, 12),
        (ReadResponseOnly, 13),
    ];
    assert_eq!(heads(&answers), expected, "in their order");
    it.bring(0, answers[2..].to_vec());
    assert_eq!(it.sides[0].outcomes(0), [], "nothing overtakes the read");
    let again = it.sent(0);
    assert_eq!(heads(&again), [(ReadRequest, 10), (WriteOnly, 12), (ReadRequest, 13)]);
    it.bring(1, again);
    let answers = it.sent(1);
    it.bring(0, answers);
    assert_eq!(it.sides[0].outcomes(0), done(0..3));
    assert_eq!(it.sides[0].get(VIRTUAL + 0x1000, 300), pattern(300));
}

/// The responder goes back in what it has begun to answer, and answers in order.
#[test]
fn a_read_that_is_asked_for_again_while_it_is_answered_is_answered_once() {
    let mut it = network();
    let wqe = read(&it, 0x1000, 0x6000);
    it.sides[0].post(0, &[wqe]);
    let packets = it.sent(0);
    it.bring(1, packets.clone());
    // 64 of 96 packets have room; the request comes again before the rest is sent.
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(answers.len(), 64 + 96, "it begins anew, and does not end twice");
    let ends = answers.iter().filter(|packet| head(packet).0 == ReadResponseLast).count();
    assert_eq!(ends, 1);
}

/// Side 1 closes its memory.
fn close(it: &mut Network) {
    let mut input = DestroyMkeyIn::new();
    input.set_mkey_index(it.sides[1].key >> 8);
    it.sides[1].machine.command(&input, &[]);
}

/// A read of so many bytes that has been answered, and a copy of its request that is still under way.
fn answered_read(it: &mut Network, length: u32) -> Vec<Vec<u8>> {
    let wqe = read(it, 0x1000, length);
    it.sides[0].post(0, &[wqe]);
    let late = it.sent(0);
    it.bring(1, late.clone());
    it.carry();
    assert_eq!(it.sides[0].outcomes(0), done([0]));
    late
}

/// The requester has had its answer, and so the memory may be closed; its late request says nothing of now.
#[test]
fn a_read_that_comes_again_when_its_memory_is_closed_is_dropped() {
    let mut it = network();
    let late = answered_read(&mut it, 100);
    close(&mut it);
    it.bring(1, late);
    assert_eq!(it.sent(1), Vec::<Vec<u8>>::new());
    assert_eq!(it.sides[1].state(0), QpState::ReadyToSend);
    // For the first time asked it is refused.
    let wqe = read(&it, 0x1000, 100);
    it.sides[0].post(0, &[wqe]);
    it.carry();
    let expected = [Failed(CqeSyndrome::RemoteAccessError, 1)];
    assert_eq!(it.sides[0].outcomes(0), expected);
}

#[test]
fn the_answer_to_a_read_that_came_again_ends_when_its_memory_is_closed() {
    let mut it = network();
    let late = answered_read(&mut it, 0x6000);
    it.bring(1, late);
    close(&mut it);
    // 64 of 96 packets had room before.
    let answers = it.sent(1);
    assert_eq!(answers.len(), 64);
    assert!(answers.iter().all(|packet| head(packet).0 != Acknowledge));
    assert_eq!(it.sides[1].state(0), QpState::ReadyToSend);
}

#[test]
fn a_receiver_that_is_not_ready_says_so_once_and_gets_all_later() {
    let mut it = network();
    it.sides[0].post(0, &[send_inline(b"one"), send_inline(b"two"), send_inline(b"three")]);
    let packets = it.sent(0);
    it.bring(1, packets);
    let answers = it.sent(1);
    assert_eq!(heads(&answers), [(Acknowledge, 10)]);
    assert_eq!(answer(&answers[0]), (AETH_RNR_NAK, 12, 0));
    for number in 0..3 {
        it.sides[1].receive(0, &[(VIRTUAL + number * 64, 64)]);
    }
    it.bring(0, answers);
    it.wait(600 * MICROSECOND);
    assert_eq!(it.sent(0), Vec::<Vec<u8>>::new(), "timer 12 is 0.64 ms");
    it.wait(50 * MICROSECOND);
    it.carry();
    assert_eq!(it.sides[0].outcomes(0), done(0..3));
    assert_eq!(it.sides[1].outcomes(0), [0, 1, 2].map(|index| Done(RECEIVED, index)));
    assert_eq!(it.sides[1].get(VIRTUAL + 128, 5), b"three");
}

#[test]
fn patience_begins_anew_with_every_answer() {
    let mut it = Network::new(Connection { retry_count: 1, ..connection() });
    for number in 0..6 {
        let wqe = write(&it, number * 64, 64);
        it.sides[0].post(0, &[wqe]);
        assert_eq!(it.sent(0).len(), 1, "which is lost");
        it.wait(LATE);
        it.carry();
        assert_eq!(it.sides[0].outcomes(0), done([number as u16]));
    }
    let wqe = write(&it, 0, 64);
    it.sides[0].post(0, &[wqe]);
    for _ in 0..2 {
        assert_eq!(it.sent(0).len(), 1);
        it.wait(LATE);
    }
    let expected = [Failed(CqeSyndrome::TransportRetryExceeded, 6)];
    assert_eq!(it.sides[0].outcomes(0), expected);
}

#[test]
fn without_a_timeout_a_lost_answer_is_waited_for_for_ever() {
    let mut it = Network::new(Connection { ack_timeout: 0, ..connection() });
    let wqe = write(&it, 0, 64);
    it.sides[0].post(0, &[wqe]);
    assert_eq!(it.sent(0).len(), 1);
    it.wait(1 << 40);
    assert_eq!(it.sent(0).len(), 0);
    assert_eq!(it.sides[0].state(0), QpState::ReadyToSend);
}

#[test]
fn answers_to_packets_that_were_never_sent_mean_nothing() {
    let mut it = network();
    let wqes = [write(&it, 0, 64), write(&it, 64, 64)];
    it.sides[0].post(0, &wqes);
    let packets = it.sent(0);
    it.bring(1, packets);
    let late = it.sent(1);
    it.bring(0, late.clone());
    assert_eq!(it.sides[0].outcomes(0), done(0..2));
    // An answer from before, while two more messages wait for theirs.
    it.sides[0].post(0, &wqes);
    assert_eq!(it.sent(0).len(), 2);
    it.bring(0, late);
    assert_eq!(it.sides[0].outcomes(0), []);
    // And one from a future that this card knows nothing of.
    let mut other = network();
    let many: Vec<_> = (0..9).map(|_| write(&other, 0, 64)).collect();
    other.sides[0].post(0, &many);
    let packets = other.sent(0);
    other.bring(1, packets);
    let early = other.sent(1);
    assert_eq!(heads(&early), [(Acknowledge, 18)]);
    it.bring(0, early);
    assert_eq!(it.sides[0].outcomes(0), []);
    assert_eq!(it.sides[0].state(0), QpState::ReadyToSend);
}

#[test]
fn numbers_of_packets_go_around() {
    let mut it = Network::new(Connection { first_psn: 0xff_fffd, ..connection() });
    it.sides[0].put(VIRTUAL, &pattern(2000));
    let wqes = [write(&it, 0, 700), write(&it, 700, 1300)];
    it.sides[0].post(0, &wqes);
    let mut packets = it.sent(0);
    assert_eq!(head(&packets[3]), (WriteFirst, 0));
    let lost = packets.remove(4);
    assert_eq!(head(&lost).1, 1);
    it.bring(1, packets);
    it.carry();
    assert_eq!(it.sides[0].outcomes(0), done(0..2));
    assert_eq!(it.sides[1].get(VIRTUAL, 2000), pattern(2000));
}

//! Time: a card that is told it waits; one that is not does not.

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use support::data::{Outcome::*, *};
use support::*;

const MILLISECOND: u64 = 1_000_000;

fn at(it: &mut Setup, time: u64) {
    it.machine.card.tell_time(time);
    it.machine.settle();
}

#[test]
fn a_receiver_that_is_not_ready_is_asked_again_after_its_timer() {
    let mut it = Setup::new();
    at(&mut it, 0);
    it.post(0, &[send_inline(b"patience")]);
    at(&mut it, MILLISECOND / 2);
    assert_eq!(it.outcomes(0), [], "the timer, number 12, is 0.64 ms");
    it.receive(1, &[(VIRTUAL, 64)]);
    at(&mut it, MILLISECOND / 2 + 1);
    assert_eq!(it.outcomes(0), [], "a receive alone does not hurry it");
    at(&mut it, MILLISECOND);
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
    assert_eq!(it.outcomes(1), [Done(2, 0)]);
}

#[test]
fn retries_run_out_only_with_time() {
    let mut it = Setup::new();
    at(&mut it, 0);
    it.post(0, &[send_inline(b"never")]);
    let mut failed_at = None;
    for tenth in 1..50 {
        at(&mut it, tenth * MILLISECOND / 10);
        if it.outcomes(0) == [Failed(CqeSyndrome::RnrRetryExceeded, 0)] {
            failed_at = Some(tenth);
            break;
        }
    }
    // Two retries, each 0.64 ms after the answer before.
    assert_eq!(failed_at, Some(14));
}

#[test]
fn an_answer_is_late_after_the_timeout() {
    let mut it = Setup::new();
    at(&mut it, 0);
    // The other side goes away without a word.
    it.machine.command(ToRstQpIn::new().set_qpn(it.pairs[1].qpn), &[]);
    it.post(0, &[send_inline(b"hello?")]);
    // 4.096 us times 2^14 is 67 ms; three retries make it four times that.
    at(&mut it, 67 * MILLISECOND);
    assert_eq!(it.outcomes(0), []);
    for step in 2..=3 {
        at(&mut it, step * 68 * MILLISECOND);
        assert_eq!(it.outcomes(0), [], "{step}");
    }
    for step in 4..=5 {
        at(&mut it, step * 68 * MILLISECOND);
    }
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::TransportRetryExceeded, 0)]);
}

#[test]
fn time_does_not_run_backwards() {
    let mut it = Machine::up();
    it.card.tell_time(10);
    it.card.tell_time(5);
    assert_eq!(it.read32(0x1004), 10);
    let mut both = [0; 8];
    it.card.tell_time(1 << 33);
    it.card.read(0x1000, &mut both);
    assert_eq!(u64::from_be_bytes(both), 1 << 33);
    let mut beyond = [1; 8];
    it.card.read(u64::MAX, &mut beyond);
    assert_eq!(beyond, [0; 8]);
}

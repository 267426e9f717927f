//! As many queue pairs as the card says it has, of which a few have something to do.

mod support;

use doorbell_prm::commands::CommandStatus::LimitExceeded;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeOpcode;
use doorbell_prm::wqe::SendOpcode;
use support::data::{Outcome::*, *};

const REQUEST: u8 = CqeOpcode::Requester.code();

/// Queue pairs in RESET that nobody uses, all with the same memory; answers their numbers.
fn idle(it: &mut Setup, count: usize) -> Vec<u32> {
    let (buffer, record) = (it.machine.page().to_be_bytes(), it.machine.page());
    let input = it.qp_input(0, record);
    (0..count).map(|_| it.machine.command(&input, &buffer).qpn()).collect()
}

fn destroy(it: &mut Setup, qpn: u32) {
    let mut input = DestroyQpIn::new();
    input.set_qpn(qpn);
    it.machine.command(&input, &[]);
}

/// Numbers of queue pairs or completion queues, by the capability that tells their number.
fn most(it: &mut Setup, log: impl Fn(&GeneralCapabilities) -> u8) -> usize {
    let output = it.machine.ask(&QueryHcaCapIn::new(), &[], 0).output;
    1 << log(output.capability())
}

#[test]
fn ten_thousand_queue_pairs_and_work_on_the_first_and_the_last() {
    let mut it = Setup::new();
    let numbers = idle(&mut it, 10_000);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "one after the other");
    for cq in 0..2 {
        let pair = it.create_pair(cq);
        it.pairs.push(pair);
    }
    // Each end of the numbers with the other one.
    for (own, other) in [(0, 3), (3, 0)] {
        let mut reset = ToRstQpIn::new();
        reset.set_qpn(it.pairs[own].qpn);
        it.machine.command(&reset, &[]);
        it.connect(own, other, Connection::default());
    }
    it.put(VIRTUAL, b"from the first");
    it.put(VIRTUAL + 0x1000, b"from the last");
    let write = |it: &Setup, from, to, length| {
        let local = (VIRTUAL + from, length, it.key);
        rdma(SendOpcode::RdmaWrite, (VIRTUAL + to, it.key), local)
    };
    let (first, last) = (write(&it, 0, 0x2000, 14), write(&it, 0x1000, 0x3000, 13));
    it.post(0, &[first]);
    it.post(3, &[last]);
    assert_eq!(it.outcomes(0), [Done(REQUEST, 0)]);
    assert_eq!(it.outcomes(3), [Done(REQUEST, 0)]);
    assert_eq!(it.get(VIRTUAL + 0x2000, 14), b"from the first");
    assert_eq!(it.get(VIRTUAL + 0x3000, 13), b"from the last");
}

#[test]
fn as_many_queues_as_the_card_says_and_the_lowest_numbers_again() {
    let mut it = Setup::new();
    let most_pairs = most(&mut it, GeneralCapabilities::log_max_qp);
    assert!(most_pairs >= 10_000);
    // Two are there already.
    let numbers = idle(&mut it, most_pairs - 2);
    let record = it.machine.page();
    let (input, buffer) = (it.qp_input(0, record), it.machine.page().to_be_bytes());
    assert_eq!(it.machine.refused(&input, &buffer).0, LimitExceeded);
    let gone = [7, 3000, most_pairs - 3, 5].map(|place| numbers[place]);
    gone.iter().for_each(|qpn| destroy(&mut it, *qpn));
    let again = idle(&mut it, 4);
    assert_eq!(again, [5, 7, 3000, most_pairs - 3].map(|place| numbers[place]));
    assert_eq!(it.machine.refused(&input, &buffer).0, LimitExceeded);

    let most_queues = most(&mut it, GeneralCapabilities::log_max_cq);
    assert!(most_queues >= 10_000, "one for each queue pair");
    let (buffer, record) = (it.machine.page().to_be_bytes(), it.machine.page());
    let mut input = CreateCqIn::new();
    let context = input.cq_context_mut();
    context.set_uar_page(it.uar).set_c_eqn_or_apu_element(it.eq.number).set_dbr_addr(record);
    for _ in 2..most_queues {
        it.machine.command(&input, &buffer);
    }
    assert_eq!(it.machine.refused(&input, &buffer).0, LimitExceeded);
}

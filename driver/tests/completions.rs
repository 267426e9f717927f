//! What comes out of a completion queue, above all when something went wrong.

mod common;

use common::{Pair, SIZES, pattern, write};
use doorbell_driver::verbs::*;

/// Posts a bad request and a good one behind it; the bad one fails, the good one is flushed.
fn fails(pair: &Pair, bad: SendRequest<'_>, good: SendRequest<'_>) -> WorkStatus {
    post_send(&pair.a, &[bad, good]).expect("both are well formed");
    let done = pair.drain(&pair.a_cq);
    assert_eq!(done.len(), 2, "{done:?}");
    assert_eq!((done[0].wr_id, done[1].wr_id), (bad.wr_id, good.wr_id));
    assert_eq!(done[1].status, WorkStatus::Flushed);
    done[0].status
}

#[test]
fn a_wrong_lkey_is_a_local_protection_error() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let good = [source.element(0, 8)];
    let bad = [ScatterGatherElement { lkey: source.lkey() ^ 0x100_0000, ..good[0] }];
    let status = fails(&pair, write(1, &bad, &target), write(2, &good, &target));
    assert_eq!(status, WorkStatus::LocalProtection);
    assert_eq!(target.buffer().read(0, 8), Some(vec![0; 8]));
}

#[test]
fn an_address_outside_of_the_region_is_a_local_protection_error() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let good = [source.element(0, 8)];
    let bad = [source.element(1, 8)];
    let status = fails(&pair, write(1, &bad, &target), write(2, &good, &target));
    assert_eq!(status, WorkStatus::LocalProtection);
}

#[test]
fn a_wrong_rkey_is_a_remote_access_error() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let good = write(2, &elements, &target);
    let mut bad = write(1, &elements, &target);
    bad.remote.rkey ^= 1;
    assert_eq!(fails(&pair, bad, good), WorkStatus::RemoteAccess);
}

#[test]
fn a_send_without_a_receive_runs_out_of_retries() {
    let pair = Pair::new(SIZES);
    let source = pair.memory(&pattern(8, 1));
    let elements = [source.element(0, 8)];
    let send = |wr_id| SendRequest { opcode: Opcode::Send, ..write(wr_id, &elements, &source) };
    assert_eq!(fails(&pair, send(1), send(2)), WorkStatus::ReceiverNotReady);
}

#[test]
fn a_receive_that_is_too_short_fails_on_both_sides() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(64, 1)), pair.memory(&[0; 64]));
    let receives = [target.element(0, 63)];
    post_recv(&pair.b, &[ReceiveRequest { wr_id: 5, sg_list: &receives }]).expect("posted");
    let elements = [source.element(0, 64)];
    let send = SendRequest { opcode: Opcode::Send, ..write(1, &elements, &target) };
    post_send(&pair.a, &[send]).expect("posted");
    let sent = pair.drain(&pair.a_cq);
    let received = pair.drain(&pair.b_cq);
    assert_eq!(sent[0].status, WorkStatus::RemoteInvalidRequest);
    assert_eq!((received[0].wr_id, received[0].status), (5, WorkStatus::LocalLength));
}

#[test]
fn receives_are_flushed_when_the_queue_pair_fails() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let receives = [target.element(0, 8)];
    for wr_id in [10, 11] {
        post_recv(&pair.a, &[ReceiveRequest { wr_id, sg_list: &receives }]).expect("posted");
    }
    let bad = [ScatterGatherElement { lkey: 0x7700, ..source.element(0, 8) }];
    post_send(&pair.a, &[write(1, &bad, &target)]).expect("posted");
    let done = pair.drain(&pair.a_cq);
    let flushed: Vec<_> = done.iter().filter(|one| one.status == WorkStatus::Flushed).collect();
    assert_eq!(flushed.iter().map(|one| one.wr_id).collect::<Vec<_>>(), [10, 11]);
}

#[test]
fn completions_keep_their_order_over_many_turns_of_the_ring() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    for first in (0..400).step_by(4) {
        let list: Vec<_> =
            (first..first + 4).map(|wr_id| write(wr_id, &elements, &target)).collect();
        post_send(&pair.a, &list).expect("posted");
        let done = pair.drain(&pair.a_cq);
        let ids: Vec<u64> = done.iter().map(|one| one.wr_id).collect();
        assert_eq!(ids, (first..first + 4).collect::<Vec<_>>());
        assert!(done.iter().all(|one| one.status == WorkStatus::Success));
    }
}

/// Two more queue pairs, connected to each other, that signal all and complete where `a` does.
fn signalling(pair: &Pair) -> [QueuePair; 2] {
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &pair.a_cq,
        recv_cq: &pair.a_cq,
        capabilities: SIZES,
        signal_all: true,
    };
    let [c, d] = [0; 2].map(|_| pair.pd.create_qp(&request).expect("a queue pair"));
    common::connect(&pair.context, &c, d.number());
    common::connect(&pair.context, &d, c.number());
    [c, d]
}

/// Two queue pairs share a completion queue; one goes while completions of both lie there.
#[test]
fn a_destroyed_queue_pair_takes_its_completions_along() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let [c, _d] = signalling(&pair);
    let elements = [source.element(0, 8)];
    for wr_id in 0..3 {
        post_send(&pair.a, &[write(wr_id, &elements, &target)]).expect("posted");
        post_send(&c, &[write(100 + wr_id, &elements, &target)]).expect("posted");
        pair.context.relax();
    }
    drop(c);
    let done = pair.drain(&pair.a_cq);
    assert_eq!(done.iter().map(|one| one.wr_id).collect::<Vec<_>>(), [0, 1, 2]);
    for wr_id in 3..40 {
        post_send(&pair.a, &[write(wr_id, &elements, &target)]).expect("posted");
        assert_eq!(pair.drain(&pair.a_cq)[0].wr_id, wr_id);
    }
}

#[test]
fn a_queue_that_signals_all_completes_without_the_flag() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let [c, _d] = signalling(&pair);
    let elements = [source.element(0, 8)];
    let silent = SendRequest { send_flags: SendFlags::empty(), ..write(3, &elements, &target) };
    post_send(&c, &[silent]).expect("posted");
    assert_eq!(pair.drain(&pair.a_cq)[0].wr_id, 3);
}

/// Two queue pairs complete in turn: each entry must be known as that of its own.
#[test]
fn queue_pairs_that_take_turns_keep_their_own_completions() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let [c, _d] = signalling(&pair);
    let elements = [source.element(0, 8)];
    for wr_id in 0..20 {
        post_send(&pair.a, &[write(wr_id, &elements, &target)]).expect("posted");
        pair.context.relax();
        post_send(&c, &[write(100 + wr_id, &elements, &target)]).expect("posted");
        let done = pair.drain(&pair.a_cq);
        let known: Vec<_> = done.iter().map(|one| (one.wr_id, one.qp_num)).collect();
        assert_eq!(known, [(wr_id, pair.a.number()), (100 + wr_id, c.number())]);
    }
}

/// What is kept at hand of the queue pair that completed last must go when it goes: the next one is
/// known by the same user index.
#[test]
fn a_new_queue_pair_is_not_taken_for_the_one_before_it() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    for wr_id in 0..4 {
        let [c, _d] = signalling(&pair);
        post_send(&c, &[write(wr_id, &elements, &target)]).expect("posted");
        let done = pair.drain(&pair.a_cq);
        assert_eq!((done[0].wr_id, done[0].qp_num), (wr_id, c.number()));
    }
}

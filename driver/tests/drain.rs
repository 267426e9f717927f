//! Draining queues.

mod common;

use common::{Pair, SIZES, context, pattern, write};
use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;

const DRAIN: Drain = Drain { marker: u64::MAX, looks: 1000 };

#[test]
fn sends_that_nobody_will_hear_of_are_waited_for_too() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    // Two that succeed without a word, and two behind them that are flushed.
    let quiet = SendRequest { send_flags: SendFlags::empty(), ..write(1, &elements, &target) };
    post_send(&pair.a, &[quiet, quiet]).expect("posted");
    pair.context.relax();
    pair.a.fail().expect("to ERR");
    let late = [SendRequest { wr_id: 2, ..quiet }, SendRequest { wr_id: 3, ..quiet }];
    post_send(&pair.a, &late).expect("posted");
    let mut done = Vec::new();
    DRAIN.sends(&pair.a, &mut done).expect("drained");
    let told: Vec<_> = done.iter().map(|done| (done.wr_id, done.status)).collect();
    assert_eq!(told, [(2, WorkStatus::Flushed), (3, WorkStatus::Flushed)]);
    assert_eq!(pair.a.state(), QueuePairState::Error);
    // Nothing is left, and the queue has all of its room again.
    assert!(pair.drain(&pair.a_cq).is_empty());
    post_send(&pair.a, &[quiet; 4]).expect("room for all");
}

#[test]
fn receives_come_back_flushed_and_completions_of_others_are_kept() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let pair = Pair::on(context, SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let (elements, receives) = ([source.element(0, 8)], [target.element(0, 8)]);
    for wr_id in 10..12 {
        post_recv(&pair.a, &[ReceiveRequest { wr_id, sg_list: &receives }]).expect("posted");
    }
    // A send of the same queue pair completes in the same place and is met on the way.
    post_send(&pair.a, &[write(5, &elements, &target)]).expect("posted");
    pair.context.relax();
    let mut done = vec![WorkCompletion { wr_id: 99, ..Default::default() }];
    DRAIN.receives(&pair.a, &mut done).expect("drained");
    let told: Vec<_> = done.iter().map(|done| (done.wr_id, done.status)).collect();
    let flushed = WorkStatus::Flushed;
    let success = WorkStatus::Success;
    assert_eq!(told, [(99, success), (5, success), (10, flushed), (11, flushed)]);
}

#[test]
fn an_empty_queue_is_drained_at_once() {
    let pair = Pair::new(SIZES);
    let mut done = Vec::new();
    DRAIN.sends(&pair.a, &mut done).expect("drained");
    DRAIN.receives(&pair.a, &mut done).expect("drained");
    assert!(done.is_empty());
}

#[test]
fn giving_up_loses_no_completion() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    post_send(&pair.a, &[write(1, &elements, &target), write(2, &elements, &target)])
        .expect("posted");
    pair.context.relax();
    let mut done = Vec::new();
    let error = Drain { looks: 1, ..DRAIN }.sends(&pair.a, &mut done).unwrap_err();
    assert_eq!(error, DrainError::Outstanding { looks: 1 });
    assert_eq!((done.len(), done[0].wr_id), (1, 1));
    let rest: Vec<_> = pair.drain(&pair.a_cq).iter().map(|done| done.wr_id).collect();
    assert_eq!(rest, [2, DRAIN.marker]);
}

#[test]
fn a_full_queue_has_no_room_for_the_marker() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let quiet = SendRequest { send_flags: SendFlags::empty(), ..write(1, &elements, &target) };
    while post_send(&pair.a, &[quiet]).is_ok() {}
    pair.context.relax();
    let error = DRAIN.sends(&pair.a, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, DrainError::Post(_)), "{error}");
    assert!(error.to_string().contains("marker"), "{error}");
}

#[test]
fn what_has_no_marker_is_refused_by_name() {
    let pair = Pair::new(SIZES);
    let request = |transport| QueuePairRequest {
        transport,
        send_cq: &pair.a_cq,
        recv_cq: &pair.a_cq,
        capabilities: SIZES,
        signal_all: false,
    };
    let datagrams = pair.pd.create_qp(&request(Transport::UnreliableDatagram)).expect("UD");
    assert_eq!(DRAIN.sends(&datagrams, &mut Vec::new()), Err(DrainError::Datagrams));
    let mut done = Vec::new();
    DRAIN.receives(&datagrams, &mut done).expect("its receives have a marker");
    let srq = pair.pd.create_srq(4, 1).expect("a shared queue");
    let request = request(Transport::ReliableConnection);
    let shared = pair.pd.create_qp_with_srq(&request, &srq).expect("a queue pair");
    assert_eq!(DRAIN.receives(&shared, &mut done), Err(DrainError::SharedReceives));
    assert_eq!(shared.state(), QueuePairState::Reset, "it was left alone");
}

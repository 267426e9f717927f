//! Completion events and asynchronous events, on the software card: through event queues and
//! interrupts, as where there is no kernel driver.

mod common;

use common::{ALL, Pair, SIZES, connect, context, pattern, write};
use doorbell_driver::control::ControlError;
use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_tracer::{Clock, Full, Kind, Tracer};
use std::sync::Arc;
use std::time::Duration;

/// On the software card any deadline will do: it has passed when the card has nothing left to do.
const DEADLINE: Duration = Duration::from_millis(1);

/// Two queue pairs whose completion queues tell one channel.
fn told(tracer: &Tracer) -> (Pair, Arc<CompletionChannel>) {
    let context = context(BlueFlameSettings::default(), tracer);
    let channel = context.create_comp_channel().expect("a channel");
    let pd = context.alloc_pd().expect("a protection domain");
    let [a_cq, b_cq] = [0; 2].map(|_| context.create_cq_on(15, &channel).expect("a queue"));
    let create = |cq| {
        let request = QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: cq,
            recv_cq: cq,
            capabilities: SIZES,
            signal_all: false,
        };
        pd.create_qp(&request).expect("a queue pair")
    };
    let (a, b) = (create(&a_cq), create(&b_cq));
    connect(&context, &a, b.number());
    connect(&context, &b, a.number());
    (Pair { a, b, a_cq, b_cq, pd, context }, channel)
}

/// Whether no event comes.
fn silent(channel: &CompletionChannel) -> bool {
    match get_cq_event(channel, DEADLINE) {
        Err(VerbsError::Control(ControlError::NoEvent { .. })) => true,
        Err(error) => panic!("{error}"),
        Ok(_) => false,
    }
}

#[test]
fn an_armed_queue_makes_one_event_and_an_unarmed_one_none() {
    let (pair, channel) = told(&Tracer::off());
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let post = || post_send(&pair.a, &[write(1, &elements, &target)]).expect("posted");
    post();
    assert!(silent(&channel), "nobody has armed it");
    assert_eq!(pair.drain(&pair.a_cq).len(), 1);

    for round in 1..=5 {
        req_notify_cq(&pair.a_cq, false).expect("armed");
        assert!(silent(&channel), "nothing has happened in round {round}");
        post();
        post();
        let cq = get_cq_event(&channel, DEADLINE).expect("an event");
        assert!(Arc::ptr_eq(&cq, &pair.a_cq));
        assert!(silent(&channel), "an event disarms");
        assert_eq!(pair.drain(&cq).len(), 2);
        assert_eq!(cq.unacknowledged(), round);
    }
    pair.a_cq.ack_events(3);
    assert_eq!(pair.a_cq.unacknowledged(), 2);
    pair.a_cq.ack_events(9);
    assert_eq!(pair.a_cq.unacknowledged(), 0);
}

#[test]
fn what_came_before_the_arming_makes_its_event_at_once() {
    let (pair, channel) = told(&Tracer::off());
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    post_send(&pair.a, &[write(1, &[source.element(0, 8)], &target)]).expect("posted");
    pair.context.relax();
    req_notify_cq(&pair.a_cq, false).expect("armed");
    assert!(!silent(&channel));
    // Once it is polled there is nothing unseen.
    assert_eq!(pair.drain(&pair.a_cq).len(), 1);
    req_notify_cq(&pair.a_cq, false).expect("armed");
    assert!(silent(&channel));
}

#[test]
fn a_queue_armed_for_solicited_completions_sleeps_through_the_others() {
    let (pair, channel) = told(&Tracer::off());
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let (elements, receives) = ([source.element(0, 8)], [target.element(0, 8)]);
    for wr_id in 0..2 {
        post_recv(&pair.b, &[ReceiveRequest { wr_id, sg_list: &receives }]).expect("posted");
    }
    req_notify_cq(&pair.b_cq, true).expect("armed");
    let send = |flags| SendRequest {
        opcode: Opcode::Send,
        send_flags: flags,
        ..write(1, &elements, &target)
    };
    post_send(&pair.a, &[send(SendFlags::SIGNALED)]).expect("posted");
    assert!(silent(&channel));
    post_send(&pair.a, &[send(SendFlags::SIGNALED | SendFlags::SOLICITED)]).expect("posted");
    let cq = get_cq_event(&channel, DEADLINE).expect("an event");
    assert!(Arc::ptr_eq(&cq, &pair.b_cq));
    assert_eq!(pair.drain(&cq).len(), 2);
}

#[test]
fn events_outlive_many_turns_of_the_event_queue_and_say_which_queue() {
    let (pair, channel) = told(&Tracer::off());
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    for round in 0..200 {
        let (qp, cq) = if round % 3 == 0 { (&pair.b, &pair.b_cq) } else { (&pair.a, &pair.a_cq) };
        req_notify_cq(cq, false).expect("armed");
        post_send(qp, &[write(round, &elements, &target)]).expect("posted");
        let told = get_cq_event(&channel, DEADLINE).expect("an event");
        assert!(Arc::ptr_eq(&told, cq), "round {round}");
        assert_eq!(pair.drain(cq)[0].wr_id, round);
    }
}

#[test]
fn channels_are_given_back_and_a_queue_that_is_gone_tells_nobody() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    for _ in 0..100 {
        let channel = context.create_comp_channel().expect("a channel");
        let cq = context.create_cq_on(3, &channel).expect("a queue");
        req_notify_cq(&cq, false).expect("armed");
        drop(cq);
        assert!(silent(&channel));
    }
    let mut all = Vec::new();
    let error = loop {
        match context.create_comp_channel() {
            Ok(channel) => all.push(channel),
            Err(error) => break error,
        }
        assert!(all.len() < 1000, "channels without end");
    };
    assert!(!all.is_empty() && matches!(error, VerbsError::Control(_)), "{error}");
}

#[test]
fn arming_stores_the_record_then_passes_a_barrier_then_writes_the_register() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(BlueFlameSettings::default(), &tracer);
    let cq = context.create_cq(3).expect("a queue");
    drop(tracer.take());
    req_notify_cq(&cq, true).expect("armed");
    let events: Vec<String> = tracer
        .take()
        .into_iter()
        .filter_map(|record| match record.kind {
            Kind::Store { offset, bytes, .. } => Some(format!("store at {offset}: {bytes:02x?}")),
            Kind::Barrier { name, .. } => Some(format!("barrier {name}")),
            Kind::RegisterWrite { offset, bytes, .. } => {
                Some(format!("register at {offset:#x}: {bytes:02x?}"))
            }
            _ => None,
        })
        .collect();
    let number = cq.number() as u8;
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events[0].starts_with("store at 4:"), "{events:?}");
    assert_eq!(events[1], "barrier write_combining_start");
    assert!(events[2].starts_with("register at 0x20:"), "{events:?}");
    assert!(events[2].contains(&format!("{number:02x}")), "{events:?}");
    assert_eq!(events[3], "barrier flush_writes");
}

#[test]
fn a_write_that_may_not_be_is_told_to_the_side_that_refused_it() {
    let pair = Pair::new(SIZES);
    pair.context.watch_async_events().expect("an event queue");
    let none = pair.context.get_async_event(DEADLINE);
    assert!(matches!(none, Err(VerbsError::Control(ControlError::NoEvent { .. }))));
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let mut bad = write(1, &elements, &target);
    bad.remote.rkey ^= 1;
    post_send(&pair.a, &[bad]).expect("posted");
    assert_eq!(pair.drain(&pair.a_cq)[0].status, WorkStatus::RemoteAccess);
    let event = pair.context.get_async_event(DEADLINE).expect("an event");
    assert_eq!(event, AsyncEvent::QueuePairAccessError(pair.b.number()));
    assert_eq!(event.name(), "IBV_EVENT_QP_ACCESS_ERR");
    assert_eq!(event.element(), u64::from(pair.b.number()));
}

#[test]
fn a_completion_queue_that_overflows_is_told() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    context.watch_async_events().expect("an event queue");
    let pd = context.alloc_pd().expect("a protection domain");
    let small = context.create_cq(1).expect("a queue of two entries");
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &small,
        recv_cq: &small,
        capabilities: SIZES,
        signal_all: true,
    };
    let [a, b] = [0; 2].map(|_| pd.create_qp(&request).expect("a queue pair"));
    connect(&context, &a, b.number());
    connect(&context, &b, a.number());
    let buffer = context.alloc_buffer(8, "test").expect("room");
    let memory = pd.reg_mr(buffer, ALL).expect("a key");
    let elements = [memory.element(0, 8)];
    post_send(&a, &[write(1, &elements, &memory); 3]).expect("posted");
    context.relax();
    let event = context.get_async_event(DEADLINE).expect("an event");
    assert_eq!(event, AsyncEvent::CompletionQueueError(small.number()));
}

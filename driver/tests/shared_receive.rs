//! Shared receive queues and address handles.

mod common;

use common::{ALL, SIZES, connect, context, pattern, write};
use doorbell_driver::control::ControlError;
use doorbell_driver::mlx5::{BlueFlameSettings, address_segment};
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::sync::Arc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_millis(1);

/// Two senders, each connected to a receiver; the receivers share a queue.
struct Shared {
    senders: [QueuePair; 2],
    receivers: [QueuePair; 2],
    srq: Arc<SharedReceiveQueue>,
    sent: Arc<CompletionQueue>,
    received: Arc<CompletionQueue>,
    pd: Arc<ProtectionDomain>,
    context: Arc<Context>,
}

impl Shared {
    fn new(max_wr: u32, max_sge: u32) -> Self {
        let context = context(BlueFlameSettings::default(), &Tracer::off());
        let pd = context.alloc_pd().expect("a protection domain");
        let [sent, received] = [0; 2].map(|_| context.create_cq(63).expect("a queue"));
        let srq = pd.create_srq(max_wr, max_sge).expect("a shared queue");
        let request = |cq| QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: cq,
            recv_cq: cq,
            capabilities: SIZES,
            signal_all: false,
        };
        let senders = [0; 2].map(|_| pd.create_qp(&request(&sent)).expect("a queue pair"));
        let receivers =
            [0; 2].map(|_| pd.create_qp_with_srq(&request(&received), &srq).expect("a queue pair"));
        for (sender, receiver) in senders.iter().zip(&receivers) {
            connect(&context, sender, receiver.number());
            connect(&context, receiver, sender.number());
        }
        Self { senders, receivers, srq, sent, received, pd, context }
    }

    fn memory(&self, bytes: &[u8]) -> MemoryRegion {
        let buffer = self.context.alloc_buffer(bytes.len(), "test").expect("room");
        assert!(buffer.write(0, bytes));
        self.pd.reg_mr(buffer, ALL).expect("a key")
    }

    fn post(&self, wr_id: u64, list: &[ScatterGatherElement]) -> Result<(), PostError> {
        post_srq_recv(&self.srq, &[ReceiveRequest { wr_id, sg_list: list }])
    }

    fn send(&self, from: usize, list: &[ScatterGatherElement], memory: &MemoryRegion) {
        let send = SendRequest { opcode: Opcode::Send, ..write(1, list, memory) };
        post_send(&self.senders[from], &[send]).expect("posted");
        self.context.relax();
    }

    fn drain(&self, cq: &CompletionQueue) -> Vec<WorkCompletion> {
        self.context.relax();
        let mut all = Vec::new();
        let mut one = [WorkCompletion::default()];
        while poll_cq(cq, &mut one).expect("a queue that can be polled") == 1 {
            all.push(one[0]);
        }
        all
    }
}

#[test]
fn receives_are_taken_in_their_order_whichever_queue_pair_asks() {
    let it = Shared::new(7, 1);
    let (source, target) = (it.memory(&pattern(8, 3)), it.memory(&[0; 64]));
    let element = |place: u64| target.element(place as usize * 8, 8);
    // More than one turn of the list, and completions polled at odd moments.
    let (mut posted, mut taken) = (0, 0);
    for round in 0..40_u64 {
        while posted < taken + 7 {
            it.post(posted, &[element(posted % 8)]).expect("there is room");
            posted += 1;
        }
        for _ in 0..=round % 3 {
            it.send((taken % 2) as usize, &[source.element(0, 8)], &source);
            taken += 1;
        }
        let done = it.drain(&it.received);
        assert!(done.iter().all(|one| one.status == WorkStatus::Success && one.byte_len == 8));
        let first = taken - done.len() as u64;
        let ids: Vec<u64> = done.iter().map(|one| one.wr_id).collect();
        assert_eq!(ids, (first..taken).collect::<Vec<_>>(), "round {round}");
        for (id, one) in (first..taken).zip(&done) {
            assert_eq!(one.qp_num, it.receivers[(id % 2) as usize].number());
        }
        it.drain(&it.sent);
    }
    assert_eq!(target.buffer().read(0, 64), Some(pattern(8, 3).repeat(8)));
}

#[test]
fn a_full_list_and_too_many_elements_are_refused_by_name() {
    let it = Shared::new(3, 2);
    assert_eq!(it.srq.attributes().max_wr, 3);
    let memory = it.memory(&[0; 8]);
    let list = [memory.element(0, 8)];
    let too_many = it.post(1, &[list[0]; 3]).expect_err("three elements");
    assert_eq!(too_many.cause, PostCause::TooManyElements { limit: 2 });
    let requests = [ReceiveRequest { wr_id: 1, sg_list: &list }; 5];
    let full = post_srq_recv(&it.srq, &requests).expect_err("five receives");
    assert_eq!((full.index, full.cause), (3, PostCause::QueueFull { limit: 3 }));
    it.send(0, &list, &memory);
    assert!(it.post(1, &list).is_err(), "nothing has been polled");
    assert_eq!(it.drain(&it.received).len(), 1);
    it.post(1, &list).expect("one has come back");
    // The queue pair itself takes no receives.
    let own = post_recv(&it.receivers[0], &[ReceiveRequest { wr_id: 1, sg_list: &list }]);
    assert_eq!(own.expect_err("it has no queue").cause, PostCause::QueueFull { limit: 0 });
}

#[test]
fn data_are_scattered_over_the_elements() {
    let it = Shared::new(3, 3);
    let (source, target) = (it.memory(&pattern(20, 5)), it.memory(&[0; 30]));
    it.post(9, &[target.element(20, 6), target.element(0, 0), target.element(2, 14)])
        .expect("posted");
    it.send(1, &[source.element(0, 20)], &source);
    assert_eq!(it.drain(&it.received)[0].byte_len, 20);
    let bytes = target.buffer().read(0, 30).expect("it has them");
    assert_eq!((&bytes[20..26], &bytes[2..16]), (&pattern(20, 5)[..6], &pattern(20, 5)[6..]));
}

#[test]
fn few_receives_left_make_an_event_once() {
    let it = Shared::new(7, 1);
    it.context.watch_async_events().expect("an event queue");
    let memory = it.memory(&[0; 8]);
    let list = [memory.element(0, 8)];
    for wr_id in 0..4 {
        it.post(wr_id, &list).expect("posted");
    }
    it.srq.set_limit(3).expect("armed");
    assert_eq!(it.srq.query().expect("answered").srq_limit, 3);
    it.send(0, &list, &memory);
    assert!(it.context.get_async_event(DEADLINE).is_err(), "three are left");
    it.send(1, &list, &memory);
    let event = it.context.get_async_event(DEADLINE).expect("an event");
    assert_eq!(event, AsyncEvent::SharedReceiveLimit(it.srq.number()));
    assert_eq!(it.srq.query().expect("answered").srq_limit, 0);
    it.send(0, &list, &memory);
    assert!(it.context.get_async_event(DEADLINE).is_err(), "the limit is used up");
    let error = it.srq.set_limit(8).expect_err("more than there can be").to_string();
    assert!(error.contains("srq_limit is 8"), "{error}");
}

#[test]
fn a_queue_pair_that_fails_says_that_it_takes_no_more() {
    let it = Shared::new(7, 1);
    it.context.watch_async_events().expect("an event queue");
    let memory = it.memory(&[0; 8]);
    it.post(5, &[memory.element(0, 4)]).expect("posted");
    it.send(0, &[memory.element(0, 8)], &memory);
    let failed = it.drain(&it.received);
    assert_eq!((failed[0].wr_id, failed[0].status), (5, WorkStatus::LocalLength));
    let event = it.context.get_async_event(DEADLINE).expect("an event");
    assert_eq!(event, AsyncEvent::LastWqeReached(it.receivers[0].number()));
    // The other queue pair goes on, with the WQE that came back too.
    for wr_id in 6..12 {
        it.post(wr_id, &[memory.element(0, 8)]).expect("posted");
        it.send(1, &[memory.element(0, 8)], &memory);
        assert_eq!(it.drain(&it.received)[0].wr_id, wr_id);
    }
}

#[test]
fn a_queue_pair_that_goes_gives_its_receives_back() {
    let mut it = Shared::new(3, 1);
    let memory = it.memory(&[0; 8]);
    let list = [memory.element(0, 8)];
    for wr_id in 0..3 {
        it.post(wr_id, &list).expect("posted");
        it.send(0, &list, &memory);
    }
    assert!(it.post(3, &list).is_err(), "the list is full of completed receives");
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &it.received,
        recv_cq: &it.received,
        capabilities: SIZES,
        signal_all: false,
    };
    let other = it.pd.create_qp_with_srq(&request, &it.srq).expect("a queue pair");
    it.receivers[0] = other;
    for wr_id in 3..6 {
        it.post(wr_id, &list).expect("they have come back unpolled");
    }
    it.send(1, &list, &memory);
    assert_eq!(it.drain(&it.received)[0].wr_id, 3);
}

#[test]
fn a_shared_queue_outlives_its_queue_pairs_and_is_given_back() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let pd = context.alloc_pd().expect("a protection domain");
    let cq = context.create_cq(3).expect("a queue");
    for _ in 0..2000 {
        let srq = pd.create_srq(3, 1).expect("a shared queue");
        let request = QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: SIZES,
            signal_all: false,
        };
        let qp = pd.create_qp_with_srq(&request, &srq).expect("a queue pair");
        assert_eq!(qp.srq().map(|srq| srq.number()), Some(srq.number()));
        drop(srq);
    }
    let error = pd.create_srq(0, 1).err().expect("no receives").to_string();
    assert!(error.starts_with("max_wr is 0"), "{error}");
}

#[test]
fn an_address_handle_is_what_a_datagram_carries() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let pd = context.alloc_pd().expect("a protection domain");
    let own = context.query_gid().expect("an address");
    let to = AddressVector { service_level: 3, ..own };
    let handle = pd.create_ah(&to).expect("a handle");
    assert_eq!(handle.address(), &to);
    let segment = address_segment(&handle).expect("of this provider");
    assert_eq!((segment.rmac, segment.rgid), (own.mac, own.gid));
    assert_eq!((segment.sl(), segment.hop_limit, segment.grh()), (6, 64, 0));
    assert!(segment.rlid.get() >= 0xc000, "a source port of RoCE v2");
    let nowhere = pd.create_ah(&AddressVector { global: false, ..own });
    assert!(nowhere.expect_err("over Ethernet").to_string().contains("a GID is needed"));
}

#[test]
fn without_room_a_message_waits_for_a_receive() {
    let it = Shared::new(3, 1);
    let memory = it.memory(&[0; 8]);
    let list = [memory.element(0, 8)];
    let send = SendRequest { opcode: Opcode::Send, ..write(1, &list, &memory) };
    post_send(&it.senders[0], &[send]).expect("posted");
    let sent = it.drain(&it.sent);
    assert_eq!(sent[0].status, WorkStatus::ReceiverNotReady);
    assert!(matches!(
        it.context.get_async_event(DEADLINE),
        Err(VerbsError::Control(ControlError::NoEvent { .. }))
    ));
}

//! Queue pairs of every transport: their sizes, their states, and what a query tells of them.

mod common;

use common::{ALL, Pair, SIZES, context, pattern, write};
use doorbell_driver::control::ControlError;
use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_prm::commands::CommandStatus;
use doorbell_tracer::{Clock, Full, Kind, Tracer};
use std::sync::Arc;

/// A queue pair of this transport in RESET, and what it needs.
struct One {
    qp: QueuePair,
    context: Arc<Context>,
}

impl One {
    fn new(transport: Transport) -> Self {
        let context = context(BlueFlameSettings::default(), &Tracer::off());
        let pd = context.alloc_pd().expect("a protection domain");
        let cq = context.create_cq(15).expect("a completion queue");
        let request = QueuePairRequest {
            transport,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: SIZES,
            signal_all: false,
        };
        let qp = pd.create_qp(&request).expect("a queue pair");
        Self { qp, context }
    }

    fn way(&self) -> AddressVector {
        self.context.query_gid().expect("an address")
    }

    /// The three steps from RESET to RTS, each with what its transport needs.
    fn steps(&self) -> [Transition; 3] {
        let address = self.way();
        let unreliable = ConnectUnreliably { qp_num: 0x77, path_mtu: 2, first_psn: 0x30, address };
        match self.qp.transport() {
            Transport::ReliableConnection => [
                Transition::Init(ALL.into()),
                Transition::Connect((&reliable(address)).into()),
                Transition::Start((&SEND).into()),
            ],
            Transport::UnreliableConnection => [
                Transition::Init(Access::REMOTE_WRITE.into()),
                Transition::Connect((&unreliable).into()),
                Transition::Start(FirstPsn(0x40).into()),
            ],
            Transport::UnreliableDatagram => [
                Transition::Init(QueueKey(0x1234_5678).into()),
                Transition::Connect(Peer::Anyone),
                Transition::Start(FirstPsn(0x40).into()),
            ],
        }
    }

    fn go(&self, transition: Transition) -> Result<(), VerbsError> {
        match transition {
            Transition::Init(parameters) => self.qp.init(parameters),
            Transition::Connect(peer) => self.qp.connect(peer),
            Transition::Start(start) => self.qp.start(start),
            Transition::Resume(_) => self.qp.resume(),
            Transition::Fail => self.qp.fail(),
            Transition::Reset => self.qp.reset(),
        }
    }

    /// Brings it to a state by the shortest way.
    fn bring_to(&self, state: QueuePairState) {
        self.qp.reset().expect("always possible");
        let steps = self.steps();
        let count = match state {
            QueuePairState::Reset | QueuePairState::Error => 0,
            QueuePairState::Init => 1,
            QueuePairState::ReadyToReceive => 2,
            _ => 3,
        };
        for step in &steps[..count] {
            self.go(*step).expect("the ordinary way");
        }
        if state == QueuePairState::Error {
            self.qp.fail().expect("always possible");
        }
        assert_eq!(self.qp.state(), state);
    }
}

const TRANSPORTS: [Transport; 3] =
    [Transport::ReliableConnection, Transport::UnreliableConnection, Transport::UnreliableDatagram];

const SEND: SendParameters =
    SendParameters { first_psn: 0x40, timeout: 10, retry_count: 2, rnr_retry: 1, max_rd_atomic: 4 };

fn reliable(address: AddressVector) -> ConnectTo {
    ConnectTo {
        qp_num: 0x77,
        path_mtu: 2,
        first_psn: 0x30,
        max_dest_rd_atomic: 2,
        min_rnr_timer: 5,
        address,
    }
}

#[test]
fn every_transport_goes_from_reset_to_rts_and_a_query_tells_what_was_set() {
    for transport in TRANSPORTS {
        let one = One::new(transport);
        assert_eq!(one.qp.query().expect("an answer").state, QueuePairState::Reset);
        one.bring_to(QueuePairState::ReadyToSend);
        let found = one.qp.query().expect("an answer");
        assert_eq!((found.state, found.draining), (QueuePairState::ReadyToSend, false));
        assert_eq!((found.sq_psn, found.pkey_index, found.port_num), (0x40, 0, 1));
        let connected = transport != Transport::UnreliableDatagram;
        if connected {
            assert_eq!((found.rq_psn, found.dest_qp_num, found.path_mtu), (0x30, 0x77, 2));
            let way = found.address.expect("it is connected");
            assert_eq!(way, one.way());
        } else {
            assert_eq!((found.qkey, found.path_mtu, found.address), (0x1234_5678, 5, None));
        }
        match transport {
            Transport::ReliableConnection => {
                assert_eq!(found.access, Access::REMOTE_WRITE | Access::REMOTE_READ);
                assert_eq!((found.timeout, found.retry_count, found.rnr_retry), (10, 2, 1));
                assert_eq!((found.max_rd_atomic, found.max_dest_rd_atomic), (4, 2));
                assert_eq!(found.min_rnr_timer, 5);
            }
            Transport::UnreliableConnection => assert_eq!(found.access, Access::REMOTE_WRITE),
            Transport::UnreliableDatagram => assert_eq!(found.access, Access::empty()),
        }
    }
}

#[test]
fn a_query_tells_the_sizes_that_the_queues_have_become() {
    // Four requests of 64 bytes inline: of five blocks with a connection, which is 20 and so 32
    // blocks, good for six; of three with datagrams, which is 12 and so 16, good for five.
    let expected = [(6, 5 * 64 - 192 - 4), (6, 5 * 64 - 192 - 4), (5, 3 * 64 - 64 - 4)];
    for (transport, (max_send_wr, max_inline_data)) in TRANSPORTS.into_iter().zip(expected) {
        let found = One::new(transport).qp.query().expect("an answer").capabilities;
        let wanted = QueuePairCapabilities { max_send_wr, max_inline_data, ..SIZES };
        assert_eq!(found, wanted, "{transport:?}");
    }
}

#[test]
fn what_is_for_another_transport_is_refused_before_anybody_is_asked() {
    for own in TRANSPORTS {
        let one = One::new(own);
        for other in TRANSPORTS.into_iter().filter(|other| *other != own) {
            for (at, step) in One::new(other).steps().into_iter().enumerate() {
                // RC and UC have the same first step, UC and UD the same last one.
                let shared = match at {
                    0 => {
                        own != Transport::UnreliableDatagram
                            && other != Transport::UnreliableDatagram
                    }
                    2 => {
                        own != Transport::ReliableConnection
                            && other != Transport::ReliableConnection
                    }
                    _ => false,
                };
                if shared {
                    continue;
                }
                let error = one.go(step).unwrap_err();
                let VerbsError::WrongParameters { state, transport, .. } = &error else {
                    panic!("{own:?} took {step:?} with {error}");
                };
                assert_eq!((*state, *transport), (step.target(), own));
                assert!(error.to_string().contains(own.name()), "{error}");
                assert_eq!(one.qp.state(), QueuePairState::Reset);
            }
        }
    }
}

/// Whether the card has a way: the kernel's `optab`.
fn is_way(from: QueuePairState, to: &Transition) -> bool {
    use QueuePairState::*;
    match to {
        Transition::Init(_) => from == Reset,
        Transition::Connect(_) => from == Init,
        Transition::Start(_) => from == ReadyToReceive,
        Transition::Resume(_) => false,
        Transition::Fail | Transition::Reset => true,
    }
}

#[test]
fn every_transition_from_every_state_is_taken_or_refused_by_name() {
    use QueuePairState::*;
    for transport in TRANSPORTS {
        let one = One::new(transport);
        for from in [Reset, Init, ReadyToReceive, ReadyToSend, Error] {
            let [init, connect, start] = one.steps();
            let failed = Transition::Resume(Stopped::Failed);
            for to in [init, connect, start, failed, Transition::Fail, Transition::Reset] {
                one.bring_to(from);
                let result = one.go(to);
                let there = one.qp.query().expect("an answer").state;
                if is_way(from, &to) {
                    assert_eq!(result, Ok(()), "{transport:?} {from:?} {to:?}");
                    assert_eq!((there, one.qp.state()), (to.target(), to.target()));
                    continue;
                }
                match result.expect_err("there is no way") {
                    VerbsError::NotStopped { state } => {
                        assert!(to == failed && state == from, "{to:?}");
                    }
                    VerbsError::Control(ControlError::Refused { status, .. }) => {
                        assert_eq!(status, CommandStatus::BadQpState.code());
                    }
                    other => panic!("{transport:?} {from:?} {to:?}: {other}"),
                }
                assert_eq!(there, from, "{transport:?} {to:?}");
            }
        }
    }
}

#[test]
fn over_ethernet_a_way_without_a_gid_leads_nowhere() {
    for transport in [Transport::ReliableConnection, Transport::UnreliableConnection] {
        let one = One::new(transport);
        one.bring_to(QueuePairState::Init);
        let address = AddressVector { global: false, ..one.way() };
        let unreliable = ConnectUnreliably { qp_num: 1, path_mtu: 1, first_psn: 0, address };
        let peer = match transport {
            Transport::ReliableConnection => Peer::Reliable(reliable(address)),
            _ => Peer::Unreliable(unreliable),
        };
        let error = one.qp.connect(peer).unwrap_err();
        assert!(matches!(error, VerbsError::Invalid { what: "is_global", .. }), "{error}");
    }
}

#[test]
fn a_query_finds_the_error_state_that_the_card_went_to_by_itself() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let mut request = write(3, &elements, &target);
    request.remote.rkey ^= 0x100;
    post_send(&pair.a, &[request]).expect("posted");
    assert_eq!(pair.drain(&pair.a_cq)[0].status, WorkStatus::RemoteAccess);
    assert_eq!(pair.a.state(), QueuePairState::ReadyToSend);
    assert_eq!(pair.a.query().expect("an answer").state, QueuePairState::Error);
    assert_eq!(pair.a.state(), QueuePairState::Error);
    assert_eq!(pair.a.resume(), Err(VerbsError::NotStopped { state: QueuePairState::Error }));
}

#[test]
fn in_the_error_state_all_that_is_posted_comes_back_flushed() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 2)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let receives = [target.element(0, 8)];
    post_recv(&pair.a, &[ReceiveRequest { wr_id: 5, sg_list: &receives }]).expect("posted");
    pair.a.fail().expect("to ERR");
    post_send(&pair.a, &[write(6, &elements, &target)]).expect("posted");
    post_recv(&pair.a, &[ReceiveRequest { wr_id: 7, sg_list: &receives }]).expect("posted");
    let mut done = pair.drain(&pair.a_cq);
    done.sort_by_key(|completion| completion.wr_id);
    let told: Vec<_> = done.iter().map(|done| (done.wr_id, done.status)).collect();
    assert_eq!(told, [5, 6, 7].map(|wr_id| (wr_id, WorkStatus::Flushed)));
}

/// Connects both sides of a pair anew.
fn again(pair: &Pair) {
    for (own, other) in [(&pair.a, &pair.b), (&pair.b, &pair.a)] {
        common::connect(&pair.context, own, other.number());
    }
}

#[test]
fn after_a_reset_both_sides_count_from_zero_and_the_queue_pair_works_again() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 3)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    for round in 0..5 {
        // Not a multiple of the queue's length, and unsignalled but for the last one: without the
        // counters' reset the queue would be full, or the card would look at another WQE.
        let quiet = SendRequest { send_flags: SendFlags::empty(), ..write(1, &elements, &target) };
        let last = write(100 + round, &elements, &target);
        post_send(&pair.a, &[quiet, quiet, last]).expect("there is room in every round");
        let receives = [target.element(0, 8)];
        post_recv(&pair.b, &[ReceiveRequest { wr_id: 5, sg_list: &receives }]).expect("room");
        let done = pair.drain(&pair.a_cq);
        assert_eq!(done.len(), 1, "round {round}");
        assert_eq!((done[0].wr_id, done[0].status), (100 + round, WorkStatus::Success));
        // One more that nobody will poll.
        post_send(&pair.a, &[write(7, &elements, &target)]).expect("posted");
        pair.context.relax();
        for qp in [&pair.a, &pair.b] {
            qp.reset().expect("to RESET");
            assert_eq!(qp.state(), QueuePairState::Reset);
        }
        assert!(pair.drain(&pair.a_cq).is_empty(), "a completion outlived the reset");
        again(&pair);
    }
}

#[test]
fn a_reset_leaves_the_completions_of_others_alone() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let pd = context.alloc_pd().expect("a protection domain");
    let cq = context.create_cq(15).expect("a completion queue");
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &cq,
        recv_cq: &cq,
        capabilities: SIZES,
        signal_all: true,
    };
    let qps = [0; 3].map(|_| pd.create_qp(&request).expect("a queue pair"));
    let buffer = context.alloc_buffer(8, "data").expect("room");
    let memory = pd.reg_mr(buffer, ALL).expect("a key");
    let elements = [memory.element(0, 8)];
    for (index, qp) in qps.iter().enumerate() {
        common::connect(&context, qp, qp.number());
        post_send(qp, &[write(index as u64, &elements, &memory)]).expect("posted");
        context.relax();
    }
    qps[1].reset().expect("to RESET");
    let mut done = [WorkCompletion::default(); 4];
    assert_eq!(poll_cq(&cq, &mut done), Ok(2));
    assert_eq!([done[0].wr_id, done[1].wr_id], [0, 2]);
    // And its place in the ring is free again: a whole ring of further completions fits.
    for round in 0..40 {
        post_send(&qps[0], &[write(round, &elements, &memory)]).expect("posted");
        context.relax();
        assert_eq!(poll_cq(&cq, &mut done), Ok(1), "round {round}");
    }
}

#[test]
fn a_reset_zeroes_the_doorbell_records() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let pair = Pair::on(context(BlueFlameSettings::default(), &tracer), SIZES);
    tracer.take();
    pair.a.reset().expect("to RESET");
    let zeroed = tracer.take().into_iter().filter(|record| match &record.kind {
        Kind::Store { bytes, .. } => bytes[..] == [0; 4],
        _ => false,
    });
    assert_eq!(zeroed.count(), 2);
}

//! Batches: the same bytes as a post, all of them or none; and what is not posted before RTS.

mod common;

use common::loops::settings;
use common::{ALL, Pair, SIZES, context, pattern, write};
use doorbell_driver::mlx5::{BlueFlameSettings, posts};
use doorbell_driver::verbs::*;
use doorbell_tracer::{Clock, Full, Kind, Tracer};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A queue pair whose requests come back as flushed, each as soon as the card has its turn.
struct World {
    qp: QueuePair,
    cq: Arc<CompletionQueue>,
    window: MemoryWindow,
    handle: AddressHandle,
    memory: MemoryRegion,
    tracer: Tracer,
}

/// The data of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    None,
    Eight,
    One,
    Two,
    Inline,
    InlineTwo,
}

use Data::*;

impl World {
    fn new(transport: Transport) -> Self {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        let context = context(BlueFlameSettings::default(), &tracer);
        let pd = context.alloc_pd().expect("a protection domain");
        let cq = context.create_cq(31).expect("a completion queue");
        let capabilities = SIZES;
        let request = QueuePairRequest {
            transport,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities,
            signal_all: false,
        };
        let qp = pd.create_qp(&request).expect("a queue pair");
        let way = context.query_gid().expect("an address");
        let (qp_num, path_mtu, first_psn, address) = (qp.number(), 1, 0, way);
        match transport {
            Transport::ReliableConnection => common::connect(&context, &qp, qp_num),
            Transport::UnreliableConnection => {
                qp.init(ALL).expect("INIT");
                qp.connect(&ConnectUnreliably { qp_num, path_mtu, first_psn, address })
                    .expect("RTR");
                qp.start(FirstPsn(0)).expect("RTS");
            }
            Transport::UnreliableDatagram => {
                qp.init(QueueKey(1)).expect("INIT");
                qp.connect(Peer::Anyone).expect("RTR");
                qp.start(FirstPsn(0)).expect("RTS");
            }
        }
        qp.fail().expect("ERR");
        let window = pd.alloc_mw(WindowKind::Two).expect("a window");
        let handle = pd.create_ah(&way).expect("a way");
        let buffer = context.alloc_buffer(256, "data").expect("room");
        assert!(buffer.write(0, &pattern(256, 3)));
        let memory = pd.reg_mr(buffer, ALL).expect("a key");
        Self { qp, cq, window, handle, memory, tracer }
    }

    fn elements(&self, data: Data) -> Vec<ScatterGatherElement> {
        match data {
            None => Vec::new(),
            Eight => vec![self.memory.element(8, 8)],
            One | Inline => vec![self.memory.element(8, 24)],
            Two | InlineTwo => vec![self.memory.element(8, 24), self.memory.element(100, 17)],
        }
    }

    fn remote(&self) -> RemoteAddress {
        RemoteAddress { address: self.memory.buffer().address(), rkey: self.memory.rkey() }
    }

    fn part(&self) -> WindowPart<'_> {
        let address = self.memory.buffer().address();
        WindowPart { region: &self.memory, address, length: 64, access: ALL }
    }

    /// Posts a list of the same request.
    fn post(&self, opcode: Opcode, data: Data, send_flags: SendFlags, count: usize) {
        let bind = self.part().bind(&self.window, 0x1234);
        let inline = matches!(data, Inline | InlineTwo);
        let request = SendRequest {
            wr_id: 5,
            sg_list: &self.elements(data),
            opcode,
            send_flags: send_flags | if inline { SendFlags::INLINE } else { SendFlags::empty() },
            immediate: 0x0102_0304,
            remote: self.remote(),
            operands: match opcode {
                Opcode::BindMemoryWindow => Operands::Bind(&bind),
                Opcode::AtomicCompareAndSwap => Operands::Atomic { compare_add: 77, swap: 88 },
                Opcode::AtomicFetchAndAdd => Operands::Atomic { compare_add: 77, swap: 0 },
                _ if self.qp.transport() == Transport::UnreliableDatagram => {
                    let handle = &self.handle;
                    Operands::Datagram { handle, remote_qpn: 0x42, remote_qkey: 9 }
                }
                _ => Operands::None,
            },
        };
        post_send(&self.qp, &vec![request; count]).expect("there is room");
    }

    /// The same as a batch.
    fn batch(&self, opcode: Opcode, data: Data, flags: SendFlags, count: usize) {
        let fill = |batch: &mut Batch<'_>| {
            (0..count).for_each(|_| self.add(batch, opcode, data, flags));
            End::Complete
        };
        wr_start(&self.qp, fill).expect("there is room");
    }

    /// One request of a batch.
    fn add(&self, batch: &mut Batch<'_>, opcode: Opcode, data: Data, flags: SendFlags) {
        (batch.wr_id, batch.wr_flags) = (5, flags);
        let remote = self.remote();
        let begun = match opcode {
            Opcode::RdmaWrite => batch.rdma_write(remote),
            Opcode::RdmaWriteWithImmediate => batch.rdma_write_imm(remote, 0x0102_0304),
            Opcode::Send => batch.send(),
            Opcode::SendWithImmediate => batch.send_imm(0x0102_0304),
            Opcode::SendWithInvalidate => batch.send_inv(0x0102_0304),
            Opcode::RdmaRead => batch.rdma_read(remote),
            Opcode::AtomicCompareAndSwap => batch.atomic_cmp_swp(remote, 77, 88),
            Opcode::AtomicFetchAndAdd => batch.atomic_fetch_add(remote, 77),
            Opcode::LocalInvalidate => return batch.local_inv(0x0102_0304),
            Opcode::BindMemoryWindow => return batch.bind_mw(&self.window, 0x1234, &self.part()),
            Opcode::Tso => panic!("there is no such call"),
        };
        let begun = match self.qp.transport() {
            Transport::UnreliableDatagram => begun.set_ud_addr(&self.handle, 0x42, 9),
            _ => begun,
        };
        let elements = self.elements(data);
        match data {
            Eight | One => begun.set_sge(elements[0]),
            None | Two => begun.set_sge_list(&elements),
            Inline => begun.set_inline_data(elements[0]),
            InlineTwo => begun.set_inline_data_list(&elements),
        };
    }

    /// What was stored, ordered and written to registers since the trace was taken last; then the
    /// card has its turn, and the queue is empty again.
    fn written(&self) -> Vec<Kind> {
        let all = self.tracer.take().into_iter().map(|record| record.kind);
        let written = all.filter(|kind| {
            matches!(kind, Kind::Store { .. } | Kind::Barrier { .. } | Kind::RegisterWrite { .. })
        });
        let written = written.collect();
        let mut done = [WorkCompletion::default(); 8];
        self.qp.context().relax();
        while poll_cq(&self.cq, &mut done).expect("it can be polled") > 0 {}
        self.tracer.take();
        written
    }
}

const TRANSPORTS: [Transport; 3] =
    [Transport::ReliableConnection, Transport::UnreliableConnection, Transport::UnreliableDatagram];

#[test]
fn a_batch_writes_what_a_post_of_the_same_requests_writes() {
    for transport in TRANSPORTS {
        let (post, batch) = (World::new(transport), World::new(transport));
        post.written();
        batch.written();
        let mut places: HashMap<Opcode, HashSet<usize>> = HashMap::new();
        for round in 0..240 {
            for opcode in Opcode::ALL.into_iter().filter(|opcode| posts(transport, *opcode)) {
                let changes_key =
                    matches!(opcode, Opcode::LocalInvalidate | Opcode::BindMemoryWindow);
                let data =
                    if changes_key { None } else { [None, One, Two, Inline, InlineTwo][round % 5] };
                let atomic =
                    matches!(opcode, Opcode::AtomicCompareAndSwap | Opcode::AtomicFetchAndAdd);
                let data = match data {
                    // `post_send` writes the length of eight bytes whatever the element says.
                    One | Two | Inline | InlineTwo if atomic => Eight,
                    Inline | InlineTwo if opcode == Opcode::RdmaRead => One,
                    data => data,
                };
                let flags = SendFlags::from_bits_truncate(round as u32 % 8) | SendFlags::SIGNALED;
                let count = 1 + round % 3;
                post.post(opcode, data, flags, count);
                batch.batch(opcode, data, flags, count);
                let (wanted, found) = (post.written(), batch.written());
                assert!(wanted.iter().any(|kind| matches!(kind, Kind::RegisterWrite { .. })));
                assert_eq!(found, wanted, "{transport:?} {opcode:?} {data:?} round {round}");
                places.entry(opcode).or_default().extend(wanted.iter().filter_map(begins));
            }
            // One block more, so that each opcode comes to each block.
            let filler = if transport == Transport::UnreliableDatagram { None } else { One };
            post.post(Opcode::Send, filler, SendFlags::SIGNALED, 1);
            batch.post(Opcode::Send, filler, SendFlags::SIGNALED, 1);
            post.written();
            batch.written();
        }
        let blocks = places.values().map(HashSet::len).max().expect("there are opcodes");
        assert!(blocks >= 8 && blocks.is_power_of_two(), "{blocks}");
        for (opcode, places) in places {
            assert_eq!(places.len(), blocks, "{transport:?} {opcode:?} was not at every block");
        }
    }
}

/// Where a WQE begins, if that is what was stored.
fn begins(kind: &Kind) -> Option<usize> {
    match kind {
        Kind::Store { offset, layout, .. } if layout.as_ref() == "wqe_control_segment" => {
            Some(*offset as usize)
        }
        _ => Option::None,
    }
}

#[test]
fn what_is_aborted_or_refused_leaves_the_queue_as_it_was() {
    let [plain, other] = [(); 2].map(|()| World::new(Transport::ReliableConnection));
    let flags = SendFlags::SIGNALED;
    for round in 0..40 {
        // The request behind it has the small fence, whatever was given up in between.
        for world in [&plain, &other] {
            world.post(Opcode::LocalInvalidate, None, flags, 1);
            world.written();
        }
        let result = wr_start(&other.qp, |batch| {
            other.add(batch, Opcode::RdmaWrite, One, flags);
            match round % 4 {
                0 => return End::Abort,
                1 => {
                    let elements = [other.memory.element(0, 1); 3];
                    batch.rdma_write(other.remote()).set_sge_list(&elements);
                }
                2 => {
                    let element = other.memory.element(0, 200);
                    batch.rdma_write(other.remote()).set_inline_data(element);
                }
                _ => drop(batch.rdma_write(other.remote())),
            }
            other.add(batch, Opcode::LocalInvalidate, None, flags);
            End::Complete
        });
        let limit = match result.map_err(|error| error.cause) {
            Err(PostCause::InlineTooLong { limit }) => limit,
            _ => 0,
        };
        let refused = |cause| Err(BatchError { index: 1, cause });
        let wanted = match round % 4 {
            0 => Ok(()),
            1 => refused(PostCause::TooManyElements { limit: 2 }),
            2 => refused(PostCause::InlineTooLong { limit }),
            _ => refused(PostCause::Unfinished),
        };
        assert_eq!(result, wanted);
        let told = other.written();
        assert!(!told.iter().any(|kind| matches!(kind, Kind::RegisterWrite { .. })), "{told:?}");
        plain.post(Opcode::RdmaWrite, One, flags, 1);
        other.post(Opcode::RdmaWrite, One, flags, 1);
        assert_eq!(other.written(), plain.written(), "round {round}");
    }
    assert_eq!(wr_start(&other.qp, |_| End::Complete), Ok(()));
    assert!(other.written().is_empty(), "an empty batch rings no doorbell");
}

#[test]
fn a_batch_that_is_too_long_for_the_queue_is_refused_whole() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let remote = RemoteAddress { address: target.buffer().address(), rkey: target.rkey() };
    let of = |count: u64| {
        wr_start(&pair.a, |batch| {
            batch.wr_flags = SendFlags::SIGNALED;
            for wr_id in 0..count {
                batch.wr_id = wr_id;
                batch.rdma_write(remote).set_sge(source.element(0, 8));
            }
            End::Complete
        })
    };
    let error = of(100).expect_err("the queue is shorter");
    assert_eq!(PostCause::QueueFull { limit: error.index as u16 }, error.cause);
    assert!(pair.drain(&pair.a_cq).is_empty());
    assert_eq!(target.buffer().read(0, 8), Some(vec![0; 8]));
    of(error.index.into()).expect("as many as there is room for");
    let done = pair.drain(&pair.a_cq);
    assert!(done.iter().map(|one| one.wr_id).eq(0..u64::from(error.index)));
    assert!(done.iter().all(|one| one.status == WorkStatus::Success));
    assert_eq!(target.buffer().read(0, 8), Some(pattern(8, 1)));
}

#[test]
fn nothing_is_posted_before_rts_and_after_a_reset() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let qp = common::unconnected(&context);
    let refused = || {
        // Without any element: the limit is not 0, but below.
        let error = post_send(&qp, &[SendRequest::default()]).expect_err("it does not send");
        assert_eq!((error.cause, error.cause.errno()), (PostCause::NotReadyToSend, 12));
        let error = wr_start(&qp, |_| End::Complete).expect_err("it does not send");
        assert_eq!(error, BatchError { index: 0, cause: PostCause::NotReadyToSend });
        assert_eq!(wr_start(&qp, |_| End::Abort), Ok(()));
    };
    refused();
    qp.init(ALL).expect("INIT");
    refused();
    qp.reset().expect("RESET");
    common::connect(&context, &qp, qp.number());
    assert_eq!(post_send(&qp, &[SendRequest::default()]), Ok(()));
    qp.fail().expect("ERR");
    assert_eq!(post_send(&qp, &[SendRequest::default()]), Ok(()), "it will be flushed");
    qp.reset().expect("RESET");
    refused();
}

#[test]
fn the_address_of_a_datagram_may_come_behind_its_data() {
    let [before, behind] = [(); 2].map(|()| World::new(Transport::UnreliableDatagram));
    for round in 0..100 {
        for data in [None, One, Two, Inline, InlineTwo] {
            let count = 1 + round % 3;
            before.batch(Opcode::Send, data, SendFlags::SIGNALED, count);
            let elements = behind.elements(data);
            wr_start(&behind.qp, |batch| {
                (batch.wr_id, batch.wr_flags) = (5, SendFlags::SIGNALED);
                for _ in 0..count {
                    let filled = match data {
                        One => batch.send().set_sge(elements[0]),
                        Inline => batch.send().set_inline_data(elements[0]),
                        InlineTwo => batch.send().set_inline_data_list(&elements),
                        _ => batch.send().set_sge_list(&elements),
                    };
                    filled.set_ud_addr(&behind.handle, 0x42, 9);
                }
                End::Complete
            })
            .expect("there is room");
            // The same stores, in another order, and then the same doorbell.
            let [wanted, found] = [&before, &behind].map(|world| in_order(world.written()));
            assert!(!wanted.is_empty());
            assert_eq!(found, wanted, "round {round}, {data:?}");
        }
    }
}

/// The same, with stores that nothing stands between in the order of their places.
fn in_order(mut written: Vec<Kind>) -> Vec<Kind> {
    let is_store = |kind: &Kind| matches!(kind, Kind::Store { .. });
    let place = |kind: &Kind| match kind {
        Kind::Store { offset, .. } => *offset,
        _ => 0,
    };
    for stores in written.chunk_by_mut(|one, other| is_store(one) && is_store(other)) {
        stores.sort_by_key(place);
    }
    written
}

#[test]
fn a_datagram_without_address_or_data_makes_the_batch_fail() {
    let world = World::new(Transport::UnreliableDatagram);
    let unfinished = |index| Err(BatchError { index, cause: PostCause::Unfinished });
    for round in 0..3 {
        let result = wr_start(&world.qp, |batch| {
            world.add(batch, Opcode::Send, One, SendFlags::SIGNALED);
            match round {
                0 => drop(batch.send().set_sge(world.memory.element(0, 1))),
                1 => drop(batch.send().set_ud_addr(&world.handle, 1, 1)),
                // The second address is not taken for the data.
                _ => drop(batch.send().set_ud_addr(&world.handle, 1, 1).set_ud_addr(
                    &world.handle,
                    1,
                    1,
                )),
            }
            world.add(batch, Opcode::Send, One, SendFlags::SIGNALED);
            End::Complete
        });
        assert_eq!(result, unfinished(1), "round {round}");
        // What is refused is not called unfinished.
        let result = wr_start(&world.qp, |batch| {
            let too_many = [world.memory.element(0, 1); 3];
            batch.send().set_sge_list(&too_many).set_ud_addr(&world.handle, 1, 1);
            batch.rdma_write(world.remote()).set_sge_list(&[]);
            End::Complete
        });
        let cause = PostCause::TooManyElements { limit: 2 };
        assert_eq!(result, Err(BatchError { index: 0, cause }));
    }
    world.written();
    world.batch(Opcode::Send, One, SendFlags::SIGNALED, 2);
    assert!(world.written().iter().any(|kind| matches!(kind, Kind::RegisterWrite { .. })));
}

#[test]
fn what_a_transport_has_not_makes_the_batch_fail() {
    for transport in TRANSPORTS {
        let world = World::new(transport);
        for opcode in Opcode::ALL.into_iter().filter(|opcode| *opcode != Opcode::Tso) {
            world.written();
            let data = if opcode == Opcode::RdmaWrite { One } else { None };
            let result = wr_start(&world.qp, |batch| {
                world.add(batch, opcode, data, SendFlags::SIGNALED);
                End::Complete
            });
            let cause = PostCause::Opcode { opcode, transport };
            let refused = Err(BatchError { index: 0, cause });
            let wanted = if posts(transport, opcode) { Ok(()) } else { refused };
            assert_eq!(result, wanted, "{transport:?} {opcode:?}");
        }
    }
}

#[test]
fn one_element_is_not_counted_and_an_empty_one_is_left_out() {
    let context = context(BlueFlameSettings::default(), &Tracer::off());
    let none = QueuePairCapabilities { max_send_sge: 0, ..SIZES };
    let pair = Pair::on(context, none);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let remote = RemoteAddress { address: target.buffer().address(), rkey: target.rkey() };
    let result = wr_start(&pair.a, |batch| {
        batch.wr_flags = SendFlags::SIGNALED;
        batch.rdma_write(remote).set_sge(source.element(0, 8));
        batch.rdma_write(remote).set_sge(source.element(0, 0));
        End::Complete
    });
    assert_eq!(result, Ok(()));
    let done = pair.drain(&pair.a_cq);
    assert!(done.len() == 2 && done.iter().all(|one| one.status == WorkStatus::Success));
    assert_eq!(target.buffer().read(0, 8), Some(pattern(8, 1)));
    let result = wr_start(&pair.a, |batch| {
        batch.rdma_write(remote).set_sge_list(&[source.element(0, 8)]);
        End::Complete
    });
    let cause = PostCause::TooManyElements { limit: 0 };
    assert_eq!(result, Err(BatchError { index: 0, cause }));
    // A post counts it, also behind a request without any.
    let elements = [source.element(0, 8)];
    let empty = SendRequest { remote, ..SendRequest::default() };
    let one = SendRequest { sg_list: &elements, ..empty };
    assert_eq!(post_send(&pair.a, &[one]), Err(PostError { index: 0, cause }));
    assert_eq!(post_send(&pair.a, &[empty, one]), Err(PostError { index: 1, cause }));
    assert_eq!(post_send(&pair.a, &[one]), Err(PostError { index: 0, cause }));
}

#[test]
fn an_atomic_of_a_batch_has_the_length_that_it_is_given() {
    let world = World::new(Transport::ReliableConnection);
    let lengths = |told: Vec<Kind>| -> Vec<Vec<u8>> {
        let pointers = told.into_iter().filter_map(|kind| match kind {
            Kind::Store { layout, bytes, .. } if layout.as_ref() == "wqe_data_segment" => {
                Some(bytes[..4].to_vec())
            }
            _ => Option::None,
        });
        pointers.collect()
    };
    world.written();
    world.post(Opcode::AtomicFetchAndAdd, One, SendFlags::SIGNALED, 1);
    assert_eq!(lengths(world.written()), [[0, 0, 0, 8]]);
    world.batch(Opcode::AtomicFetchAndAdd, One, SendFlags::SIGNALED, 1);
    assert_eq!(lengths(world.written()), [[0, 0, 0, 24]]);
}

#[test]
fn a_batch_that_panics_is_given_up_and_the_queue_is_free() {
    let world = World::new(Transport::ReliableConnection);
    world.written();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wr_start(&world.qp, |batch| {
            world.add(batch, Opcode::RdmaWrite, One, SendFlags::SIGNALED);
            panic!("of the test");
        })
    }));
    assert!(result.is_err());
    assert!(!world.written().iter().any(|kind| matches!(kind, Kind::RegisterWrite { .. })));
    world.post(Opcode::RdmaWrite, One, SendFlags::SIGNALED, 1);
    assert!(world.written().iter().any(|kind| matches!(kind, Kind::RegisterWrite { .. })));
}

#[test]
fn an_empty_list_is_inline_in_a_batch_and_not_in_a_post() {
    for (total, dedicated) in [(16, 4), (2, 0)] {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        let settings = BlueFlameSettings { preferred: false, ..settings(total, dedicated) };
        let pair = Pair::on(context(settings, &tracer), SIZES);
        let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
        let register = || {
            let found = tracer.take().into_iter().find_map(|record| match record.kind {
                Kind::RegisterWrite { register, .. } => Some(register.to_string()),
                _ => Option::None,
            });
            pair.drain(&pair.a_cq);
            tracer.take();
            found.expect("a register was written")
        };
        let send_flags = SendFlags::SIGNALED | SendFlags::INLINE;
        tracer.take();
        let request = SendRequest { send_flags, ..write(1, &[], &target) };
        post_send(&pair.a, &[request]).expect("posted");
        assert_eq!(register(), "doorbell");
        let elements = [source.element(0, 8)];
        post_send(&pair.a, &[SendRequest { sg_list: &elements, ..request }]).expect("posted");
        assert_eq!(register(), "BlueFlame");
        let fill = |batch: &mut Batch<'_>| {
            batch.wr_flags = SendFlags::SIGNALED;
            batch.rdma_write(request.remote).set_inline_data_list(&[]);
            End::Complete
        };
        wr_start(&pair.a, fill).expect("posted");
        assert_eq!(register(), "BlueFlame");
    }
}

#[test]
fn a_window_of_type_1_has_its_next_key_once_the_bind_is_posted() {
    let pair = Pair::new(SIZES);
    let buffer = pair.context.alloc_buffer(64, "window").expect("room");
    let region = pair.pd.reg_mr(buffer, ALL | Access::MW_BIND).expect("a key");
    let window = pair.pd.alloc_mw(WindowKind::One).expect("a window");
    let address = region.buffer().address();
    let part = WindowPart { region: &region, address, length: 64, access: ALL };
    let (before, next) = (window.rkey(), window.next_rkey());
    let too_long = WindowPart { length: 1 << 32, ..part };
    let how = (9, SendFlags::SIGNALED);
    let error = bind_mw(&pair.a, &window, how, &too_long).expect_err("more than 2 GiB");
    assert_eq!((error.cause, window.rkey()), (PostCause::WindowTooLong, before));
    bind_mw(&pair.a, &window, how, &part).expect("posted");
    assert_eq!(window.rkey(), next);
    let done = pair.drain(&pair.a_cq);
    assert_eq!((done[0].wr_id, done[0].status), (9, WorkStatus::Success));
    assert_eq!(done[0].opcode, Completed::BindMemoryWindow);
    // The other side writes through it.
    let source = pair.memory(&pattern(64, 4));
    let elements = [source.element(0, 64)];
    let mut request = write(1, &elements, &region);
    request.remote.rkey = window.rkey();
    post_send(&pair.b, &[request]).expect("posted");
    assert_eq!(pair.drain(&pair.b_cq)[0].status, WorkStatus::Success);
    assert_eq!(region.buffer().read(0, 64), Some(pattern(64, 4)));

    let two = pair.pd.alloc_mw(WindowKind::Two).expect("a window");
    let error = bind_mw(&pair.a, &two, how, &part).expect_err("a window of type 2");
    assert_eq!((error.cause, error.cause.errno()), (PostCause::WindowKind, 22));
}

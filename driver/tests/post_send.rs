//! What a post does, and what it refuses.

mod common;

use common::{Pair, SIZES, context, pattern, write};
use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_tracer::{Clock, Full, Kind, Tracer};

#[test]
fn a_write_moves_the_bytes_and_completes_once() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(100, 1)), pair.memory(&[0; 100]));
    post_send(&pair.a, &[write(9, &[source.element(0, 100)], &target)]).expect("posted");
    let done = pair.drain(&pair.a_cq);
    assert_eq!(done.len(), 1);
    assert_eq!((done[0].wr_id, done[0].status), (9, WorkStatus::Success));
    assert_eq!(done[0].opcode, Completed::RdmaWrite);
    assert_eq!(done[0].qp_num, pair.a.number());
    assert_eq!(target.buffer().read(0, 100), Some(pattern(100, 1)));
    assert!(pair.drain(&pair.b_cq).is_empty());
}

#[test]
fn a_read_fetches_the_bytes() {
    let pair = Pair::new(SIZES);
    let (local, remote) = (pair.memory(&[0; 700]), pair.memory(&pattern(700, 2)));
    let elements = [local.element(0, 300), local.element(300, 400)];
    let request = SendRequest { opcode: Opcode::RdmaRead, ..write(1, &elements, &remote) };
    post_send(&pair.a, &[request]).expect("posted");
    let done = pair.drain(&pair.a_cq);
    assert_eq!((done[0].status, done[0].opcode), (WorkStatus::Success, Completed::RdmaRead));
    assert_eq!(done[0].byte_len, 700);
    assert_eq!(local.buffer().read(0, 700), Some(pattern(700, 2)));
}

#[test]
fn immediate_data_arrives_with_a_send_and_with_a_write() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 3)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let receives = [target.element(0, 8)];
    for (opcode, received) in [
        (Opcode::SendWithImmediate, Completed::Receive),
        (Opcode::RdmaWriteWithImmediate, Completed::ReceiveRdmaWithImmediate),
    ] {
        post_recv(&pair.b, &[ReceiveRequest { wr_id: 77, sg_list: &receives }]).expect("posted");
        let request =
            SendRequest { opcode, immediate: 0xdead_beef, ..write(1, &elements, &target) };
        post_send(&pair.a, &[request]).expect("posted");
        let done = pair.drain(&pair.b_cq);
        assert_eq!(done.len(), 1, "{opcode:?}");
        assert_eq!((done[0].wr_id, done[0].opcode), (77, received));
        assert_eq!(done[0].immediate, Some(0xdead_beef));
        assert_eq!(pair.drain(&pair.a_cq).len(), 1);
    }
}

#[test]
fn a_list_stops_at_the_request_that_is_refused_and_posts_those_before() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 4)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let good = write(1, &elements, &target);
    let bad = SendRequest { opcode: Opcode::Tso, ..good };
    let error = post_send(&pair.a, &[good, bad, good]).unwrap_err();
    let transport = Transport::ReliableConnection;
    let cause = PostCause::Opcode { opcode: Opcode::Tso, transport };
    assert_eq!(error, PostError { index: 1, cause });
    assert_eq!(error.cause.errno(), 22);
    let of_what_came_before = |error: PostError| error.to_string().contains("those before it were");
    assert!(of_what_came_before(error), "{error}");
    assert!(!of_what_came_before(PostError { index: 0, cause }), "there is none before the first");
    assert_eq!(pair.drain(&pair.a_cq).len(), 1);
}

#[test]
fn the_first_request_refused_rings_no_doorbell() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let pair = Pair::on(context(BlueFlameSettings::default(), &tracer), SIZES);
    let target = pair.memory(&[0; 8]);
    tracer.take();
    let request = SendRequest { opcode: Opcode::Tso, ..write(1, &[], &target) };
    assert_eq!(post_send(&pair.a, &[request]).unwrap_err().index, 0);
    let events = tracer.take();
    assert!(!events.is_empty());
    assert!(
        !events
            .iter()
            .any(|record| matches!(record.kind, Kind::RegisterWrite { .. } | Kind::Store { .. }))
    );
}

#[test]
fn a_queue_of_unsignalled_requests_fills_up_for_good() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 5)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let silent = SendRequest { send_flags: SendFlags::empty(), ..write(1, &elements, &target) };
    let mut posted = 0;
    let error = loop {
        match post_send(&pair.a, &[silent]) {
            Ok(()) => posted += 1,
            Err(error) => break error,
        }
        assert!(posted < 1000, "the queue never fills");
        assert!(pair.drain(&pair.a_cq).is_empty());
    };
    let PostCause::QueueFull { limit } = error.cause else {
        panic!("{error}");
    };
    assert_eq!(u32::from(limit), posted);
    assert_eq!(error.cause.errno(), 12);
    assert!(posted >= SIZES.max_send_wr);
}

#[test]
fn one_signalled_request_frees_all_before_it() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 6)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    for round in 0..50 {
        let silent = SendRequest { send_flags: SendFlags::empty(), ..write(1, &elements, &target) };
        let list = [silent, silent, silent, write(round, &elements, &target)];
        post_send(&pair.a, &list).expect("the completion before freed the queue");
        let done = pair.drain(&pair.a_cq);
        assert_eq!(done.iter().map(|one| one.wr_id).collect::<Vec<_>>(), [round]);
    }
}

#[test]
fn too_many_elements_are_refused() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 7)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 1); 3];
    let error = post_send(&pair.a, &[write(1, &elements, &target)]).unwrap_err();
    assert_eq!(error.cause, PostCause::TooManyElements { limit: 2 });
    assert_eq!(error.cause.errno(), 12);
    let error = post_recv(&pair.a, &[ReceiveRequest { wr_id: 1, sg_list: &elements }]).unwrap_err();
    assert_eq!(error.cause, PostCause::TooManyElements { limit: 2 });
}

#[test]
fn inline_data_is_bounded_in_length_and_place() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(4096, 8)), pair.memory(&[0; 4096]));
    let inline = SendFlags::SIGNALED | SendFlags::INLINE;
    let elements = [source.element(0, 3000)];
    let request = SendRequest { send_flags: inline, ..write(1, &elements, &target) };
    let error = post_send(&pair.a, &[request]).unwrap_err();
    assert!(matches!(error.cause, PostCause::InlineTooLong { limit } if limit < 3000), "{error}");
    for address in [0, 0x10_0000_0000 - 1, 0x10_0000_0000 + (16 << 20) - 7, u64::MAX - 2] {
        let outside = ScatterGatherElement { address, length: 8, lkey: 0 };
        for elements in [vec![outside], vec![source.element(0, 1), outside]] {
            let request = SendRequest { sg_list: &elements, ..request };
            let error = post_send(&pair.a, &[request]).unwrap_err();
            let element = elements.len() as u16 - 1;
            assert_eq!(error.cause, PostCause::InlineOutside { element });
            assert_eq!(error.cause.errno(), 14);
        }
    }
}

#[test]
fn empty_elements_are_left_out_of_the_wqe() {
    let pair = Pair::new(SIZES);
    let (source, target) = (pair.memory(&pattern(8, 9)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 0), source.element(0, 8)];
    post_send(&pair.a, &[write(1, &elements, &target)]).expect("posted");
    assert_eq!(pair.drain(&pair.a_cq)[0].status, WorkStatus::Success);
    assert_eq!(target.buffer().read(0, 8), Some(pattern(8, 9)));
}

/// Pointers and inline data of every length, beginning at every block of the ring: whatever
/// crosses the end of the ring must arrive as if there were no end.
#[test]
fn wqes_wrap_at_every_place() {
    let sizes = QueuePairCapabilities { max_send_sge: 12, max_inline_data: 200, ..SIZES };
    let settings =
        [BlueFlameSettings::default(), BlueFlameSettings { forbidden: true, ..Default::default() }];
    for blueflame in settings {
        let pair = Pair::on(context(blueflame, &Tracer::off()), sizes);
        let source = pair.memory(&[0; 256]);
        let target = pair.memory(&[0; 256]);
        for round in 0..600_usize {
            let length = 1 + round * 5 % 200;
            let count = 1 + round % 12;
            let data = pattern(length, round);
            assert!(source.buffer().write(0, &data) && target.buffer().write(0, &[0; 256]));
            let elements = cut(&source, length, count);
            let inline = if round % 3 == 0 { SendFlags::INLINE } else { SendFlags::empty() };
            let request = SendRequest {
                send_flags: SendFlags::SIGNALED | inline,
                ..write(round as u64, &elements, &target)
            };
            post_send(&pair.a, &[request]).expect("posted");
            let done = pair.drain(&pair.a_cq);
            assert_eq!(done.len(), 1, "round {round}");
            assert_eq!((done[0].wr_id, done[0].status), (round as u64, WorkStatus::Success));
            assert_eq!(target.buffer().read(0, length), Some(data), "round {round}");
        }
    }
}

/// Cuts the first `length` bytes into at most `count` elements of unequal size.
fn cut(source: &MemoryRegion, length: usize, count: usize) -> Vec<ScatterGatherElement> {
    let bounds: Vec<usize> =
        (0..=count).map(|index| length * index * index / (count * count)).collect();
    let piece = |pair: &[usize]| source.element(pair[0], (pair[1] - pair[0]) as u32);
    bounds.windows(2).map(piece).collect()
}

#[test]
fn blueflame_is_taken_for_one_request_and_the_register_for_a_list() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let pair = Pair::on(context(BlueFlameSettings::default(), &tracer), SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    let elements = [source.element(0, 8)];
    let request = write(1, &elements, &target);
    let registers = |count: usize| {
        tracer.take();
        post_send(&pair.a, &vec![request; count]).expect("posted");
        let written = tracer.take().into_iter().filter_map(|record| match record.kind {
            Kind::RegisterWrite { register, offset, bytes, .. } => {
                Some((register, offset, bytes.len()))
            }
            _ => None,
        });
        let written: Vec<_> = written.collect();
        pair.drain(&pair.a_cq);
        written
    };
    assert_eq!(registers(1), [("BlueFlame".into(), 0x800, 64)]);
    assert_eq!(registers(2), [("doorbell".into(), 0x900, 8)], "the buffers take turns");
    assert_eq!(registers(1), [("BlueFlame".into(), 0x800, 64)]);
}

#[test]
fn the_table_without_probes_posts_and_tells_nothing() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let pair = Pair::on(context(BlueFlameSettings::default(), &tracer), SIZES);
    let (source, target) = (pair.memory(&pattern(8, 1)), pair.memory(&[0; 8]));
    pair.context.set_tracing(false);
    tracer.take();
    post_send(&pair.a, &[write(1, &[source.element(0, 8)], &target)]).expect("posted");
    assert!(tracer.take().is_empty());
    assert_eq!(pair.drain(&pair.a_cq).len(), 1);
    pair.context.set_tracing(true);
    tracer.take();
    post_send(&pair.a, &[write(1, &[source.element(0, 8)], &target)]).expect("posted");
    assert!(!tracer.take().is_empty());
}

/// The compiler makes copies of the code for one request and for one with inline data. Whichever
/// of them a request goes through, the same segments must come out.
#[test]
fn every_copy_of_the_code_writes_the_same_segments() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let sizes = QueuePairCapabilities { max_inline_data: 100, ..SIZES };
    let pair = Pair::on(context(BlueFlameSettings::default(), &tracer), sizes);
    let (source, target) = (pair.memory(&pattern(128, 1)), pair.memory(&[0; 128]));
    let stores = |requests: &[SendRequest<'_>]| {
        tracer.take();
        post_send(&pair.a, requests).expect("posted");
        let mut stores: Vec<(String, Vec<u8>)> = Vec::new();
        // Up to the first barrier: behind it come the record and the register.
        let wqes = tracer.take().into_iter().map(|record| record.kind);
        let wqes = wqes.take_while(|kind| !matches!(kind, Kind::Barrier { .. }));
        for (layout, bytes) in wqes.filter_map(segment) {
            match stores.last_mut() {
                // Inline data in several pieces: from several elements, or over the ring's end.
                Some((last, data)) if last.is_empty() && layout.is_empty() => data.extend(bytes),
                _ => stores.push((layout, bytes)),
            }
        }
        pair.drain(&pair.a_cq);
        stores
    };
    for length in 0..=100 {
        for (flags, cuts) in [
            (SendFlags::empty(), 1),
            (SendFlags::INLINE, 1),
            (SendFlags::empty(), 2),
            (SendFlags::INLINE, 2),
        ] {
            let elements = cut(&source, length, cuts);
            let send_flags = SendFlags::SIGNALED | flags;
            let request = SendRequest { send_flags, ..write(1, &elements, &target) };
            let alone = stores(&[request]);
            assert_eq!(stores(&[request; 2]), [&alone[..], &alone].concat(), "{length} {flags:?}");
            assert!(alone.len() >= 2, "control and remote address, {length} {flags:?}");
        }
    }
}

/// The layout and the bytes of a store to a WQE, without the WQE's index.
fn segment(kind: Kind) -> Option<(String, Vec<u8>)> {
    let Kind::Store { layout, bytes, .. } = kind else {
        return None;
    };
    let (layout, mut bytes) = (layout.to_string(), bytes.to_vec());
    if layout == "wqe_control_segment" {
        bytes[1..3].fill(0);
    }
    Some((layout, bytes))
}

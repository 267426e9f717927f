//! What is masked, and what must stay.

use crate::samples::{events, header, map, store, trace};
use doorbell_tracer::file::{FieldClass, Options, read, write};
use doorbell_tracer::timeline::Timeline;
use doorbell_tracer::{
    Argument, Bytes, Direction, Event, EventSource, Kind, RegionId, Role, Trace, Value,
};
use proptest::prelude::*;

/// What the program's data is, wherever it goes.
const SECRET: [u8; 8] = *b"password";

const BUFFER: u64 = 0x7f12_3456_7000;
const QUEUE: u64 = 0x7f12_9999_0000;

const PAYLOAD: Options<'_> = Options { mask_payload: true, mask_addresses: false, field: None };

const ADDRESSES: Options<'_> = Options { mask_payload: false, mask_addresses: true, field: None };

/// The text of the file, and the trace that is read from it.
fn masked(trace: &Trace, options: &Options<'_>) -> (String, Trace) {
    let mut file = Vec::new();
    write(&trace.header, trace, &mut file, options).unwrap();
    let (loaded, warnings) = read("masked", file.as_slice()).unwrap();
    assert_eq!(warnings, []);
    let events = (0..loaded.len()).map(|step| loaded.get(step).unwrap().into_owned());
    let read = Trace { header: loaded.header().clone(), events: events.collect() };
    (String::from_utf8(file).unwrap(), read)
}

fn bytes(event: &Event) -> &Bytes {
    match &event.kind {
        Kind::Store { bytes, .. }
        | Kind::Load { bytes, .. }
        | Kind::RegisterWrite { bytes, .. }
        | Kind::RegisterRead { bytes, .. }
        | Kind::Dma { bytes, .. } => bytes,
        other => panic!("{other:?} has no bytes"),
    }
}

/// A RoCEv2 packet: RDMA WRITE Only over IPv4, with its payload and an ICRC.
fn packet() -> Vec<u8> {
    let mut packet = vec![0xaa; 14 + 20 + 8 + 12 + 16];
    packet[12..14].copy_from_slice(&[0x08, 0x00]);
    packet[14] = 0x45;
    packet[23] = 17;
    packet[36..38].copy_from_slice(&4791_u16.to_be_bytes());
    packet[42] = 0x0a;
    packet[54..62].copy_from_slice(&(BUFFER + 0x123).to_be_bytes());
    packet.extend(SECRET);
    packet.extend([0xcc; 4]);
    packet
}

/// Everything that the data of a program comes by.
fn secrets() -> Trace {
    let wqe: Vec<u8> = [&[0x11; 20][..], &SECRET, &[0; 36]].concat();
    trace([
        map(1, Role::Buffer, BUFFER, 0x1000),
        map(2, Role::SendQueue, QUEUE, 0x1000),
        map(3, Role::UserAccessRegion, 0xf000_0000, 0x1000),
        map(4, Role::CompletionQueue, QUEUE + 0x1000, 0x1000),
        Kind::store(RegionId(1), 0, "capsule", &SECRET),
        Kind::store(RegionId(2), 0, "control_segment", &wqe[..20]),
        store(2, 20, &SECRET),
        Kind::register_write(RegionId(3), 0x800, "BlueFlame", "wqe", &wqe),
        Kind::register_write(RegionId(3), 0x900, "doorbell", "", &wqe[..8]),
        Kind::dma(Direction::Read, QUEUE, "WQE fetch", "wqe", &wqe),
        Kind::dma(Direction::Read, BUFFER, "gather", "", &SECRET),
        Kind::packet(1, 2, "RC RDMA WRITE Only", 0, &packet()),
        Kind::dma(Direction::Write, BUFFER + 64, "scatter", "", &SECRET),
        Kind::dma(Direction::Write, 0x10, "to a region of nobody", "", &SECRET),
        Kind::dma(Direction::Write, QUEUE + 0x1000, "CQE", "cqe", &[0x99; 64]),
        Kind::load(RegionId(1), 64, "", &SECRET),
        store(9, 0, &SECRET),
        Kind::load(RegionId(2), 20, "", &SECRET),
        // Its source is not in the queue: it may be a WQE with data in it.
        Kind::register_write(
            RegionId(3),
            0x800,
            "BlueFlame",
            "wqe",
            &[&SECRET[..], &SECRET].concat(),
        ),
        Kind::packet(1, 2, "not RoCEv2", 0, &[&[0; 14][..], &SECRET].concat()),
    ])
}

#[test]
fn the_data_of_the_program_is_nowhere() {
    let (plain, _) = masked(&secrets(), &Options::default());
    let secret = Bytes::new(&SECRET).to_hex();
    assert_eq!(plain.matches(&secret).count(), 14, "the trace is full of it");
    assert!(!plain.contains("masked"));
    let (text, trace) = masked(&secrets(), &PAYLOAD);
    assert!(!text.contains(&secret), "{text}");
    assert!(trace.header.masked.payload && !trace.header.masked.addresses);
}

#[test]
fn what_is_not_data_stays() {
    let (_, trace) = masked(&secrets(), &PAYLOAD);
    let wqe = [&[0x11; 20][..], &[0; 44]].concat();
    assert_eq!(bytes(&trace.events[5])[..], wqe[..20]);
    assert_eq!(bytes(&trace.events[7])[..], wqe, "the copy in the register");
    assert_eq!(bytes(&trace.events[8])[..], [0x11; 8], "the head in the register");
    assert_eq!(bytes(&trace.events[9])[..], wqe, "the copy that is fetched");
    assert_eq!(bytes(&trace.events[14])[..], [0x99; 64]);
    assert_eq!(bytes(&trace.events[12]).len(), 8, "zeros of the same length");
    let Kind::Packet(masked) = &trace.events[11].kind else {
        panic!("not a packet");
    };
    let original = packet();
    let headers = original.len() - SECRET.len() - 4;
    assert_eq!(masked.bytes[..headers], original[..headers]);
    assert_eq!(masked.bytes[headers..], [0; 12], "payload and ICRC");
}

#[test]
fn fields_that_are_data_are_masked_by_name() {
    let trace = trace([
        map(1, Role::CompletionQueue, QUEUE, 64),
        Kind::store(RegionId(1), 0, "cqe", &[7; 8]),
    ]);
    let field = |layout: &str, offset: usize| match (layout, offset) {
        ("cqe", 2..4) => FieldClass::Payload,
        _ => FieldClass::Other,
    };
    let options = Options { field: Some(&field), ..PAYLOAD };
    let (_, masked) = masked(&trace, &options);
    assert_eq!(bytes(&masked.events[1])[..], [7, 7, 0, 0, 7, 7, 7, 7]);
}

/// A value as an argument.
fn hex(value: u64) -> Value {
    Value::Hex(value)
}

/// Everything that an address comes by.
fn addressed() -> Trace {
    let data = [&[0; 8][..], &(BUFFER + 0x40).to_be_bytes()].concat();
    let queue = QUEUE.to_be_bytes();
    trace([
        map(1, Role::Buffer, BUFFER, 0x1000),
        map(2, Role::SendQueue, QUEUE, 0x1000),
        map(3, Role::InitSegment, 0xf000_0000, 0x1000),
        Kind::store(RegionId(2), 16, "data_segment", &data),
        Kind::dma(Direction::Read, BUFFER + 0x40, "gather", "", &[0; 4]),
        Kind::call(
            "post",
            [
                ("address", hex(BUFFER + 0x40)),
                ("lkey", hex(0x1234)),
                ("far", hex(0x7fff_0000_1008)),
            ],
        ),
        Kind::completion(0x7fff_0000_1010, "success", [("count", Value::Number(BUFFER))]),
        Kind::packet(1, 2, "RC RDMA WRITE Only", 0, &packet()),
        Kind::register_write(RegionId(3), 0x10, "high", "", &queue[..4]),
        Kind::register_write(RegionId(3), 0x14, "low", "", &queue[4..]),
        Kind::register_write(RegionId(3), 0x18, "doorbell", "", &[0, 0, 0, 1]),
        Kind::completion(7, "success", []),
        Kind::note("null", [("address", hex(0))]),
    ])
}

fn number(argument: &Argument) -> u64 {
    match argument.value {
        Value::Number(number) | Value::Hex(number) => number,
        Value::Text(_) => panic!("a text"),
    }
}

#[test]
fn addresses_are_replaced_and_still_meet() {
    let (text, trace) = masked(&addressed(), &ADDRESSES);
    assert!(trace.header.masked.addresses && !trace.header.masked.payload);
    for page in [BUFFER >> 12, QUEUE >> 12, 0x7fff_0000_1000 >> 12] {
        assert!(!text.contains(&format!("{page:x}")), "{page:x} in {text}");
    }
    for address in [BUFFER, BUFFER + 0x40, QUEUE, 0x7fff_0000_1008, 0x7fff_0000_1010] {
        // As a number: the count is no address.
        let shown = text.matches(&address.to_string()).count();
        assert_eq!(shown, usize::from(address == BUFFER), "{address}");
    }
    let buffer = match &trace.events[0].kind {
        Kind::Map(region) => region.address,
        other => panic!("{other:?}"),
    };
    let Kind::Map(queue) = &trace.events[1].kind else { panic!("not a map") };
    assert_eq!(bytes(&trace.events[3])[8..], (buffer + 0x40).to_be_bytes());
    let state = Timeline::of(&trace);
    let Kind::Dma { address, .. } = trace.events[4].kind else { panic!("not a DMA") };
    assert_eq!(state.last().resolve(address, 4), Some((RegionId(1), 0x40)));
    let Kind::Call { arguments, .. } = &trace.events[5].kind else { panic!("not a call") };
    assert_eq!(number(&arguments[0]), buffer + 0x40);
    assert_eq!(number(&arguments[1]), 0x1234, "a key is no address");
    let Kind::Completion { wr_id, attributes, .. } = &trace.events[6].kind else {
        panic!("not a completion")
    };
    assert_eq!(*wr_id, number(&arguments[2]) + 8, "two places in one page");
    assert_eq!(number(&attributes[0]), BUFFER, "a count is no address");
    let Kind::Packet(packet) = &trace.events[7].kind else { panic!("not a packet") };
    assert_eq!(packet.bytes[54..62], (buffer + 0x123).to_be_bytes());
    let halves = [&bytes(&trace.events[8])[..], &bytes(&trace.events[9])[..]].concat();
    assert_eq!(halves, queue.address.to_be_bytes());
    assert_eq!(bytes(&trace.events[10])[..], [0, 0, 0, 1]);
    assert!(matches!(trace.events[11].kind, Kind::Completion { wr_id: 7, .. }));
    let Kind::Note { values, .. } = &trace.events[12].kind else { panic!("not a note") };
    assert_eq!(number(&values[0]), 0);
}

#[test]
fn fields_that_are_addresses_are_masked_by_name() {
    let remote: u64 = 0x0000_5555_4444_3333;
    let segment = [&remote.to_be_bytes()[..], &[0; 8]].concat();
    let trace = trace([
        map(2, Role::SendQueue, QUEUE, 0x1000),
        Kind::store(RegionId(2), 4, "remote_address_segment", &segment),
    ]);
    let (_, left) = masked(&trace, &ADDRESSES);
    assert_eq!(bytes(&left.events[1])[..], segment, "nothing says that it is one");
    let field = |layout: &str, offset: usize| match (layout, offset) {
        ("remote_address_segment", 0..8) => FieldClass::Address,
        _ => FieldClass::Other,
    };
    let options = Options { field: Some(&field), ..ADDRESSES };
    let (_, masked) = masked(&trace, &options);
    let moved = &bytes(&masked.events[1])[..];
    assert_ne!(moved[..6], segment[..6]);
    assert_eq!(moved[6..], [&[0x03, 0x33][..], &[0; 8]].concat(), "{moved:?}");
}

#[test]
fn registers_that_lie_at_zero_make_no_address_of_small_numbers() {
    let words = [&[0; 8][..], &0x18_u64.to_be_bytes()].concat();
    let trace = trace([
        map(1, Role::InitSegment, 0, 0x1000),
        map(2, Role::CommandQueue, QUEUE, 0x1000),
        Kind::store(RegionId(2), 0, "cmd_queue_entry", &words),
        Kind::call("write", [("offset", hex(0x18))]),
    ]);
    let (_, masked) = masked(&trace, &ADDRESSES);
    assert_eq!(bytes(&masked.events[2])[..], words);
    let Kind::Call { arguments, .. } = &masked.events[3].kind else { panic!("not a call") };
    assert_eq!(number(&arguments[0]), 0x18);
}

#[test]
fn a_copy_without_fields_hides_the_addresses_of_its_original() {
    let segment = 0x7f3a_9c5d_2640_u64.to_be_bytes();
    let wqe = [&[0x11; 16][..], &segment].concat();
    let trace = trace([
        map(2, Role::SendQueue, QUEUE, 0x1000),
        map(3, Role::UserAccessRegion, 0, 0x1000),
        Kind::store(RegionId(2), 16, "remote_address_segment", &segment),
        Kind::register_write(RegionId(3), 0x800, "BlueFlame", "control_segment", &wqe),
    ]);
    let field = |layout: &str, offset: usize| match (layout, offset) {
        ("remote_address_segment", 0..8) => FieldClass::Address,
        _ => FieldClass::Other,
    };
    let options = Options { field: Some(&field), ..ADDRESSES };
    let (_, masked) = masked(&trace, &options);
    let moved = &bytes(&masked.events[2])[..];
    assert_ne!(moved, segment);
    assert_eq!(bytes(&masked.events[3])[16..], *moved);
    assert_eq!(bytes(&masked.events[3])[..16], [0x11; 16]);
}

#[test]
fn a_mask_is_the_same_each_time() {
    let both = Options { mask_payload: true, ..ADDRESSES };
    assert_eq!(masked(&addressed(), &both).0, masked(&addressed(), &both).0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn masking_keeps_the_shape_of_any_trace(events in events(40)) {
        let trace = Trace { header: header(), events };
        let both = Options { mask_payload: true, ..ADDRESSES };
        let (_, masked) = masked(&trace, &both);
        for (masked, plain) in masked.events.iter().zip(&trace.events) {
            prop_assert_eq!(masked.kind.name(), plain.kind.name());
            prop_assert_eq!(masked.sequence, plain.sequence);
        }
    }

    #[test]
    fn no_byte_of_a_buffer_is_left_in_any_trace(events in events(40)) {
        let trace = Trace { header: header(), events };
        let (_, masked) = masked(&trace, &PAYLOAD);
        let (before, after) = (Timeline::of(&trace), Timeline::of(&masked));
        for region in before.last().regions() {
            let info = region.info();
            let masked = after.last().region(info.region).unwrap();
            prop_assert_eq!(&masked.info().name, &info.name);
            let always = trace.events.iter().all(|event| match &event.kind {
                Kind::Map(told) => told.region != info.region || told.role == Role::Buffer,
                _ => true,
            });
            if always && info.length < 1 << 20 {
                prop_assert!(masked.bytes(0..info.length).iter().all(|byte| *byte == 0));
            }
        }
    }
}

//! Bytes become words: what real ones say, and that hostile ones do no harm.

mod common;

use common::{CPU, opened, recorded, screen, trace};
use doorbell::decode::carried;
use doorbell::decode::fields::{fields, number};
use doorbell::decode::object::{HexRow, MOST_BYTES, Section, sections, wqe_sections};
use doorbell::state::app::App;
use doorbell::state::focus::focus;
use doorbell::state::scene::is_bad;
use doorbell_examples::words::{Places, Regions};
use doorbell_prm::wqe::{CONTROL_CQ_UPDATE, ControlSegment, DataSegment, RemoteAddressSegment};
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::{Actor, Direction, Event, Kind, Region, RegionId, Role, Trace};
use proptest::prelude::*;

/// An RDMA WRITE of one element, with the rest of its block.
fn write_wqe() -> Vec<u8> {
    let control = ControlSegment::new(0, 7, 0x08, 0x41, 3, CONTROL_CQ_UPDATE, 0);
    let remote = RemoteAddressSegment::new(0x1122_3344_5566_7788, 0xaabb);
    let data = DataSegment::new(64, 0xccdd, 0x8000);
    let mut bytes = [control.as_bytes(), remote.as_bytes(), data.as_bytes()].concat();
    bytes.resize(64, 0);
    bytes
}

/// The titles of parts.
fn titles(sections: &[Section]) -> Vec<&str> {
    sections.iter().map(|section| section.title.as_str()).collect()
}

/// An event of the program.
fn event(kind: Kind) -> Event {
    let mut trace = trace(vec![(CPU, 0, kind)]);
    trace.events.remove(0)
}

#[test]
fn fields_have_the_bits_of_the_manual() {
    let line = |name: &str| {
        let all = fields("wqe_control_segment", &write_wqe());
        let field = all.into_iter().find(|field| field.name == name).expect("a field");
        (field.bits, field.value, field.meaning_of_value)
    };
    assert_eq!(line("wqe_index"), ("0x00[23:8]".to_owned(), "7".to_owned(), None));
    assert_eq!(line("opcode"), ("0x00[7:0]".to_owned(), "8".to_owned(), Some("RDMA_WRITE")));
    assert_eq!(line("qpn"), ("0x04[31:8]".to_owned(), "0x41 (65)".to_owned(), None));
    assert_eq!(line("solicited").0, "0x08[1]");
    let remote = fields("wqe_remote_address_segment", &write_wqe()[16..]);
    assert_eq!(remote[0].bits, "0x00..0x07");
    assert_eq!(remote[0].value, "0x1122334455667788");
    assert_eq!(number("wqe_control_segment", "ds", &write_wqe()), Some(3));
    assert_eq!(number("wqe_control_segment", "ds", &[]), None);
    assert!(fields("no_such_layout", &write_wqe()).is_empty());
}

#[test]
fn a_wqe_is_taken_apart_into_its_segments() {
    let parts = wqe_sections(&write_wqe());
    let wanted =
        ["wqe_control_segment", "wqe_remote_address_segment", "wqe_data_segment", "behind the WQE"];
    assert_eq!(titles(&parts), wanted);
    assert_eq!(parts.iter().map(|part| part.offset).collect::<Vec<_>>(), [0, 16, 32, 48]);
}

#[test]
fn the_first_eight_bytes_of_a_wqe_are_the_doorbells() {
    let parts = sections("wqe_control_segment", &write_wqe()[..8]);
    assert_eq!(titles(&parts), ["wqe_control_segment"]);
    let names: Vec<_> = parts[0].fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["opmod", "wqe_index", "opcode", "qpn", "ds"]);
}

#[test]
fn a_packet_is_taken_apart_wherever_it_ends() {
    let trace = recorded("rc-write");
    let packets: Vec<_> = trace
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            Kind::Packet(packet) => Some(packet),
            _ => None,
        })
        .collect();
    let parts = |bytes: &[u8]| {
        let kind = Kind::packet(1, 2, "a packet", 0, bytes);
        carried(&event(kind), None, &Regions::default().at(0)).expect("it carries bytes").sections
    };
    let write = parts(&packets[0].bytes);
    let wanted = ["ethernet", "ipv4", "udp", "bth", "reth", "payload", "invariant CRC"];
    assert_eq!(titles(&write), wanted);
    let acknowledge = parts(&packets[1].bytes);
    let wanted = ["ethernet", "ipv4", "udp", "bth", "aeth", "invariant CRC"];
    assert_eq!(titles(&acknowledge), wanted);
    for end in 0..packets[0].bytes.len() {
        let bytes = &packets[0].bytes[..end];
        let all: Vec<u8> = parts(bytes).into_iter().flat_map(|part| part.bytes).collect();
        assert_eq!(all, bytes, "nothing is lost of {end} bytes");
    }
}

#[test]
fn rows_of_zeros_become_one_but_fresh_ones_stay() {
    let mut section = Section::of_data("data", 0, &[0; 80]);
    let row = |range, zero| HexRow { range, zero };
    assert_eq!(section.rows(), [row(0..80, true)]);
    assert!(section.rows()[0].is_long());
    section.fresh[40] = true;
    assert_eq!(section.rows(), [row(0..32, true), row(32..48, false), row(48..80, true)]);
}

#[test]
fn of_very_many_bytes_the_first_are_shown() {
    let section = Section::of_data("data", 0, &[1; MOST_BYTES + 1]);
    assert_eq!(section.bytes.len(), MOST_BYTES);
    assert_eq!(section.title, format!("data, first of {} bytes", MOST_BYTES + 1));
}

#[test]
fn the_owner_bit_alone_is_told_by_the_layout_of_the_whole() {
    let walk = recorded("rc-write");
    let mut regions = Regions::default();
    walk.events.iter().for_each(|event| regions.see(event));
    let is_queue = |region| {
        let role = regions.at(0).region(region).map(|known| known.role);
        role == Some(Role::CompletionQueue)
    };
    let owner = walk.events.iter().filter(|event| match &event.kind {
        Kind::Load { bytes, region, .. } => bytes.len() == 1 && is_queue(*region),
        _ => false,
    });
    let mut seen = 0;
    for event in owner {
        let object = carried(event, walk.site(event), &regions.at(event.sequence))
            .expect("it carries a byte");
        let fields = object.sections[0].fields.iter();
        let names: Vec<_> = fields.map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["opcode", "format", "solicited", "owner"]);
        seen += 1;
    }
    assert!(seen >= 2, "the poll that finds nothing, and the one that finds the CQE");
}

#[test]
fn what_did_not_go_well_is_marked() {
    assert!(is_bad(&Kind::discovery("a place", "nothing", false)));
    assert!(is_bad(&Kind::completion(1, "IBV_WC_LOC_PROT_ERR", [])));
    assert!(!is_bad(&Kind::completion(1, "IBV_WC_SUCCESS", [])));
    assert!(!is_bad(&Kind::locked("sq.lock")));
}

/// A trace may claim entries of 4 GiB. They are not read, only what the step itself wrote.
#[test]
fn entries_longer_than_any_cards_are_not_read() {
    let region = |stride| Region {
        region: RegionId(1),
        role: Role::CompletionQueue,
        name: "a ring".into(),
        address: 0,
        length: 1 << 40,
        stride,
        object: 1,
    };
    let shown = |stride| {
        let store = Kind::store(RegionId(1), 0, "", &[7; 8]);
        let map = Kind::Map(Box::new(region(stride)));
        let mut session = opened(trace(vec![(CPU, 0, map), (CPU, 0, store)]));
        session.go(1);
        let object = focus(&session).expect("a step with bytes").object;
        object.sections.iter().map(|section| section.bytes.len()).sum::<usize>()
    };
    assert_eq!(shown(64), 64, "the whole entry");
    assert_eq!(shown(u32::MAX), 8, "what was stored");
}

/// Numbers at the edges, where sums overflow.
fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, Just(u64::MAX), Just(u64::MAX - 64), Just(1 << 32), any::<u64>(),]
}

/// A region that no sane program maps.
fn wild_region() -> impl Strategy<Value = Kind> {
    let role = proptest::sample::select(vec![
        Role::SendQueue,
        Role::ReceiveQueue,
        Role::CompletionQueue,
        Role::EventQueue,
        Role::DoorbellRecord,
        Role::CommandQueue,
        Role::Buffer,
        Role::UserAccessRegion,
    ]);
    let stride = prop_oneof![Just(0_u32), Just(1), Just(16), Just(64), Just(u32::MAX)];
    (role, edge(), edge(), stride, 1..3_u32).prop_map(|(role, address, length, stride, number)| {
        Kind::Map(Box::new(Region {
            region: RegionId(number),
            role,
            name: "a region".into(),
            address,
            length,
            stride,
            object: number,
        }))
    })
}

/// An event that no sane program emits.
fn wild_kind() -> impl Strategy<Value = Kind> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..100);
    let layout = || proptest::sample::select(vec!["", "wqe_control_segment", "cqe", "nothing"]);
    prop_oneof![
        wild_region(),
        (0..3_u32, edge(), layout(), bytes()).prop_map(|(region, offset, layout, bytes)| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            Kind::store(RegionId(region), offset, layout, &bytes)
        }),
        (0..3_u32, edge(), layout(), bytes()).prop_map(|(region, offset, layout, bytes)| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            Kind::load(RegionId(region), offset, layout, &bytes)
        }),
        (edge(), layout(), bytes(), any::<bool>()).prop_map(|(address, layout, bytes, read)| {
            let direction = if read { Direction::Read } else { Direction::Write };
            Kind::dma(direction, address, "for no reason", layout, &bytes)
        }),
        (0..3_u32, any::<u32>()).prop_map(|(region, value)| Kind::index(
            RegionId(region),
            "counter",
            value
        )),
        bytes().prop_map(|bytes| Kind::packet(1, 2, "a packet", 0, &bytes)),
        (0..3_u32, bytes()).prop_map(|(region, bytes)| {
            Kind::register_write(RegionId(region), 0, "register", "wqe_control_segment", &bytes)
        }),
    ]
}

/// A trace of them.
fn wild_trace() -> impl Strategy<Value = Trace> {
    let actor = prop_oneof![Just(CPU), Just(Actor::Card), Just(Actor::Cpu(200))];
    let depth = prop_oneof![0..4_u16, Just(u16::MAX)];
    proptest::collection::vec((actor, depth, wild_kind()), 1..30).prop_map(trace)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_wild_trace_is_shown_without_harm(trace in wild_trace()) {
        let mut text = Vec::new();
        let options = doorbell::text::Options { all: true };
        doorbell::text::print(&trace.header, &trace, options, &mut text)?;
        let mut app = App::new(opened(trace));
        for step in 0..app.session.len() {
            app.session.go(step);
            app.act(doorbell::state::action::Action::Fold);
            app.act(doorbell::state::action::Action::Fold);
            screen(&mut app, 120, 40);
        }
    }
}

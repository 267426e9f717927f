//! Recorders, groups, depth and clocks.

use crate::samples;
use doorbell_tracer::live::{Next, live};
use doorbell_tracer::timeline::Timeline;
use doorbell_tracer::{
    Actor, Clock, Direction, Full, Group, Kind, MapRequest, Probe, Record, Recorder, RegionId,
    Relation, Ring, Role, Site, Trace, TraceBuilder, Tracer, Value, site,
};
use proptest::prelude::*;
use std::time::Duration;

const PROBE_GROUP: Group = Group::PostSend;

static POST: Site = site!();

mod control {
    use super::{Group, Site, site};
    const PROBE_GROUP: Group = Group::Control;
    pub(super) static SITE: Site = site!();
}

const SOON: Duration = Duration::from_secs(120);

fn note(tracer: &Tracer, text: &'static str) {
    tracer.emit(&POST, || Kind::note(text, []));
}

fn ring_memory(address: u64) -> MapRequest {
    MapRequest {
        role: Role::SendQueue,
        name: "send queue".into(),
        address,
        length: 256,
        stride: 64,
        object: 0x41,
    }
}

/// The trace of a few events of two groups, made by probes.
pub fn probed() -> Trace {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let region = tracer.map(&control::SITE, ring_memory(0x1000));
    tracer.emit(&POST, || Kind::call("post", [("qp", 0x41_u32.into())]));
    tracer.emit(&POST, || Kind::store(region, 0, "control_segment", &[1; 16]));
    tracer.emit(&POST, || Kind::returned("post", 0_u32));
    tracer.unmap(&control::SITE, region);
    build(tracer.take())
}

/// A trace of these records, with every source known.
fn build(records: Vec<Record>) -> Trace {
    let sources = |_: &str| Some("the source");
    let mut builder = TraceBuilder::new("test", "card", "test", "logical", sources);
    records.into_iter().for_each(|record| builder.push(record));
    builder.finish()
}

fn names(records: &[Record]) -> Vec<&'static str> {
    records.iter().map(|record| record.kind.name()).collect()
}

fn sequences(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.sequence).collect()
}

#[test]
fn the_full_recorder_keeps_everything_in_order() {
    for recorder in [Full::new(), Full::with_capacity(3), Full::with_capacity(100_000)] {
        let tracer = Tracer::new(recorder, Clock::Logical);
        for _ in 0..20_000 {
            note(&tracer, "again");
        }
        let expected: Vec<_> = (0..20_000).collect();
        assert_eq!(sequences(&tracer.snapshot()), expected);
        assert_eq!(sequences(&tracer.take()), expected);
        assert!(tracer.snapshot().is_empty());
        note(&tracer, "after");
        assert_eq!(sequences(&tracer.take()), [20_000]);
    }
}

/// Records of these kinds, with all that heads can be: numbers that jump, times, actors, depths.
fn records_of(kinds: Vec<Kind>) -> Vec<Record> {
    let mut sequence = 5;
    let records = kinds.into_iter().enumerate().map(|(at, kind)| {
        sequence += if at.is_multiple_of(5) { 1 << 40 } else { 1 };
        Record {
            sequence,
            time: if at.is_multiple_of(3) { sequence } else { u64::MAX - sequence },
            actor: if at.is_multiple_of(4) { Actor::Card } else { Actor::Cpu(at as u8) },
            depth: u16::MAX - at as u16,
            site: if at.is_multiple_of(2) { &POST } else { &control::SITE },
            kind,
        }
    });
    records.collect()
}

/// Whether the full recorder gives back what it took.
fn assert_kept(records: &[Record]) {
    let mut full = Full::with_capacity(3);
    for record in records {
        full.record(record.clone());
    }
    for kept in [full.snapshot(), full.take()] {
        assert_eq!(kept.len(), records.len());
        for (kept, record) in kept.iter().zip(records) {
            let head = |record: &Record| (record.sequence, record.time, record.actor, record.depth);
            assert_eq!(head(kept), head(record));
            assert_eq!(kept.kind, record.kind);
            assert!(std::ptr::eq(kept.site, record.site));
        }
    }
}

#[test]
fn the_full_recorder_gives_back_every_kind() {
    let mut kinds = samples::one_of_each();
    for length in 0..70 {
        let bytes: Vec<u8> = (1..=length).collect();
        kinds.push(Kind::store(RegionId(u32::MAX), usize::MAX, "layout", &bytes));
        kinds.push(Kind::dma(Direction::Write, 7, "why", "", &bytes));
    }
    for relation in [
        Relation::Equal,
        Relation::NotEqual,
        Relation::Less,
        Relation::LessOrEqual,
        Relation::Greater,
        Relation::GreaterOrEqual,
    ] {
        for holds in [true, false] {
            let left = ("left", Value::Hex(u64::MAX));
            kinds.push(Kind::check("what", left, relation, ("right", "name"), holds));
        }
    }
    kinds.push(Kind::unlocked("sq.lock"));
    kinds.push(Kind::returned("f", Value::Text("a text made at run time".to_owned().into())));
    kinds.push(Kind::call(
        "f",
        [
            ("a", 1_u32.into()),
            ("b", "text".into()),
            ("c", Value::Hex(3)),
            ("d", String::from("made").into()),
        ],
    ));
    kinds.push(Kind::call("f", []));
    assert_kept(&records_of(kinds));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_full_recorder_gives_back_random_events(events in samples::events(40)) {
        assert_kept(&records_of(events.into_iter().map(|event| event.kind).collect()));
    }
}

#[test]
fn the_ring_keeps_the_last() {
    for (capacity, kept) in [(0, 9..10), (1, 9..10), (4, 6..10), (10, 0..10), (50, 0..10)] {
        let tracer = Tracer::new(Ring::new(capacity), Clock::Logical);
        for _ in 0..10 {
            note(&tracer, "again");
        }
        let kept: Vec<_> = kept.collect();
        assert_eq!(sequences(&tracer.snapshot()), kept, "of capacity {capacity}");
        assert_eq!(sequences(&tracer.take()), kept);
        assert!(tracer.take().is_empty());
    }
}

#[test]
fn the_ring_remembers_what_is_mapped() {
    let tracer = Tracer::new(Ring::new(3), Clock::Logical);
    let gone = tracer.map(&control::SITE, ring_memory(0x1000));
    let stays = tracer.map(&control::SITE, ring_memory(0x2000));
    tracer.unmap(&control::SITE, gone);
    for _ in 0..10 {
        tracer.emit(&POST, || Kind::store(stays, 8, "", &[7]));
    }
    let records = tracer.snapshot();
    assert_eq!(sequences(&records), [1, 10, 11, 12]);
    assert_eq!(names(&records), ["map", "store", "store", "store"]);
    let trace = build(records);
    assert_eq!(Timeline::of(&trace).last().bytes(stays, 8..9), [7]);
    assert_eq!(sequences(&tracer.take()), [1, 10, 11, 12]);
    assert!(tracer.snapshot().is_empty());
}

#[test]
fn groups_are_switched_by_name_for_all_clones() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let clone = tracer.acting_as(Actor::Card);
    let group = Group::from_name("post_send").unwrap();
    assert!(clone.group_is_on(group));
    tracer.set_group(group, false);
    assert!(!clone.group_is_on(group));
    clone.emit(&POST, || unreachable!("the group is off"));
    clone.emit(&control::SITE, || Kind::note("of another group", []));
    tracer.set_group(group, true);
    note(&clone, "on again");
    assert_eq!(sequences(&tracer.take()), [0, 1]);
    assert_eq!(Group::from_name("postsend"), None);
    for group in Group::ALL {
        assert_eq!(Group::from_name(group.name()), Some(group));
        assert_eq!(serde_json::to_value(group).unwrap(), group.name());
    }
    assert!(!Tracer::off().group_is_on(group));
}

#[test]
fn regions_are_told_whatever_groups_are_on() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    for group in Group::ALL {
        tracer.set_group(group, false);
    }
    let first = tracer.map(&control::SITE, ring_memory(0x1000));
    let second = tracer.map(&control::SITE, ring_memory(0x2000));
    tracer.remap(&control::SITE, first, ring_memory(0x1000));
    tracer.unmap(&control::SITE, first);
    tracer.unmap(&control::SITE, RegionId::default());
    note(&tracer, "not recorded");
    assert_eq!(names(&tracer.take()), ["map", "map", "map", "unmap"]);
    assert_eq!((first, second), (RegionId(1), RegionId(2)));
    assert_eq!(Tracer::off().map(&control::SITE, ring_memory(0)), RegionId(0));
}

#[test]
fn depth_counts_the_calls_of_each_actor() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let card = tracer.acting_as(Actor::Card);
    let other = tracer.acting_as(Actor::Cpu(1));
    tracer.emit(&POST, || Kind::call("outer", []));
    tracer.emit(&POST, || Kind::call("inner", []));
    note(&tracer, "within");
    note(&card, "beside");
    card.emit(&POST, || Kind::call("fetch", []));
    note(&card, "in the card");
    note(&other, "another thread");
    tracer.emit(&POST, || Kind::returned("inner", 0_u32));
    tracer.emit(&POST, || Kind::returned("outer", 0_u32));
    tracer.emit(&POST, || Kind::returned("one too many", 0_u32));
    note(&tracer, "outside");
    let depths: Vec<_> = tracer.take().iter().map(|record| record.depth).collect();
    assert_eq!(depths, [0, 1, 2, 0, 0, 1, 0, 1, 0, 0, 0]);
}

#[test]
fn depth_ends_at_the_most_that_is_written() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    for _ in 0..70_000 {
        tracer.emit(&POST, || Kind::call("deeper", []));
    }
    assert_eq!(tracer.take().last().unwrap().depth, u16::MAX);
}

#[test]
fn clocks_stamp() {
    let tracer = Tracer::new(Full::new(), Clock::Nanoseconds(|| 77));
    note(&tracer, "at 77");
    assert_eq!(tracer.take()[0].time, 77);
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    note(&tracer, "first");
    note(&tracer, "second");
    assert_eq!(tracer.take()[1].time, 1);
}

#[test]
fn tracers_that_are_off_record_nothing() {
    let tracer = Tracer::off();
    note(&tracer, "lost");
    assert!(!tracer.is_on());
    assert!(tracer.take().is_empty() && tracer.snapshot().is_empty());
}

#[test]
fn threads_share_one_order() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let tracer = tracer.acting_as(Actor::Cpu(thread));
            scope.spawn(move || (0..1000).for_each(|_| note(&tracer, "again")));
        }
    });
    let records = tracer.take();
    assert_eq!(sequences(&records), (0..4000).collect::<Vec<_>>());
    for thread in 0..4 {
        let own = records.iter().filter(|record| record.actor == Actor::Cpu(thread));
        assert_eq!(own.count(), 1000);
    }
}

#[test]
fn a_builder_names_each_site_and_source_once() {
    let trace = probed();
    assert_eq!(trace.header.sites.len(), 2);
    assert_eq!(trace.header.sources.len(), 1);
    assert_eq!(trace.header.sources[0].path, "tracer/tests/suite/recorders.rs");
    let sites: Vec<_> = trace.events.iter().map(|event| event.site).collect();
    assert_eq!(sites, [0, 1, 1, 1, 0]);
    assert_eq!(trace.site(&trace.events[1]).unwrap().group, Group::PostSend);
    assert_eq!(
        trace.site(&samples::event(0, Kind::unmap(RegionId(1)))),
        trace.header.sites.first()
    );
}

/// The text of the event that the program waits at.
fn text_of(next: Next) -> String {
    match next {
        Next::Event(record) => match record.kind {
            Kind::Note { text, .. } => text.into_owned(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_live_program_waits_at_each_event() {
    let (recorder, mut stepper) = live();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = std::sync::Arc::clone(&done);
    let program = std::thread::spawn(move || {
        let tracer = Tracer::new(recorder, Clock::Logical);
        for text in ["one", "two", "three"] {
            note(&tracer, text);
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    for (passed, text) in ["one", "two", "three"].into_iter().enumerate() {
        assert_eq!(text_of(stepper.next(SOON)), text);
        assert_eq!(done.load(std::sync::atomic::Ordering::SeqCst) as usize, passed);
    }
    assert!(matches!(stepper.next(SOON), Next::Ended));
    assert!(matches!(stepper.next(SOON), Next::Ended));
    program.join().unwrap();
}

#[test]
fn a_program_that_comes_to_no_event_is_running() {
    let (recorder, mut stepper) = live();
    let tracer = Tracer::new(recorder, Clock::Logical);
    assert!(matches!(stepper.next(Duration::from_millis(1)), Next::Running));
    let program = std::thread::spawn(move || note(&tracer, "late"));
    assert_eq!(text_of(stepper.next(SOON)), "late");
    drop(stepper);
    program.join().unwrap();
}

#[test]
fn without_its_reader_a_live_program_runs_on() {
    let (recorder, mut stepper) = live();
    let tracer = Tracer::new(recorder, Clock::Logical);
    let clone = tracer.clone();
    let program = std::thread::spawn(move || (0..100).for_each(|_| note(&clone, "again")));
    assert_eq!(text_of(stepper.next(SOON)), "again");
    // Asking the tracer while the program stands in an event must not wait for it.
    assert!(tracer.snapshot().is_empty() && tracer.take().is_empty());
    drop(stepper);
    program.join().unwrap();
}

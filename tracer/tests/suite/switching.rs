//! What somebody from outside does to a running program's tracer: switch, count, look, empty.

use crate::samples::header;
use doorbell_tracer::file::{Options, read, write};
use doorbell_tracer::{
    Clock, Counts, Full, Group, Kind, MapRequest, Probe, Record, RegionId, Ring, RingInfo, Role,
    Site, TraceBuilder, Tracer, site,
};

const PROBE_GROUP: Group = Group::PostSend;

static SITE: Site = site!();

fn note(tracer: &Tracer) {
    tracer.emit(&SITE, || Kind::note("again", []));
}

fn map(tracer: &Tracer) -> RegionId {
    let place = MapRequest {
        role: Role::SendQueue,
        name: "send queue".into(),
        address: 0x1000,
        length: 256,
        stride: 64,
        object: 0x41,
    };
    tracer.map(&SITE, place)
}

fn maps(records: &[Record]) -> usize {
    records.iter().filter(|record| matches!(record.kind, Kind::Map(_))).count()
}

#[test]
fn every_group_has_a_name_and_a_description_of_its_own() {
    let mut said: Vec<_> =
        Group::ALL.iter().flat_map(|group| [group.name(), group.description()]).collect();
    said.sort_unstable();
    said.dedup();
    assert_eq!(said.len(), 2 * Group::ALL.len());
    assert_eq!(Group::ALL.iter().fold(0, |bits, group| bits | group.bit()), Group::EVERY_BIT);
}

#[test]
fn all_groups_are_switched_at_once() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    tracer.set_groups([Group::Card, Group::PollCq]);
    let on = Group::ALL.map(|group| tracer.group_is_on(group));
    assert_eq!(on, [false, false, false, false, false, true, true]);
    tracer.set_groups([]);
    note(&tracer);
    assert_eq!(tracer.counts().recorded, 0);
    tracer.set_groups(Group::ALL);
    note(&tracer);
    assert_eq!(tracer.counts().recorded, 1);
    Tracer::off().set_groups(Group::ALL);
    assert!(!Tracer::off().group_is_on(Group::Card));
}

#[test]
fn a_call_whose_end_nobody_told_does_not_nest_what_comes_after_it() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    tracer.emit(&SITE, || Kind::call("post", []));
    tracer.set_groups([]);
    tracer.emit(&SITE, || Kind::returned("post", 0_u32));
    tracer.set_groups(Group::ALL);
    note(&tracer);
    assert_eq!(tracer.take().last().map(|record| record.depth), Some(0));
}

#[test]
fn a_ring_says_how_many_events_are_lost() {
    let tracer = Tracer::new(Ring::new(100), Clock::Logical);
    assert_eq!(tracer.counts(), Counts { recorded: 0, kept: 0, capacity: Some(100) });
    for _ in 0..1000 {
        note(&tracer);
    }
    let (records, counts) = tracer.counted_snapshot();
    assert_eq!(counts, Counts { recorded: 1000, kept: 100, capacity: Some(100) });
    assert_eq!((records.len(), counts.lost()), (100, 900));
    assert_eq!(counts, tracer.counts(), "a look takes nothing");
    let full = Tracer::new(Full::new(), Clock::Logical);
    note(&full);
    assert_eq!(full.counts(), Counts { recorded: 1, kept: 1, capacity: None });
    full.take();
    assert_eq!(full.counts(), Counts::default());
    assert_eq!(Tracer::off().counts(), Counts::default());
}

#[test]
fn an_emptied_ring_still_knows_the_regions_and_the_numbers() {
    for events in [10, 1000] {
        let tracer = Tracer::new(Ring::new(64), Clock::Logical);
        let gone = map(&tracer);
        map(&tracer);
        (0..events).for_each(|_| note(&tracer));
        tracer.unmap(&SITE, gone);
        tracer.clear();
        assert_eq!(tracer.counts(), Counts { recorded: 0, kept: 0, capacity: Some(64) });
        assert_eq!(maps(&tracer.snapshot()), 1, "the region that is still mapped");
        note(&tracer);
        let (records, counts) = tracer.counted_snapshot();
        assert_eq!((maps(&records), records.len(), counts.recorded), (1, 2, 1));
        assert_eq!(records[1].sequence, events + 3, "numbers are not used again");
    }
    let full = Tracer::new(Full::new(), Clock::Logical);
    note(&full);
    full.clear();
    assert!(full.snapshot().is_empty());
    note(&full);
    assert_eq!(full.take()[0].sequence, 1);
    Tracer::off().clear();
}

#[test]
fn the_header_says_that_events_are_out_of_a_ring() {
    let tracer = Tracer::new(Ring::new(64), Clock::Logical);
    (0..200).for_each(|_| note(&tracer));
    let (records, counts) = tracer.counted_snapshot();
    let mut builder = TraceBuilder::new("test", "card", "test", "logical", |_| None);
    builder.counted(counts);
    records.into_iter().for_each(|record| builder.push(record));
    let trace = builder.finish();
    let ring = Some(RingInfo { capacity: 64, lost: 136 });
    assert_eq!(trace.header.ring, ring);
    let mut file = Vec::new();
    write(&trace.header, &trace, &mut file, &Options::default()).expect("it can be written");
    let (loaded, warnings) = read("ring", file.as_slice()).expect("it can be read");
    assert_eq!((loaded.header().ring, loaded.briefs().len()), (ring, 64));
    assert!(warnings.iter().all(|warning| warning.to_string().contains("missing")), "{warnings:?}");
    let mut builder = TraceBuilder::new("test", "card", "test", "logical", |_| None);
    builder.counted(Counts { recorded: 3, kept: 3, capacity: None });
    assert_eq!(builder.finish().header.ring, header().ring, "a full recorder has no ring");
}

#[test]
fn switching_looking_and_emptying_do_no_harm_to_threads_that_record() {
    let tracer = Tracer::new(Ring::new(256), Clock::Logical);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..20_000).for_each(|_| note(&tracer)));
        }
        for turn in 0..200_u32 {
            tracer.set_group(PROBE_GROUP, turn.is_multiple_of(2));
            let (records, counts) = tracer.counted_snapshot();
            assert_eq!(records.len() as u64, counts.kept);
            assert!(records.is_sorted_by(|one, next| one.sequence + 1 == next.sequence));
            if turn.is_multiple_of(16) {
                tracer.clear();
            }
            if turn.is_multiple_of(50) {
                tracer.set_groups([]);
            }
        }
    });
    tracer.clear();
    tracer.set_groups(Group::ALL);
    note(&tracer);
    assert_eq!(tracer.counts().recorded, 1);
}

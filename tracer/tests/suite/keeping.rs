//! Recorders held against the simplest one: across chunks, around the ring, from several threads.

use crate::probing::pattern;
use doorbell_tracer::{
    Actor, Clock, Full, Group, Kind, MapRequest, Record, Recorder, RegionId, Relation, Ring, Role,
    Site, Tracer, probe, site,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const PROBE_GROUP: Group = Group::PostSend;

static MAPS: Site = site!();

/// A recorder as simple as can be: what the others are held against.
#[derive(Clone, Default)]
pub struct Plain(Arc<Mutex<Vec<Record>>>);

impl Recorder for Plain {
    fn record(&mut self, record: Record) {
        self.0.lock().unwrap().push(record);
    }
    fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    fn snapshot(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }
}

/// What is compared of a record.
fn parts(record: &Record) -> (u64, u64, Actor, u16, usize, &Kind) {
    let site = std::ptr::from_ref(record.site).addr();
    (record.sequence, record.time, record.actor, record.depth, site, &record.kind)
}

/// Both have the same events.
pub fn assert_same(ours: &[Record], plain: &[Record]) {
    assert_eq!(ours.len(), plain.len());
    for (ours, plain) in ours.iter().zip(plain) {
        assert_eq!(parts(ours), parts(plain));
    }
}

/// One of several probes, by number.
fn tell(tracer: &Tracer, which: u8, number: u32, length: u16) {
    let region = RegionId(number % 5);
    match which % 12 {
        0 => probe!(tracer, store(region, number as usize, "data_segment", &pattern(16))),
        1 => probe!(tracer, store(region, 0, "", &pattern(length.into()))),
        2 => probe!(tracer, check("c", ("n", number), Relation::Less, ("l", length), number > 9)),
        3 => probe!(tracer, call("f", [("n", number.into()), ("m", number.to_string().into())])),
        4 => probe!(tracer, returned("f", number)),
        5 => probe!(tracer, returned("f", number.to_string())),
        6 => probe!(tracer, barrier("b", "")),
        7 => probe!(tracer, note(number.to_string(), [])),
        8 => probe!(tracer, completion(number.into(), "s", [("l", length.into())])),
        9 => probe!(tracer, register_write(region, 0, "r", "", &pattern(usize::from(length % 99)))),
        10 => {
            let place = MapRequest {
                role: Role::Buffer,
                name: number.to_string(),
                address: number.into(),
                length: length.into(),
                stride: 0,
                object: 0,
            };
            tracer.remap(&MAPS, RegionId(1 + number % 5), place);
        }
        _ => tracer.unmap(&MAPS, RegionId(1 + number % 5)),
    }
}

/// What a ring of this capacity keeps of these records.
fn last(records: &[Record], capacity: usize) -> Vec<Record> {
    let (gone, kept) = records.split_at(records.len().saturating_sub(capacity));
    let mut mapped = BTreeMap::new();
    for record in gone {
        match &record.kind {
            Kind::Map(region) => drop(mapped.insert(region.region, record.clone())),
            Kind::Unmap { region } => drop(mapped.remove(region)),
            _ => {}
        }
    }
    let mut all: Vec<_> = mapped.into_values().collect();
    all.sort_by_key(|record| record.sequence);
    all.extend_from_slice(kept);
    all
}

/// Nanoseconds that go on by threes.
fn ticks() -> u64 {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    TICKS.fetch_add(3, Ordering::Relaxed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn recorders_keep_what_a_simple_one_keeps(
        events in prop::collection::vec((any::<u8>(), any::<u32>(), 0..400_u16), 0..3000),
        capacity in prop_oneof![0..4_usize, 60..70_usize, 0..3000_usize],
        stop in 0..3000_usize,
    ) {
        let (plain, full) = (Tracer::new(Plain::default(), Clock::Logical), Tracer::new(Full::with_capacity(capacity), Clock::Logical));
        let ring = Tracer::new(Ring::new(capacity), Clock::Logical);
        for (at, (which, number, length)) in events.iter().enumerate() {
            for tracer in [&plain, &full, &ring] {
                tell(tracer, *which, *number, *length);
            }
            if at == stop {
                assert_same(&full.snapshot(), &plain.snapshot());
                assert_same(&ring.snapshot(), &last(&plain.snapshot(), capacity.max(1)));
                if at.is_multiple_of(2) {
                    assert_same(&ring.take(), &last(&plain.snapshot(), capacity.max(1)));
                    assert_same(&full.take(), &plain.take());
                }
            }
        }
        assert_same(&full.snapshot(), &plain.snapshot());
        assert_same(&full.take(), &plain.snapshot());
        assert_same(&ring.snapshot(), &last(&plain.snapshot(), capacity.max(1)));
        assert_same(&ring.take(), &last(&plain.snapshot(), capacity.max(1)));
    }
}

#[test]
fn chunks_are_as_long_as_they_are() {
    // More than several of the largest chunks, and each way in which one can become full.
    for which in [0, 1, 2, 8] {
        for clock in [Clock::Logical, Clock::Nanoseconds(ticks)] {
            let (full, ring) =
                (Tracer::new(Full::new(), clock), Tracer::new(Ring::new(9000), clock));
            for number in 0..30_000 {
                tell(&full, which, number, 200);
                tell(&ring, which, number, 200);
            }
            let records = full.take();
            assert!(records.iter().map(|record| record.sequence).eq(0..30_000));
            assert!(records.is_sorted_by(|one, next| one.time < next.time));
            let logical = records.iter().all(|record| record.time == record.sequence);
            assert_eq!(logical, matches!(clock, Clock::Logical));
            let plain = Tracer::new(Plain::default(), Clock::Logical);
            (0..30_000).for_each(|number| tell(&plain, which, number, 200));
            let kinds = |records: &[Record]| -> Vec<_> {
                records.iter().map(|record| record.kind.clone()).collect()
            };
            let expected = kinds(&plain.take());
            assert_eq!(kinds(&records), expected);
            assert_eq!(kinds(&ring.snapshot()), expected[21_000..]);
        }
    }
}

#[test]
fn threads_have_one_order_and_snapshots_no_gaps() {
    const EACH: u32 = 20_000;
    for (tracer, capacity) in [
        (Tracer::new(Full::new(), Clock::Logical), usize::MAX),
        (Tracer::new(Ring::new(1000), Clock::Logical), 1000),
        (Tracer::new(Plain::default(), Clock::Logical), usize::MAX),
    ] {
        // Whoever has the turn tells of it and goes on counting: that is the one true order.
        let turn = Mutex::new(0_u32);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (tracer, turn) = (tracer.acting_as(Actor::Cpu(thread)), &turn);
                scope.spawn(move || {
                    for _ in 0..EACH {
                        let mut turn = turn.lock().unwrap();
                        let bytes = turn.to_le_bytes();
                        probe!(tracer, store(RegionId(1), *turn as usize, "", &bytes));
                        *turn += 1;
                    }
                });
            }
            for _ in 0..20 {
                let records = tracer.snapshot();
                assert!(records.len() <= capacity);
                assert!(records.windows(2).all(|two| two[0].sequence + 1 == two[1].sequence));
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        });
        let (records, all) = (tracer.take(), 3 * EACH as usize);
        assert_eq!(records.len(), all.min(capacity));
        for (record, at) in records.iter().zip(all - records.len()..) {
            let bytes = (at as u32).to_le_bytes();
            assert_eq!(record.sequence, at as u64);
            assert_eq!(record.kind, Kind::store(RegionId(1), at, "", &bytes));
        }
    }
}

#[test]
fn threads_that_do_not_wait_for_each_other_lose_nothing() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let tracer = tracer.acting_as(Actor::Cpu(thread));
            scope.spawn(move || {
                for at in 0..10_000_u32 {
                    probe!(tracer, check("at", ("at", at), Relation::Less, ("most", 9_u32), false));
                    probe!(tracer, store(RegionId(1), at as usize, "", &pattern(at as usize % 40)));
                }
            });
        }
    });
    let records = tracer.take();
    assert!(records.iter().map(|record| record.sequence).eq(0..80_000));
    for thread in 0..4 {
        let mut own = records.iter().filter(|record| record.actor == Actor::Cpu(thread));
        for at in 0..10_000_usize {
            let check = own.next().map(|record| &record.kind);
            assert!(
                matches!(check, Some(Kind::Check { left, .. }) if left.value == (at as u32).into())
            );
            let store = Kind::store(RegionId(1), at, "", &pattern(at % 40));
            assert_eq!(own.next().map(|record| &record.kind), Some(&store));
        }
    }
}

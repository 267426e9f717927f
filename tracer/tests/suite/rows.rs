//! Events in a row are what they would be by themselves.

use crate::keeping::{Plain, assert_same};
use crate::probing::pattern;
use doorbell_tracer::{
    Actor, Clock, Full, Group, Kind, Off, Probe, Record, Recorder, RegionId, Relation, Ring,
    Tracer, probe,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

const PROBE_GROUP: Group = Group::PostSend;

thread_local! {
    static TIME: Cell<u64> = const { Cell::new(0) };
}

/// A clock that is later each time somebody looks.
fn later() -> u64 {
    TIME.set(TIME.get() + 3);
    TIME.get()
}

/// One of several events, by number.
fn tell(probe: &impl Probe, at: usize) {
    match at % 9 {
        0 => probe!(probe, call("f", [("n", at.into()), ("m", at.to_string().into())])),
        1 => probe!(probe, store(RegionId(1), at, "data_segment", &[7; 16])),
        2 => probe!(probe, check("c", ("n", at), Relation::Less, ("m", "text"), at > 9)),
        3 => probe!(probe, dispatch("table", "slot", "target")),
        4 => probe!(probe, note(at.to_string(), [])),
        5 => probe!(probe, register_write(RegionId(2), at, "r", "", &pattern(at % 200))),
        6 => probe!(probe, returned("f", at)),
        7 => probe!(probe, barrier("b", "")),
        // Now and then one that is longer than a chunk.
        _ => {
            let length = if at % 1800 == 8 { 1 << 19 } else { 8 };
            probe!(probe, load(RegionId(1), at, "l", &pattern(length)));
        }
    }
}

/// So many events, in rows of these lengths, again and again.
fn tell_in_rows(tracer: &Tracer, events: usize, lengths: &[usize]) {
    let mut told = 0..events;
    for length in lengths.iter().cycle() {
        let row = tracer.row();
        for at in told.by_ref().take(*length) {
            tell(&row, at);
        }
        if told.is_empty() {
            return;
        }
    }
}

#[test]
fn a_row_keeps_what_single_events_would() {
    let recorders: [fn(Clock) -> Tracer; 5] = [
        |clock| Tracer::new(Full::new(), clock),
        |clock| Tracer::new(Full::with_capacity(5), clock),
        |clock| Tracer::new(Ring::new(100), clock),
        |clock| Tracer::new(Ring::new(3000), clock),
        |clock| Tracer::new(Plain::default(), clock),
    ];
    for clock in [Clock::Logical, Clock::Nanoseconds(later)] {
        for new in recorders {
            let (alone, in_rows) = (new(clock), new(clock));
            TIME.set(0);
            (0..4000).for_each(|at| tell(&alone, at));
            TIME.set(0);
            tell_in_rows(&in_rows, 4000, &[1, 3, 0, 40, 7, 500]);
            assert_eq!(in_rows.counts(), alone.counts());
            assert_same(&in_rows.snapshot(), &alone.snapshot());
            assert_same(&in_rows.take(), &alone.take());
        }
    }
}

#[test]
fn a_row_in_a_row_is_a_part_of_it() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let row = tracer.row();
    probe!(row, call("f", []));
    let inner = row.row();
    probe!(inner, barrier("inside", ""));
    probe!(inner.row(), returned("f", 1_u32));
    drop(row);
    let depths: Vec<_> = tracer.take().iter().map(|record| record.depth).collect();
    assert_eq!(depths, [0, 1, 0]);
}

#[test]
fn groups_are_switched_within_a_row() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let row = tracer.row();
    for at in 0..10_u32 {
        tracer.set_group(PROBE_GROUP, at.is_multiple_of(2));
        probe!(row, index(RegionId(1), "at", at));
    }
    drop(row);
    let kinds: Vec<_> = tracer.take().into_iter().map(|record| record.kind).collect();
    let expected = [0, 2, 4, 6, 8].map(|at| Kind::index(RegionId(1), "at", at));
    assert_eq!(kinds, expected);
}

#[test]
fn a_row_of_nobody_tells_nothing() {
    tell(&Off.row(), 0);
    let off = Tracer::off();
    let row = off.row();
    (0..20).for_each(|at| tell(&row, at));
}

/// Counts what it is handed.
struct Counting(Arc<AtomicUsize>);

impl Recorder for Counting {
    fn record(&mut self, _: Record) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn take(&mut self) -> Vec<Record> {
        Vec::new()
    }
    fn snapshot(&self) -> Vec<Record> {
        Vec::new()
    }
}

#[test]
fn each_event_of_a_row_is_handed_on_before_the_next() {
    let count = Arc::new(AtomicUsize::new(0));
    let tracer = Tracer::new(Counting(Arc::clone(&count)), Clock::Logical);
    for _ in 0..3 {
        let row = tracer.row();
        for at in 0..20 {
            let before = count.load(Ordering::Relaxed);
            tell(&row, at);
            assert_eq!(count.load(Ordering::Relaxed), before + 1);
        }
    }
}

#[test]
fn a_row_that_ends_in_a_panic_keeps_what_it_told() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let row = tracer.row();
        (0..5).for_each(|at| tell(&row, at));
        panic!("a panic within a row, on purpose");
    }));
    assert!(panic.is_err());
    tell(&tracer, 5);
    assert!(tracer.take().iter().map(|record| record.sequence).eq(0..6));
}

#[test]
fn rows_of_several_threads_lose_nothing() {
    const ROWS: usize = 5000;
    const LENGTH: usize = 4;
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let start = Barrier::new(3);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (tracer, start) = (tracer.acting_as(Actor::Cpu(thread)), &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..ROWS {
                    let row = tracer.row();
                    for at in 0..LENGTH {
                        let value = (number * LENGTH + at) as u32;
                        probe!(row, index(RegionId(0), "n", value));
                    }
                }
            });
        }
    });
    let records = tracer.take();
    assert!(records.iter().map(|record| record.sequence).eq(0..(3 * ROWS * LENGTH) as u64));
    for thread in 0..3 {
        let own = records.iter().filter(|record| record.actor == Actor::Cpu(thread));
        let values = own.map(|record| match record.kind {
            Kind::Index { value, .. } => value,
            _ => panic!("{:?}", record.kind),
        });
        assert!(values.eq(0..(ROWS * LENGTH) as u64), "thread {thread}");
    }
}

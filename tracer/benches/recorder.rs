//! What one event costs: a store of 16 bytes, recorded by this crate and by `tracing` with a
//! subscriber that keeps as much. Medians over many runs; `cargo bench -p doorbell-tracer --bench recorder`.

use doorbell_tracer::{Clock, Full, Group, Off, Probe, RegionId, Ring, Tracer, probe};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const PROBE_GROUP: Group = Group::PostSend;

/// Events in a run.
const EVENTS: u32 = 100_000;

/// Runs of each kind; they take turns.
const RUNS: usize = 31;

/// What is recorded of one store by the subscriber: the same as by this crate.
#[derive(Default)]
struct Stored {
    sequence: u64,
    site: Option<&'static Metadata<'static>>,
    region: u64,
    offset: u64,
    layout: &'static str,
    bytes: [u8; 16],
}

impl Visit for Stored {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "region" => self.region = value,
            _ => self.offset = value,
        }
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        // The subscriber is handed a borrowed text: it keeps the name that it knows.
        if value == LAYOUT {
            self.layout = LAYOUT;
        }
    }

    fn record_bytes(&mut self, _: &Field, value: &[u8]) {
        if let Some(bytes) = value.first_chunk() {
            self.bytes = *bytes;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

const LAYOUT: &str = "data_segment";

/// Keeps every event in a vector behind a lock, as the full recorder does.
struct Keep(Mutex<Vec<Stored>>);

impl Subscriber for &'static Keep {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut stored = Stored::default();
        event.record(&mut stored);
        stored.site = Some(event.metadata());
        if let Ok(mut kept) = self.0.lock() {
            stored.sequence = kept.len() as u64;
            kept.push(stored);
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The traced program: one store an event.
#[inline(never)]
fn stores<P: Probe>(probe: &P) {
    let mut bytes = [0; 16];
    for at in 0..EVENTS {
        bytes[..4].copy_from_slice(&at.to_be_bytes());
        let bytes = black_box(&bytes);
        probe!(probe, store(RegionId(1), at as usize * 16, LAYOUT, bytes); from "lkey" = "sge.lkey");
    }
}

/// The same with the macro of `tracing`.
#[inline(never)]
fn tracing_stores() {
    let mut bytes = [0; 16];
    for at in 0..EVENTS {
        bytes[..4].copy_from_slice(&at.to_be_bytes());
        let bytes = black_box(&bytes);
        tracing::event!(
            Level::TRACE,
            region = 1_u64,
            offset = u64::from(at) * 16,
            layout = LAYOUT,
            bytes = &bytes[..]
        );
    }
}

/// Nanoseconds an event that a run takes.
fn time(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    let taken: Duration = start.elapsed();
    taken.as_secs_f64() * 1e9 / f64::from(EVENTS)
}

/// One thing that is measured.
type Measure<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

fn main() {
    let keep: &'static Keep = Box::leak(Box::new(Keep(Mutex::new(Vec::new()))));
    if let Err(error) = tracing::subscriber::set_global_default(keep) {
        eprintln!("the subscriber cannot be set: {error}");
        return;
    }
    let ring = Tracer::new(Ring::new(4096), Clock::Logical);
    let off_group = Tracer::new(Full::new(), Clock::Logical);
    off_group.set_group(Group::PostSend, false);
    let off = Tracer::off();
    let measures: Vec<Measure<'_>> = vec![
        ("probes off", Box::new(|| time(|| stores(&Off)))),
        ("tracer off", Box::new(|| time(|| stores(&off)))),
        ("group off", Box::new(|| time(|| stores(&off_group)))),
        ("ring of 4096", Box::new(|| time(|| stores(&ring)))),
        (
            "full, fresh memory",
            Box::new(|| {
                let tracer = Tracer::new(Full::new(), Clock::Logical);
                time(|| stores(&tracer))
            }),
        ),
        (
            "full, memory at hand",
            Box::new(|| {
                let room = Full::with_capacity(EVENTS as usize);
                let tracer = Tracer::new(room, Clock::Logical);
                time(|| stores(&tracer))
            }),
        ),
        (
            "tracing, fresh memory",
            Box::new(|| {
                if let Ok(mut kept) = keep.0.lock() {
                    *kept = Vec::new();
                }
                time(tracing_stores)
            }),
        ),
        (
            "tracing, memory at hand",
            Box::new(|| {
                if let Ok(mut kept) = keep.0.lock() {
                    kept.clear();
                }
                time(tracing_stores)
            }),
        ),
    ];
    report(measures);
}

/// Measures in turns and prints a table of the medians.
fn report(mut measures: Vec<Measure<'_>>) {
    let mut times = vec![Vec::new(); measures.len()];
    for _ in 0..RUNS {
        for ((_, run), times) in measures.iter_mut().zip(&mut times) {
            times.push(run());
        }
    }
    let medians = times.into_iter().map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let rows: Vec<_> = measures.iter().map(|(name, _)| *name).zip(medians).collect();
    println!("a store of 16 bytes, median of {RUNS} runs of {EVENTS} events");
    for (name, nanoseconds) in &rows {
        println!("{name:26} {nanoseconds:8.2} ns an event");
    }
    let of = |wanted: &str| rows.iter().find(|(name, _)| *name == wanted).map(|row| row.1);
    for (ours, theirs) in [
        ("full, fresh memory", "tracing, fresh memory"),
        ("full, memory at hand", "tracing, memory at hand"),
    ] {
        if let (Some(our), Some(their)) = (of(ours), of(theirs)) {
            println!("{theirs} / {ours}: {:.2}", their / our);
        }
    }
}

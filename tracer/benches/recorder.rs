//! What one event costs: a store of 16 bytes, recorded by this crate and by `tracing` with a
//! subscriber that keeps as much, in turns. `cargo bench -p doorbell-tracer --bench recorder` prints
//! medians of many runs and how many times as much `tracing` needs.
//!
//! - "at hand": the memory that events go to was used before. "fresh": the first run of a new
//!   process, which gets its memory from the system while it records.
//! - "just written": the traced program wrote a part of the bytes just before, so that whoever reads
//!   them waits for the processor to put them together. Otherwise they were there before.

use doorbell_tracer::{Clock, Full, Group, Off, Probe, RegionId, Relation, Ring, Tracer, probe};
use std::hint::black_box;
use std::process::Command;
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
    depth: u16,
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

/// What the subscriber keeps.
#[derive(Default)]
struct Kept {
    events: Vec<Stored>,
    /// Depth of the one thread's spans.
    depth: u16,
}

/// Keeps every event in a vector behind a lock.
struct Keep(Mutex<Kept>);

impl Keep {
    /// A run, with the memory of the last one at hand.
    fn time(&self, run: impl FnOnce()) -> f64 {
        if let Ok(mut kept) = self.0.lock() {
            kept.events.clear();
        }
        time(run)
    }

    fn deeper(&self, by: i16) {
        if let Ok(mut kept) = self.0.lock() {
            kept.depth = kept.depth.saturating_add_signed(by);
        }
    }
}

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
            stored.sequence = kept.events.len() as u64;
            stored.depth = kept.depth;
            kept.events.push(stored);
        }
    }
    fn enter(&self, _: &Id) {
        self.deeper(1);
    }
    fn exit(&self, _: &Id) {
        self.deeper(-1);
    }
}

/// Bytes that the traced program has had for a while.
type Rows = [[u8; 16]; 64];

/// The traced program: one store an event.
#[inline(never)]
fn stores<P: Probe>(probe: &P, rows: &Rows) {
    for (at, bytes) in (0..EVENTS as usize).zip(rows.iter().cycle()) {
        let bytes = black_box(bytes);
        probe!(probe, store(RegionId(1), at * 16, LAYOUT, bytes); from "lkey" = "sge.lkey");
    }
}

/// The same with the macro of `tracing`.
#[inline(never)]
fn tracing_stores(rows: &Rows) {
    for (at, bytes) in (0..u64::from(EVENTS)).zip(rows.iter().cycle()) {
        let bytes = black_box(bytes);
        tracing::event!(
            Level::TRACE,
            region = 1_u64,
            offset = at * 16,
            layout = LAYOUT,
            bytes = &bytes[..]
        );
    }
}

/// The same where each store's bytes were just written.
#[inline(never)]
fn new_stores<P: Probe>(probe: &P) {
    let mut bytes = [0; 16];
    for at in 0..EVENTS {
        bytes[..4].copy_from_slice(&at.to_be_bytes());
        let bytes = black_box(&bytes);
        probe!(probe, store(RegionId(1), at as usize * 16, LAYOUT, bytes); from "lkey" = "sge.lkey");
    }
}

/// And with the macro of `tracing`.
#[inline(never)]
fn new_tracing_stores() {
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

/// Stores of 64 bytes.
#[inline(never)]
fn blocks<P: Probe>(probe: &P, block: &[u8; 64]) {
    for at in 0..EVENTS as usize {
        let block = black_box(block);
        probe!(probe, store(RegionId(1), at * 64, "wqe", block));
    }
}

/// Checks of two values.
#[inline(never)]
fn checks<P: Probe>(probe: &P) {
    for at in 0..EVENTS {
        let used = black_box(at);
        probe!(probe, check("room", ("used", used), Relation::Less, ("size", 4_u32), true));
    }
}

/// Nanoseconds an event that a run takes.
fn time(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    let taken: Duration = start.elapsed();
    taken.as_secs_f64() * 1e9 / f64::from(EVENTS)
}

/// A run with the full recorder, memory at hand.
fn full(run: impl Fn(&Tracer)) -> f64 {
    let tracer = Tracer::new(Full::with_capacity(EVENTS as usize), Clock::Logical);
    time(|| run(&tracer))
}

/// A run in a new process.
fn fresh(which: &str) -> f64 {
    let command = |program| Command::new(program).args(["--fresh", which]).output();
    let output = std::env::current_exe().and_then(command);
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}

/// One thing that is measured.
type Measure<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

fn main() {
    let keep: &'static Keep = Box::leak(Box::new(Keep(Mutex::new(Kept::default()))));
    if let Err(error) = tracing::subscriber::set_global_default(keep) {
        eprintln!("the subscriber cannot be set: {error}");
        return;
    }
    let rows: Rows = std::array::from_fn(|at| [at as u8; 16]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--fresh", "full"] => {
            let tracer = Tracer::new(Full::new(), Clock::Logical);
            println!("{}", time(|| stores(&tracer, &rows)));
        }
        ["--fresh", _] => println!("{}", time(|| tracing_stores(&rows))),
        _ => report(measures(keep, &rows)),
    }
}

/// Everything that is measured, `tracing` right after what it is compared with.
fn measures<'a>(keep: &'static Keep, rows: &'a Rows) -> Vec<Measure<'a>> {
    let ring = Tracer::new(Ring::new(4096), Clock::Logical);
    let off_group = Tracer::new(Full::new(), Clock::Logical);
    off_group.set_group(Group::PostSend, false);
    vec![
        ("probes off", Box::new(|| time(|| stores(&Off, rows)))),
        ("tracer off", Box::new(|| time(|| stores(&Tracer::off(), rows)))),
        ("group off", Box::new(move || time(|| stores(&off_group, rows)))),
        ("ring of 4096", Box::new(move || time(|| stores(&ring, rows)))),
        ("full, at hand", Box::new(|| full(|tracer| stores(tracer, rows)))),
        ("tracing, at hand", Box::new(|| keep.time(|| tracing_stores(rows)))),
        ("full, at hand, just written", Box::new(|| full(new_stores))),
        ("tracing, at hand, just written", Box::new(|| keep.time(new_tracing_stores))),
        ("full, fresh", Box::new(|| fresh("full"))),
        ("tracing, fresh", Box::new(|| fresh("tracing"))),
        ("full, 64 bytes", Box::new(|| full(|tracer| blocks(tracer, &[7; 64])))),
        ("full, a check", Box::new(|| full(checks))),
    ]
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
    let mut before = ("", f64::NAN);
    for (name, nanoseconds) in rows {
        print!("{name:32} {nanoseconds:8.2} ns an event");
        if name.starts_with("tracing") {
            print!("   {:.1} times {}", nanoseconds / before.1, before.0);
        }
        println!();
        before = (name, nanoseconds);
    }
}

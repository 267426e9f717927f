//! What one event costs: a store of 16 bytes, recorded by this crate, by `tracing` with a subscriber
//! that keeps as much, and by LTTng-UST, in turns. `cargo bench -p doorbell-tracer --bench recorder`
//! prints medians of many runs and how many times as much the others need; with `-- --json` a line
//! for each. Without LTTng-UST (packages lttng-tools and liblttng-ust-dev) that row is left out, and
//! the output says so; `-- --all` fails then.
//!
//! - "at hand": the memory that events go to was used before. "fresh": the first run of a new
//!   process, which gets its memory from the system while it records.
//! - "just written": the traced program wrote a part of the bytes just before, so that whoever reads
//!   them waits for the processor to put them together. Otherwise they were there before.

mod lttng;

use doorbell_tracer::{Clock, Full, Group, Off, Probe, RegionId, Relation, Ring, Tracer, probe};
use lttng::Peer;
use std::cell::RefCell;
use std::hint::black_box;
use std::process::{Command, ExitCode};
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

/// As the subscriber knows it. Probes write it out, as all do: a probe's literals are kept once.
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
        probe!(probe, store(RegionId(1), at * 16, "data_segment", bytes); from "lkey" = "sge.lkey");
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
        probe!(probe, store(RegionId(1), at as usize * 16, "data_segment", bytes); from "lkey" = "sge.lkey");
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

/// A run with the full recorder, memory at hand: so many times as much as its events need as a rule.
fn full(times: usize, run: impl Fn(&Tracer)) -> f64 {
    let tracer = Tracer::new(Full::with_capacity(EVENTS as usize * times), Clock::Logical);
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
struct Measure<'a> {
    name: &'static str,
    /// What of ours it is compared with, if it is a peer.
    beside: Option<&'static str>,
    run: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Measure<'a> {
    fn of(name: &'static str, run: impl FnMut() -> f64 + 'a) -> Self {
        Self { name, beside: None, run: Box::new(run) }
    }

    fn peer(name: &'static str, beside: &'static str, run: impl FnMut() -> f64 + 'a) -> Self {
        Self { beside: Some(beside), ..Self::of(name, run) }
    }
}

fn main() -> ExitCode {
    let keep: &'static Keep = Box::leak(Box::new(Keep(Mutex::new(Kept::default()))));
    if let Err(error) = tracing::subscriber::set_global_default(keep) {
        eprintln!("error: the subscriber cannot be set: {error}");
        return ExitCode::FAILURE;
    }
    let rows: Rows = std::array::from_fn(|at| [at as u8; 16]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--fresh", "full"] => {
            let tracer = Tracer::new(Full::new(), Clock::Logical);
            println!("{}", time(|| stores(&tracer, &rows)));
            return ExitCode::SUCCESS;
        }
        ["--fresh", _] => {
            println!("{}", time(|| tracing_stores(&rows)));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let peer = match Peer::start(EVENTS) {
        Ok(peer) => Some(RefCell::new(peer)),
        Err(why) if asked("--all") => {
            eprintln!("error: LTTng-UST cannot be measured: {why}");
            return ExitCode::FAILURE;
        }
        Err(why) => {
            eprintln!("skipped: LTTng-UST: {why}");
            None
        }
    };
    report(measures(keep, &rows, peer.as_ref()), asked("--json"));
    ExitCode::SUCCESS
}

/// Everything that is measured, a peer right after what it is compared with.
fn measures<'a>(
    keep: &'static Keep,
    rows: &'a Rows,
    peer: Option<&'a RefCell<Peer>>,
) -> Vec<Measure<'a>> {
    let ring = Tracer::new(Ring::new(4096), Clock::Logical);
    let off_group = Tracer::new(Full::new(), Clock::Logical);
    off_group.set_group(Group::PostSend, false);
    let lttng = |which: &'static str| move |peer: &RefCell<Peer>| peer.borrow_mut().time(which);
    let (lttng_store, lttng_block) = (lttng("store"), lttng("block"));
    let mut all: Vec<Measure<'a>> = vec![
        Measure::of("probes off", || time(|| stores(&Off, rows))),
        Measure::of("tracer off", || time(|| stores(&Tracer::off(), rows))),
        Measure::of("group off", move || time(|| stores(&off_group, rows))),
        Measure::of("ring of 4096", move || time(|| stores(&ring, rows))),
        Measure::of("full, at hand", || full(1, |tracer| stores(tracer, rows))),
        Measure::peer("tracing, at hand", "full, at hand", || keep.time(|| tracing_stores(rows))),
        Measure::of("full, at hand, just written", || full(1, new_stores)),
        Measure::peer("tracing, at hand, just written", "full, at hand, just written", || {
            keep.time(new_tracing_stores)
        }),
        Measure::of("full, fresh", || fresh("full")),
        Measure::peer("tracing, fresh", "full, fresh", || fresh("tracing")),
        Measure::of("full, 64 bytes", || full(3, |tracer| blocks(tracer, &[7; 64]))),
        Measure::of("full, a check", || full(1, checks)),
    ];
    if let Some(peer) = peer {
        all.push(Measure::peer("LTTng-UST", "full, at hand", move || lttng_store(peer)));
        all.push(Measure::peer("LTTng-UST, 64 bytes", "full, 64 bytes", move || lttng_block(peer)));
    }
    all
}

/// Measures in turns and prints the medians.
fn report(mut measures: Vec<Measure<'_>>, json: bool) {
    let mut times = vec![Vec::new(); measures.len()];
    for _ in 0..RUNS {
        for (measure, times) in measures.iter_mut().zip(&mut times) {
            times.push((measure.run)());
        }
    }
    let medians = times.into_iter().map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let medians: Vec<f64> = medians.collect();
    let of = |name: &str| measures.iter().position(|measure| measure.name == name);
    if !json {
        println!("a store of 16 bytes, median of {RUNS} runs of {EVENTS} events");
    }
    for (measure, nanoseconds) in measures.iter().zip(&medians) {
        let name = measure.name;
        let beside = measure.beside.and_then(|own| Some((own, nanoseconds / medians[of(own)?])));
        match (json, beside) {
            (true, None) => println!("{{\"case\":\"{name}\",\"ns\":{nanoseconds:.3}}}"),
            (true, Some((own, times))) => println!(
                "{{\"case\":\"{name}\",\"ns\":{nanoseconds:.3},\"beside\":\"{own}\",\"times\":{times:.3}}}"
            ),
            (false, None) => println!("{name:32} {nanoseconds:8.2} ns an event"),
            (false, Some((own, times))) => {
                println!("{name:32} {nanoseconds:8.2} ns an event   {times:.1} times {own}");
            }
        }
    }
}

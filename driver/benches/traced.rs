//! What tracing costs a post: one RDMA WRITE of 64 bytes through the ops table, untraced and with
//! every one of its events kept by the full recorder, in turns.
//!
//! `cargo bench -p doorbell-driver --bench traced` prints medians, and how many events a post has; with
//! `-- --json` in a form for a script. The ring and the register are cached memory, as in the bench
//! `instructions`, and the recorder's memory is at hand.

#[allow(dead_code, reason = "the cases are of the other bench")]
mod bench_card;

use bench_card::Bench;
use doorbell_tracer::{Clock, Full, Tracer};

/// Posts that are timed at once; fewer than the queue has room for.
const POSTS: u32 = 32;

/// Times that they are, in a run.
const BATCHES: u32 = 64;

/// Runs.
const RUNS: usize = 31;

/// Room for the events of a run, with some to spare.
const EVENTS: usize = 100_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let runs = if asked("--test") { 1 } else { RUNS };
    let (mut untraced, mut traced, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    let mut events = 0.0;
    for _ in 0..runs {
        let [off, on, count] = run();
        untraced.push(off);
        traced.push(on);
        differences.push(on - off);
        events = count;
    }
    let [untraced, traced, more] = [untraced, traced, differences].map(median);
    if asked("--json") {
        println!(
            "{{\"case\":\"rc-write post\",\"untraced_ns\":{untraced:.2},\"traced_ns\":{traced:.2},\"more_ns\":{more:.2},\"events\":{events}}}"
        );
        return;
    }
    println!("one RDMA WRITE, median of {runs} runs of {} posts", POSTS * BATCHES);
    println!("untraced {untraced:8.1} ns a post");
    println!("traced   {traced:8.1} ns a post, {events} events");
    println!("more     {more:8.1} ns, {:.2} ns an event", more / events);
}

/// One run: nanoseconds of an untraced post and of a traced one, and the events of one.
fn run() -> [f64; 3] {
    let tracer = Tracer::new(Full::with_capacity(EVENTS), Clock::Logical);
    let mut bench = Bench::traced(tracer.clone());
    let before = tracer.snapshot().len();
    let mut taken = [0.0; 2];
    for _ in 0..BATCHES {
        for (on, taken) in [false, true].into_iter().zip(&mut taken) {
            bench.set_tracing(on);
            *taken += bench.timed_writes(POSTS).as_secs_f64();
            bench.make_room();
        }
    }
    let posts = f64::from(POSTS * BATCHES);
    let events = tracer.snapshot().len() - before;
    let [untraced, traced] = taken.map(|seconds| seconds * 1e9 / posts);
    [untraced, traced, events as f64 / posts]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

//! A hostile guest: programs of random register writes, doorbells, work requests, packets and commands,
//! which neither crash the card, nor keep it busy for ever, nor make it touch memory that it was not
//! given.
//!
//! There are two. One brings the card up properly and never tells it an address that is wrong: then each
//! access is held to the very bytes that were handed over, to what they are for, and to who may read and
//! write them. The other tells it any address; then there is memory and what is none, as an IOMMU has it.
//!
//! A hang is a failure: a step with too many accesses, a card that does not come to rest, and a step that
//! does not come back, for which another thread looks. Each bound says where it comes from.
//!
//! `DOORBELL_HOSTILE_SECONDS=N` goes on for so long, and tells every ten seconds what came of it.
//! `DOORBELL_SEED=N` begins with the program of that seed, and `DOORBELL_PROGRAMS=N` runs so many.

#[path = "../support/mod.rs"]
mod support;

mod acts;
mod commands;
mod packets;
mod posts;
mod random;
mod receives;
mod rules;
mod told;
mod watch;
mod watcher;
mod world;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::asked;
use told::Counts;
use world::{Pulse, World};

/// Programs of one run, unless something else is asked for.
const PROGRAMS: u64 = 200;
/// A step that takes longer than this has no end: the longest makes some hundred thousand accesses.
const LONGEST_STEP: Duration = Duration::from_secs(60);
const BETWEEN_REPORTS: Duration = Duration::from_secs(10);

/// What came of a run.
#[derive(Default)]
struct Totals {
    programs: u64,
    register_writes: u64,
    reads: u64,
    writes: u64,
    bytes: u64,
    interrupts: u64,
    refused: u64,
    counts: Counts,
}

impl Totals {
    fn add(&mut self, world: &World) {
        self.programs += 1;
        self.register_writes += world.register_writes;
        self.reads += world.seen.reads;
        self.writes += world.seen.writes;
        self.bytes += world.seen.bytes;
        self.interrupts += world.seen.interrupts;
        self.refused += world.seen.refused;
        for (kind, names) in &world.heard().counts.0 {
            for (name, count) in names {
                *self.counts.0.entry(kind).or_default().entry(name.clone()).or_default() += count;
            }
        }
    }

    fn line(&self) -> String {
        let wqes = self.counts.get("DMA", "WQE fetch")
            + self.counts.get("note", "WQE taken from the BlueFlame register: no DMA needed");
        format!(
            "{} programs, {} register writes, {} WQEs, {} commands, {} packets brought, {} sent, \
             {} DMA reads and {} writes of {} bytes, {} refused by the IOMMU, {} interrupts",
            self.programs,
            self.register_writes,
            wqes,
            self.counts.sum("command"),
            self.counts.sum("brought"),
            self.counts.sum("packet"),
            self.reads,
            self.writes,
            self.bytes,
            self.refused,
            self.interrupts
        )
    }
}

/// Past the capture of output, so that a long run is seen to go on.
fn report(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs programs. Unless it was asked how many or how long, there are more of them until nothing is
/// `missing` of what they should come to.
fn run(
    name: &str,
    held_to_rules: bool,
    pulse: &Arc<Pulse>,
    missing: impl Fn(&Totals) -> Vec<String>,
) {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    let first = asked("DOORBELL_SEED").unwrap_or(now);
    let seconds = asked("DOORBELL_HOSTILE_SECONDS").map(Duration::from_secs);
    let asked_for = asked("DOORBELL_PROGRAMS").or(seconds.map(|_| u64::MAX));
    println!("{name}: first seed {first}");
    let (begun, mut reported) = (Instant::now(), Instant::now());
    let mut totals = Totals::default();
    let goes_on = |totals: &Totals| match asked_for {
        Some(programs) => totals.programs < programs,
        None if totals.programs < PROGRAMS => true,
        None => totals.programs < 20 * PROGRAMS && !missing(totals).is_empty(),
    };
    while goes_on(&totals) && seconds.is_none_or(|seconds| begun.elapsed() < seconds) {
        let seed = first.wrapping_add(totals.programs);
        let world = catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(seed, held_to_rules, pulse);
            world.program();
            world
        }));
        let world = world.unwrap_or_else(|panic| {
            report(&format!("{name}: DOORBELL_SEED={seed} DOORBELL_PROGRAMS=1 repeats it"));
            resume_unwind(panic)
        });
        totals.add(&world);
        if seconds.is_some() && reported.elapsed() >= BETWEEN_REPORTS {
            reported = Instant::now();
            report(&format!("{name}: {} s, {}", begun.elapsed().as_secs(), totals.line()));
        }
    }
    println!("{name}: {}\n{:#?}", totals.line(), totals.counts);
    if seconds.is_some() {
        let last = first.wrapping_add(totals.programs).wrapping_sub(1);
        report(&format!("{name}: seeds {first} to {last}: {}", totals.line()));
    }
    let missing = missing(&totals);
    assert!(missing.is_empty() || totals.programs < PROGRAMS, "not reached: {missing:#?}");
}

/// The same, while another thread looks whether the card still does steps.
fn watched(name: &str, held_to_rules: bool, missing: impl Fn(&Totals) -> Vec<String>) {
    let (done, pulse) = (AtomicBool::new(false), Arc::default());
    std::thread::scope(|scope| {
        scope.spawn(|| watch_pulse(name, &pulse, &done));
        let result = catch_unwind(AssertUnwindSafe(|| run(name, held_to_rules, &pulse, missing)));
        done.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    });
}

/// Ends the tests when a step of the card does not come back.
fn watch_pulse(name: &str, pulse: &Pulse, done: &AtomicBool) {
    let (mut last, mut since) = (0, Instant::now());
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let steps = pulse.steps.load(Ordering::Relaxed);
        if steps != last {
            (last, since) = (steps, Instant::now());
        } else if since.elapsed() > LONGEST_STEP {
            let seed = pulse.seed.load(Ordering::Relaxed);
            report(&format!("{name}: a hang: a step of the card does not come back"));
            report(&format!("{name}: DOORBELL_SEED={seed} DOORBELL_PROGRAMS=1 repeats it"));
            std::process::abort();
        }
    }
}

/// Of these names, those that were not seen. A run that gets nowhere would prove nothing.
fn unseen(totals: &Totals, kind: &str, names: &[&str]) -> Vec<String> {
    let unseen = names.iter().filter(|name| totals.counts.get(kind, name) == 0);
    unseen.map(|name| format!("{kind}: {name}")).collect()
}

/// What both guests must come to, and did not.
fn missing(totals: &Totals) -> Vec<String> {
    let completions = ["REQ", "RESP_SEND", "RESP_SEND_IMM", "RESP_SEND_INV", "REQ_ERR", "RESP_ERR"];
    let syndromes = [
        "LOCAL_LENGTH_ERR",
        "LOCAL_QP_OP_ERR",
        "LOCAL_PROT_ERR",
        "WR_FLUSH_ERR",
        "MW_BIND_ERR",
        "REMOTE_INVAL_REQ_ERR",
        "REMOTE_ACCESS_ERR",
        "REMOTE_OP_ERR",
        "TRANSPORT_RETRY_EXC_ERR",
        "RNR_RETRY_EXC_ERR",
    ];
    let statuses = [
        "OK",
        "BAD_OP_ERR",
        "BAD_PARAM_ERR",
        "BAD_SYS_STATE_ERR",
        "BAD_RES_ERR",
        "BAD_QP_STATE_ERR",
        "BAD_INP_LEN_ERR",
        "BAD_OUTP_LEN_ERR",
    ];
    let deliveries = ["OK", "IN_LENGTH_ERR", "OUT_LENGTH_ERR", "RES_FLD_NOT_CLR_ERR", "TOK_ERR"];
    let packets = [
        "RC_ACKNOWLEDGE",
        "RC_ATOMIC_ACKNOWLEDGE",
        "RC_RDMA_READ_RESPONSE_FIRST",
        "UC_SEND_ONLY",
        "UC_RDMA_WRITE_FIRST",
        "UD_SEND_ONLY",
        "XRC_SEND_ONLY",
        "XRC_RDMA_WRITE_FIRST",
        "XRC_ACKNOWLEDGE",
    ];
    let states = ["QP RTS -> ERR", "SQ RST -> RTS", "SQ RTS -> ERR", "SQ ERR -> RST"];
    [
        unseen(totals, "completion", &completions),
        unseen(totals, "syndrome", &syndromes),
        unseen(totals, "command", &statuses),
        unseen(totals, "delivery", &deliveries),
        unseen(totals, "packet", &packets),
        unseen(totals, "state", &states),
        unseen(totals, "taken", &["packets"]),
        unseen(totals, "end", &["reset, and it works"]),
    ]
    .concat()
}

#[test]
fn a_guest_that_hands_over_what_it_should() {
    let missing = |totals: &Totals| {
        let mut missing = missing(totals);
        missing.extend(unseen(totals, "completion", &["RESP_WR_IMM"]));
        missing.extend(unseen(totals, "DMA", &told::REASONS));
        missing.extend(unseen(totals, "end", &["reset, and nothing is touched"]));
        missing
    };
    watched("prepared", true, missing);
}

#[test]
fn a_guest_that_hands_over_anything() {
    let missing = |totals: &Totals| {
        let mut missing = missing(totals);
        missing.extend(unseen(totals, "delivery", &["FW_ERR"]));
        missing.extend((totals.refused == 0).then(|| "an address that is not mapped".to_string()));
        missing
    };
    watched("wild", false, missing);
}

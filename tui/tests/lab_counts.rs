//! Instructions for each work request of Debian's libmlx5 and of this repository's driver, counted in
//! one guest, in one run, by the same callgrind: calls on real queue pairs of the unmodified kernel
//! driver, and polls of completions that the card has written.
//!
//! Counted is a call of a verb from its first instruction to its return; what the kernel, QEMU and
//! the card do meanwhile is nobody's instruction.

#[path = "peer/mod.rs"]
mod peer;

use doorbell_tracer::Tracer;
use std::collections::HashMap;

/// Calls of each case: counts of one binary repeat exactly.
const CALLS: u64 = 50;

/// A case: as the programs know it, as the table has it, its work requests or completions, and the
/// most that this driver may need of what libmlx5 needs.
///
/// That is a half, of a poll less, and of requests that are not usual more: they go the longer way.
const CASES: [(&str, &str, u64, f64); 8] = [
    ("write", "RDMA WRITE, single", 1, 0.5),
    ("list", "RDMA WRITE, list of 32", 32, 0.5),
    ("inline", "SEND, 32 bytes inline", 1, 0.5),
    ("immediate", "SEND with immediate data", 1, 0.65),
    ("elements", "RDMA WRITE, 3 elements", 1, 0.67),
    ("poll-1", "poll_cq, one", 1, 0.42),
    ("poll-16", "poll_cq, 16", 16, 0.47),
    ("poll-empty", "poll_cq, empty", 1, 0.48),
];

#[test]
fn a_work_request_takes_its_share_of_libmlx5s_instructions() {
    if !peer::boots_guests() {
        return;
    }
    let share = tempfile::tempdir().expect("a folder");
    if peer::compile("post_count", share.path()).is_none() {
        return;
    }
    let ours = peer::build("twin", &["--release"]);
    std::fs::copy(ours, share.path().join("twin")).expect("the program is copied");
    let mut script = String::from(
        "set -e; cd /tmp; cp /mnt/share/* .; export LD_BIND_NOW=1\n\
         for name in ibverbs mlx5; do readlink -f /usr/lib/x86_64-linux-gnu/lib$name.so.1; done\n\
         count() { valgrind --tool=callgrind --collect-atstart=no \
         '--toggle-collect=*measured_call*' --callgrind-out-file=/dev/null \"$@\" 2>&1; }\n",
    );
    for (case, ..) in CASES {
        script += &format!("echo '== theirs {case}'; count ./post_count mlx5_0 {case} {CALLS}\n");
        script += &format!("echo '== ours {case}'; count ./twin count mlx5_0 {case} {CALLS}\n");
    }
    let said = peer::guest(&["valgrind"], share.path(), &[], &Tracer::off(), &script);
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    peer::are_debians(said.out.lines().take_while(|line| line.starts_with('/')));

    let counts = counts(&said.out);
    let mut over = Vec::new();
    println!("{:<24} {:>8} {:>8} {:>6}", "instructions for each", "libmlx5", "ours", "ratio");
    for (case, name, requests, share) in CASES {
        let [theirs, ours] = ["theirs", "ours"].map(|who| {
            let count = counts.get(&format!("{who} {case}"));
            *count.unwrap_or_else(|| panic!("no count of {who} {case}:\n{}", said.out)) as f64
                / (CALLS * requests) as f64
        });
        let ratio = ours / theirs;
        println!("{name:<24} {theirs:>8.1} {ours:>8.1} {ratio:>6.2}");
        if ratio > share {
            over.push(name);
        }
    }
    assert!(over.is_empty(), "a larger share of libmlx5's instructions than allowed: {over:?}");
}

/// What callgrind collected, by the heading that stands before it.
fn counts(text: &str) -> HashMap<String, u64> {
    let mut counts = HashMap::new();
    let mut heading = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            heading = name;
        } else if let Some((_, number)) = line.split_once("Collected : ") {
            counts.insert(heading.to_owned(), number.trim().parse().expect("a number"));
        }
    }
    counts
}

//! Our WQEs are the right bytes: the same work requests through Debian's libmlx5 and through this
//! repository's driver, in one guest with the unmodified kernel driver, on the software card.
//!
//! Compared for each call are the units of the rings that it wrote, the doorbell records, what
//! reached the registers, the results, and the completions. What must differ is in `DIFFERENCES`.

mod answer;
mod cases;
mod grid;
#[path = "../peer/mod.rs"]
mod peer;
mod registers;

use answer::{Answer, Came, Rung};
use cases::Step;
use doorbell_driver::mlx5::posts;
use doorbell_driver::verbs::{Opcode, Transport};
use doorbell_tracer::{Clock, Tracer};
use grid::{Numbers, ROWS};
use registers::{Burst, Registers, bursts, of_pairs};

/// What must differ, or does, and why. `CONTRIBUTING.md` has the same table.
const DIFFERENCES: [(&str, &str); 11] = [
    ("QPN in the control segment", "each process has queue pairs of its own"),
    ("lkey and rkey", "and keys of its own"),
    ("addresses of data", "and buffers of its own: compared are the offsets in them"),
    (
        "the UAR page and which of its registers",
        "and pages of its own; the buffer of the register is compared",
    ),
    (
        "the buffer of its register that a queue pair begins with",
        "libmlx5 goes on where the register's last queue pair stopped, we begin with the first; from there on both take turns",
    ),
    (
        "fields of the atomic segment and of the memory key context that the opcode or the mask leaves out",
        "libmlx5 leaves there what was in the ring, we write zeros; the card looks at neither",
    ),
    (
        "the immediate data of a batch's request that has none",
        "libmlx5 leaves there what was in the ring, we write zeros; the card looks at it with opcodes that have it",
    ),
    (
        "the length of an atomic operation's element in a batch",
        "in a list both write 8 whatever it is; in a batch libmlx5 takes what it is given, and the grid gives 8",
    ),
    (
        "what a refused inline request leaves in the ring",
        "libmlx5 has begun its control segment by then, we have not; nothing there is handed over",
    ),
    (
        "what a refused batch leaves in the ring",
        "each side begins other WQEs before it gives up; nothing there is handed over",
    ),
    (
        "the doorbell of a list whose later request is refused for its inline data",
        "libmlx5 rings with the WQE that it gave up, so that the card may not look until the next doorbell; we ring with the last that was posted",
    ),
];

/// The least that the grid must have.
const LEAST: usize = 5_000;

#[test]
fn every_opcode_that_the_driver_posts_has_a_row() {
    let transports = [
        Transport::ReliableConnection,
        Transport::UnreliableConnection,
        Transport::UnreliableDatagram,
    ];
    let posted = |opcode: &Opcode| transports.iter().any(|transport| posts(*transport, *opcode));
    for opcode in Opcode::ALL.into_iter().filter(posted) {
        let rows = ROWS.iter().filter(|row| row.opcode == opcode).count();
        assert_eq!(rows, 1, "{} is posted by the driver and needs a row", opcode.name());
    }
}

#[test]
fn the_differences_are_documented() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRIBUTING.md");
    let text = std::fs::read_to_string(path).expect("CONTRIBUTING.md");
    let (_, table) = text.split_once("| differs | why |\n| --- | --- |\n").expect("the table");
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let expected = DIFFERENCES.map(|(what, why)| format!("| {what} | {why} |"));
    assert_eq!(rows, expected);
}

#[test]
fn the_same_work_requests_are_the_same_bytes_through_libmlx5_and_through_this_driver() {
    if !peer::boots_guests() {
        return;
    }
    let share = tempfile::tempdir().expect("a folder");
    if peer::compile("post_grid", share.path()).is_none() {
        return;
    }
    let ours = peer::build("twin", &["--release"]);
    let seed = seed();
    let steps = grid::steps(&mut Numbers(seed));
    let calls = steps.iter().filter(|step| matches!(step, Step::Send(_))).count();
    println!("seed {seed} (DOORBELL_SEED={seed} repeats it): {} steps, {calls} calls", steps.len());
    std::fs::write(share.path().join("cases"), cases::text(&steps)).expect("the cases are written");
    let registers = Registers::default();
    let tracer = Tracer::new(registers.clone(), Clock::Logical);
    // Without probes, and once more with them: the table with probes must write the same.
    let script = "set -e; cd /mnt/share; cp cases /tmp/cases\n\
                  ./post_grid mlx5_0 /tmp/cases > /tmp/theirs; cp /tmp/theirs theirs\n\
                  twin grid mlx5_0 /tmp/cases > /tmp/ours; cp /tmp/ours ours\n\
                  twin grid mlx5_0 /tmp/cases --probes > /tmp/probed; cp /tmp/probed probed";
    let said = peer::guest(&[], share.path(), &[ours], &tracer, script);
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);

    let read = |name: &str| std::fs::read_to_string(share.path().join(name)).expect(name);
    let (theirs, ours, probed) = (read("theirs"), read("ours"), read("probed"));
    let seen = registers.seen();
    peer::are_debians(theirs.lines().filter_map(|line| line.strip_prefix("library ")));
    let first = compare(&steps, &theirs, &ours);
    let second = compare(&steps, &theirs, &probed);
    compare_registers(&seen, [&first.rung[0], &first.rung[1], &second.rung[1]]);
    first.was_wide();
}

/// The seed that was given, or a new one.
fn seed() -> u64 {
    let given = std::env::var("DOORBELL_SEED").ok().and_then(|text| text.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    given.unwrap_or_else(|| now.expect("a clock behind 1970").as_secs())
}

/// What a comparison has come through.
#[derive(Default)]
struct Compared {
    /// WQEs, receives and completions.
    sends: usize,
    receives: usize,
    completions: usize,
    refused: usize,
    /// Calls after which what is left of a WQE that was given up is not the same.
    given_up: usize,
    /// What each side's calls must have rung.
    rung: [Vec<(u32, Vec<Rung>)>; 2],
    /// Blocks of all rings at which a WQE began, and all blocks.
    begun: (usize, usize),
    /// WQEs with pointers, and with inline data, that went on at the ring's beginning.
    crossed: [usize; 2],
}

/// Compares two answers, step by step.
fn compare(steps: &[Step], theirs: &str, ours: &str) -> Compared {
    let mut compared = Compared::default();
    let (mut theirs, mut ours) = (Answer::new("libmlx5", theirs), Answer::new("ours", ours));
    for (number, step) in steps.iter().enumerate() {
        if matches!(step, Step::Pair(_)) {
            compared.count_ring(&theirs);
        }
        let (left, right) = (theirs.step(step), ours.step(step));
        compared.step(number, step, left, right);
    }
    compared.count_ring(&theirs);
    assert!(theirs.is_at_its_end() && ours.is_at_its_end());
    compared.crossed = theirs.crossed;
    compared.rung = [theirs.rung, ours.rung];
    compared
}

impl Compared {
    fn count_ring(&mut self, answer: &Answer<'_>) {
        self.begun.0 += answer.begun.iter().filter(|begun| **begun).count();
        self.begun.1 += answer.begun.len();
    }

    fn step(&mut self, number: usize, step: &Step, theirs: Came, ours: Came) {
        let (mut theirs, mut ours) = (theirs, ours);
        if let (Came::Posted(left), Came::Posted(right)) = (&mut theirs, &mut ours) {
            let refused = match step {
                Step::Send(call) => call.refused,
                Step::Receive(call) => call.refused,
                _ => None,
            };
            let result = refused.map_or((0, None), |(errno, index)| (errno, Some(index)));
            assert_eq!(left.result, result, "step {number}, libmlx5: {step:?}");
            self.refused += usize::from(refused.is_some());
            match step {
                Step::Send(_) => self.sends += left.wqes.len(),
                _ => self.receives += left.wqes.len(),
            }
            if left.given_up {
                // See DIFFERENCES: a WQE that was given up has begun to be written.
                self.given_up += usize::from(left.besides != right.besides);
                left.besides.clear();
                right.besides.clear();
            }
            assert!(left.besides.is_empty(), "step {number}, libmlx5: {left:02x?}");
        }
        if let Came::Completions(lines) = &theirs {
            self.completions += lines.len() - 1;
        }
        assert_eq!(theirs, ours, "step {number}: libmlx5 left, ours right; {step:02x?}");
    }

    /// The grid was what it is said to be.
    fn was_wide(&self) {
        println!(
            "compared: {} sends, {} receives, {} completions, {} refused calls; WQEs began at {} of \
             {} blocks; {} with pointers and {} with inline data crossed the end of the ring",
            self.sends,
            self.receives,
            self.completions,
            self.refused,
            self.begun.0,
            self.begun.1,
            self.crossed[0],
            self.crossed[1]
        );
        assert!(self.sends >= LEAST);
        assert_eq!(self.begun.0, self.begun.1, "a WQE began at every block");
        assert!(self.crossed.iter().all(|crossed| *crossed > 0) && self.given_up > 0);
    }
}

/// Holds what reached the registers against what is in the rings, and one program against the other.
fn compare_registers(seen: &[registers::Seen], programs: [&Vec<(u32, Vec<Rung>)>; 3]) {
    let qpns: Vec<u32> = programs.into_iter().flatten().map(|(qpn, _)| *qpn).collect();
    let mut of_pairs = of_pairs(seen, &qpns).into_iter();
    let [theirs, ours, probed] = programs.map(|program| {
        let of_pair = |(_, rung): &(u32, Vec<Rung>)| {
            let mut bursts = bursts(&of_pairs.next().expect("one for each QPN"));
            // See DIFFERENCES: the buffer that a queue pair begins with.
            let first = bursts[0].buffer;
            bursts.iter_mut().for_each(|burst| burst.buffer ^= first);
            assert_eq!(bursts.len(), rung.len(), "one doorbell for each call that posted");
            rung.iter().cloned().zip(bursts).collect::<Vec<_>>()
        };
        program.iter().flat_map(of_pair).collect::<Vec<_>>()
    });
    let mut counts = [0; 3];
    for (index, (rung, burst)) in theirs.iter().enumerate() {
        for (own, burst) in [&ours[index], &probed[index]] {
            assert!(is_of(&own.last, burst), "call {index}, ours: {burst:02x?} {own:02x?}");
        }
        assert_eq!(ours[index].1.buffer, burst.buffer, "call {index}: the buffers take turns");
        if rung.refused_inline {
            // See DIFFERENCES: libmlx5 rings with the WQE that it gave up.
            assert!(is_of(&rung.behind, burst), "call {index}, libmlx5: {burst:02x?} {rung:02x?}");
            counts[2] += 1;
            continue;
        }
        assert!(is_of(&rung.last, burst), "call {index}, libmlx5: {burst:02x?} {rung:02x?}");
        assert_eq!(ours[index].1.bytes.len(), burst.bytes.len(), "call {index}: {burst:02x?}");
        counts[usize::from(burst.bytes.len() > 8)] += 1;
    }
    println!(
        "registers: {} doorbells of 8 bytes and {} BlueFlame bursts, the same from both; {} doorbells \
         of libmlx5 with a WQE that it gave up",
        counts[0], counts[1], counts[2]
    );
    assert!(counts.iter().all(|count| *count > 0));
}

/// Whether a doorbell is the first 8 bytes of a WQE, or a BlueFlame burst all of its blocks.
fn is_of(wqe: &[u8], burst: &Burst) -> bool {
    burst.bytes == wqe[..8] || burst.bytes == wqe
}

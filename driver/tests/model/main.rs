//! Random programs of posts and polls, run by driver and card, and by a plain reference of what the verbs
//! say. After each step both have answered the same, and after each of the card's turns all memory is
//! the same.
//!
//! The seed is printed; `DOORBELL_SEED=N` repeats a run, and `DOORBELL_PROGRAMS=N` runs so many of each
//! kind.

#[path = "../common/mod.rs"]
mod common;
mod lossy;
mod numbers;
mod places;
mod program;
mod real;
mod reference;
mod run;
mod work;

use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use lossy::TwoCards;
use program::{Act, Setting};
use run::{Cards, Run, Seen};

/// Programs of one run of each kind.
const PROGRAMS: u64 = 1500;

/// The same over a bad link, where a program takes longer.
const LOSSY_PROGRAMS: u64 = 120;

/// Programs over a bad link that have found something, each in its time: a read that came again when its
/// window was closed.
const KEPT: [u64; 1] = [1795668253085687466];

/// The first seed, and how many programs there are to be.
fn seeds(programs: u64) -> (u64, u64) {
    let asked = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = started.map_or(1, |since| since.as_nanos() as u64);
    let first = asked("DOORBELL_SEED").unwrap_or(now);
    let count = asked("DOORBELL_PROGRAMS").unwrap_or(programs);
    println!("seed {first} (DOORBELL_SEED={first} repeats it): {count} programs");
    (first, count)
}

/// Runs programs of a transport on one card. Answers what they did, if they were enough to say so.
fn run(transport: Transport) -> Option<Seen> {
    let (first, count) = seeds(PROGRAMS);
    let context = common::context(BlueFlameSettings::default(), &Tracer::off());
    let mut seen = Seen::default();
    for number in 0..count {
        let seed = first.wrapping_add(number);
        let (setting, acts) = program::program(transport, false, seed);
        run_one(Cards::One(&context), setting, acts, seed, &mut seen);
    }
    println!("{seen:?}");
    (count >= 1000).then_some(seen)
}

/// Runs one program.
fn run_one(cards: Cards, setting: Setting, acts: Vec<Act>, seed: u64, seen: &mut Seen) {
    let mut run = Run::new(cards, setting, seed);
    let seed = format!("DOORBELL_SEED={seed} DOORBELL_PROGRAMS=1");
    for (step, act) in acts.into_iter().enumerate() {
        let place = format!("step {step} of {seed}, {setting:?}: {act:?}");
        run.step(act, &place, seen);
    }
    run.end(&seed, seen);
}

/// Programs that never get anywhere would prove nothing.
fn enough(seen: &Seen, each: &[usize]) {
    assert!(each.iter().all(|&times| times > 30), "the programs do too little: {seen:?}");
}

#[test]
fn reliable_connections_do_as_the_verbs_say() {
    let Some(seen) = run(Transport::ReliableConnection) else { return };
    enough(&seen, &[seen.succeeded, seen.failed, seen.flushed, seen.received, seen.refused]);
    enough(&seen, &[seen.atomics, seen.swapped, seen.shared]);
    enough(&seen, &[seen.bound, seen.through, seen.invalidated, seen.invalidated_from_afar]);
}

#[test]
fn unreliable_connections_do_as_the_verbs_say() {
    let Some(seen) = run(Transport::UnreliableConnection) else { return };
    enough(&seen, &[seen.succeeded, seen.failed, seen.flushed, seen.received, seen.refused]);
    enough(&seen, &[seen.lost, seen.shared, seen.bound, seen.through, seen.invalidated]);
}

#[test]
fn datagrams_do_as_the_verbs_say() {
    let Some(seen) = run(Transport::UnreliableDatagram) else { return };
    enough(&seen, &[seen.succeeded, seen.failed, seen.flushed, seen.received, seen.refused]);
    enough(&seen, &[seen.lost, seen.shared]);
}

/// Nothing is lost, nothing is done twice, and all in its order: the programs cannot tell that the link
/// between the cards is bad.
#[test]
fn reliable_connections_do_so_over_a_bad_link() {
    let (first, count) = seeds(LOSSY_PROGRAMS);
    let (mut seen, mut lost, mut disturbed) = (Seen::default(), 0, 0);
    let numbered = (0..count).map(|number| first.wrapping_add(number));
    for seed in KEPT.into_iter().chain(numbered) {
        let (setting, acts) = program::program(Transport::ReliableConnection, true, seed);
        let cards = TwoCards::new(seed);
        run_one(Cards::Two(&cards), setting, acts, seed, &mut seen);
        let troubles = cards.troubles();
        (lost, disturbed) = (lost + troubles.0, disturbed + troubles.1);
    }
    println!("{seen:?}, {lost} packets lost, {disturbed} twice or late");
    if count >= LOSSY_PROGRAMS {
        enough(&seen, &[seen.succeeded, seen.received, seen.refused, seen.atomics, seen.bound]);
        enough(&seen, &[seen.through, lost as usize, disturbed as usize]);
        assert_eq!((seen.failed, seen.flushed), (0, 0));
    }
}

//! Which doorbell register each queue pair rings.

mod common;

use common::context;
use common::loops::{Loop, settings};
use doorbell_driver::mlx5::{BlueFlameSettings, WRITE_COMBINING_LOCKED};
use doorbell_tracer::{Clock, Full, Kind, Tracer};
use std::collections::BTreeSet;

/// What a post did with its register: the page's number in the trace, the offset, and whether the
/// register's lock was taken.
fn rung(one: &Loop, tracer: &Tracer) -> (u64, u64, bool) {
    tracer.take();
    one.post(1);
    let mut found = None;
    let mut locked = false;
    for record in tracer.take() {
        match record.kind {
            Kind::Lock { lock, .. } => locked |= lock.as_ref() == "bf.lock",
            Kind::RegisterWrite { region, offset, .. } if found.is_none() => {
                found = Some((u64::from(region.0), offset));
            }
            _ => {}
        }
    }
    let (page, offset) = found.expect("a register was written");
    (page, offset, locked)
}

/// The register that an offset lies in.
fn register((page, offset, _): (u64, u64, bool)) -> (u64, u64) {
    (page, offset / 512)
}

#[test]
fn the_first_queue_pairs_have_a_register_each_and_the_others_share_with_a_lock() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(BlueFlameSettings::default(), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let loops: Vec<Loop> = (0..19).map(|_| Loop::new(&pd)).collect();
    let rung: Vec<_> = loops.iter().map(|one| rung(one, &tracer)).collect();
    let locked: Vec<bool> = rung.iter().map(|one| one.2).collect();
    assert_eq!(locked, [[false; 4].as_slice(), &[true; 15]].concat());
    let registers: Vec<_> = rung.iter().map(|one| register(*one)).collect();
    let first: BTreeSet<_> = registers[..16].iter().collect();
    assert_eq!(first.len(), 16, "sixteen registers for the first sixteen");
    assert_eq!(registers[16..], registers[4..7], "then those with a lock are shared in turn");
}

#[test]
fn a_register_that_was_given_back_is_given_again() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(settings(4, 2), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let mut loops: Vec<Loop> = (0..4).map(|_| Loop::new(&pd)).collect();
    let before: Vec<_> = loops.iter().map(|one| register(rung(one, &tracer))).collect();
    // The second of the dedicated ones, and then the second of those with a lock.
    for gone in [1, 3] {
        drop(loops.remove(gone));
        loops.insert(gone, Loop::new(&pd));
        assert_eq!(register(rung(&loops[gone], &tracer)), before[gone]);
    }
}

#[test]
fn a_shared_register_is_locked_in_place_of_the_barrier() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(settings(2, 1), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let loops = [0; 3].map(|_| Loop::new(&pd));
    tracer.take();
    loops[2].post(1);
    let told: Vec<String> = tracer
        .take()
        .into_iter()
        .filter_map(|record| match record.kind {
            Kind::Lock { lock, action } if lock.as_ref() == "bf.lock" => {
                Some(format!("{action:?}"))
            }
            Kind::Barrier { name, .. } => Some(name.to_string()),
            Kind::RegisterWrite { .. } => Some("register".to_owned()),
            _ => None,
        })
        .take(6)
        .collect();
    let locked = WRITE_COMBINING_LOCKED.name;
    let order = ["to_device", "Acquired", locked, "register", "flush_writes", "Released"];
    assert_eq!(told, order);
}

#[test]
fn the_buffers_of_a_shared_register_take_turns_whoever_rings() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(settings(2, 1), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let loops: Vec<Loop> = (0..4).map(|_| Loop::new(&pd)).collect();
    // A page has two registers. The first page is for one queue pair each; the third and the fourth
    // have the second page's, with a lock, and the fifth shares that of the third.
    let shared = Loop::new(&pd);
    let (one, other) = (&loops[2], &shared);
    let first = rung(one, &tracer);
    assert_eq!(register(first), register(rung(other, &tracer)));
    let mut last = rung(one, &tracer).1;
    for who in [other, other, one, one, other, one] {
        let next = rung(who, &tracer).1;
        assert_eq!(next ^ last, 256);
        last = next;
    }
}

#[test]
fn without_blueflame_all_ring_one_register_with_eight_bytes() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(BlueFlameSettings { forbidden: true, ..Default::default() }, &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let loops: Vec<Loop> = (0..6).map(|_| Loop::new(&pd)).collect();
    let first = rung(&loops[0], &tracer);
    assert_eq!((first.1, first.2), (0x800, false));
    for one in loops.iter().chain(&loops) {
        assert_eq!(rung(one, &tracer), first);
    }
}

#[test]
fn the_queue_pairs_of_a_thread_domain_ring_one_register_without_a_lock() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let context = context(settings(2, 1), &tracer);
    let pd = context.alloc_pd().expect("a protection domain");
    let domains = [0; 3].map(|_| context.alloc_td().expect("a thread domain"));
    let mut seen = BTreeSet::new();
    for domain in &domains {
        let parent = pd.for_thread(domain);
        assert_eq!(parent.number(), pd.number());
        let loops = [0; 3].map(|_| Loop::new(&parent));
        let rung: Vec<_> = loops.iter().map(|one| rung(one, &tracer)).collect();
        assert!(rung.iter().all(|one| !one.2));
        let registers: BTreeSet<_> = rung.into_iter().map(register).collect();
        assert_eq!(registers.len(), 1);
        seen.extend(registers);
    }
    assert_eq!(seen.len(), 3, "each thread has its own");
    // They are not counted with the others: the first queue pair still gets a dedicated register.
    let own = rung(&Loop::new(&pd), &tracer);
    assert!(!own.2 && !seen.contains(&register(own)));
    // And one that was given back is given again.
    drop(domains);
    let parent = pd.for_thread(&context.alloc_td().expect("a thread domain"));
    let again: Vec<_> = [0; 3].map(|_| register(rung(&Loop::new(&parent), &tracer))).into();
    assert!(again.iter().all(|one| *one == again[0]));
}

//! The watcher is watched: what it is there for, it sees.

use crate::support::Memory;
use crate::told::{Access, is_for};
use crate::watch::{Grant, Rules, Seen, Watched, What, uses};
use crate::world::*;
use doorbell_card::Host;
use doorbell_prm::wqe::SendOpcode;
use std::sync::Arc;

const RING: Grant = Grant { what: What::SendRing, number: 1, uses: 0 };
const BUFFER: Grant = Grant { what: What::Data, number: 2, uses: uses::READS | uses::WRITES };

/// A page with a ring of 64 bytes, at once behind it data of 64 bytes of which the card may write all and
/// read the first half, and nothing behind that.
fn rules() -> Rules {
    let mut rules = Rules::new(PAGE as usize);
    rules.grant(RING, &[(BASE, 64)]);
    rules.grant(BUFFER, &[(BASE + 64, 64)]);
    rules.allow_writes(BASE + 64, 32, true);
    rules.allow_writes(BASE + 96, 32, false);
    rules
}

#[test]
fn an_access_keeps_to_the_bytes_of_one_owner() {
    let rules = rules();
    let wrong = |at: u64, length, is_write| match rules.check(BASE + at, length, is_write) {
        Ok(grant) => panic!("{at} {length} {is_write} is taken for {grant:?}"),
        Err(wrong) => wrong,
    };
    for (at, length, is_write) in [(0, 64, false), (64, 32, false), (64, 64, true), (127, 1, true)]
    {
        assert!(rules.check(BASE + at, length, is_write).is_ok(), "{at} {length} {is_write}");
    }
    assert!(wrong(60, 8, false).contains("goes beyond"));
    assert!(wrong(120, 9, true).contains("goes beyond"));
    assert!(wrong(128, 1, false).contains("nothing was handed over"));
    assert!(wrong(0, 8, true).contains("no right"), "a write into a send ring");
    assert!(wrong(90, 8, false).contains("no right"), "a read of what is only to be written");
    assert!(wrong(PAGE, 1, false).contains("outside the memory"));
    assert!(wrong(PAGE - 1, 2, true).contains("outside the memory"));
    assert!(rules.check(BASE - 1, 1, false).is_err());
    assert!(rules.check(u64::MAX, 2, false).is_err());
}

#[test]
fn what_was_taken_back_is_nobodys() {
    let mut rules = rules();
    rules.revoke(What::SendRing, 2);
    assert!(rules.check(BASE, 8, false).is_ok(), "another one's");
    rules.revoke(What::SendRing, 1);
    assert!(rules.check(BASE, 8, false).is_err());
    assert!(rules.check(BASE + 64, 8, false).is_ok());
}

#[test]
fn memory_is_used_for_what_its_key_allows() {
    let access = |why: &str, is_write| Access { is_write, address: 0, length: 8, why: why.into() };
    let write = access("RDMA write into memory", true);
    let local = Grant { uses: uses::LOCAL_READ | uses::LOCAL_WRITE, ..BUFFER };
    assert!(is_for(&BUFFER, &write, false));
    assert!(!is_for(&local, &write, false), "a key without the remote right");
    assert!(is_for(&local, &write, true), "a window reaches through local rights");
    assert!(!is_for(&RING, &write, true));
    assert!(!is_for(&RING, &access("CQE owner bit", true), false));
    assert!(
        !is_for(&BUFFER, &access("WQE fetch", false), false),
        "a WQE that is no part of a ring"
    );
    assert!(!is_for(&BUFFER, &access("a reason that nobody has heard of", false), false));
}

/// An access that breaks the rules is refused and noted, and so is an interrupt that there is not.
#[test]
fn the_watched_memory_notes_what_is_wrong() {
    let (mut memory, rules, mut seen) = (Memory::new(1), rules(), Seen::default());
    let rules = Some(&rules);
    let mut host = Watched { memory: &mut memory, rules, seen: &mut seen, most_in_step: 10 };
    assert!(host.dma_write(BASE + 64, &[7; 8]).is_ok());
    assert!(host.dma_write(BASE, &[7; 8]).is_err());
    assert!(host.dma_read(BASE + 200, &mut [0; 8]).is_err());
    host.interrupt(32);
    assert_eq!(memory.get(BASE, 1), [0], "nothing was written");
    assert_eq!(memory.get(BASE + 64, 1), [7]);
    assert_eq!(seen.wrong.len(), 3, "{:?}", seen.wrong);
}

/// A world in which queue pair 0 has posted a write of 1,500 bytes to queue pair 1.
fn writing() -> World {
    let mut world = World::new(1, true, &Arc::default());
    let key = world.it.key;
    let wqe = rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 1500, key));
    let head = world.it.place(0, &wqe);
    world.write((u64::from(world.it.uar) << 12) + 0x800, &head);
    world
}

#[test]
fn a_card_that_keeps_to_the_rules_passes() {
    let mut world = writing();
    world.rest();
    assert_eq!(world.it.outcomes(0), [Outcome::Done(0, 0)]);
}

#[test]
#[should_panic(expected = "nothing was handed over")]
fn memory_that_was_not_handed_over_is_missed() {
    let mut world = writing();
    let key = world.it.key >> 8;
    world.rules.as_mut().expect("rules").revoke(What::Data, key);
    world.rest();
}

#[test]
#[should_panic(expected = "is not for")]
fn memory_that_is_not_for_remote_writes_is_missed() {
    let mut world = writing();
    world.windows.clear();
    let (key, pages) = (world.it.key, world.it.pages.clone());
    let rules = world.rules.as_mut().expect("rules");
    rules.revoke(What::Data, key >> 8);
    let may = Grant { what: What::Data, number: key >> 8, uses: uses::LOCAL_READ };
    let stretches: Vec<_> = pages.iter().map(|page| (*page, PAGE)).collect();
    rules.grant(may, &stretches);
    pages.iter().for_each(|page| rules.allow_writes(*page, PAGE, true));
    world.rest();
}

#[test]
#[should_panic(expected = "the card does not come to rest")]
fn a_card_that_does_not_rest_is_a_hang() {
    let mut world = writing();
    world.steps_to_rest = 3;
    world.rest();
}

#[test]
#[should_panic(expected = "one step of the card has no end")]
fn a_step_with_too_many_accesses_is_a_hang() {
    let mut world = writing();
    world.most_in_step = 1;
    world.rest();
}

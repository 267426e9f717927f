//! UAR pages that are mapped memory: the card looks at doorbell records.

mod support;

use doorbell_card::CardConfig;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::doorbell::CqDoorbellRecord;
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::{Clock, Full, Tracer};
use support::data::{Outcome::*, *};
use support::*;

/// A card all of whose UAR pages are mapped.
fn mapped(tracer: Tracer) -> Setup {
    let mut config = CardConfig::infiniband(7);
    config.mapped_uars = doorbell_card::FIRST_UAR..doorbell_card::FIRST_UAR + config.uars;
    Setup::with(Machine::of(config, tracer).brought_up(), Connection::default())
}

fn look(it: &mut Setup) {
    it.machine.card.look();
    it.machine.settle();
}

/// Arms by the record alone.
fn arm(it: &mut Setup, pair: usize, sequence: u32, solicited_only: bool) {
    let queue = it.cqs[it.pairs[pair].cq];
    let mut record = CqDoorbellRecord::zeroed();
    record.set_consumer_index(queue.consumer);
    record.set_arm_sequence(sequence);
    record.set_arm_consumer_index(queue.consumer);
    record.set_solicited_only(solicited_only.into());
    it.machine.memory.put(queue.record, record.as_bytes());
    look(it);
}

fn events(it: &mut Setup) -> usize {
    std::iter::from_fn(|| it.event()).count()
}

#[test]
fn what_was_posted_is_found_by_looking() {
    let mut it = mapped(Tracer::off());
    it.receive(1, &[(VIRTUAL, 64)]);
    it.place(0, &send_inline(b"seen"));
    it.machine.settle();
    assert_eq!(it.outcomes(0), [], "nobody told the card");
    look(&mut it);
    assert_eq!(it.get(VIRTUAL, 4), b"seen");
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
}

#[test]
fn a_look_that_finds_nothing_leaves_no_trace() {
    let tracer = Tracer::new(Full::new(), Clock::Logical);
    let mut it = mapped(tracer.clone());
    let before = tracer.take().len();
    assert!(before > 0);
    for _ in 0..100 {
        look(&mut it);
    }
    assert_eq!(tracer.take().len(), 0);
    // Not even for a queue pair that failed.
    it.machine.command(doorbell_prm::commands::ToErrQpIn::new().set_qpn(it.pairs[0].qpn), &[]);
    it.machine.settle();
    tracer.take();
    for _ in 0..100 {
        look(&mut it);
    }
    assert_eq!(tracer.take().len(), 0);
    it.place(0, &send_inline(b"flushed"));
    look(&mut it);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::WorkRequestFlushed, 0)]);
}

#[test]
fn a_completion_queue_is_armed_from_the_start_and_then_by_its_record() {
    let mut it = mapped(Tracer::off());
    it.receive(1, &[(VIRTUAL, 64)]);
    it.receive(1, &[(VIRTUAL, 64)]);
    it.receive(1, &[(VIRTUAL, 64)]);
    for _ in 0..2 {
        it.place(0, &send_inline(b"x"));
    }
    look(&mut it);
    assert_eq!(events(&mut it), 2, "one for each queue, not for each entry");
    it.outcomes(1);
    arm(&mut it, 1, 1, false);
    assert_eq!(events(&mut it), 0);
    it.place(0, &send_inline(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 1);
    arm(&mut it, 1, 2, false);
    assert_eq!(events(&mut it), 0, "an event told of that entry");
    it.receive(1, &[(VIRTUAL, 64)]);
    it.place(0, &send_inline(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 1);
    // An entry that came when nothing was armed raises the event at once.
    it.receive(1, &[(VIRTUAL, 64)]);
    it.place(0, &send_inline(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 0);
    arm(&mut it, 1, 3, false);
    assert_eq!(events(&mut it), 1);
}

#[test]
fn a_solicited_entry_that_came_before_the_arming_was_seen_counts() {
    let mut it = mapped(Tracer::off());
    for _ in 0..3 {
        it.receive(1, &[(VIRTUAL, 64)]);
    }
    let solicited = |bytes: &[u8]| {
        let mut wqe = send_inline(bytes);
        wqe[11] |= doorbell_prm::wqe::CONTROL_SOLICITED;
        wqe
    };
    it.place(0, &solicited(b"x"));
    look(&mut it);
    events(&mut it);
    it.outcomes(1);
    arm(&mut it, 1, 1, true);
    assert_eq!(events(&mut it), 0, "that one was seen");
    it.place(0, &send_inline(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 0, "not solicited");
    it.place(0, &solicited(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 1);
    arm(&mut it, 1, 2, true);
    assert_eq!(events(&mut it), 0, "an event told of that one");
    it.outcomes(1);
    arm(&mut it, 1, 3, true);
    it.receive(1, &[(VIRTUAL, 64)]);
    it.place(0, &solicited(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 1);
    it.receive(1, &[(VIRTUAL, 64)]);
    it.place(0, &solicited(b"x"));
    look(&mut it);
    assert_eq!(events(&mut it), 0, "not armed");
    arm(&mut it, 1, 0, true);
    assert_eq!(events(&mut it), 1, "it came before, and no event told of it");
}

#[test]
fn pages_that_are_not_mapped_are_not_looked_at() {
    let mut it = Setup::new();
    it.receive(1, &[(VIRTUAL, 64)]);
    it.place(0, &send_inline(b"unseen"));
    look(&mut it);
    assert_eq!(it.outcomes(0), []);
}

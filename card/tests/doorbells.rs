//! Doorbells, BlueFlame, and what wakes software: who rings, what the card looks at, what it says.

mod support;

use doorbell_prm::commands::QpState;
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::eqe::{CompletionEventData, EventType};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::FromBytes;
use support::data::{Outcome::*, *};

const REQ: u8 = CqeOpcode::Requester.code();

#[test]
fn blueflame_saves_the_fetch() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(VIRTUAL, &pattern(64));
    let write = rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 64, key));
    it.place(0, &write);
    let ring = it.pairs[0].buffer + RQ_BYTES;
    let burst = it.machine.memory.get(ring, 64).to_vec();
    // What lies in the ring is overwritten: the card must use what came through the register.
    it.machine.memory.put(ring, &[0xee; 64]);
    it.machine.memory.accesses.clear();
    it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &burst);
    it.machine.settle();
    assert_eq!(it.get(VIRTUAL + 0x8000, 64), pattern(64));
    assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
    let fetched = it.machine.memory.accesses.iter().any(|access| access.0 == ring);
    assert!(!fetched, "no DMA read of the WQE");
}

#[test]
fn a_blueflame_wqe_of_two_blocks_comes_in_two_bursts_to_either_buffer() {
    for buffer in [0x800, 0x900] {
        let mut it = Setup::new();
        it.receive(1, &[(VIRTUAL + 0x5000, 200)]);
        it.place(0, &send_inline(&pattern(100)));
        let ring = it.pairs[0].buffer + RQ_BYTES;
        let bytes = it.machine.memory.get(ring, 128).to_vec();
        it.machine.memory.put(ring, &[0xee; 128]);
        let at = (u64::from(it.uar) << 12) + buffer;
        it.machine.card.write(at, &bytes[..64]);
        it.machine.card.write(at + 64, &bytes[64..]);
        it.machine.settle();
        assert_eq!(it.get(VIRTUAL + 0x5000, 100), pattern(100));
    }
}

#[test]
fn an_incomplete_or_old_burst_is_only_a_doorbell() {
    let mut it = Setup::new();
    it.receive(1, &[(VIRTUAL + 0x5000, 200)]);
    it.receive(1, &[(VIRTUAL + 0x6000, 200)]);
    it.place(0, &send_inline(&pattern(100)));
    let ring = it.pairs[0].buffer + RQ_BYTES;
    let burst = it.machine.memory.get(ring, 64).to_vec();
    it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &burst);
    it.machine.settle();
    assert_eq!(it.get(VIRTUAL + 0x5000, 100), pattern(100), "fetched from the ring");
    // The burst of a WQE that is not the next one.
    it.place(0, &send_inline(b"first"));
    let last = it.place(0, &send_inline(b"second"));
    it.receive(1, &[(VIRTUAL + 0x7000, 200)]);
    let mut burst = it.machine.memory.get(ring + 192, 64).to_vec();
    burst[..8].copy_from_slice(&last);
    it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &burst);
    it.machine.settle();
    assert_eq!(it.get(VIRTUAL + 0x6000, 5), b"first");
    assert_eq!(it.get(VIRTUAL + 0x7000, 6), b"second");
}

#[test]
fn nothing_happens_before_the_doorbell() {
    let mut it = Setup::new();
    it.place(0, &wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]));
    it.machine.settle();
    assert_eq!(it.poll(0), None);
}

#[test]
fn a_doorbell_whose_record_says_nothing_new_does_nothing() {
    let mut it = Setup::new();
    let head = it.place(0, &wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]));
    let record = it.pairs[0].record;
    it.machine.memory.put(record + 4, &[0; 4]);
    it.doorbell(head);
    assert_eq!(it.poll(0), None);
    it.machine.memory.put(record + 4, &1_u32.to_be_bytes());
    it.doorbell(head);
    assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
}

#[test]
fn a_doorbell_from_another_page_or_for_nobody_is_ignored() {
    let mut it = Setup::new();
    use doorbell_prm::commands::AllocUarIn;
    let other = it.machine.command(&AllocUarIn::new(), &[]).uar();
    let head = it.place(0, &wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]));
    it.machine.card.write((u64::from(other) << 12) + 0x800, &head);
    it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &[0, 0, 0, 0, 0xff, 0xff, 0, 1]);
    it.machine.card.write((u64::from(it.uar + 7) << 12) + 0x800, &head);
    it.machine.settle();
    assert_eq!(it.poll(0), None);
    it.doorbell(head);
    assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
}

#[test]
fn an_armed_completion_queue_raises_one_event_and_an_armed_event_queue_one_interrupt() {
    let mut it = Setup::new();
    let nop = || wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    it.arm_eq();
    it.post(0, &[nop()]);
    assert_eq!(it.event(), None, "the completion queue is not armed");
    it.arm_cq(0, false);
    let event = it.event().expect("arming finds the completion that was not seen");
    assert_eq!(event.event_type, EventType::Completion.code());
    let data = CompletionEventData::read_from_bytes(&event.event_data).unwrap();
    assert_eq!(data.cq_number(), it.cqs[0].number);
    assert_eq!(it.machine.memory.interrupts, [3]);
    it.outcomes(0);
    it.arm_cq(0, false);
    it.post(0, &[nop(), nop()]);
    assert!(it.event().is_some());
    assert_eq!(it.event(), None, "one event for both");
    assert_eq!(it.machine.memory.interrupts, [3], "the event queue was not armed again");
    it.arm_eq();
    assert_eq!(it.machine.memory.interrupts, [3]);
}

/// What perftest does with `-e`: it posts, takes an event, arms the queue, and only then polls.
#[test]
fn a_queue_that_is_armed_before_it_is_polled_raises_one_event_for_each_entry() {
    let mut it = Setup::new();
    let nop = || wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    it.arm_cq(0, false);
    for turn in 0..5 {
        it.post(0, &[nop()]);
        assert!(it.event().is_some(), "turn {turn}");
        it.arm_cq(0, false);
        assert_eq!(it.event(), None, "turn {turn}: an event has told of that entry");
        assert!(it.poll(0).is_some(), "turn {turn}");
        assert_eq!(it.poll(0), None, "turn {turn}");
    }
}

#[test]
fn arming_behind_an_entry_that_no_event_told_of_raises_one() {
    let mut it = Setup::new();
    let nop = || wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    it.arm_cq(0, false);
    it.post(0, &[nop()]);
    assert!(it.event().is_some());
    // Not armed again yet: this one goes by in silence, and the first is not even polled.
    it.post(0, &[nop()]);
    assert_eq!(it.event(), None);
    it.arm_cq(0, false);
    assert!(it.event().is_some(), "no event told of the second");
    // One that was polled before the arming is no news.
    it.post(0, &[nop()]);
    assert_eq!(it.outcomes(0).len(), 3);
    it.arm_cq(0, false);
    assert_eq!(it.event(), None);
}

#[test]
fn arming_for_solicited_completions_waits_for_one() {
    let mut it = Setup::new();
    for _ in 0..2 {
        it.receive(1, &[]);
    }
    it.arm_cq(1, true);
    it.post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[])]);
    assert_eq!(it.event(), None);
    let flags = CONTROL_CQ_UPDATE | CONTROL_SOLICITED;
    it.post(0, &[wqe(SendOpcode::Send, flags, 0, &[])]);
    assert!(it.event().is_some());
    it.poll(1);
    assert_eq!(it.poll(1).map(|cqe| cqe.solicited()), Some(1));
}

#[test]
fn the_owner_byte_of_a_cqe_is_written_last() {
    let mut it = Setup::new();
    it.machine.memory.accesses.clear();
    it.post(0, &[wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[])]);
    let buffer = it.cqs[0].buffer;
    let writes = it.machine.memory.accesses.iter().filter(|access| access.2);
    let writes: Vec<_> = writes.map(|access| (access.0, access.1)).collect();
    assert_eq!(writes, [(buffer, 63), (buffer + 63, 1)]);
}

/// A record that claims more than the queue has room for: the queue pair fails, and nothing is flushed
/// that was never posted.
#[test]
fn a_record_that_is_ahead_of_its_queue_posts_nothing() {
    let mut it = Setup::new();
    let head = it.place(0, &wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]));
    let record = it.pairs[0].record;
    it.machine.memory.put(record + 4, &17_u32.to_be_bytes());
    it.doorbell(head);
    assert_eq!(it.state(0), QpState::Error);
    let event = it.event().map(|event| event.event_type);
    assert_eq!(event, Some(EventType::WorkQueueCatastrophicError.code()));
    assert_eq!(it.outcomes(0), []);
    // Once it says something that can be true, that is flushed.
    it.machine.memory.put(record + 4, &1_u32.to_be_bytes());
    it.doorbell(head);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::WorkRequestFlushed, 0)]);
}

#[test]
fn a_receive_counter_that_is_ahead_of_its_queue_posts_nothing() {
    let mut it = Setup::new();
    let record = it.pairs[1].record;
    it.machine.memory.put(record, &9_u32.to_be_bytes());
    it.post(0, &[send_inline(b"hello")]);
    assert_eq!(it.state(1), QpState::Error);
    assert_eq!(it.outcomes(1), []);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::RemoteOperationError, 0)]);
}

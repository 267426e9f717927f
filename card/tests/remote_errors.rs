//! What the other side refuses, or does not answer, and what either side hears of it.

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeOpcode;
use doorbell_prm::cqe::CqeSyndrome::{self, *};
use doorbell_prm::eqe::{EventType, QpEventData};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};

/// What happens on either side when the other side refuses a write or read.
fn refused_by_the_other_side(
    it: &mut Setup,
    bad: Vec<u8>,
    syndrome: CqeSyndrome,
    event: EventType,
) {
    fails_with(it, bad, syndrome);
    assert_eq!(it.state(1), QpState::Error);
    let found = it.event().expect("the other side has an event");
    assert_eq!(found.event_type, event.code());
    let data = QpEventData::read_from_bytes(&found.event_data).unwrap();
    assert_eq!(data.qpn_rqn_sqn(), it.pairs[1].qpn);
}

#[test]
fn an_rkey_that_does_not_serve() {
    use EventType::WorkQueueAccessError;
    let mut cases = Vec::new();
    for (address, key_change) in [(VIRTUAL, 1), (VIRTUAL - 1, 0), (VIRTUAL + 16 * 4096 - 10, 0)] {
        cases.push((SendOpcode::RdmaWrite, address, key_change));
        cases.push((SendOpcode::RdmaRead, address, key_change));
    }
    for (opcode, address, change) in cases {
        let mut it = Setup::new();
        let bad = rdma(opcode, (address, it.key ^ change), (VIRTUAL, 64, it.key));
        refused_by_the_other_side(&mut it, bad, RemoteAccessError, WorkQueueAccessError);
    }
}

#[test]
fn an_rkey_without_the_right() {
    for opcode in [SendOpcode::RdmaWrite, SendOpcode::RdmaRead] {
        let mut it = Setup::new();
        let (pd, pages) = (it.pd, it.pages.clone());
        let key = register(&mut it.machine, pd, &pages, |key| {
            key.set_rw(false).set_rr(false);
        });
        let bad = rdma(opcode, (VIRTUAL, key), (VIRTUAL, 64, key));
        let event = EventType::WorkQueueAccessError;
        refused_by_the_other_side(&mut it, bad, RemoteAccessError, event);
    }
}

#[test]
fn a_queue_pair_that_allows_no_remote_access() {
    for opcode in [SendOpcode::RdmaWrite, SendOpcode::RdmaRead] {
        let mut it = Setup::new();
        let connection = Connection::default();
        it.machine.command(ToRstQpIn::new().set_qpn(it.pairs[1].qpn), &[]);
        let (mut init, remote) = (it.to_init(it.pairs[1].qpn), it.pairs[0].qpn);
        init.qpc_mut().set_rre(false).set_rwe(false);
        it.machine.command(&init, &[]);
        let rtr = it.to_rtr(it.pairs[1].qpn, remote, connection);
        it.machine.command(&rtr, &[]);
        let bad = rdma(opcode, (VIRTUAL, it.key), (VIRTUAL, 64, it.key));
        let event = EventType::WorkQueueInvalidRequest;
        refused_by_the_other_side(&mut it, bad, RemoteInvalidRequest, event);
    }
}

#[test]
fn nothing_is_written_by_a_write_that_is_refused() {
    let mut it = Setup::new();
    it.put(VIRTUAL, &[7; 300]);
    // The second packet would lie outside.
    let bad =
        rdma(SendOpcode::RdmaWrite, (VIRTUAL + 16 * 4096 - 256, it.key), (VIRTUAL, 300, it.key));
    it.post(0, &[bad]);
    assert_eq!(it.outcomes(0), [Failed(RemoteAccessError, 0)]);
    assert_eq!(it.get(VIRTUAL + 16 * 4096 - 256, 256), [0; 256]);
}

#[test]
fn no_receive_posted() {
    let mut it = Setup::new();
    let bad = send_inline(b"nobody listens");
    fails_with(&mut it, bad, RnrRetryExceeded);
    assert_eq!(it.state(1), QpState::ReadyToSend, "the other side is well");
}

#[test]
fn a_receive_posted_late_is_in_time_for_a_patient_sender() {
    let mut it = Setup::connected(Connection { rnr_retry: 7, ..Connection::default() });
    it.put(VIRTUAL, &[9; 600]);
    let data = DataSegment::new(600, it.key, VIRTUAL);
    it.post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[data.as_bytes()])]);
    it.machine.settle();
    assert_eq!(it.outcomes(0), []);
    it.receive(1, &[(VIRTUAL + 0x5000, 600)]);
    it.machine.settle();
    assert_eq!(it.outcomes(0), [Done(CqeOpcode::Requester.code(), 0)]);
    assert_eq!(it.get(VIRTUAL + 0x5000, 600), [9; 600]);
}

#[test]
fn a_write_with_immediate_data_that_finds_no_receive_changes_nothing() {
    let mut it = Setup::new();
    it.put(VIRTUAL, &[9; 64]);
    let remote = RemoteAddressSegment::new(VIRTUAL + 0x5000, it.key);
    let data = DataSegment::new(64, it.key, VIRTUAL);
    let segments: [&[u8]; 2] = [remote.as_bytes(), data.as_bytes()];
    it.post(0, &[wqe(SendOpcode::RdmaWriteImmediate, 0, 0, &segments)]);
    assert_eq!(it.outcomes(0), [Failed(RnrRetryExceeded, 0)]);
    assert_eq!(it.get(VIRTUAL + 0x5000, 64), [0; 64]);
}

#[test]
fn a_silent_peer() {
    let mut it = Setup::new();
    it.machine.command(ToRstQpIn::new().set_qpn(it.pairs[1].qpn), &[]);
    let bad = write_from(&it, VIRTUAL, 64, it.key);
    fails_with(&mut it, bad, TransportRetryExceeded);
}

#[test]
fn a_receive_that_is_too_short() {
    let mut it = Setup::new();
    it.receive(1, &[(VIRTUAL + 0x5000, 20)]);
    it.receive(1, &[]);
    fails_with(&mut it, send_inline(&[1; 21]), RemoteInvalidRequest);
    let expected = [Failed(LocalLengthError, 0), Failed(WorkRequestFlushed, 1)];
    assert_eq!(it.outcomes(1), expected);
    assert_eq!(it.state(1), QpState::Error);
}

#[test]
fn a_receive_with_a_key_that_does_not_serve() {
    let mut it = Setup::new();
    let segment = DataSegment::new(100, 0x1234, VIRTUAL);
    it.raw_receive(1, &[segment.as_bytes(), DataSegment::end_of_list().as_bytes()].concat());
    fails_with(&mut it, send_inline(&[1; 21]), RemoteOperationError);
    assert_eq!(it.outcomes(1), [Failed(LocalProtectionError, 0)]);
}

#[test]
fn registered_memory_that_is_not_mapped() {
    let mut it = Setup::new();
    let pd = it.pd;
    let nowhere = register(&mut it.machine, pd, &[0x7000_0000], |_| ());
    let bad = write_from(&it, VIRTUAL, 64, nowhere);
    fails_with(&mut it, bad, LocalQpOperationError);
    let mut it = Setup::new();
    let nowhere = register(&mut it.machine, pd, &[0x7000_0000], |_| ());
    let bad = rdma(SendOpcode::RdmaWrite, (VIRTUAL, nowhere), (VIRTUAL, 64, it.key));
    fails_with(&mut it, bad, RemoteOperationError);
}

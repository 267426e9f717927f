//! What this side can see to be wrong is reported with the syndrome that names it, the queue pair
//! goes to the error state, and what was posted behind it is flushed.

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome::*;
use doorbell_prm::cqe::{CqeOpcode, ErrorCqe};
use doorbell_prm::eqe::{CqErrorEventData, EventType};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};

/// A write whose control segment is changed after it was built.
fn changed(it: &Setup, change: impl Fn(&mut ControlSegment)) -> Vec<u8> {
    let mut bytes = rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, it.key), (VIRTUAL, 64, it.key));
    change(ControlSegment::mut_from_prefix(&mut bytes).unwrap().0);
    bytes
}

#[test]
fn an_unknown_opcode() {
    for opcode in [0x3f, SendOpcode::AtomicMaskedFetchAdd.code(), SendOpcode::Umr.code()] {
        let mut it = Setup::new();
        let bad = changed(&it, |control| control.set_opcode(opcode.into()));
        fails_with(&mut it, bad, LocalQpOperationError);
    }
}

#[test]
fn a_ds_count_of_0() {
    let mut it = Setup::new();
    let bad = changed(&it, |control| control.set_ds(0));
    fails_with(&mut it, bad, LocalQpOperationError);
}

#[test]
fn a_ds_count_of_63() {
    let mut it = Setup::new();
    let bad = changed(&it, |control| control.set_ds(63));
    let head = it.place(0, &bad);
    it.doorbell(head);
    assert_eq!(it.outcomes(0), [Failed(LocalQpOperationError, 0)]);
    assert_eq!(it.state(0), QpState::Error);
}

#[test]
fn a_ds_count_that_cuts_a_segment_off() {
    for ds in [1, 2] {
        let mut it = Setup::new();
        let bad = changed(&it, |control| control.set_ds(ds));
        if ds == 2 {
            // Without data the write is empty, and that is allowed.
            it.post(0, &[bad]);
            assert_eq!(it.outcomes(0), [Done(CqeOpcode::Requester.code(), 0)]);
        } else {
            fails_with(&mut it, bad, LocalQpOperationError);
        }
    }
}

#[test]
fn a_control_segment_of_another_wqe_or_queue_pair() {
    let mut it = Setup::new();
    let head = it.place(0, &wqe(SendOpcode::Nop, 0, 0, &[]));
    let at = it.pairs[0].buffer + RQ_BYTES;
    let control = ControlSegment::new(0, 9, 0, it.pairs[0].qpn, 1, 0, 0);
    it.machine.memory.put(at, control.as_bytes());
    it.doorbell(head);
    assert_eq!(it.outcomes(0), [Failed(LocalQpOperationError, 0)]);

    let mut it = Setup::new();
    let head = it.place(0, &wqe(SendOpcode::Nop, 0, 0, &[]));
    let control = ControlSegment::new(0, 0, 0, it.pairs[1].qpn, 1, 0, 0);
    it.machine.memory.put(it.pairs[0].buffer + RQ_BYTES, control.as_bytes());
    it.doorbell(head);
    assert_eq!(it.outcomes(0), [Failed(LocalQpOperationError, 0)]);
}

#[test]
fn an_lkey_that_was_never_registered() {
    let mut it = Setup::new();
    let bad = write_from(&it, VIRTUAL, 64, 0x77700);
    fails_with(&mut it, bad, LocalProtectionError);
    let mut it = Setup::new();
    let bad = write_from(&it, VIRTUAL, 64, it.key ^ 1);
    fails_with(&mut it, bad, LocalProtectionError);
}

#[test]
fn an_address_outside_the_region() {
    for (address, length) in [
        (VIRTUAL - 1, 64),
        (VIRTUAL + 16 * 4096 - 63, 64),
        (VIRTUAL + 16 * 4096, 1),
        (u64::MAX, 64),
        (0, 64),
    ] {
        let mut it = Setup::new();
        let bad = write_from(&it, address, length, it.key);
        fails_with(&mut it, bad, LocalProtectionError);
    }
}

#[test]
fn a_key_without_the_right_or_of_another_domain_or_queue_pair() {
    let other_pd = |it: &mut Setup| it.machine.command(&AllocPdIn::new(), &[]).pd();
    let mut it = Setup::new();
    let pages = it.pages.clone();
    let pd = it.pd;
    let not_readable = register(&mut it.machine, pd, &pages, |key| {
        key.set_lr(false);
    });
    let bad = write_from(&it, VIRTUAL, 64, not_readable);
    fails_with(&mut it, bad, LocalProtectionError);

    let mut it = Setup::new();
    let pd = other_pd(&mut it);
    let foreign = register(&mut it.machine, pd, &pages, |_| ());
    let bad = write_from(&it, VIRTUAL, 64, foreign);
    fails_with(&mut it, bad, LocalProtectionError);

    let mut it = Setup::new();
    let (pd, qpn) = (it.pd, it.pairs[1].qpn);
    let bound = register(&mut it.machine, pd, &pages, |key| {
        key.set_qpn(qpn);
    });
    let bad = write_from(&it, VIRTUAL, 64, bound);
    fails_with(&mut it, bad, LocalProtectionError);

    // A read writes into local memory.
    let mut it = Setup::new();
    let pd = it.pd;
    let not_writable = register(&mut it.machine, pd, &pages, |key| {
        key.set_lw(false);
    });
    let bad = rdma(SendOpcode::RdmaRead, (VIRTUAL, it.key), (VIRTUAL, 64, not_writable));
    fails_with(&mut it, bad, LocalProtectionError);
}

#[test]
fn without_paging_a_translation_entry_need_not_say_that_its_page_is_present() {
    let mut it = Setup::new();
    let (input, mut list) = key_input(it.pd, &it.pages);
    list[7] &= !3;
    let key = it.machine.command(&input, &list).mkey_index() << 8 | 0x42;
    let good = write_from(&it, VIRTUAL, 64, key);
    it.post(0, &[good]);
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
}

#[test]
fn inline_data_that_leaves_its_wqe_or_lies_in_a_read() {
    let mut it = Setup::new();
    let header = InlineHeader::new(61);
    let bad = wqe(SendOpcode::Send, 0, 0, &[header.as_bytes(), &[0; 44]]);
    fails_with(&mut it, bad, LocalQpOperationError);

    let mut it = Setup::new();
    let remote = RemoteAddressSegment::new(VIRTUAL, it.key);
    let header = InlineHeader::new(4);
    let segments: [&[u8]; 3] = [remote.as_bytes(), header.as_bytes(), &[0; 12]];
    fails_with(&mut it, wqe(SendOpcode::RdmaRead, 0, 0, &segments), LocalQpOperationError);
}

#[test]
fn a_byte_count_of_0_stands_for_2_gib() {
    let mut it = Setup::new();
    let bad = write_from(&it, VIRTUAL, 0, it.key);
    fails_with(&mut it, bad, LocalLengthError);
}

#[test]
fn a_message_longer_than_the_connection_allows() {
    let mut it = Setup::connected(Connection { log_msg_max: 6, ..Connection::default() });
    let bad = write_from(&it, VIRTUAL, 65, it.key);
    fails_with(&mut it, bad, LocalLengthError);
}

#[test]
fn work_posted_to_a_failed_queue_pair_is_flushed() {
    let mut it = Setup::new();
    it.machine.command(ToErrQpIn::new().set_qpn(it.pairs[0].qpn), &[]);
    it.post(0, &[send_inline(&[1; 70]), send_inline(b"short")]);
    let flushed = |index| Failed(WorkRequestFlushed, index);
    assert_eq!(it.outcomes(0), [flushed(0), flushed(2)]);
    // A receive rings no doorbell; the card looks by itself.
    it.receive(0, &[]);
    it.machine.settle();
    assert_eq!(it.outcomes(0), [flushed(0)]);
}

/// Reports of ConnectX agree on what is flushed behind a failure. What software itself has stopped is told in
/// more than one way.
#[test]
fn a_flush_tells_whether_a_failure_went_before() {
    let mut it = Setup::new();
    let stopped = |it: &mut Setup| {
        it.machine.command(ToErrQpIn::new().set_qpn(it.pairs[0].qpn), &[]);
        it.post(0, &[send_inline(b"flushed")]);
        it.poll(0).map(|cqe| vendor_syndrome(&cqe))
    };
    assert_eq!(stopped(&mut it), Some(0));

    let mut it = Setup::new();
    let bad = write_from(&it, VIRTUAL, 64, it.key ^ 1);
    it.post(0, &[bad, send_inline(b"flushed")]);
    let told: Vec<u8> =
        std::iter::from_fn(|| it.poll(0)).map(|cqe| vendor_syndrome(&cqe)).collect();
    assert_eq!(told, [0, 0xf9]);
    it.machine.command(ToRstQpIn::new().set_qpn(it.pairs[0].qpn), &[]);
    it.machine.memory.put(it.pairs[0].record, &[0; 8]);
    (it.pairs[0].posted, it.pairs[0].received) = (0, 0);
    it.connect(0, 1, Connection::default());
    assert_eq!(stopped(&mut it), Some(0), "a reset forgets the failure");
}

/// A refused WQE takes all its blocks with it: what is flushed next is the WQE behind it.
#[test]
fn a_refused_wqe_of_several_blocks_is_one_wqe() {
    let changes: [&dyn Fn(&mut ControlSegment); 3] =
        [&|control| control.set_opcode(0x3f), &|control| control.set_wqe_index(9), &|control| {
            control.set_qpn(1)
        }];
    for change in changes {
        let mut it = Setup::new();
        let long = send_inline(&[1; 150]);
        let head = it.place(0, &long);
        let at = it.pairs[0].buffer + RQ_BYTES;
        let mut bytes = it.machine.memory.get(at, 16).to_vec();
        change(ControlSegment::mut_from_bytes(&mut bytes).unwrap());
        it.machine.memory.put(at, &bytes);
        it.place(0, &send_inline(&[2; 70]));
        it.place(0, &wqe(SendOpcode::Nop, 0, 0, &[]));
        it.doorbell(head);
        let flushed = |index| Failed(WorkRequestFlushed, index);
        let expected = [Failed(LocalQpOperationError, 0), flushed(3), flushed(5)];
        assert_eq!(it.outcomes(0), expected);
    }
}

/// A DS count that reaches beyond what is posted says nothing about where the next WQE begins. The
/// card goes on at the next block, so that nothing that was posted is passed over.
#[test]
fn a_wqe_that_is_longer_than_what_is_posted_counts_for_one_block() {
    let mut it = Setup::new();
    let bad = changed(&it, |control| control.set_ds(63));
    let head = it.place(0, &bad[..48]);
    it.place(0, &wqe(SendOpcode::Nop, 0, 0, &[]));
    it.doorbell(head);
    let expected = [Failed(LocalQpOperationError, 0), Failed(WorkRequestFlushed, 1)];
    assert_eq!(it.outcomes(0), expected);
}

#[test]
fn an_error_cqe_names_the_work_request() {
    let mut it = Setup::new();
    it.post(0, &[write_from(&it, 0, 64, it.key)]);
    let cqe = it.poll(0).expect("an error");
    let error = ErrorCqe::read_from_bytes(cqe.as_bytes()).unwrap();
    assert_eq!(error.opcode(), CqeOpcode::RequesterError.code());
    assert_eq!((error.qpn(), error.send_opcode()), (it.pairs[0].qpn, 0x08));
    assert_eq!(error.user_index(), 0xabcd);
    assert_eq!(error.vendor_err_synd, 0, "public reports of a local protection error do not agree");
}

#[test]
fn a_completion_queue_that_overflows() {
    let mut it = Setup::new();
    let nop = wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    it.post(0, &vec![nop.clone(); 16]);
    assert_eq!(it.state(0), QpState::ReadyToSend);
    it.post(0, &[nop]);
    let event = it.event().expect("an event");
    assert_eq!(event.event_type, EventType::CqError.code());
    let data = CqErrorEventData::read_from_bytes(&event.event_data).unwrap();
    assert_eq!((data.cqn(), data.syndrome), (it.cqs[0].number, 1));
    assert_eq!(it.state(0), QpState::Error);
}

#[test]
fn a_doorbell_record_that_makes_no_sense() {
    let mut it = Setup::new();
    let head = it.place(0, &wqe(SendOpcode::Nop, 0, 0, &[]));
    let record = it.pairs[0].record;
    it.machine.memory.put(record + 4, &17_u32.to_be_bytes());
    it.doorbell(head);
    assert_eq!(it.event().map(|event| event.event_type), Some(0x05));
    assert_eq!(it.state(0), QpState::Error);
}

#[test]
fn queues_in_memory_that_is_not_mapped() {
    // The work queue: the list of pages is believed until it is used.
    let mut it = Setup::new();
    let record = it.machine.page();
    let input = it.qp_input(0, record);
    let qpn = it.machine.command(&input, &0x7000_0000_u64.to_be_bytes()).qpn();
    it.pairs[0].qpn = qpn;
    it.connect(0, 1, Connection::default());
    it.machine.memory.put(record + 4, &1_u32.to_be_bytes());
    it.doorbell(ControlSegment::new(0, 0, 0, qpn, 1, 0, 0).as_bytes()[..8].try_into().unwrap());
    assert_eq!(it.state(0), QpState::Error);

    // The doorbell record.
    let mut it = Setup::new();
    let buffer = it.machine.page();
    let input = it.qp_input(0, 0x7000_0000);
    it.pairs[0].qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
    it.connect(0, 1, Connection::default());
    let qpn = it.pairs[0].qpn;
    it.doorbell(ControlSegment::new(0, 0, 0, qpn, 1, 0, 0).as_bytes()[..8].try_into().unwrap());
    assert_eq!(it.state(0), QpState::Error);
}

//! Resources that are just numbers, user contexts, counters, and keys for physical addresses.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::wqe::*;
use support::data::{Outcome::*, *};
use support::*;

#[test]
fn domains_are_given_out_and_taken_back() {
    let mut it = Machine::infiniband();
    let xrcd = it.command(&AllocXrcdIn::new(), &[]).xrcd();
    assert_ne!(it.command(&AllocXrcdIn::new(), &[]).xrcd(), xrcd);
    it.command(DeallocXrcdIn::new().set_xrcd(xrcd), &[]);
    assert_eq!(it.refused(DeallocXrcdIn::new().set_xrcd(xrcd), &[]).0, BadResource);
    let domain = it.command(&AllocTransportDomainIn::new(), &[]).transport_domain();
    let mut dealloc = DeallocTransportDomainIn::new();
    dealloc.set_transport_domain(domain);
    it.command(&dealloc, &[]);
    assert_eq!(it.refused(&dealloc, &[]).0, BadResource);
    for _ in 0..1023 {
        it.command(&AllocTransportDomainIn::new(), &[]);
    }
    assert_eq!(it.refused(&AllocTransportDomainIn::new(), &[]).0, LimitExceeded);
}

#[test]
fn a_user_context_marks_commands() {
    let mut it = Machine::infiniband();
    let mut alloc = AllocPdIn::new();
    assert_eq!(it.refused(alloc.set_uid(1), &[]).0, BadParameter);
    let uid = it.command(&CreateUctxIn::new(), &[]).uid();
    it.command(alloc.set_uid(uid), &[]);
    it.command(alloc.set_uid(0xffff), &[]);
    it.command(DestroyUctxIn::new().set_uid(uid), &[]);
    assert_eq!(it.refused(alloc.set_uid(uid), &[]).0, BadParameter);
    assert_eq!(it.refused(DestroyUctxIn::new().set_uid(uid), &[]).0, BadResource);
}

#[test]
fn a_key_for_physical_addresses_is_the_kernels() {
    let mut it = Setup::new();
    let mut input = CreateMkeyIn::new();
    input
        .memory_key_mkey_entry_mut()
        .set_access_mode_1_0(MkeyAccessMode::Physical.code())
        .set_length64(true)
        .set_lr(true)
        .set_qpn(0xff_ffff)
        .set_pd(it.pd);
    let uid = it.machine.command(&CreateUctxIn::new(), &[]).uid();
    assert_eq!(it.machine.refused(input.set_uid(uid), &[]).0, BadParameter);
    let physical = it.machine.command(input.set_uid(0), &[]).mkey_index() << 8;
    let (page, key) = (it.machine.page(), it.key);
    it.machine.memory.put(page, &pattern(100));
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (page, 100, physical))]);
    assert_eq!(it.get(VIRTUAL + 0x8000, 100), pattern(100));
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
    // It allows no remote access, and its addresses may not wrap around.
    it.post(0, &[rdma(SendOpcode::RdmaRead, (page, physical), (VIRTUAL, 8, key))]);
    let syndrome = doorbell_prm::cqe::CqeSyndrome::RemoteAccessError;
    assert_eq!(it.outcomes(0), [Failed(syndrome, 1)]);
    let mut it = Setup::new();
    let physical = it.machine.command(input.set_uid(0), &[]).mkey_index() << 8;
    let bad = write_from(&it, u64::MAX - 3, 8, physical);
    fails_with(&mut it, bad, doorbell_prm::cqe::CqeSyndrome::LocalProtectionError);
}

#[test]
fn counters_count_what_happens_to_their_queue_pairs() {
    let mut it = Setup::with(Machine::infiniband(), Connection::default());
    let set = it.machine.command(&AllocQCounterIn::new(), &[]).counter_set_id();
    for pair in 0..2 {
        let mut change = Rts2rtsQpIn::new();
        change.set_qpn(it.pairs[pair].qpn).set_opt_param_mask(1 << 25);
        change.qpc_mut().set_counter_set_id(set);
        it.machine.command(&change, &[]);
    }
    let key = it.key;
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 8, key))]);
    it.post(0, &[rdma(SendOpcode::RdmaRead, (VIRTUAL + 0x8000, key), (VIRTUAL, 8, key))]);
    it.post(0, &[atomic_add((VIRTUAL + 0x8000, key), 1, (VIRTUAL, 8, key))]);
    it.post(0, &[send_inline(b"nobody receives")]);
    let mut query = QueryQCounterIn::new();
    query.set_counter_set_id(set).set_clear(true);
    let counted = it.machine.command(&query, &[]);
    assert_eq!((counted.rx_write_requests(), counted.rx_read_requests()), (1, 1));
    assert_eq!(counted.rx_atomic_requests(), 1);
    // The first attempt and two retries.
    assert_eq!((counted.out_of_buffer(), counted.rnr_nak_retry_err()), (3, 3));
    assert_eq!(counted.req_rnr_retries_exceeded(), 1);
    assert_eq!(it.machine.command(&query, &[]).out_of_buffer(), 0, "cleared");
    assert_eq!(it.machine.refused(query.set_other_vport(true), &[]).0, BadParameter);
    it.machine.command(DeallocQCounterIn::new().set_counter_set_id(set), &[]);
    assert_eq!(it.machine.refused(query.set_other_vport(false), &[]).0, BadResource);
}

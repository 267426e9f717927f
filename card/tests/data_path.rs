//! What is posted is executed: bytes arrive, completions say so, in the right order.

mod support;

use doorbell_prm::cqe::CqeOpcode;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::IntoBytes;
use support::data::{Outcome::*, *};

const REQ: u8 = CqeOpcode::Requester.code();

#[test]
fn an_rdma_write_moves_the_bytes_and_completes() {
    let mut it = Setup::new();
    let data = pattern(64);
    it.put(VIRTUAL, &data);
    let key = it.key;
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 64, key))]);
    assert_eq!(it.get(VIRTUAL + 0x8000, 64), data);
    let cqe = it.poll(0).expect("a completion");
    assert_eq!(outcome(cqe), Done(REQ, 0));
    assert_eq!((cqe.qpn(), cqe.send_opcode()), (it.pairs[0].qpn, 0x08));
    assert_eq!(cqe.user_index(), 0xabcd);
    assert_eq!(it.poll(0), None);
    assert_eq!(it.poll(1), None, "the responder's side hears nothing");
}

#[test]
fn a_write_of_many_packets_to_pages_in_reverse_order() {
    let mut it = Setup::new();
    let data = pattern(10_000);
    it.put(VIRTUAL + 100, &data);
    let key = it.key;
    let remote = (VIRTUAL + 0x8000 + 4000, key);
    it.post(0, &[rdma(SendOpcode::RdmaWrite, remote, (VIRTUAL + 100, 10_000, key))]);
    assert_eq!(it.get(remote.0, 10_000), data);
    assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
}

#[test]
fn a_list_of_writes_of_which_the_last_is_signalled() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(VIRTUAL, &pattern(256));
    let wqes: Vec<Vec<u8>> = (0..4)
        .map(|number| {
            let remote = RemoteAddressSegment::new(VIRTUAL + 0x8000 + number * 64, key);
            let data = DataSegment::new(64, key, VIRTUAL + number * 64);
            let flags = if number == 3 { CONTROL_CQ_UPDATE } else { 0 };
            wqe(SendOpcode::RdmaWrite, flags, 0, &[remote.as_bytes(), data.as_bytes()])
        })
        .collect();
    it.post(0, &wqes);
    assert_eq!(it.get(VIRTUAL + 0x8000, 256), pattern(256));
    assert_eq!(it.outcomes(0), [Done(REQ, 3)]);
}

#[test]
fn an_inline_send_fills_the_receive() {
    let mut it = Setup::new();
    it.receive(1, &[(VIRTUAL + 0x5000, 10), (VIRTUAL + 0x6000, 100)]);
    it.post(0, &[send_inline(&pattern(32))]);
    assert_eq!(it.get(VIRTUAL + 0x5000, 10), pattern(32)[..10]);
    assert_eq!(it.get(VIRTUAL + 0x6000, 22), pattern(32)[10..]);
    assert_eq!(it.get(VIRTUAL + 0x6000 + 22, 1), [0]);
    let cqe = it.poll(1).expect("the receive completes");
    assert_eq!(outcome(cqe), Done(CqeOpcode::ResponderSend.code(), 0));
    assert_eq!((cqe.byte_cnt.get(), cqe.qpn()), (32, it.pairs[1].qpn));
    assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
}

#[test]
fn a_send_gathers_memory_and_inline_data() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(VIRTUAL + 4090, b"across two pages");
    it.receive(1, &[(VIRTUAL + 0x5000, 100)]);
    let first = DataSegment::new(16, key, VIRTUAL + 4090);
    let header = InlineHeader::new(3);
    let mut inline = [0; 16];
    inline[..4].copy_from_slice(header.as_bytes());
    inline[4..7].copy_from_slice(b" + ");
    let segments: [&[u8]; 3] = [first.as_bytes(), &inline, first.as_bytes()];
    it.post(0, &[wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &segments)]);
    assert_eq!(it.get(VIRTUAL + 0x5000, 35), b"across two pages + across two pages");
    assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
}

#[test]
fn immediate_data_reaches_the_completion() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(VIRTUAL, &pattern(600));
    it.receive(1, &[(VIRTUAL + 0x5000, 600)]);
    it.receive(1, &[]);
    let data = DataSegment::new(600, key, VIRTUAL);
    let remote = RemoteAddressSegment::new(VIRTUAL + 0x6000, key);
    let write: [&[u8]; 2] = [remote.as_bytes(), data.as_bytes()];
    it.post(
        0,
        &[
            wqe(SendOpcode::SendImmediate, CONTROL_CQ_UPDATE, 0x11223344, &[data.as_bytes()]),
            wqe(SendOpcode::RdmaWriteImmediate, CONTROL_CQ_UPDATE, 0x55667788, &write),
        ],
    );
    let send = it.poll(1).expect("send with immediate");
    assert_eq!(outcome(send), Done(CqeOpcode::ResponderSendImmediate.code(), 0));
    assert_eq!((send.imm_inval_pkey.get(), send.byte_cnt.get()), (0x11223344, 600));
    let write = it.poll(1).expect("write with immediate");
    assert_eq!(outcome(write), Done(CqeOpcode::ResponderWriteImmediate.code(), 1));
    assert_eq!((write.imm_inval_pkey.get(), write.byte_cnt.get()), (0x55667788, 600));
    assert_eq!(it.get(VIRTUAL + 0x6000, 600), pattern(600));
    assert_eq!(it.outcomes(0), [Done(REQ, 0), Done(REQ, 1)]);
}

#[test]
fn a_read_fetches_the_other_sides_bytes() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(VIRTUAL + 0x8123, &pattern(1000));
    let remote = RemoteAddressSegment::new(VIRTUAL + 0x8123, key);
    let (one, two) =
        (DataSegment::new(300, key, VIRTUAL), DataSegment::new(700, key, VIRTUAL + 0x1000));
    let segments: [&[u8]; 3] = [remote.as_bytes(), one.as_bytes(), two.as_bytes()];
    it.post(0, &[wqe(SendOpcode::RdmaRead, CONTROL_CQ_UPDATE, 0, &segments)]);
    assert_eq!(it.get(VIRTUAL, 300), pattern(1000)[..300]);
    assert_eq!(it.get(VIRTUAL + 0x1000, 700), pattern(1000)[300..]);
    let cqe = it.poll(0).expect("a completion");
    assert_eq!((outcome(cqe), cqe.byte_cnt.get()), (Done(REQ, 0), 1000));
    // Sequence numbers went on by four responses: what follows still works.
    it.post(0, &[rdma(SendOpcode::RdmaRead, (VIRTUAL + 0x8123, key), (VIRTUAL + 0x2000, 1, key))]);
    assert_eq!(it.outcomes(0), [Done(REQ, 1)]);
}

#[test]
fn messages_without_bytes_and_nops_complete() {
    let mut it = Setup::new();
    it.receive(1, &[]);
    let nop = wqe(SendOpcode::Nop, CONTROL_CQ_UPDATE, 0, &[]);
    let remote = RemoteAddressSegment::new(0, 0);
    let write = wqe(SendOpcode::RdmaWrite, CONTROL_CQ_UPDATE, 0, &[remote.as_bytes()]);
    let read = wqe(SendOpcode::RdmaRead, CONTROL_CQ_UPDATE, 0, &[remote.as_bytes()]);
    let send = wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[]);
    it.post(0, &[nop, write, read, send]);
    assert_eq!(it.outcomes(0), [0, 1, 2, 3].map(|index| Done(REQ, index)));
    assert_eq!(it.outcomes(1), [Done(CqeOpcode::ResponderSend.code(), 0)]);
}

#[test]
fn rings_and_owner_bits_go_around() {
    let mut it = Setup::new();
    for round in 0..70 {
        // Two blocks each: after eight of them the ring begins again.
        it.receive(1, &[(VIRTUAL + 0x5000, 100)]);
        let bytes = vec![round as u8; 70];
        it.post(0, &[send_inline(&bytes)]);
        assert_eq!(it.outcomes(0), [Done(REQ, round * 2)], "round {round}");
        assert_eq!(it.outcomes(1), [Done(CqeOpcode::ResponderSend.code(), round)]);
        assert_eq!(it.get(VIRTUAL + 0x5000, 70), bytes);
    }
}

#[test]
fn a_wqe_that_is_cut_by_the_end_of_the_ring_is_read_whole() {
    let mut it = Setup::new();
    let nop = wqe(SendOpcode::Nop, 0, 0, &[]);
    it.post(0, &vec![nop; 15]);
    it.receive(1, &[(VIRTUAL + 0x5000, 200)]);
    it.post(0, &[send_inline(&pattern(150))]);
    assert_eq!(it.outcomes(0), [Done(REQ, 15)]);
    assert_eq!(it.get(VIRTUAL + 0x5000, 150), pattern(150));
}

#[test]
fn both_sides_may_send_at_once() {
    let mut it = Setup::new();
    let key = it.key;
    it.put(VIRTUAL, &pattern(5000));
    let heads: Vec<_> = (0..2)
        .map(|pair| {
            let remote = VIRTUAL + 0x4000 + pair as u64 * 0x4000;
            it.place(pair, &rdma(SendOpcode::RdmaWrite, (remote, key), (VIRTUAL, 5000, key)))
        })
        .collect();
    for head in heads {
        it.machine.card.write((u64::from(it.uar) << 12) + 0x800, &head);
    }
    it.machine.settle();
    for pair in 0..2 {
        assert_eq!(it.get(VIRTUAL + 0x4000 + pair as u64 * 0x4000, 5000), pattern(5000));
        assert_eq!(it.outcomes(pair), [Done(REQ, 0)]);
    }
}

#[test]
fn every_path_mtu_carries_the_message() {
    for mtu in 1..=5 {
        let mut it = Setup::connected(Connection { mtu, ..Connection::default() });
        let key = it.key;
        it.put(VIRTUAL, &pattern(9000));
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8001, key), (VIRTUAL, 9000, key))]);
        assert_eq!(it.get(VIRTUAL + 0x8001, 9000), pattern(9000));
        assert_eq!(it.outcomes(0), [Done(REQ, 0)]);
    }
}

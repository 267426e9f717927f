//! Signatures of WQEs: a queue pair that has them takes no WQE whose signature is wrong.

mod support;

use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use support::data::{Outcome::*, *};

const DONE: u8 = CqeOpcode::Requester.code();
const TARGET: u64 = VIRTUAL + 0x2000;

/// Two connected queue pairs whose WQEs carry signatures.
fn setup() -> Setup {
    let mut it = Setup::new();
    for pair in 0..2 {
        let (buffer, record) = (it.machine.page(), it.machine.page());
        let mut input = it.qp_input(pair, record);
        input.qpc_mut().set_wq_signature(true);
        let qpn = it.machine.command(&input, &buffer.to_be_bytes()).qpn();
        it.pairs[pair] = Pair { qpn, buffer, record, cq: pair, posted: 0, received: 0 };
    }
    it.connect(0, 1, Connection::default());
    it.connect(1, 0, Connection::default());
    it
}

fn together(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// A WRITE of 64 bytes as it will lie in the ring, signed.
fn signed(it: &Setup) -> Vec<u8> {
    let mut bytes = rdma(SendOpcode::RdmaWrite, (TARGET, it.key), (VIRTUAL, 64, it.key));
    let (control, _) = ControlSegment::mut_from_prefix(&mut bytes).unwrap();
    control.set_wqe_index(it.pairs[0].posted.into());
    control.set_qpn(it.pairs[0].qpn);
    control.signature = 0;
    let signature = !together(&bytes);
    let (control, _) = ControlSegment::mut_from_prefix(&mut bytes).unwrap();
    control.signature = signature;
    assert_eq!(together(&bytes), 0xff);
    bytes
}

#[test]
fn a_wqe_with_its_signature_is_carried_out() {
    let mut it = setup();
    it.put(VIRTUAL, &[0x77; 64]);
    for index in 0..20 {
        let wqe = signed(&it);
        it.post(0, &[wqe]);
        assert_eq!(it.outcomes(0), [Done(DONE, index)]);
    }
    assert_eq!(it.get(TARGET, 64), [0x77; 64]);
}

/// Whichever bit is wrong.
#[test]
fn a_wqe_with_another_is_not() {
    for byte in [8, 16, 30, 47] {
        for bit in [0, 7] {
            let mut it = setup();
            let mut bad = signed(&it);
            bad[byte] ^= 1 << bit;
            fails_with(&mut it, bad, CqeSyndrome::LocalQpOperationError);
            assert_eq!(it.get(TARGET, 64), [0; 64], "bit {bit} of byte {byte}");
        }
    }
}

/// A queue pair without signatures does not look at the byte.
#[test]
fn a_queue_pair_without_them_takes_any() {
    let mut it = Setup::new();
    let mut wqe = rdma(SendOpcode::RdmaWrite, (TARGET, it.key), (VIRTUAL, 64, it.key));
    wqe[8] = 0x5a;
    it.post(0, &[wqe]);
    assert_eq!(it.outcomes(0), [Done(DONE, 0)]);
}

/// The first unit of a receive WQE is the signature's.
#[test]
fn a_receive_begins_behind_its_signature() {
    let mut it = setup();
    it.put(VIRTUAL, b"message!");
    let pointer = DataSegment::new(8, it.key, TARGET);
    let end = DataSegment::end_of_list();
    let wqe = [&[0xee; 16], pointer.as_bytes(), end.as_bytes()].concat();
    it.raw_receive(1, &wqe);
    let mut bytes = send_of(&it, 8);
    let signature = !together(&bytes);
    bytes[8] = signature;
    it.post(0, &[bytes]);
    assert_eq!(it.outcomes(0), [Done(DONE, 0)]);
    assert_eq!(it.outcomes(1), [Done(CqeOpcode::ResponderSend.code(), 0)]);
    assert_eq!(it.get(TARGET, 8), *b"message!");
}

/// A SEND as it will lie in the ring, without a signature.
fn send_of(it: &Setup, length: u32) -> Vec<u8> {
    let data = DataSegment::new(length, it.key, VIRTUAL);
    let mut bytes = wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[data.as_bytes()]);
    let (control, _) = ControlSegment::mut_from_prefix(&mut bytes).unwrap();
    control.set_wqe_index(it.pairs[0].posted.into());
    control.set_qpn(it.pairs[0].qpn);
    bytes
}

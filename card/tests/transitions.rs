//! Changes on the way: optional parameters, with and without a change of state.

mod support;

use CommandStatus::*;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::wqe::SendOpcode;
use support::data::{Outcome::*, *};

const REMOTE_WRITES: u32 = 1 << 3;
const READS_SENT: u32 = 1 << 8;

#[test]
fn in_rts_only_what_the_mask_names_changes() {
    let mut it = Setup::new();
    let qpn = it.pairs[1].qpn;
    let mut change = Rts2rtsQpIn::new();
    change.set_qpn(qpn).set_opt_param_mask(1 << 6 | 1 << 12 | 1 << 13 | 1 << 14);
    change.qpc_mut().set_min_rnr_nak(3).set_retry_count(1).set_rnr_retry(4);
    change.qpc_mut().primary_address_path_mut().set_ack_timeout(9);
    it.machine.command(&change, &[]);
    let answer = it.machine.command(QueryQpIn::new().set_qpn(qpn), &[]);
    let context = answer.qpc();
    assert_eq!((context.min_rnr_nak(), context.retry_count(), context.rnr_retry()), (3, 1, 4));
    assert_eq!(context.primary_address_path().ack_timeout(), 9);
    assert!(context.rwe(), "was not named");
    assert_eq!(context.state(), QpState::ReadyToSend.code());
}

#[test]
fn a_right_that_is_taken_back_is_gone() {
    let mut it = Setup::new();
    let mut change = Rts2rtsQpIn::new();
    change.set_qpn(it.pairs[1].qpn).set_opt_param_mask(REMOTE_WRITES);
    it.machine.command(&change, &[]);
    let key = it.key;
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, key), (VIRTUAL, 8, key))]);
    assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::RemoteInvalidRequest, 0)]);
}

#[test]
fn changes_need_their_state_and_sound_values() {
    let mut it = Setup::new();
    let qpn = it.pairs[0].qpn;
    let mut change = Rts2rtsQpIn::new();
    change.set_qpn(qpn).set_opt_param_mask(READS_SENT).qpc_mut().set_log_sra_max(7);
    assert_eq!(it.machine.refused(&change, &[]).0, BadParameter);
    assert_eq!(it.machine.refused(Rts2rtsQpIn::new().set_qpn(0x999), &[]).0, BadResource);
    assert_eq!(it.machine.refused(Init2initQpIn::new().set_qpn(qpn), &[]).0, BadQpState);
    assert_eq!(it.machine.refused(Sqerr2rtsQpIn::new().set_qpn(qpn), &[]).0, BadQpState);
    let fresh = it.create_pair(0).qpn;
    assert_eq!(it.machine.refused(Rts2rtsQpIn::new().set_qpn(fresh), &[]).0, BadQpState);
    let init = it.to_init(fresh);
    it.machine.command(&init, &[]);
    let mut change = Init2initQpIn::new();
    change.set_qpn(fresh).set_opt_param_mask(REMOTE_WRITES);
    it.machine.command(&change, &[]);
    let answer = it.machine.command(QueryQpIn::new().set_qpn(fresh), &[]);
    assert_eq!((answer.qpc().rwe(), answer.qpc().rre()), (false, true));
    assert_eq!(answer.qpc().state(), QpState::Init.code());
}

//! Optional parameters of transitions: what a mask says may change together with the state, or
//! without it.

use crate::administration::{Answer, Given, plain};
use crate::capabilities::LOG_MAX_READS;
use crate::card::Card;
use crate::queue_pair::QueuePair;
use crate::reason::Reason;
use doorbell_prm::commands::*;

/// Bits of `opt_param_mask` (`mlx5_core`, `MLX5_QP_OPTPAR_*`).
mod option {
    pub(super) const REMOTE_READS: u32 = 1 << 1;
    pub(super) const REMOTE_ATOMICS: u32 = 1 << 2;
    pub(super) const REMOTE_WRITES: u32 = 1 << 3;
    pub(super) const QUEUE_KEY: u32 = 1 << 5;
    pub(super) const RNR_TIMEOUT: u32 = 1 << 6;
    pub(super) const READS_SENT: u32 = 1 << 8;
    pub(super) const READS_TAKEN: u32 = 1 << 9;
    pub(super) const RETRY_COUNT: u32 = 1 << 12;
    pub(super) const RNR_RETRY: u32 = 1 << 13;
    pub(super) const ACK_TIMEOUT: u32 = 1 << 14;
    pub(super) const COUNTER_SET: u32 = 1 << 25;
}

impl Card {
    /// INIT to INIT: only optional parameters change.
    pub(crate) fn init2init(&mut self, given: Given<'_, Init2initQpIn>) -> Answer<Init2initQpOut> {
        let (qpn, mask) = (given.input.qpn(), given.input.opt_param_mask());
        self.change(qpn, &[QpState::Init], given.input.qpc(), mask)?;
        plain(Init2initQpOut::zeroed())
    }

    /// RTS to RTS: only optional parameters change.
    pub(crate) fn rts2rts(&mut self, given: Given<'_, Rts2rtsQpIn>) -> Answer<Rts2rtsQpOut> {
        let (qpn, mask) = (given.input.qpn(), given.input.opt_param_mask());
        self.change(qpn, &[QpState::ReadyToSend], given.input.qpc(), mask)?;
        plain(Rts2rtsQpOut::zeroed())
    }

    /// SQER to RTS: no queue pair of this card stops at SQER.
    pub(crate) fn sqerr2rts(&mut self, given: Given<'_, Sqerr2rtsQpIn>) -> Answer<Sqerr2rtsQpOut> {
        let (qpn, mask) = (given.input.qpn(), given.input.opt_param_mask());
        self.change(qpn, &[QpState::SendQueueError], given.input.qpc(), mask)?;
        plain(Sqerr2rtsQpOut::zeroed())
    }

    fn change(
        &mut self,
        qpn: u32,
        states: &[QpState],
        wanted: &QpContext,
        mask: u32,
    ) -> Result<(), Reason> {
        self.find_qp(qpn)?;
        let mut outcome = Err(Reason::QpState);
        self.with_qp(qpn, |_, qp| {
            if states.contains(&qp.state) {
                outcome = apply_optional(qp, wanted, mask);
            }
        });
        outcome
    }
}

/// Takes over the parameters that the mask names. Those that this card does not use are ignored.
pub(crate) fn apply_optional(
    qp: &mut QueuePair,
    wanted: &QpContext,
    mask: u32,
) -> Result<(), Reason> {
    let given = |bit: u32| mask & bit != 0;
    let reads = wanted.log_sra_max().max(wanted.log_rra_max());
    if given(option::READS_SENT | option::READS_TAKEN) && reads > LOG_MAX_READS {
        return Err(Reason::ReadDepth);
    }
    let own = &mut qp.context;
    if given(option::REMOTE_READS) {
        own.set_rre(wanted.rre());
    }
    if given(option::REMOTE_ATOMICS) {
        own.set_rae(wanted.rae());
    }
    if given(option::REMOTE_WRITES) {
        own.set_rwe(wanted.rwe());
    }
    if given(option::QUEUE_KEY) {
        own.set_q_key(wanted.q_key());
    }
    if given(option::RNR_TIMEOUT) {
        own.set_min_rnr_nak(wanted.min_rnr_nak());
    }
    if given(option::READS_SENT) {
        own.set_log_sra_max(wanted.log_sra_max());
    }
    if given(option::READS_TAKEN) {
        own.set_log_rra_max(wanted.log_rra_max());
    }
    if given(option::RETRY_COUNT) {
        own.set_retry_count(wanted.retry_count());
    }
    if given(option::RNR_RETRY) {
        own.set_rnr_retry(wanted.rnr_retry());
    }
    if given(option::ACK_TIMEOUT) {
        let timeout = wanted.primary_address_path().ack_timeout();
        own.primary_address_path_mut().set_ack_timeout(timeout);
    }
    if given(option::COUNTER_SET) {
        own.set_counter_set_id(wanted.counter_set_id());
    }
    Ok(())
}

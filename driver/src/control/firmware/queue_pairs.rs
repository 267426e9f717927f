//! Queue pairs and their transitions: what `mlx5_ib` does for them.

use super::super::{ControlError, QpRequest, QueueLimits, QueuePairs};
use super::Firmware;
use super::bring_up::addresses;
use crate::bus::Registers;
use crate::verbs::{
    Access, AddressVector, ConnectTo, ConnectUnreliably, FirstPsn, InitParameters, Peer, QueueKey,
    QueuePairAttributes, QueuePairCapabilities, QueuePairState, SendParameters, Start, Stopped,
    Transition, Transport,
};
use doorbell_prm::commands::*;

/// The longest message, as a base-2 logarithm of bytes: what InfiniBand allows.
const LOG_LONGEST_MESSAGE: u8 = 30;

/// The longest datagram: one packet of the largest MTU.
const LOG_LONGEST_DATAGRAM: u8 = 12;

impl<R: Registers> QueuePairs for Firmware<R> {
    fn limits(&self) -> QueueLimits {
        self.held.limits.expect("set while bringing up")
    }

    // ANCHOR: create_qp_command
    /// Both rings in one buffer, their sizes, the doorbell record, the register page, and where
    /// completions go. (`mlx5_ib_create_qp`, `create_user_qp`)
    fn create_qp(&self, request: &QpRequest) -> Result<u32, ControlError> {
        let mut input = CreateQpIn::new();
        input
            .qpc_mut()
            .set_st(service(request.transport).code())
            .set_pm_state(PATH_MIGRATED)
            .set_pd(request.pd)
            .set_log_rq_size(request.log_rq_size as u8)
            .set_log_rq_stride(request.log_rq_stride as u8)
            .set_log_sq_size(request.log_sq_size as u8)
            .set_uar_page(request.uar)
            .set_user_index(request.user_index)
            .set_cqn_snd(request.send_cq)
            .set_cqn_rcv(request.recv_cq)
            .set_wq_signature(request.signatures)
            .set_dbr_addr(request.record);
        if let Some(srq) = request.srq {
            input.qpc_mut().set_rq_type(SHARED_RECEIVES).set_srqn_rmpn_xrqn(srq);
        }
        let (output, _) = self.command(&input, &addresses(&request.pages), 0)?;
        Ok(output.qpn())
    }
    // ANCHOR_END: create_qp_command

    fn destroy_qp(&self, number: u32) {
        self.give_back(DestroyQpIn::new().set_qpn(number));
    }

    fn modify_qp(&self, number: u32, transition: &Transition) -> Result<(), ControlError> {
        match transition {
            Transition::Init(parameters) => self.init_qp(number, parameters),
            Transition::Connect(peer) => self.connect_qp(number, peer),
            Transition::Start(start) => self.start_qp(number, start),
            Transition::Resume(stopped) => self.resume_qp(number, *stopped),
            Transition::Fail => self.simple(ToErrQpIn::new().set_qpn(number)).map(drop),
            Transition::Reset => self.simple(ToRstQpIn::new().set_qpn(number)).map(drop),
        }
    }

    // ANCHOR: query_qp_command
    /// The context, as the card has it now, in the verbs' words. (`query_qp_attr`)
    fn query_qp(&self, number: u32) -> Result<QueuePairAttributes, ControlError> {
        let answer = self.simple(QueryQpIn::new().set_qpn(number))?;
        Ok(attributes(answer.qpc(), self.held.ethernet))
    }
    // ANCHOR_END: query_qp_command
}

impl<R: Registers> Firmware<R> {
    // ANCHOR: rst2init
    /// Port and partition; then what the other side may do here, or the key of datagrams. With
    /// remote atomics the card is told their kind: 8 bytes, as InfiniBand has them. (`get_atomic_mode`)
    fn init_qp(&self, number: u32, parameters: &InitParameters) -> Result<(), ControlError> {
        let mut input = Rst2initQpIn::new();
        input.set_qpn(number);
        let context = input.qpc_mut();
        context.set_pm_state(PATH_MIGRATED);
        match *parameters {
            InitParameters::Connected(access) => {
                let atomics = access.contains(Access::REMOTE_ATOMIC);
                if atomics && !self.held.atomics {
                    return Err(ControlError::NoAtomics);
                }
                context
                    .set_rre(access.contains(Access::REMOTE_READ))
                    .set_rwe(access.contains(Access::REMOTE_WRITE))
                    .set_rae(atomics)
                    .set_atomic_mode(if atomics { INFINIBAND_ATOMICS } else { 0 });
            }
            InitParameters::Datagram(QueueKey(key)) => {
                context.set_q_key(key);
            }
        }
        context.primary_address_path_mut().set_pkey_index(0).set_vhca_port_num(1);
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: rst2init

    // ANCHOR: init2rtr
    /// The other side: number, first sequence number, and the way there. A datagram queue pair has no
    /// other side; it is told the largest packet of all, for each port's is smaller.
    fn connect_qp(&self, number: u32, peer: &Peer) -> Result<(), ControlError> {
        let mut input = Init2rtrQpIn::new();
        input.set_qpn(number);
        let context = input.qpc_mut();
        match peer {
            Peer::Reliable(to) => {
                let ConnectTo { qp_num, path_mtu, first_psn, address, .. } = *to;
                let basic = ConnectUnreliably { qp_num, path_mtu, first_psn, address };
                self.set_peer(context, number, &basic);
                context
                    .set_log_rra_max(log2_ceil(to.max_dest_rd_atomic))
                    .set_min_rnr_nak(to.min_rnr_timer);
            }
            Peer::Unreliable(to) => self.set_peer(context, number, to),
            Peer::Anyone => {
                context.set_mtu(PathMtu::Mtu4096.code()).set_log_msg_max(LOG_LONGEST_DATAGRAM);
                context.primary_address_path_mut().set_vhca_port_num(1);
            }
        }
        self.simple(&input).map(drop)
    }

    /// The part of a connection's context that both transports have.
    fn set_peer(&self, context: &mut QpContext, number: u32, to: &ConnectUnreliably) {
        context
            .set_mtu(to.path_mtu)
            .set_log_msg_max(LOG_LONGEST_MESSAGE)
            .set_remote_qpn(to.qp_num)
            .set_next_rcv_psn(to.first_psn);
        let path = context.primary_address_path_mut();
        path.set_vhca_port_num(1);
        if to.address.global {
            path.set_grh(true)
                .set_src_addr_index(to.address.source_gid_index)
                .set_hop_limit(to.address.hop_limit)
                .set_rgid_rip(to.address.gid);
        }
        if self.held.ethernet {
            let [high @ .., a, b, c, d] = to.address.mac;
            path.set_eth_prio(to.address.service_level & 7)
                .set_udp_sport(source_port(number, to.qp_num))
                .set_rmac_47_32(u16::from_be_bytes(high))
                .set_rmac_31_0(u32::from_be_bytes([a, b, c, d]));
        } else {
            path.set_rlid(to.address.lid).set_sl(to.address.service_level);
        }
    }
    // ANCHOR_END: init2rtr

    // ANCHOR: rtr2rts
    /// How to send: first sequence number, and what a reliable connection does when no answer comes.
    fn start_qp(&self, number: u32, start: &Start) -> Result<(), ControlError> {
        let mut input = Rtr2rtsQpIn::new();
        input.set_qpn(number);
        let context = input.qpc_mut();
        match *start {
            Start::Reliable(SendParameters {
                first_psn,
                timeout,
                retry_count,
                rnr_retry,
                max_rd_atomic,
            }) => {
                context
                    .set_retry_count(retry_count)
                    .set_rnr_retry(rnr_retry)
                    .set_next_send_psn(first_psn)
                    .set_log_sra_max(log2_ceil(max_rd_atomic));
                context.primary_address_path_mut().set_ack_timeout(timeout);
            }
            Start::Unreliable(FirstPsn(psn)) => {
                context.set_next_send_psn(psn);
            }
        }
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: rtr2rts

    // ANCHOR: sqerr2rts
    /// Sends go on after one that failed. For SQD there would be SQD_RTS_QP; no command of these
    /// leads there.
    fn resume_qp(&self, number: u32, stopped: Stopped) -> Result<(), ControlError> {
        match stopped {
            Stopped::Failed => self.simple(Sqerr2rtsQpIn::new().set_qpn(number)).map(drop),
            Stopped::Drained => Err(ControlError::NotOffered { request: "SQD_RTS_QP" }),
        }
    }
    // ANCHOR_END: sqerr2rts
}

/// What the card calls a transport. Its numbers are not those of the verbs.
fn service(transport: Transport) -> QpServiceType {
    match transport {
        Transport::ReliableConnection => QpServiceType::ReliableConnection,
        Transport::UnreliableConnection => QpServiceType::UnreliableConnection,
        Transport::UnreliableDatagram => QpServiceType::UnreliableDatagram,
    }
}

/// The verbs' state of the card's number, and whether it is on its way there. (`to_ib_qp_state`)
fn state(code: u8) -> (QueuePairState, bool) {
    let state = match QpState::from_code(code) {
        Some(QpState::Reset) => QueuePairState::Reset,
        Some(QpState::Init) => QueuePairState::Init,
        Some(QpState::ReadyToReceive) => QueuePairState::ReadyToReceive,
        Some(QpState::ReadyToSend) => QueuePairState::ReadyToSend,
        Some(QpState::SendQueueError) => QueuePairState::SendQueueError,
        Some(QpState::SendQueueDrained) => QueuePairState::SendQueueDrained,
        None if code == DRAINING => return (QueuePairState::SendQueueDrained, true),
        Some(QpState::Error) | None => QueuePairState::Error,
    };
    (state, false)
}

/// The context of a queue pair in the verbs' words.
fn attributes(context: &QpContext, ethernet: bool) -> QueuePairAttributes {
    let (state, draining) = state(context.state());
    let rights = [
        (context.rre(), Access::REMOTE_READ),
        (context.rwe(), Access::REMOTE_WRITE),
        (context.rae(), Access::REMOTE_ATOMIC),
    ];
    let path = context.primary_address_path();
    let connected = context.st() != QpServiceType::UnreliableDatagram.code();
    QueuePairAttributes {
        state,
        draining,
        path_mtu: context.mtu(),
        qkey: context.q_key(),
        rq_psn: context.next_rcv_psn(),
        sq_psn: context.next_send_psn(),
        dest_qp_num: context.remote_qpn(),
        access: rights.into_iter().filter(|right| right.0).map(|right| right.1).collect(),
        capabilities: QueuePairCapabilities::default(),
        pkey_index: path.pkey_index(),
        port_num: path.vhca_port_num(),
        max_rd_atomic: 1 << context.log_sra_max(),
        max_dest_rd_atomic: 1 << context.log_rra_max(),
        min_rnr_timer: context.min_rnr_nak(),
        timeout: path.ack_timeout(),
        retry_count: context.retry_count(),
        rnr_retry: context.rnr_retry(),
        address: connected.then(|| address(path, ethernet)),
    }
}

/// The way to the other side.
fn address(path: &AddressPath, ethernet: bool) -> AddressVector {
    let [high, low] = path.rmac_47_32().to_be_bytes();
    let [a, b, c, d] = path.rmac_31_0().to_be_bytes();
    AddressVector {
        gid: path.rgid_rip(),
        global: path.grh(),
        lid: path.rlid(),
        mac: [high, low, a, b, c, d],
        hop_limit: path.hop_limit(),
        source_gid_index: path.src_addr_index(),
        service_level: if ethernet { path.eth_prio() } else { path.sl() },
    }
}

/// `atomic_mode`: compare-and-swap and fetch-and-add of 8 bytes (`MLX5_ATOMIC_MODE_IB_COMP`).
const INFINIBAND_ATOMICS: u8 = 1;

/// `state` on the way to SQD (`MLX5_QP_STATE_SQ_DRAINING`).
const DRAINING: u8 = 7;

/// `rq_type` of a queue pair that takes receives from a shared queue.
const SHARED_RECEIVES: u8 = 1;

/// `pm_state` of a queue pair without an alternate path.
const PATH_MIGRATED: u8 = 3;

/// The base-2 logarithm, rounded up; 0 for 0 and 1.
fn log2_ceil(value: u8) -> u8 {
    u32::from(value.max(1)).next_power_of_two().trailing_zeros() as u8
}

/// The UDP source port of a connection: from the range for RoCE v2, and different for different
/// connections, so that switches can spread them (`rdma_calc_flow_label`, `rdma_flow_label_to_udp_sport`).
fn source_port(from: u32, to: u32) -> u16 {
    const FIRST: u16 = 0xc000;
    let mut label = u64::from(from) * u64::from(to);
    label ^= label >> 20;
    label ^= label >> 40;
    let label = (label & 0xf_ffff) as u32;
    FIRST | ((label & 0x3fff) ^ (label >> 14)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_ports_stay_in_the_range_for_roce() {
        for from in 0..100 {
            for to in 0..100 {
                assert!(source_port(from, to << 12) >= 0xc000);
            }
        }
    }

    #[test]
    fn the_cards_states_become_those_of_the_verbs() {
        let states: Vec<u8> = (0..=7).map(|code| state(code).0 as u8).collect();
        assert_eq!(states, [0, 1, 2, 3, 5, 4, 6, 4]);
        assert_eq!((0..=7).filter(|code| state(*code).1).collect::<Vec<_>>(), [DRAINING]);
        assert_eq!(state(15).0, QueuePairState::Error);
    }

    #[test]
    fn logarithms_are_rounded_up() {
        assert_eq!([0, 1, 2, 3, 4, 5, 16].map(log2_ceil), [0, 0, 1, 2, 2, 3, 4]);
    }
}

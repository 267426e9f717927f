//! Queue pairs and their transitions, each request a system call.

use super::abi::{self, Command, mask};
use super::sysfs::PORT;
use super::{Uverbs, outcome};
use crate::control::{ControlError, QpRequest, QueueLimits, QueuePairs};
use crate::verbs::{
    Access, AddressVector, ConnectTo, ConnectUnreliably, FirstPsn, InitParameters, Peer, QueueKey,
    QueuePairAttributes, QueuePairCapabilities, QueuePairState, SendParameters, Start, Stopped,
    Transition,
};
use doorbell_tracer::{Group, Value, probe};

const PROBE_GROUP: Group = Group::Control;

impl QueuePairs for Uverbs {
    fn limits(&self) -> QueueLimits {
        self.limits
    }

    // ANCHOR: uverbs_create_qp
    /// The rings lie where the program has put them; the kernel pins them and gives the command.
    fn create_qp(&self, request: &QpRequest) -> Result<u32, ControlError> {
        let told = [
            ("buf_addr", Value::Hex(request.buffer)),
            ("db_addr", Value::Hex(request.record)),
            ("sq_wqe_count", (1_u32 << request.log_sq_size).into()),
            ("uar_page", request.uar.into()),
        ];
        let user_handle = self.files().handle();
        let ask = |response| abi::CreateQp { user_handle, ..self.queue_pair(request, response) };
        let answer =
            self.ask(Command::CreateQp, told, ask, |answer: &abi::CreateQpAnswer| answer.qpn)?;
        self.handles().qps.insert(answer.qpn, answer.qp_handle);
        self.files().created(user_handle, answer.qpn);
        Ok(answer.qpn)
    }
    // ANCHOR_END: uverbs_create_qp

    fn destroy_qp(&self, number: u32) {
        let handle = self.handles().qps.remove(&number);
        self.give_back(Command::DestroyQp, handle);
    }

    fn modify_qp(&self, number: u32, transition: &Transition) -> Result<(), ControlError> {
        self.modify(number, transition.target(), &attributes(transition))
    }

    // ANCHOR: uverbs_query_qp
    /// The kernel asks the card.
    fn query_qp(&self, number: u32) -> Result<QueuePairAttributes, ControlError> {
        let qp_handle = self.handle(|handles| &handles.qps, number);
        let ask = |response| abi::QueryQp { response, qp_handle, attr_mask: mask::QUERIED };
        let told = [("qp", Value::Hex(number.into()))];
        let state = |answer: &abi::QueryQpAnswer| u32::from(answer.qp_state);
        Ok(answered(&self.ask(Command::QueryQp, told, ask, state)?))
    }
    // ANCHOR_END: uverbs_query_qp
}

// ANCHOR: uverbs_transitions
/// The attributes that a transition takes, with their mask. The kernel refuses one too many and one
/// too few.
fn attributes(transition: &Transition) -> abi::ModifyQp {
    match *transition {
        Transition::Init(InitParameters::Connected(access)) => abi::ModifyQp {
            attr_mask: mask::PKEY_INDEX | mask::PORT | mask::ACCESS_FLAGS,
            qp_access_flags: access.bits(),
            port_num: PORT,
            ..Default::default()
        },
        Transition::Init(InitParameters::Datagram(QueueKey(qkey))) => abi::ModifyQp {
            attr_mask: mask::PKEY_INDEX | mask::PORT | mask::QKEY,
            qkey,
            port_num: PORT,
            ..Default::default()
        },
        Transition::Connect(Peer::Reliable(to)) => {
            let ConnectTo { qp_num, path_mtu, first_psn, address, .. } = to;
            let basic = peer(&ConnectUnreliably { qp_num, path_mtu, first_psn, address });
            abi::ModifyQp {
                attr_mask: basic.attr_mask | mask::MAX_DEST_RD_ATOMIC | mask::MIN_RNR_TIMER,
                max_dest_rd_atomic: to.max_dest_rd_atomic,
                min_rnr_timer: to.min_rnr_timer,
                ..basic
            }
        }
        Transition::Connect(Peer::Unreliable(to)) => peer(&to),
        Transition::Start(Start::Reliable(parameters)) => send_parameters(&parameters),
        Transition::Start(Start::Unreliable(FirstPsn(sq_psn))) => {
            abi::ModifyQp { attr_mask: mask::SQ_PSN, sq_psn, ..Default::default() }
        }
        // The kernel knows only the state that it last brought the queue pair to, or was asked for.
        Transition::Resume(stopped) => abi::ModifyQp {
            attr_mask: mask::CURRENT_STATE,
            cur_qp_state: match stopped {
                Stopped::Failed => QueuePairState::SendQueueError,
                Stopped::Drained => QueuePairState::SendQueueDrained,
            } as u8,
            ..Default::default()
        },
        Transition::Connect(Peer::Anyone) | Transition::Fail | Transition::Reset => {
            Default::default()
        }
    }
}

/// What both transports with a connection need of the other side.
fn peer(to: &ConnectUnreliably) -> abi::ModifyQp {
    abi::ModifyQp {
        attr_mask: mask::AV | mask::PATH_MTU | mask::DEST_QPN | mask::RQ_PSN,
        dest: destination(&to.address),
        path_mtu: to.path_mtu,
        dest_qp_num: to.qp_num,
        rq_psn: to.first_psn,
        ..Default::default()
    }
}

/// What a reliable connection needs to send.
fn send_parameters(parameters: &SendParameters) -> abi::ModifyQp {
    abi::ModifyQp {
        attr_mask: mask::TIMEOUT
            | mask::RETRY_CNT
            | mask::RNR_RETRY
            | mask::SQ_PSN
            | mask::MAX_QP_RD_ATOMIC,
        timeout: parameters.timeout,
        retry_cnt: parameters.retry_count,
        rnr_retry: parameters.rnr_retry,
        sq_psn: parameters.first_psn,
        max_rd_atomic: parameters.max_rd_atomic,
        ..Default::default()
    }
}
// ANCHOR_END: uverbs_transitions

/// The way to the other side: by its LID within an InfiniBand subnet, by its GID elsewhere.
fn destination(to: &AddressVector) -> abi::Destination {
    abi::Destination {
        dgid: to.gid,
        dlid: to.lid,
        sgid_index: to.source_gid_index,
        sl: to.service_level,
        hop_limit: to.hop_limit,
        is_global: to.global.into(),
        port_num: PORT,
        ..Default::default()
    }
}

/// The kernel's answer in the verbs' words. It does not tell the MAC address of the next hop.
fn answered(answer: &abi::QueryQpAnswer) -> QueuePairAttributes {
    let to = &answer.dest;
    QueuePairAttributes {
        state: QueuePairState::from_code(answer.qp_state),
        draining: answer.sq_draining != 0,
        path_mtu: answer.path_mtu,
        qkey: answer.qkey,
        rq_psn: answer.rq_psn,
        sq_psn: answer.sq_psn,
        dest_qp_num: answer.dest_qp_num,
        access: Access::from_bits_truncate(answer.qp_access_flags),
        capabilities: QueuePairCapabilities::default(),
        pkey_index: answer.pkey_index,
        port_num: answer.port_num,
        max_rd_atomic: answer.max_rd_atomic,
        max_dest_rd_atomic: answer.max_dest_rd_atomic,
        min_rnr_timer: answer.min_rnr_timer,
        timeout: answer.timeout,
        retry_count: answer.retry_cnt,
        rnr_retry: answer.rnr_retry,
        address: Some(AddressVector {
            gid: to.dgid,
            global: to.is_global != 0,
            lid: to.dlid,
            mac: [0; 6],
            hop_limit: to.hop_limit,
            source_gid_index: to.sgid_index,
            service_level: to.sl,
        }),
    }
}

impl Uverbs {
    // ANCHOR: uverbs_modify_qp
    /// Brings a queue pair to a state (`ib_uverbs_modify_qp`); `attributes` has the rest.
    fn modify(
        &self,
        number: u32,
        state: QueuePairState,
        attributes: &abi::ModifyQp,
    ) -> Result<(), ControlError> {
        let name = Command::ModifyQp.name();
        let request = abi::ModifyQp {
            qp_handle: self.handle(|handles| &handles.qps, number),
            attr_mask: attributes.attr_mask | mask::STATE,
            qp_state: state as u8,
            ..*attributes
        };
        probe!(
            self.tracer,
            call(
                name,
                [
                    ("qp", Value::Hex(number.into())),
                    ("qp_state", u32::from(request.qp_state).into()),
                    ("attr_mask", Value::Hex(request.attr_mask.into()))
                ]
            )
        );
        let result = self.node.tell(Command::ModifyQp, &request);
        probe!(self.tracer, returned(name, outcome(&result, 0)));
        result
    }
    // ANCHOR_END: uverbs_modify_qp

    /// The request for a queue pair. The sizes of the rings are the program's own; the kernel only
    /// has to pin them and to tell the card.
    fn queue_pair(&self, request: &QpRequest, response: u64) -> abi::CreateQp {
        // With a shared receive queue there is none of its own.
        let own = |size: u32| if request.srq.is_some() { 0 } else { size };
        let signature = if request.signatures { abi::QP_SIGNATURE } else { 0 };
        abi::CreateQp {
            response,
            pd_handle: self.handle(|handles| &handles.pds, request.pd),
            send_cq_handle: self.handle(|handles| &handles.cqs, request.send_cq),
            recv_cq_handle: self.handle(|handles| &handles.cqs, request.recv_cq),
            max_send_wr: request.capabilities.max_send_wr,
            srq_handle: request.srq.map_or(0, |srq| self.handle(|handles| &handles.srqs, srq)),
            is_srq: request.srq.is_some().into(),
            max_recv_wr: own(request.capabilities.max_recv_wr.max(1)),
            max_send_sge: request.capabilities.max_send_sge,
            max_recv_sge: own(request.capabilities.max_recv_sge.max(1)),
            max_inline_data: request.capabilities.max_inline_data,
            qp_type: request.transport as u8,
            buf_addr: request.buffer,
            db_addr: request.record,
            sq_wqe_count: 1 << request.log_sq_size,
            rq_wqe_count: own(1 << request.log_rq_size),
            rq_wqe_shift: own(request.log_rq_stride + 4),
            flags: abi::QP_UAR_PAGE_INDEX | signature,
            uidx: request.user_index,
            bfreg_index: request.uar,
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests;

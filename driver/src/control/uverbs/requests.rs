//! The requests of the control path, each a system call.

use super::abi::{self, Command, mask};
use super::sysfs::PORT;
use super::{KernelBus, Uverbs, outcome};
use crate::bus::{MappedPage, Memory};
use crate::control::{
    Control, ControlError, CqRequest, Granted, MkeyRequest, PortAddress, QpRequest,
};
use crate::verbs::{Access, ConnectTo, QueuePairState, SendParameters};
use doorbell_tracer::{Group, Value, probe};
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Control;

/// `comp_channel` of a completion queue that tells nobody.
const NO_CHANNEL: i32 = -1;

impl Control<KernelBus> for Uverbs {
    fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    fn relax(&self) {
        std::hint::spin_loop();
    }

    fn address(&self) -> PortAddress {
        self.address
    }

    // ANCHOR: uverbs_uar
    /// A page of doorbell registers. If the machine cannot map pages write-combining the kernel
    /// refuses one for BlueFlame, and then one without will do. (`mlx5_get_qp_uar`)
    fn alloc_uar(&self) -> Result<Granted<MappedPage>, ControlError> {
        self.take_page()
    }

    fn dealloc_uar(&self, index: u32) {
        self.give_page_back(index);
    }
    // ANCHOR_END: uverbs_uar

    // ANCHOR: uverbs_objects
    fn alloc_pd(&self) -> Result<u32, ControlError> {
        let request = |response| abi::AllocPd { response };
        let number = |answer: &abi::AllocPdAnswer| answer.pdn;
        let answer = self.ask(Command::AllocPd, [], request, number)?;
        self.handles().pds.insert(answer.pdn, answer.pd_handle);
        Ok(answer.pdn)
    }

    fn dealloc_pd(&self, number: u32) {
        let handle = self.handles().pds.remove(&number);
        self.give_back(Command::DeallocPd, handle);
    }

    /// The kernel pins the pages and makes their list for the card: here an address is enough.
    fn create_mkey(&self, request: &MkeyRequest) -> Result<u32, ControlError> {
        let told = [
            ("start", Value::Hex(request.address)),
            ("length", request.length.into()),
            ("access", Value::Hex(request.access.bits().into())),
        ];
        let ask = |response| abi::RegMr {
            response,
            start: request.address,
            length: request.length,
            hca_va: request.address,
            pd_handle: self.handle(|handles| &handles.pds, request.pd),
            access_flags: request.access.bits(),
        };
        let answer =
            self.ask(Command::RegMr, told, ask, |answer: &abi::RegMrAnswer| answer.lkey)?;
        self.handles().keys.insert(answer.lkey, answer.mr_handle);
        Ok(answer.lkey)
    }

    fn destroy_mkey(&self, key: u32) {
        let handle = self.handles().keys.remove(&key);
        self.give_back(Command::DeregMr, handle);
    }

    fn create_cq(&self, request: &CqRequest) -> Result<u32, ControlError> {
        let entries = (1 << request.log_size) - 1;
        let told = [
            ("buf_addr", Value::Hex(request.buffer)),
            ("db_addr", Value::Hex(request.record)),
            ("cqe", entries.into()),
            ("comp_channel", request.channel.map_or_else(|| "none".into(), Value::from)),
        ];
        let user_handle = self.files().handle();
        let ask = |response| abi::CreateCq {
            response,
            user_handle,
            cqe: entries,
            comp_channel: request.channel.map_or(NO_CHANNEL, |fd| fd as i32),
            buf_addr: request.buffer,
            db_addr: request.record,
            cqe_size: 64,
            flags: abi::CQ_UAR_PAGE_INDEX,
            uar_page_index: request.uar as u16,
            ..Default::default()
        };
        let number = |answer: &abi::CreateCqAnswer| answer.cqn;
        let answer = self.ask(Command::CreateCq, told, ask, number)?;
        self.handles().cqs.insert(answer.cqn, answer.cq_handle);
        self.files().created(user_handle, answer.cqn);
        Ok(answer.cqn)
    }

    fn destroy_cq(&self, number: u32) {
        let handle = self.handles().cqs.remove(&number);
        self.give_back(Command::DestroyCq, handle);
    }

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
    // ANCHOR_END: uverbs_objects

    fn destroy_qp(&self, number: u32) {
        let handle = self.handles().qps.remove(&number);
        self.give_back(Command::DestroyQp, handle);
    }

    // ANCHOR: uverbs_transitions
    fn init_qp(&self, number: u32, access: Access) -> Result<(), ControlError> {
        let attributes = abi::ModifyQp {
            attr_mask: mask::PKEY_INDEX | mask::PORT | mask::ACCESS_FLAGS,
            qp_access_flags: access.bits(),
            port_num: PORT,
            ..Default::default()
        };
        self.modify(number, QueuePairState::Init, attributes)
    }

    fn connect_qp(&self, number: u32, to: &ConnectTo) -> Result<(), ControlError> {
        let attributes = abi::ModifyQp {
            attr_mask: mask::AV
                | mask::PATH_MTU
                | mask::DEST_QPN
                | mask::RQ_PSN
                | mask::MAX_DEST_RD_ATOMIC
                | mask::MIN_RNR_TIMER,
            dest: self.destination(to),
            path_mtu: to.path_mtu,
            dest_qp_num: to.qp_num,
            rq_psn: to.first_psn,
            max_dest_rd_atomic: to.max_dest_rd_atomic,
            min_rnr_timer: to.min_rnr_timer,
            ..Default::default()
        };
        self.modify(number, QueuePairState::ReadyToReceive, attributes)
    }

    fn start_qp(&self, number: u32, parameters: &SendParameters) -> Result<(), ControlError> {
        let attributes = abi::ModifyQp {
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
        };
        self.modify(number, QueuePairState::ReadyToSend, attributes)
    }
    // ANCHOR_END: uverbs_transitions
}

impl Uverbs {
    // ANCHOR: uverbs_modify_qp
    /// Brings a queue pair to a state (`ib_uverbs_modify_qp`); `attributes` has the rest.
    fn modify(
        &self,
        number: u32,
        state: QueuePairState,
        attributes: abi::ModifyQp,
    ) -> Result<(), ControlError> {
        let name = Command::ModifyQp.name();
        let request = abi::ModifyQp {
            qp_handle: self.handle(|handles| &handles.qps, number),
            attr_mask: attributes.attr_mask | mask::STATE,
            qp_state: state as u8,
            ..attributes
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

    /// The way to the other side: by its LID within an InfiniBand subnet, by its GID elsewhere.
    fn destination(&self, to: &ConnectTo) -> abi::Destination {
        abi::Destination {
            dgid: to.address.gid,
            dlid: to.address.lid,
            sgid_index: to.address.source_gid_index,
            sl: to.address.service_level,
            hop_limit: to.address.hop_limit,
            is_global: to.address.global.into(),
            port_num: PORT,
            ..Default::default()
        }
    }

    /// The request for a queue pair. The sizes of the rings are the program's own; the kernel only
    /// has to pin them and to tell the card.
    fn queue_pair(&self, request: &QpRequest, response: u64) -> abi::CreateQp {
        // With a shared receive queue there is none of its own.
        let own = |size: u32| if request.srq.is_some() { 0 } else { size };
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
            qp_type: abi::RELIABLE_CONNECTION,
            buf_addr: request.buffer,
            db_addr: request.record,
            sq_wqe_count: 1 << request.log_sq_size,
            rq_wqe_count: own(1 << request.log_rq_size),
            rq_wqe_shift: own(request.log_rq_stride + 4),
            flags: abi::QP_UAR_PAGE_INDEX,
            uidx: request.user_index,
            bfreg_index: request.uar,
            ..Default::default()
        }
    }
}

//! Shared receive queues and address handles, each request a system call.

use super::abi::{self, Command};
use super::sysfs::PORT;
use super::{Uverbs, outcome};
use crate::control::{ControlError, Link, SharedReceives, SrqRequest, Ways};
use crate::verbs::AddressVector;
use doorbell_tracer::{Group, Value, probe};

const PROBE_GROUP: Group = Group::Control;

impl SharedReceives for Uverbs {
    // ANCHOR: uverbs_create_srq
    /// The kernel works out the same sizes from the number of WQEs and of elements, and pins them.
    fn create_srq(&self, request: &SrqRequest) -> Result<u32, ControlError> {
        let max_wr = (1 << request.log_size) - 1;
        let told = [
            ("buf_addr", Value::Hex(request.buffer)),
            ("db_addr", Value::Hex(request.record)),
            ("max_wr", max_wr.into()),
            ("max_sge", request.max_sge.into()),
        ];
        let user_handle = self.files().handle();
        let ask = |response| abi::CreateSrq {
            response,
            user_handle,
            pd_handle: self.handle(|handles| &handles.pds, request.pd),
            max_wr,
            max_sge: request.max_sge,
            buf_addr: request.buffer,
            db_addr: request.record,
            ..Default::default()
        };
        let number = |answer: &abi::CreateSrqAnswer| answer.srqn;
        let answer = self.ask(Command::CreateSrq, told, ask, number)?;
        self.handles().srqs.insert(answer.srqn, answer.srq_handle);
        self.files().created(user_handle, answer.srqn);
        Ok(answer.srqn)
    }
    // ANCHOR_END: uverbs_create_srq

    fn destroy_srq(&self, number: u32) {
        let handle = self.handles().srqs.remove(&number);
        self.give_back(Command::DestroySrq, handle);
    }

    // ANCHOR: uverbs_modify_srq
    /// Sets the limit; resizing is not supported by `mlx5_ib`.
    fn set_srq_limit(&self, number: u32, limit: u32) -> Result<(), ControlError> {
        let name = Command::ModifySrq.name();
        let request = abi::ModifySrq {
            srq_handle: self.handle(|handles| &handles.srqs, number),
            attr_mask: abi::SRQ_LIMIT,
            max_wr: 0,
            srq_limit: limit,
        };
        let told = [("srq", Value::Hex(number.into())), ("srq_limit", limit.into())];
        probe!(self.tracer, call(name, told));
        let result = self.node.tell(Command::ModifySrq, &request);
        probe!(self.tracer, returned(name, outcome(&result, 0)));
        result
    }
    // ANCHOR_END: uverbs_modify_srq

    fn srq_limit(&self, number: u32) -> Result<u32, ControlError> {
        let srq_handle = self.handle(|handles| &handles.srqs, number);
        let ask = |response| abi::QuerySrq { response, srq_handle, reserved: 0 };
        let told = [("srq", Value::Hex(number.into()))];
        let limit = |answer: &abi::QuerySrqAnswer| answer.srq_limit;
        Ok(self.ask(Command::QuerySrq, told, ask, limit)?.srq_limit)
    }
}

impl Ways for Uverbs {
    // ANCHOR: uverbs_create_ah
    /// On InfiniBand nobody is asked. Over Ethernet the kernel finds the neighbour's MAC address,
    /// which it puts into the answer, and keeps the handle.
    fn create_ah(
        &self,
        pd: u32,
        to: &AddressVector,
    ) -> Result<([u8; 6], Option<u32>), ControlError> {
        if self.address.link == Link::InfiniBand {
            return Ok(([0; 6], None));
        }
        let told = [
            ("sgid_index", u32::from(to.source_gid_index).into()),
            ("is_global", u32::from(to.global).into()),
        ];
        let ask = |response| abi::CreateAh {
            response,
            pd_handle: self.handle(|handles| &handles.pds, pd),
            dgid: to.gid,
            sgid_index: to.source_gid_index,
            hop_limit: to.hop_limit,
            sl: to.service_level,
            is_global: to.global.into(),
            port_num: PORT,
            ..Default::default()
        };
        let number = |answer: &abi::CreateAhAnswer| answer.ah_handle;
        let answer = self.ask(Command::CreateAh, told, ask, number)?;
        Ok((answer.dmac, Some(answer.ah_handle)))
    }
    // ANCHOR_END: uverbs_create_ah

    fn destroy_ah(&self, number: u32) {
        self.give_back(Command::DestroyAh, Some(number));
    }
}

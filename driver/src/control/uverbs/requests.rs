//! The requests of the control path, each a system call.

use super::abi::{self, Command};
use super::{KernelBus, Uverbs};
use crate::bus::{MappedPage, Memory};
use crate::control::{
    Control, ControlError, CqRequest, Granted, Mapping, MkeyRequest, PortAddress, Windows,
};
use crate::verbs::WindowKind;
use doorbell_tracer::Value;
use std::sync::Arc;

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
    /// The kernel has tried it when it found the card, and said so with the context.
    fn has_blueflame(&self) -> bool {
        self.blueflame
    }

    /// A page of doorbell registers. (`mlx5_alloc_dyn_uar`)
    fn alloc_uar(&self, mapping: Mapping) -> Result<Granted<MappedPage>, ControlError> {
        self.take_page(mapping)
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
    // ANCHOR_END: uverbs_objects
}

impl Windows for Uverbs {
    // ANCHOR: uverbs_alloc_mw
    /// The kernel makes the key; binding it is the program's own, without the kernel.
    fn alloc_mw(&self, pd: u32, kind: WindowKind) -> Result<u32, ControlError> {
        let ask = |response| abi::AllocMw {
            response,
            pd_handle: self.handle(|handles| &handles.pds, pd),
            mw_type: kind as u8,
            reserved: [0; 3],
        };
        let told = [("mw_type", u32::from(kind as u8).into())];
        let answer =
            self.ask(Command::AllocMw, told, ask, |answer: &abi::AllocMwAnswer| answer.rkey)?;
        self.handles().windows.insert(answer.rkey, answer.mw_handle);
        Ok(answer.rkey)
    }
    // ANCHOR_END: uverbs_alloc_mw

    fn dealloc_mw(&self, rkey: u32) {
        let handle = self.handles().windows.remove(&rkey);
        self.give_back(Command::DeallocMw, handle);
    }
}

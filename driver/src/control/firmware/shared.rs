//! Shared receive queues: what `mlx5_ib` makes of them on a card with version 1 of the interface,
//! receive memory pools.

use super::super::{ControlError, SharedReceives, SrqRequest, Ways};
use super::Firmware;
use super::bring_up::addresses;
use crate::bus::Registers;
use doorbell_prm::commands::*;

/// `state` of a pool that can be used.
const READY: u8 = 1;

impl<R: Registers> SharedReceives for Firmware<R> {
    // ANCHOR: create_rmp
    /// The ring's pages, its sizes and its doorbell record. (`create_rmp_cmd`)
    fn create_srq(&self, request: &SrqRequest) -> Result<u32, ControlError> {
        let mut input = CreateRmpIn::new();
        let context = input.ctx_mut();
        context.set_state(READY);
        context
            .wq_mut()
            .set_pd(request.pd)
            .set_log_wq_sz(request.log_size as u8)
            .set_log_wq_stride(request.log_stride as u8)
            .set_dbr_addr(request.record);
        let (output, _) = self.command(&input, &addresses(&request.pages), 0)?;
        Ok(output.rmpn())
    }
    // ANCHOR_END: create_rmp

    fn destroy_srq(&self, number: u32) {
        self.give_back(DestroyRmpIn::new().set_rmpn(number));
    }

    // ANCHOR: arm_rmp
    /// Only the low-water mark is changed. (`arm_rmp_cmd`)
    fn set_srq_limit(&self, number: u32, limit: u32) -> Result<(), ControlError> {
        let mut input = ModifyRmpIn::new();
        input.set_rmpn(number).set_rmp_state(READY);
        input.bitmask_mut().set_lwm(true);
        input.ctx_mut().set_state(READY);
        input.ctx_mut().wq_mut().set_lwm(limit as u16);
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: arm_rmp

    fn srq_limit(&self, number: u32) -> Result<u32, ControlError> {
        let mut input = QueryRmpIn::new();
        input.set_rmpn(number);
        Ok(self.simple(&input)?.rmp_context().wq().lwm().into())
    }
}

/// The program has to know the next hop's MAC address: nobody here resolves it.
impl<R: Registers> Ways for Firmware<R> {}

//! The objects that programs ask for: what `mlx5_ib` does for them.

use super::super::{
    Control, ControlError, CqRequest, Granted, MkeyRequest, PortAddress, QpRequest,
};
use super::Firmware;
use super::bring_up::addresses;
use crate::bus::{Memory, Registers};
use crate::verbs::{Access, ConnectTo, SendParameters};
use doorbell_prm::commands::*;
use std::sync::Arc;

/// A key that any queue pair of the protection domain may use.
const ANY_QUEUE_PAIR: u32 = 0xff_ffff;

/// The longest message, as a base-2 logarithm of bytes: what InfiniBand allows.
const LOG_LONGEST_MESSAGE: u8 = 30;

/// The low byte of keys, which software may choose.
const KEY_VARIANT: u8 = 0x42;

impl<R: Registers> Control<R> for Firmware<R> {
    fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    fn relax(&self) {
        self.registers.relax();
    }

    fn address(&self) -> PortAddress {
        self.held.address.expect("set while bringing up")
    }

    fn alloc_uar(&self) -> Result<Granted<R::Page>, ControlError> {
        let index = self.simple(&AllocUarIn::new())?.uar();
        let page = self.registers.map_uar(index);
        Ok(Granted { index, page, write_combining: self.registers.write_combining() })
    }

    fn dealloc_uar(&self, index: u32) {
        self.give_back(DeallocUarIn::new().set_uar(index));
    }

    fn alloc_pd(&self) -> Result<u32, ControlError> {
        Ok(self.simple(&AllocPdIn::new())?.pd())
    }

    fn dealloc_pd(&self, number: u32) {
        self.give_back(DeallocPdIn::new().set_pd(number));
    }

    // ANCHOR: create_mkey
    /// The card gets the page list and the rights, and gives an index; with the byte that software
    /// chose, that is the key. (`mlx5_ib_reg_user_mr`)
    fn create_mkey(&self, request: &MkeyRequest) -> Result<u32, ControlError> {
        let mut input = CreateMkeyIn::new();
        let octwords = (request.pages.len() as u32).div_ceil(2);
        input.set_translations_octword_actual_size(octwords);
        input
            .memory_key_mkey_entry_mut()
            .set_access_mode_1_0(MkeyAccessMode::Translated as u8)
            .set_lr(true)
            .set_lw(request.access.contains(Access::LOCAL_WRITE))
            .set_rr(request.access.contains(Access::REMOTE_READ))
            .set_rw(request.access.contains(Access::REMOTE_WRITE))
            .set_a(request.access.contains(Access::REMOTE_ATOMIC))
            .set_qpn(ANY_QUEUE_PAIR)
            .set_mkey_7_0(KEY_VARIANT)
            .set_pd(request.pd)
            .set_start_addr(request.address)
            .set_length(request.length)
            .set_translations_octword_size(octwords)
            .set_log_page_size(12);
        let present = TRANSLATION_READ | TRANSLATION_WRITE;
        let mut entries: Vec<u64> = request.pages.iter().map(|page| page | present).collect();
        entries.resize(octwords as usize * 2, 0);
        let (output, _) = self.command(&input, &addresses(&entries), 0)?;
        Ok(output.mkey_index() << 8 | u32::from(KEY_VARIANT))
    }
    // ANCHOR_END: create_mkey

    fn destroy_mkey(&self, key: u32) {
        self.give_back(DestroyMkeyIn::new().set_mkey_index(key >> 8));
    }

    // ANCHOR: create_cq_command
    /// The ring's pages, its doorbell record, and the event queue it would report to.
    /// (`mlx5_ib_create_cq`)
    fn create_cq(&self, request: &CqRequest) -> Result<u32, ControlError> {
        let events = self.event_queue_of(request.channel);
        let mut input = CreateCqIn::new();
        input
            .cq_context_mut()
            .set_log_cq_size(request.log_size as u8)
            .set_uar_page(request.uar)
            .set_c_eqn_or_apu_element(events)
            .set_dbr_addr(request.record);
        let (output, _) = self.command(&input, &addresses(&request.pages), 0)?;
        Ok(output.cqn())
    }
    // ANCHOR_END: create_cq_command

    fn destroy_cq(&self, number: u32) {
        self.give_back(DestroyCqIn::new().set_cqn(number));
    }

    // ANCHOR: create_qp_command
    /// Both rings in one buffer, their sizes, the doorbell record, the register page, and where
    /// completions go. (`mlx5_ib_create_qp`, `create_user_qp`)
    fn create_qp(&self, request: &QpRequest) -> Result<u32, ControlError> {
        let mut input = CreateQpIn::new();
        input
            .qpc_mut()
            .set_st(QpServiceType::ReliableConnection as u8)
            .set_pm_state(PATH_MIGRATED)
            .set_pd(request.pd)
            .set_log_rq_size(request.log_rq_size as u8)
            .set_log_rq_stride(request.log_rq_stride as u8)
            .set_log_sq_size(request.log_sq_size as u8)
            .set_uar_page(request.uar)
            .set_user_index(request.user_index)
            .set_cqn_snd(request.send_cq)
            .set_cqn_rcv(request.recv_cq)
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

    // ANCHOR: rst2init
    /// Port and partition, and what the other side may do here.
    fn init_qp(&self, number: u32, access: Access) -> Result<(), ControlError> {
        let mut input = Rst2initQpIn::new();
        input.set_qpn(number);
        let context = input.qpc_mut();
        context
            .set_pm_state(PATH_MIGRATED)
            .set_rre(access.contains(Access::REMOTE_READ))
            .set_rwe(access.contains(Access::REMOTE_WRITE))
            .set_rae(access.contains(Access::REMOTE_ATOMIC));
        context.primary_address_path_mut().set_pkey_index(0).set_vhca_port_num(1);
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: rst2init

    // ANCHOR: init2rtr
    /// The other side: number, first sequence number, and the way there.
    fn connect_qp(&self, number: u32, to: &ConnectTo) -> Result<(), ControlError> {
        let mut input = Init2rtrQpIn::new();
        input.set_qpn(number);
        let context = input.qpc_mut();
        context
            .set_mtu(to.path_mtu)
            .set_log_msg_max(LOG_LONGEST_MESSAGE)
            .set_remote_qpn(to.qp_num)
            .set_next_rcv_psn(to.first_psn)
            .set_log_rra_max(log2_ceil(to.max_dest_rd_atomic))
            .set_min_rnr_nak(to.min_rnr_timer);
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
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: init2rtr

    // ANCHOR: rtr2rts
    /// How to send: first sequence number, and what to do when no answer comes.
    fn start_qp(&self, number: u32, parameters: &SendParameters) -> Result<(), ControlError> {
        let mut input = Rtr2rtsQpIn::new();
        input.set_qpn(number);
        let context = input.qpc_mut();
        context
            .set_retry_count(parameters.retry_count)
            .set_rnr_retry(parameters.rnr_retry)
            .set_next_send_psn(parameters.first_psn)
            .set_log_sra_max(log2_ceil(parameters.max_rd_atomic));
        context.primary_address_path_mut().set_ack_timeout(parameters.timeout);
        self.simple(&input).map(drop)
    }
    // ANCHOR_END: rtr2rts
}

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
    fn logarithms_are_rounded_up() {
        assert_eq!([0, 1, 2, 3, 4, 5, 16].map(log2_ceil), [0, 0, 1, 2, 2, 3, 4]);
    }
}

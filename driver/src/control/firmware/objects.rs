//! The objects that programs ask for: what `mlx5_ib` does for them.

use super::super::{
    Control, ControlError, CqRequest, Granted, Mapping, MkeyRequest, PortAddress, Windows,
};
use super::Firmware;
use super::bring_up::addresses;
use crate::bus::{Memory, Registers};
use crate::verbs::{Access, WindowKind};
use doorbell_prm::commands::*;
use std::sync::Arc;

/// A key that any queue pair of the protection domain may use.
const ANY_QUEUE_PAIR: u32 = 0xff_ffff;

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

    fn has_blueflame(&self) -> bool {
        self.registers.write_combining()
    }

    /// How the page is mapped was settled for the whole BAR; what is wanted uncached is only not
    /// written in bursts.
    fn alloc_uar(&self, mapping: Mapping) -> Result<Granted<R::Page>, ControlError> {
        let index = self.simple(&AllocUarIn::new())?.uar();
        let page = self.registers.map_uar(index);
        let combining = mapping == Mapping::WriteCombining && self.has_blueflame();
        Ok(Granted { index, page, write_combining: combining })
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
            .set_umr_en(request.access.contains(Access::MW_BIND))
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
}

/// `translations_octword_size` of a window: one entry names the region that it opens, and room is
/// counted in fours.
const WINDOW_ENTRIES: u32 = 4;

impl<R: Registers> Windows for Firmware<R> {
    // ANCHOR: alloc_mw_command
    /// A key without memory, whose one entry will be another key and a range of its addresses
    /// (access mode KLM), and which work requests may change (`umr_en`). Only the key of a type 2
    /// window can be invalidated from afar. (`mlx5_ib_alloc_mw`)
    fn alloc_mw(&self, pd: u32, kind: WindowKind) -> Result<u32, ControlError> {
        let mut input = CreateMkeyIn::new();
        input
            .memory_key_mkey_entry_mut()
            .set_free(true)
            .set_access_mode_1_0(MkeyAccessMode::Indirect as u8)
            .set_umr_en(true)
            .set_lr(true)
            .set_en_rinval(kind == WindowKind::Two)
            .set_qpn(ANY_QUEUE_PAIR)
            .set_mkey_7_0(KEY_VARIANT)
            .set_pd(pd)
            .set_translations_octword_size(WINDOW_ENTRIES);
        Ok(self.simple(&input)?.mkey_index() << 8 | u32::from(KEY_VARIANT))
    }
    // ANCHOR_END: alloc_mw_command

    fn dealloc_mw(&self, rkey: u32) {
        self.give_back(DestroyMkeyIn::new().set_mkey_index(rkey >> 8));
    }
}

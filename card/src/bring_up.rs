//! Commands of bring-up and tear-down, in the order in which a driver gives them.

use crate::administration::{Answer, Given, plain};
use crate::buffer::addresses;
use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP};
use crate::infiniband::VENDOR;
use crate::life::Stage;
use crate::numbers::AllNumbers;
use crate::reason::Reason;
use doorbell_prm::commands::*;
use doorbell_tracer::probe;

/// The interface steps that the card supports: 0 and 1, one bit each.
const SUPPORTED_ISSI: u32 = 0b11;

impl Card {
    // ANCHOR: card_bring_up
    pub(crate) fn enable_hca(
        &mut self,
        given: Given<'_, EnableHcaIn>,
        bus: &Bus<'_>,
    ) -> Answer<EnableHcaOut> {
        own_function(given.input.function_id())?;
        self.set_stage(Stage::Enabled, bus);
        plain(EnableHcaOut::zeroed())
    }

    pub(crate) fn query_issi(&mut self, _: Given<'_, QueryIssiIn>) -> Answer<QueryIssiOut> {
        let mut output = QueryIssiOut::zeroed();
        output.set_current_issi(self.life.issi).set_supported_issi_dw0(SUPPORTED_ISSI);
        plain(output)
    }

    pub(crate) fn set_issi(&mut self, given: Given<'_, SetIssiIn>) -> Answer<SetIssiOut> {
        let wanted = given.input.current_issi();
        if wanted >= 32 || SUPPORTED_ISSI >> wanted & 1 == 0 {
            return Err(Reason::UnknownIssi);
        }
        if self.life.stage == Stage::Initialized {
            return Err(Reason::AlreadyInitialized);
        }
        self.life.issi = wanted;
        plain(SetIssiOut::zeroed())
    }

    /// INIT_HCA: from here on there can be objects.
    pub(crate) fn init_hca(
        &mut self,
        _: Given<'_, InitHcaIn>,
        bus: &Bus<'_>,
    ) -> Answer<InitHcaOut> {
        if self.life.wanted(self.config.boot_pages + self.config.init_pages) > 0 {
            return Err(Reason::InitPagesMissing);
        }
        self.set_stage(Stage::Initialized, bus);
        plain(InitHcaOut::zeroed())
    }

    /// TEARDOWN_HCA: all objects that are left go away with the function.
    pub(crate) fn teardown_hca(
        &mut self,
        given: Given<'_, TeardownHcaIn>,
        bus: &Bus<'_>,
    ) -> Answer<TeardownHcaOut> {
        match TeardownProfile::from_code(given.input.profile()) {
            Some(TeardownProfile::GracefulClose | TeardownProfile::ForceClose) => {}
            Some(TeardownProfile::PrepareFastTeardown) | None => return Err(Reason::Profile),
        }
        self.drop_objects();
        self.set_stage(Stage::Enabled, bus);
        plain(TeardownHcaOut::zeroed())
    }

    /// DISABLE_HCA: back to how power-on left it. Pages that were not taken back are forgotten.
    pub(crate) fn disable_hca(
        &mut self,
        given: Given<'_, DisableHcaIn>,
        bus: &Bus<'_>,
    ) -> Answer<DisableHcaOut> {
        own_function(given.input.function_id())?;
        self.life.pages.clear();
        self.life.issi = 0;
        self.capabilities.reset();
        self.set_stage(Stage::Off, bus);
        plain(DisableHcaOut::zeroed())
    }

    fn set_stage(&mut self, stage: Stage, bus: &Bus<'_>) {
        let before = std::mem::replace(&mut self.life.stage, stage);
        probe!(bus.tracer, state("HCA", 0, before.label(), stage.label()));
    }

    fn drop_objects(&mut self) {
        self.queue_pairs.clear();
        self.completion_queues.clear();
        self.event_queues.clear();
        self.memory_keys.clear();
        self.numbers = AllNumbers::new(&self.config);
        self.counters.clear();
        self.shared_receives.clear();
        self.doorbells.clear();
        self.fabric.clear();
    }
    // ANCHOR_END: card_bring_up

    // ANCHOR: card_pages
    pub(crate) fn query_pages(&mut self, given: Given<'_, QueryPagesIn>) -> Answer<QueryPagesOut> {
        own_function(given.input.function_id())?;
        let (boot, init) = (self.config.boot_pages, self.config.init_pages);
        let wanted = match PagesStage::from_code(given.input.op_mod()) {
            Some(PagesStage::Boot) => self.life.wanted(boot),
            Some(PagesStage::Init) => self.life.wanted(boot + init),
            Some(PagesStage::Regular) => 0,
            None => return Err(Reason::UnknownVariant),
        };
        let mut output = QueryPagesOut::zeroed();
        output.set_num_pages(wanted);
        plain(output)
    }

    pub(crate) fn manage_pages(
        &mut self,
        given: Given<'_, ManagePagesIn>,
    ) -> Answer<ManagePagesOut> {
        own_function(given.input.function_id())?;
        let count = given.input.input_num_entries() as usize;
        match PagesAction::from_code(given.input.op_mod()) {
            Some(PagesAction::CannotGive) => plain(ManagePagesOut::zeroed()),
            Some(PagesAction::Give) => self.give_pages(given.tail, count),
            Some(PagesAction::Take) => self.take_pages(given.room, count),
            None => Err(Reason::UnknownVariant),
        }
    }

    /// All of the pages, or none.
    fn give_pages(&mut self, list: &[u8], count: usize) -> Answer<ManagePagesOut> {
        if list.len() / 8 < count {
            return Err(Reason::MissingPages);
        }
        let mut pages = self.life.pages.clone();
        for page in addresses(list).take(count) {
            if page & 0xfff != 0 {
                return Err(Reason::PageAddress);
            }
            if !pages.insert(page) {
                return Err(Reason::PageGivenTwice);
            }
        }
        self.life.pages = pages;
        plain(ManagePagesOut::zeroed())
    }

    /// As many as are asked back, can be spared, and have room in the output.
    fn take_pages(&mut self, room: usize, count: usize) -> Answer<ManagePagesOut> {
        let fits = room.saturating_sub(ManagePagesOut::SIZE) / 8;
        let count = count.min(fits).min(self.life.spare(&self.config));
        let mut list = Vec::new();
        for _ in 0..count {
            if let Some(page) = self.life.pages.pop_last() {
                list.extend(page.to_be_bytes());
            }
        }
        let mut output = ManagePagesOut::zeroed();
        output.set_output_num_entries(count as u32);
        Ok((output, list))
    }
    // ANCHOR_END: card_pages

    pub(crate) fn query_adapter(
        &mut self,
        _: Given<'_, QueryAdapterIn>,
    ) -> Answer<QueryAdapterOut> {
        let mut output = QueryAdapterOut::zeroed();
        let adapter = output.query_adapter_struct_mut();
        let [a, b, c] = VENDOR;
        adapter.set_ieee_vendor_id(u32::from_be_bytes([0, a, b, c]));
        adapter.set_vsd_vendor_id(self.config.vendor_id);
        adapter.set_vsd_contd_psid(self.config.board);
        plain(output)
    }

    pub(crate) fn set_driver_version(
        &mut self,
        _: Given<'_, SetDriverVersionIn>,
    ) -> Answer<SetDriverVersionOut> {
        plain(SetDriverVersionOut::zeroed())
    }

    /// There are no keys of a special meaning on this card.
    pub(crate) fn query_special_contexts(
        &mut self,
        _: Given<'_, QuerySpecialContextsIn>,
    ) -> Answer<QuerySpecialContextsOut> {
        plain(QuerySpecialContextsOut::zeroed())
    }
}

/// The card has one function, number 0.
fn own_function(function: u16) -> Result<(), Reason> {
    match function {
        0 => Ok(()),
        _ => Err(Reason::OtherFunction),
    }
}

//! Commands that create and destroy protection domains, UAR pages, memory keys and queues of
//! events and completions.

use crate::administration::{Answer, Given, plain};
use crate::buffer::{PageBuffer, addresses};
use crate::capabilities::*;
use crate::card::Card;
use crate::completion_queue::{Arm, CompletionQueue};
use crate::config::VECTORS;
use crate::event_queue::EventQueue;
use crate::queue_pairs::Used;
use crate::reason::Reason;
use crate::translation::{MemoryKey, is_indirect};
use crate::windows::release;
use doorbell_prm::commands::*;
use doorbell_prm::cqe::Cqe;
use doorbell_prm::eqe::Eqe;

fn context_mode(context: &MkeyContext) -> Option<MkeyAccessMode> {
    MkeyAccessMode::from_code(context.access_mode_4_2() << 2 | context.access_mode_1_0())
}

impl Card {
    // ANCHOR: card_resources
    pub(crate) fn alloc_pd(&mut self, _: Given<'_, AllocPdIn>) -> Answer<AllocPdOut> {
        let mut output = AllocPdOut::zeroed();
        output.set_pd(self.numbers.domains.take()?);
        plain(output)
    }

    pub(crate) fn dealloc_pd(&mut self, given: Given<'_, DeallocPdIn>) -> Answer<DeallocPdOut> {
        let pd = given.input.pd();
        let keys = self.memory_keys.values().any(|key| key.context.pd() == pd);
        if keys || self.queue_pairs.any_uses(Used::ProtectionDomain(pd)) {
            return Err(Reason::InUse);
        }
        match self.numbers.domains.give_back(pd) {
            true => plain(DeallocPdOut::zeroed()),
            false => Err(Reason::NoSuchPd),
        }
    }

    pub(crate) fn alloc_uar(&mut self, _: Given<'_, AllocUarIn>) -> Answer<AllocUarOut> {
        let mut output = AllocUarOut::zeroed();
        output.set_uar(self.numbers.uars.take()?);
        plain(output)
    }

    pub(crate) fn dealloc_uar(&mut self, given: Given<'_, DeallocUarIn>) -> Answer<DeallocUarOut> {
        let uar = given.input.uar();
        let events = self.event_queues.values().map(|queue| queue.context.uar_page());
        let completions = self.completion_queues.values().map(|queue| queue.context.uar_page());
        let queues = events.chain(completions).any(|used| used == uar);
        if queues || self.queue_pairs.any_uses(Used::UarPage(uar)) {
            return Err(Reason::InUse);
        }
        match self.numbers.uars.give_back(uar) {
            true => plain(DeallocUarOut::zeroed()),
            false => Err(Reason::NoSuchUar),
        }
    }
    // ANCHOR_END: card_resources

    // ANCHOR: card_create_mkey
    /// Registers memory: every page that the region touches must have a translation entry.
    pub(crate) fn create_mkey(&mut self, given: Given<'_, CreateMkeyIn>) -> Answer<CreateMkeyOut> {
        let context = *given.input.memory_key_mkey_entry();
        self.check_key(given.input, &context)?;
        // A memory window: a work request says later what it is made of.
        if context_mode(&context) == Some(MkeyAccessMode::Indirect) {
            return self.add_key(context, Vec::new());
        }
        if context_mode(&context) == Some(MkeyAccessMode::Physical) {
            // Physical addresses are the kernel's alone.
            if given.input.uid() != 0 {
                return Err(Reason::AccessMode);
            }
            return self.add_key(context, Vec::new());
        }
        let shift = u32::from(context.log_page_size());
        let inside = context.start_addr() & ((1 << shift) - 1);
        let pages =
            inside.checked_add(context.length()).ok_or(Reason::MkeyRange)?.div_ceil(1 << shift);
        // Entries come in pairs: 16 bytes hold two.
        let listed = u64::from(given.input.translations_octword_actual_size()) * 2;
        if listed < pages {
            return Err(Reason::TooFewTranslations);
        }
        if (given.tail.len() as u64) / 8 < pages {
            return Err(Reason::MissingPages);
        }
        let entries: Vec<u64> = addresses(given.tail).take(pages as usize).collect();
        let flags = TRANSLATION_READ | TRANSLATION_WRITE;
        if entries.iter().any(|entry| entry & ((1 << shift) - 1) & !flags != 0) {
            return Err(Reason::PageAddress);
        }
        self.add_key(context, entries)
    }

    fn add_key(&mut self, context: MkeyContext, entries: Vec<u64>) -> Answer<CreateMkeyOut> {
        let index = self.numbers.memory_keys.take()?;
        self.memory_keys.insert(index, MemoryKey { context, entries, parts: Vec::new(), held: 0 });
        let mut output = CreateMkeyOut::zeroed();
        output.set_mkey_index(index);
        plain(output)
    }

    /// Rights and permissions are all taken: that for atomics, which no queue pair of this card asks
    /// for (programs give it to all their memory, and `mlx5_ib` hands it on whatever the card can do),
    /// and that to let reads and writes pass others, of which this card makes no use.
    fn check_key(&self, input: &CreateMkeyIn, context: &MkeyContext) -> Result<(), Reason> {
        let unsupported = input.pg_access() || input.mkey_umem_valid() || context.bsf_en();
        let (translated, whole) = match context_mode(context) {
            Some(MkeyAccessMode::Translated) => (true, false),
            Some(MkeyAccessMode::Physical) => (false, context.length64()),
            Some(MkeyAccessMode::Indirect) => (false, false),
            _ => return Err(Reason::AccessMode),
        };
        // Keys that are made of others begin free, and all others do not. Only a key for physical
        // addresses can stand for all of them.
        let free = is_indirect(context);
        if unsupported || context.free() != free || context.length64() != whole {
            return Err(Reason::MkeyFeature);
        }
        if translated && !(12..=31).contains(&context.log_page_size()) {
            return Err(Reason::PageSize);
        }
        if context.start_addr().checked_add(context.length()).is_none() {
            return Err(Reason::MkeyRange);
        }
        match self.numbers.domains.contains(context.pd()) {
            true => Ok(()),
            false => Err(Reason::NoSuchPd),
        }
    }

    pub(crate) fn destroy_mkey(
        &mut self,
        given: Given<'_, DestroyMkeyIn>,
    ) -> Answer<DestroyMkeyOut> {
        let index = given.input.mkey_index();
        let key = self.memory_keys.get(&index).ok_or(Reason::NoSuchMkey)?;
        if key.held > 0 {
            return Err(Reason::InUse);
        }
        let parts = key.parts.clone();
        release(&mut self.memory_keys, &parts);
        self.memory_keys.remove(&index);
        self.numbers.memory_keys.give_back(index);
        plain(DestroyMkeyOut::zeroed())
    }
    // ANCHOR_END: card_create_mkey

    // ANCHOR: card_create_eq
    pub(crate) fn create_eq(&mut self, given: Given<'_, CreateEqIn>) -> Answer<CreateEqOut> {
        let mut context = *given.input.eq_context_entry();
        if context.log_eq_size() > LOG_MAX_EQ_SIZE {
            return Err(Reason::QueueSize);
        }
        if context.intr() >= VECTORS {
            return Err(Reason::Vector);
        }
        self.has_uar(context.uar_page())?;
        let buffer = PageBuffer::of_queue(
            given.tail,
            context.log_page_size(),
            context.page_offset(),
            (Eqe::SIZE as u64) << context.log_eq_size(),
        )?;
        let number = self.numbers.event_queues.take()? as u8;
        context.set_status(0);
        let queue = EventQueue {
            context,
            buffer,
            mask: given.input.event_bitmask(),
            producer: 0,
            consumer: 0,
            armed: false,
        };
        self.event_queues.insert(number, queue);
        let mut output = CreateEqOut::zeroed();
        output.set_eq_number(number);
        plain(output)
    }

    pub(crate) fn destroy_eq(&mut self, given: Given<'_, DestroyEqIn>) -> Answer<DestroyEqOut> {
        let number = given.input.eq_number();
        let mut queues = self.completion_queues.values();
        if queues.any(|queue| queue.context.c_eqn_or_apu_element() == u32::from(number)) {
            return Err(Reason::InUse);
        }
        self.event_queues.remove(&number);
        match self.numbers.event_queues.give_back(number.into()) {
            true => plain(DestroyEqOut::zeroed()),
            false => Err(Reason::NoSuchEq),
        }
    }
    // ANCHOR_END: card_create_eq

    // ANCHOR: card_create_cq
    pub(crate) fn create_cq(&mut self, given: Given<'_, CreateCqIn>) -> Answer<CreateCqOut> {
        let mut context = *given.input.cq_context();
        if context.log_cq_size() > LOG_MAX_CQ_SIZE {
            return Err(Reason::QueueSize);
        }
        if context.cqe_sz() != 0 {
            return Err(Reason::CqeSize);
        }
        if !context.dbr_addr().is_multiple_of(8) {
            return Err(Reason::RecordAddress);
        }
        self.has_uar(context.uar_page())?;
        let eqn = u8::try_from(context.c_eqn_or_apu_element()).map_err(|_| Reason::NoSuchEq)?;
        if !self.event_queues.contains_key(&eqn) {
            return Err(Reason::NoSuchEq);
        }
        let buffer = PageBuffer::of_queue(
            given.tail,
            context.log_page_size(),
            context.page_offset(),
            (Cqe::SIZE as u64) << context.log_cq_size(),
        )?;
        let number = self.numbers.completion_queues.take()?;
        context.set_status(0);
        let queue = CompletionQueue {
            context,
            buffer,
            producer: 0,
            consumer: 0,
            arm: if self.is_mapped(context.uar_page()) { Arm::Next } else { Arm::Fired },
            armed_by: 0,
            unannounced: false,
            waking: None,
        };
        self.completion_queues.insert(number, queue);
        let mut output = CreateCqOut::zeroed();
        output.set_cqn(number);
        plain(output)
    }

    pub(crate) fn destroy_cq(&mut self, given: Given<'_, DestroyCqIn>) -> Answer<DestroyCqOut> {
        let number = given.input.cqn();
        if self.queue_pairs.any_uses(Used::CompletionQueue(number)) {
            return Err(Reason::InUse);
        }
        self.completion_queues.remove(&number);
        match self.numbers.completion_queues.give_back(number) {
            true => plain(DestroyCqOut::zeroed()),
            false => Err(Reason::NoSuchCq),
        }
    }
    // ANCHOR_END: card_create_cq

    pub(crate) fn has_uar(&self, uar: u32) -> Result<(), Reason> {
        match self.numbers.uars.contains(uar) {
            true => Ok(()),
            false => Err(Reason::NoSuchUar),
        }
    }
}

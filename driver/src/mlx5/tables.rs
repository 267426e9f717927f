//! The provider's part of a context, and the small tables in it.

use super::records::Records;
use super::registers::Registers;
use super::ring::BLOCK;
use super::settings::Settings;
use crate::bus::{AtHand, Bus, Memory, PAGE_SIZE};
use crate::control::{Control, ControlError, Granted, Mapping};
use crate::verbs::Context;
use doorbell_prm::registers::uar::BLUEFLAME_BUFFER_SIZE;
use doorbell_tracer::{Group, MapRequest, RegionId, Role, Site, Tracer, site};
use std::sync::{Arc, Mutex, PoisonError};

const PROBE_GROUP: Group = Group::Control;

/// Size of one of a register's two BlueFlame buffers in bytes.
const BUFFER_SIZE: usize = BLUEFLAME_BUFFER_SIZE as usize;

// A WQE is copied there in whole blocks; see `Built::last_copied`.
const _: () = assert!(BUFFER_SIZE.is_multiple_of(BLOCK));

/// libmlx5's part of a context (`struct mlx5_context`).
pub struct Mlx5Context<B: Bus> {
    /// Who answers the requests of the control path.
    pub control: Arc<dyn Control<B>>,
    /// The memory shared with the card.
    pub memory: Arc<Memory>,
    /// What queues keep at hand.
    pub settings: Settings,
    /// WQEs of new queue pairs carry signatures.
    pub signatures: bool,
    /// The page of doorbell registers that came with the context: completion queues are armed there,
    /// and queue pairs ring there if nobody uses BlueFlame.
    pub uar: Arc<Uar<B>>,
    /// Doorbell records.
    pub records: Records,
    /// Registers that queue pairs ring.
    pub registers: Registers<B>,
    /// User indexes: those given back, and the next new one.
    user_indexes: Mutex<(Vec<u32>, u32)>,
}

/// A mapped page of doorbell registers; given back when dropped.
pub struct Uar<B: Bus> {
    /// Its index on the card.
    pub index: u32,
    /// Its number in the trace.
    pub region: RegionId,
    /// Bytes of a BlueFlame buffer of its registers; 0 if they take none.
    pub buffer_size: usize,
    /// The page.
    pub page: Arc<B::Page>,
    control: Arc<dyn Control<B>>,
}

impl<B: Bus> Drop for Uar<B> {
    fn drop(&mut self) {
        self.control.dealloc_uar(self.index);
    }
}

impl<B: Bus> Mlx5Context<B> {
    // ANCHOR: mlx5_context
    /// What a context needs before any queue: the control path, and a first page of registers.
    pub fn new(
        control: Arc<dyn Control<B>>,
        settings: super::ProviderSettings,
        tracer: &Tracer,
    ) -> Result<Self, ControlError> {
        let memory = Arc::clone(control.memory());
        let super::ProviderSettings { blueflame, signatures } = settings;
        Ok(Self {
            uar: Arc::new(Uar::take(&control, Mapping::Uncached, tracer)?),
            settings: Settings { blueflame, memory: AtHand::new(&memory) },
            signatures,
            control,
            memory,
            records: Records::default(),
            registers: Registers::new(blueflame),
            user_indexes: Mutex::new((Vec::new(), 0)),
        })
    }
    // ANCHOR_END: mlx5_context

    /// libmlx5's part of a context of the verbs (`to_mctx`).
    pub fn of(context: &Context) -> &Self {
        context.provider().expect("a context's table is of its own provider")
    }

    /// A number that no living queue pair of this context has: what CQEs will name it by.
    pub fn take_user_index(&self) -> u32 {
        let mut indexes = self.user_indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.0.pop().unwrap_or_else(|| {
            indexes.1 += 1;
            indexes.1 - 1
        })
    }

    /// Gives a number back.
    pub fn give_user_index(&self, index: u32) {
        let mut indexes = self.user_indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.0.push(index);
    }
}

impl<B: Bus> Uar<B> {
    // ANCHOR: map_uar
    /// Asks for a page of doorbell registers and maps it. This is the last time that anyone is
    /// asked: from here on a store to the page reaches the card.
    pub fn take(
        control: &Arc<dyn Control<B>>,
        mapping: Mapping,
        tracer: &Tracer,
    ) -> Result<Self, ControlError> {
        static PLACE: Site = site!();
        let Granted { index, page, write_combining } = control.alloc_uar(mapping)?;
        let region = tracer.map(
            &PLACE,
            MapRequest {
                role: Role::UserAccessRegion,
                name: "UAR page".to_owned(),
                address: u64::from(index) * PAGE_SIZE as u64,
                length: PAGE_SIZE,
                stride: 0,
                object: index,
            },
        );
        let buffer_size = if write_combining { BUFFER_SIZE } else { 0 };
        Ok(Self { index, region, buffer_size, page: Arc::new(page), control: Arc::clone(control) })
    }
    // ANCHOR_END: map_uar
}

//! Register writes on their way from the guest to the card: gathered as a CPU would, and told.

use crate::bar::RegisterAccess;
use crate::combining::{Combining, Write};
use doorbell_card::{Card, FIRST_UAR};
use doorbell_prm::Layout;
use doorbell_prm::doorbell::{CqArmDoorbell, EqDoorbell};
use doorbell_prm::registers::uar::{UAR_PAGE_SIZE, UarRegister};
use doorbell_prm::wqe::{ControlSegment, SEND_BLOCK};
use doorbell_tracer::{Actor, Group, MapRequest, RegionId, Role, Site, Tracer, probe, site};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PROBE_GROUP: Group = Group::Card;

/// The way of register writes to the card.
pub(crate) struct Registers {
    /// Only where every store is seen: what is mapped is gathered by nobody.
    combining: Option<Combining>,
    tracer: Tracer,
    /// UAR pages that were written, as the trace knows them.
    pages: BTreeMap<u64, RegionId>,
}

impl Registers {
    pub(crate) fn new(access: RegisterAccess, tracer: &Tracer) -> Self {
        Self {
            combining: (access == RegisterAccess::Trapped).then(Combining::default),
            tracer: tracer.acting_as(Actor::Cpu(0)),
            pages: BTreeMap::new(),
        }
    }

    /// Takes a store of the guest and hands to the card what leaves. `false` when nothing does yet.
    pub(crate) fn store(&mut self, offset: u64, bytes: &[u8], card: &mut Card) -> bool {
        let leaving = match &mut self.combining {
            Some(combining) => combining.store(offset, bytes, Instant::now()),
            None => vec![(offset, bytes.to_vec())],
        };
        self.hand_on(leaving, card)
    }

    /// Whether a burst has begun.
    pub(crate) fn is_gathering(&self) -> bool {
        self.combining.as_ref().is_some_and(Combining::is_gathering)
    }

    /// Hands on what is gathered. `false` when nothing is.
    pub(crate) fn flush(&mut self, card: &mut Card) -> bool {
        let leaving = self.combining.as_mut().map_or_else(Vec::new, Combining::flush);
        self.hand_on(leaving, card)
    }

    /// Hands on what has been gathered for too long; answers how long the rest may still wait.
    pub(crate) fn flush_late(&mut self, card: &mut Card) -> Option<Duration> {
        let patience = self.combining.as_ref()?.patience(Instant::now())?;
        if patience.is_zero() {
            self.flush(card);
            return None;
        }
        Some(patience)
    }

    /// Forgets what is gathered, and which pages there were.
    pub(crate) fn clear(&mut self) {
        if let Some(combining) = &mut self.combining {
            *combining = Combining::default();
        }
        self.pages.clear();
    }

    fn hand_on(&mut self, leaving: Vec<Write>, card: &mut Card) -> bool {
        for (offset, bytes) in &leaving {
            self.tell(*offset, bytes);
            card.write(*offset, bytes);
        }
        !leaving.is_empty()
    }

    // ANCHOR: guest_register_write
    /// Tells of a write to a UAR page, as it reaches the card.
    fn tell(&mut self, offset: u64, bytes: &[u8]) {
        let (page, at) = (offset / UAR_PAGE_SIZE, (offset % UAR_PAGE_SIZE) as usize);
        if !self.tracer.is_on() || page < u64::from(FIRST_UAR) {
            return;
        }
        let region = self.region(page);
        let (register, layout) = named(UarRegister::at(offset), bytes.len());
        probe!(self.tracer, register_write(region, at, register, layout, bytes));
    }

    fn region(&mut self, page: u64) -> RegionId {
        static PLACE: Site = site!();
        let request = || MapRequest {
            role: Role::UserAccessRegion,
            name: "UAR page".to_owned(),
            address: page * UAR_PAGE_SIZE,
            length: UAR_PAGE_SIZE as usize,
            stride: 0,
            object: page as u32,
        };
        *self.pages.entry(page).or_insert_with(|| self.tracer.map(&PLACE, request()))
    }
    // ANCHOR_END: guest_register_write
}

/// What a trace calls a register, and the layout of what is written there.
fn named(register: UarRegister, length: usize) -> (&'static str, &'static str) {
    let control = ControlSegment::LAYOUT.name;
    match register {
        UarRegister::SendDoorbell { offset: 0, .. } if length >= SEND_BLOCK => {
            ("BlueFlame", control)
        }
        UarRegister::SendDoorbell { offset: 0, .. } => ("doorbell", control),
        UarRegister::SendDoorbell { .. } => ("BlueFlame", ""),
        UarRegister::CqDoorbell => ("completion queue doorbell", CqArmDoorbell::LAYOUT.name),
        UarRegister::EqDoorbellArm => ("event queue doorbell, arming", EqDoorbell::LAYOUT.name),
        UarRegister::EqDoorbellConsumerIndex => ("event queue doorbell", EqDoorbell::LAYOUT.name),
        UarRegister::Reserved => ("reserved", ""),
    }
}

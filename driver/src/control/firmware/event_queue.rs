//! An event queue: a ring that the card writes and the driver reads, with an interrupt beside it.
//!
//! It works as a completion queue does, by an owner bit that flips with each turn of the ring. A
//! card that finds the queue armed raises the queue's interrupt after an entry, once; who has read
//! the entries says so, and arms again, by one register. (PRM, "Event Queue")

use super::super::ControlError;
use super::Firmware;
use super::bring_up::addresses;
use crate::bus::{DmaRegion, PAGE_SIZE, Purpose, Registers, UarPage};
use crate::mlx5::{FLUSH_WRITES, FROM_DEVICE};
use doorbell_prm::commands::{CreateEqIn, DestroyEqIn};
use doorbell_prm::doorbell::EqDoorbell;
use doorbell_prm::eqe::{EQE_INITIAL_OWNER, Eqe};
use doorbell_prm::registers::uar::EQ_DOORBELL_ARM;
use doorbell_tracer::{Group, MapRequest, RegionId, Relation, Role, Site, Tracer, probe, site};
use std::sync::Arc;
use std::time::Duration;
use zerocopy::{IntoBytes, transmute};

const PROBE_GROUP: Group = Group::Control;

/// Entries, as a base-2 logarithm: one page.
const LOG_ENTRIES: u8 = 6;

/// Which event types come to a queue: one bit each.
pub type Mask = [u64; 4];

/// An event queue that somebody waits at.
pub struct EventQueue<R: Registers> {
    /// Its number on the card.
    pub number: u8,
    /// The interrupt that it raises.
    vector: u16,
    ring: DmaRegion,
    region: RegionId,
    page: EventPage<R>,
    /// Entries taken since the beginning.
    consumer_index: u32,
}

/// The page with the doorbell registers of event queues. All of them share it, as in `mlx5_core`:
/// what is written there says of which queue it is.
pub struct EventPage<R: Registers> {
    index: u32,
    page: Arc<R::Page>,
    /// Its number in the trace.
    region: RegionId,
}

impl<R: Registers> Clone for EventPage<R> {
    fn clone(&self) -> Self {
        Self { index: self.index, page: Arc::clone(&self.page), region: self.region }
    }
}

impl<R: Registers> EventPage<R> {
    // ANCHOR: event_queue_page
    /// Maps the page that bring-up has asked for.
    pub fn map(registers: &R, index: u32, tracer: &Tracer) -> Self {
        static PLACE: Site = site!();
        let region = tracer.map(
            &PLACE,
            MapRequest {
                role: Role::UserAccessRegion,
                name: "UAR page of the event queues".to_owned(),
                address: u64::from(index) * PAGE_SIZE as u64,
                length: PAGE_SIZE,
                stride: 0,
                object: index,
            },
        );
        Self { index, page: Arc::new(registers.map_uar(index)), region }
    }
    // ANCHOR_END: event_queue_page
}

impl<R: Registers> EventQueue<R> {
    // ANCHOR: event_queue_create
    /// Creates an event queue, and arms it. (`create_map_eq`, `mlx5_eq_enable`)
    pub fn create(
        firmware: &Firmware<R>,
        name: &str,
        vector: u16,
        mask: Mask,
    ) -> Result<Self, ControlError> {
        static RING: Site = site!();
        let tracer = &firmware.tracer;
        let page = firmware.event_page();
        let ring = firmware.memory.allocate(Eqe::SIZE << LOG_ENTRIES)?;
        let purpose = |object| Purpose { role: Role::EventQueue, name, stride: 64, object };
        let region = tracer.map(&RING, ring.request(0, ring.length(), purpose(0)));
        // The owner bit of the turn before the first: no entry is new yet.
        let mut entry = [0; Eqe::SIZE];
        entry[Eqe::SIZE - 1] = EQE_INITIAL_OWNER;
        let entries = entry.repeat(1 << LOG_ENTRIES);
        ring.write_bytes(0, &entries);
        probe!(*tracer, store(region, 0, "", &entries); from "owner" = "MLX5_EQE_OWNER_INIT_VAL");
        let mut input = CreateEqIn::new();
        input.set_event_bitmask(mask);
        input
            .eq_context_entry_mut()
            .set_log_eq_size(LOG_ENTRIES)
            .set_uar_page(page.index)
            .set_intr(vector);
        let pages: Vec<u64> = ring.pages().collect();
        let (output, _) = firmware.command(&input, &addresses(&pages), 0)?;
        let number = output.eq_number();
        tracer.remap(&RING, region, ring.request(0, ring.length(), purpose(number.into())));
        let queue = Self { number, vector, ring, region, page, consumer_index: 0 };
        queue.arm(tracer);
        Ok(queue)
    }
    // ANCHOR_END: event_queue_create

    /// Gives it back.
    pub fn destroy(self, firmware: &Firmware<R>) {
        firmware.give_back(DestroyEqIn::new().set_eq_number(self.number));
    }

    // ANCHOR: event_queue_wait
    /// Waits for the next entry: looks, and if there is none sleeps until the interrupt. The queue
    /// was armed after the last entry was taken, so that an entry that came since has raised it.
    pub fn wait(
        &mut self,
        firmware: &Firmware<R>,
        what: &'static str,
        deadline: Duration,
    ) -> Result<Eqe, ControlError> {
        let tracer = &firmware.tracer;
        loop {
            if let Some(entry) = self.take(tracer) {
                self.arm(tracer);
                return Ok(entry);
            }
            let vector = u32::from(self.vector);
            probe!(*tracer, call("wait for the interrupt", [("vector", vector.into())]));
            let raised = firmware.registers.wait_interrupt(self.vector, deadline);
            probe!(*tracer, returned("wait for the interrupt", u32::from(raised)));
            if !raised {
                return Err(ControlError::NoEvent {
                    what,
                    milliseconds: deadline.as_millis() as u64,
                });
            }
        }
    }
    // ANCHOR_END: event_queue_wait

    // ANCHOR: event_queue_take
    /// The next entry, if the card has written it. (`next_eqe_sw`)
    fn take(&mut self, tracer: &Tracer) -> Option<Eqe> {
        let offset = (self.consumer_index & ((1 << LOG_ENTRIES) - 1)) as usize * Eqe::SIZE;
        let turn = (self.consumer_index >> LOG_ENTRIES & 1) as u8;
        let [owner]: [u8; 1] = self.ring.load(offset + Eqe::SIZE - 1);
        probe!(*tracer, load(self.region, offset + Eqe::SIZE - 1, "", &[owner]));
        let ours = owner & 1 == turn;
        probe!(
            *tracer,
            check(
                "the card has written this entry in this turn of the ring",
                ("owner bit", u32::from(owner & 1)),
                Relation::Equal,
                ("turn, from eq.consumer_index", u32::from(turn)),
                ours
            )
        );
        if !ours {
            return None;
        }
        // The rest of the entry must not have been read before its owner bit was.
        (FROM_DEVICE.pass)();
        probe!(*tracer, barrier(FROM_DEVICE.name, FROM_DEVICE.instruction));
        let entry: Eqe = self.ring.load(offset);
        probe!(*tracer, load(self.region, offset, "eqe", entry.as_bytes()));
        self.consumer_index = self.consumer_index.wrapping_add(1);
        probe!(*tracer, index(self.region, "eq.consumer_index", self.consumer_index));
        Some(entry)
    }
    // ANCHOR_END: event_queue_take

    // ANCHOR: event_queue_arm
    /// Tells the card how far entries have been taken, and arms the queue for the next one. If that
    /// has come already, the interrupt comes at once. (`eq_update_ci`)
    fn arm(&self, tracer: &Tracer) {
        let mut doorbell = EqDoorbell::zeroed();
        doorbell.set_eqn(self.number.into());
        doorbell.set_consumer_index(self.consumer_index & 0xff_ffff);
        let bytes: [u8; 4] = transmute!(doorbell);
        self.page.page.write_4(EQ_DOORBELL_ARM as usize, bytes);
        probe!(
            *tracer,
            register_write(
                self.page.region,
                EQ_DOORBELL_ARM as usize,
                "event queue doorbell, arming",
                "eq_doorbell",
                &bytes
            )
        );
        (FLUSH_WRITES.pass)();
        self.page.page.flushed();
        probe!(*tracer, barrier(FLUSH_WRITES.name, FLUSH_WRITES.instruction));
    }
    // ANCHOR_END: event_queue_arm
}

//! The card as a whole: BAR 0 on one side, and work done step by step on the other.

use crate::cable::Cable;
use crate::capabilities::Capabilities;
use crate::command_queue::CommandDoorbell;
use crate::completion_queue::CompletionQueue;
use crate::config::CardConfig;
use crate::counters::CounterSets;
use crate::dma::{Bus, PROBE_GROUP};
use crate::doorbells::Doorbell;
use crate::event_queue::EventQueue;
use crate::fabric::RoceTable;
use crate::host::Host;
use crate::infiniband::link_register;
use crate::init_segment::Registers;
use crate::life::Life;
use crate::management::Traffic;
use crate::numbers::AllNumbers;
use crate::port::PortRegisters;
use crate::queue_pair::QueuePair;
use crate::queue_pairs::{Duty, QueuePairs};
use crate::shared_ring::SharedReceives;
use crate::translation::MemoryKeys;
use crate::wire::Wire;
use doorbell_prm::registers::uar::UAR_PAGE_SIZE;
use doorbell_tracer::{Actor, Tracer, Value, probe};
use std::collections::{BTreeMap, VecDeque};

/// A software ConnectX.
///
/// It is passive: registers are read and written through [`Card::read`] and [`Card::write`], and
/// all work, with the DMA and the interrupts that go with it, is done in [`Card::run`].
pub struct Card {
    pub(crate) config: CardConfig,
    tracer: Tracer,
    pub(crate) registers: Registers,
    pub(crate) life: Life,
    pub(crate) capabilities: Capabilities,
    pub(crate) port_registers: PortRegisters,
    pub(crate) numbers: AllNumbers,
    pub(crate) counters: CounterSets,
    pub(crate) shared_receives: SharedReceives,
    pub(crate) transmitted: Traffic,
    pub(crate) received: Traffic,
    pub(crate) memory_keys: MemoryKeys,
    pub(crate) event_queues: BTreeMap<u8, EventQueue>,
    pub(crate) completion_queues: BTreeMap<u32, CompletionQueue>,
    pub(crate) queue_pairs: QueuePairs,
    pub(crate) roce: RoceTable,
    pub(crate) commands: VecDeque<CommandDoorbell>,
    pub(crate) doorbells: VecDeque<Doorbell>,
    /// Packets from the card to itself.
    pub(crate) fabric: VecDeque<Vec<u8>>,
    pub(crate) wire: Wire,
    pub(crate) cable: Cable,
    /// Nanoseconds since power-on, when somebody tells.
    pub(crate) now: Option<u64>,
    /// Doorbell records of mapped UAR pages are to be looked at.
    pub(crate) looking: bool,
    /// The last call of `run` found nothing to do.
    idle: bool,
}

impl Card {
    /// A card that has just been powered on. What it does is told to `tracer`, as the card's.
    pub fn new(config: CardConfig, tracer: Tracer) -> Self {
        Self {
            tracer: tracer.acting_as(Actor::Card),
            registers: Registers::new(&config),
            life: Life::default(),
            capabilities: Capabilities::new(&config),
            port_registers: PortRegisters::new(&config),
            numbers: AllNumbers::new(&config),
            counters: CounterSets::new(),
            shared_receives: SharedReceives::new(),
            transmitted: Traffic::default(),
            received: Traffic::default(),
            memory_keys: MemoryKeys::new(),
            event_queues: BTreeMap::new(),
            completion_queues: BTreeMap::new(),
            queue_pairs: QueuePairs::default(),
            roce: RoceTable::new(&config),
            commands: VecDeque::new(),
            doorbells: VecDeque::new(),
            fabric: VecDeque::new(),
            wire: Wire::default(),
            cable: Cable::default(),
            now: None,
            looking: false,
            idle: false,
            config,
        }
    }

    /// A reset of the PCI function: everything is as after power-on, but for the time and the
    /// cable.
    pub fn reset(&mut self) {
        let (now, timer, cable) = (self.now, self.registers.timer, self.cable.settled());
        *self = Self::new(self.config.clone(), self.tracer.clone());
        (self.now, self.registers.timer) = (now, timer);
        self.port_registers.link = link_register(&self.config, cable.has_link());
        self.cable = cable;
    }

    /// What kind of card it is.
    pub fn config(&self) -> &CardConfig {
        &self.config
    }

    // ANCHOR: card_bar
    /// Reads BAR 0. Only the init segment can be read; everything else reads as zeros.
    pub fn read(&mut self, offset: u64, into: &mut [u8]) {
        self.registers.read(offset, into);
        probe!(
            self.tracer,
            note(
                "register read seen",
                [("offset", Value::Hex(offset)), ("length", Value::from(into.len())),]
            )
        );
    }

    /// Writes BAR 0: 4 or 8 bytes, or a burst of 64 to a BlueFlame register. What the write asks
    /// for is done by [`Card::run`].
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        probe!(
            self.tracer,
            note(
                "register write seen",
                [("offset", Value::Hex(offset)), ("length", Value::from(bytes.len())),]
            )
        );
        let page = offset / UAR_PAGE_SIZE;
        match u32::try_from(page) {
            Ok(page) if self.numbers.uars.contains(page) => {
                self.write_uar(page, offset % UAR_PAGE_SIZE, bytes);
            }
            _ => self.write_init_segment(offset, bytes),
        }
    }
    // ANCHOR_END: card_bar

    // ANCHOR: card_run
    /// Does one piece of pending work. `false` when there was none.
    ///
    /// Pieces are small: a command, a doorbell, a packet delivered or sent, a flushed WQE. Packets that
    /// have arrived come before answers, so that one answer can do for several of them. After
    /// a `false`, the next call looks again at what has no doorbell: whether a receiver is ready
    /// at last, and whether something was posted to a failed queue pair.
    pub fn run(&mut self, host: &mut dyn Host) -> bool {
        let mut bus = Bus::new(host, self.tracer.clone());
        if std::mem::take(&mut self.idle) {
            self.queue_pairs.look_again(self.now);
        }
        let worked = self.step(&mut bus);
        self.idle = !worked;
        worked
    }

    fn step(&mut self, bus: &mut Bus<'_>) -> bool {
        if let Some(doorbell) = self.commands.pop_front() {
            self.take_commands(doorbell, bus);
            return true;
        }
        if let Some(doorbell) = self.doorbells.pop_front() {
            self.take_doorbell(doorbell, bus);
            return true;
        }
        if self.change_port(bus) {
            return true;
        }
        if let Some(bytes) = self.fabric.pop_front().or_else(|| self.wire.arriving.pop_front()) {
            self.deliver(&bytes, bus);
            return true;
        }
        if std::mem::take(&mut self.looking) && self.look_at_records(bus) {
            return true;
        }
        let room = self.wire.has_room();
        self.send_answers(room, bus)
            || room && (self.send_packets(bus) || self.begin_wqes(bus))
            || self.flush(bus)
            || self.time_outs(bus)
    }
    // ANCHOR_END: card_run

    /// Sends an answer. What a read fetches needs room on the wire, the others do not.
    fn send_answers(&mut self, room: bool, bus: &mut Bus<'_>) -> bool {
        let other = self.queue_pairs.first(Duty::Answer);
        let read = self.queue_pairs.first(Duty::AnswerRead).filter(|_| room);
        let found = [other, read].into_iter().flatten().min();
        self.work_on(found, |card, qp| card.send_answer(qp, bus))
    }

    fn send_packets(&mut self, bus: &mut Bus<'_>) -> bool {
        let found = self.queue_pairs.first(Duty::Send);
        self.work_on(found, |card, qp| card.send_next_packet(qp, bus))
    }

    fn begin_wqes(&mut self, bus: &mut Bus<'_>) -> bool {
        let found = self.queue_pairs.first(Duty::Begin);
        self.work_on(found, |card, qp| card.begin_wqe(qp, bus))
    }

    /// Those that find nothing have nothing to flush from then on.
    fn flush(&mut self, bus: &mut Bus<'_>) -> bool {
        let mut flushed = false;
        while !flushed && let Some(qpn) = self.queue_pairs.first(Duty::Flush) {
            self.with_qp(qpn, |card, qp| flushed = card.flush_one(qp, bus));
        }
        flushed
    }

    fn time_outs(&mut self, bus: &mut Bus<'_>) -> bool {
        let found = self.queue_pairs.first_late(self.now);
        self.work_on(found, |card, qp| card.time_out(qp, bus))
    }

    /// Works on the queue pair that was found, if one was.
    fn work_on(
        &mut self,
        found: Option<u32>,
        work: impl FnOnce(&mut Self, &mut QueuePair),
    ) -> bool {
        if let Some(qpn) = found {
            self.with_qp(qpn, work);
        }
        found.is_some()
    }

    /// Takes a queue pair out, works on it with the rest of the card at hand, and puts it back.
    pub(crate) fn with_qp(&mut self, qpn: u32, work: impl FnOnce(&mut Self, &mut QueuePair)) {
        if let Some(mut qp) = self.queue_pairs.take_out(qpn) {
            work(self, &mut qp);
            self.queue_pairs.put_back(qp);
        }
    }
}

impl std::fmt::Debug for Card {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Card")
            .field("config", &self.config)
            .field("life", &self.life)
            .field("queue_pairs", &self.queue_pairs.len())
            .finish_non_exhaustive()
    }
}

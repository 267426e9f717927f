//! The bus of the software card: PCIe as far as order and visibility go.
//!
//! A write to a register does not reach the card at once. Stores to a write-combining page stay in
//! the CPU until they are flushed; flushed ones, and writes to ordinary registers, are on their way
//! ("posted") until the card takes them. A read pushes everything before it. The card is passive:
//! it takes what has arrived, and works, when the CPU has nothing to do but wait.
//!
//! The wire of its port may be plugged into a network. Then packets come and go in the card's turn, and
//! the card is told the time; without one it knows none, and a run is like any other.

use super::{Bus, DoorbellRegister, Interposer, Memory, Registers, UarPage};
use doorbell_card::{Card, CardConfig, DmaFault, Host, Network, VECTORS};
use doorbell_tracer::{Actor, Tracer};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Address of the shared memory as the card sees it. Any page would do; one that is easy to tell
/// from a number in a listing is kinder.
const MEMORY_ADDRESS: u64 = 0x10_0000_0000;

/// Pages of shared memory: 16 MiB.
const MEMORY_PAGES: usize = 4096;

/// Packets that the card is brought in one turn, so that the program gets its own.
const PACKETS_A_TURN: usize = 64;

/// Turns in which nothing moved before the program sleeps while it waits for the network.
const LOOKS: u32 = 32;

/// How long it sleeps: short against the times that queue pairs wait for answers.
const NAP: Duration = Duration::from_micros(500);

/// The software card, the slot that it sits in, and the memory that it shares.
pub struct CardBus {
    memory: Arc<Memory>,
    pci_ids: (u16, u16),
    slot: Arc<Mutex<Slot>>,
    network: Option<Plug>,
    /// Pages of registers are mapped write-combining.
    combines: bool,
}

/// The network at the card's wire.
struct Plug {
    network: Arc<dyn Network>,
    /// The card's addresses there.
    mac: [u8; 6],
    ipv4: [u8; 4],
    /// Turns in a row in which nothing moved.
    idle: AtomicU32,
}

/// The card and what is on its way to it.
struct Slot {
    card: Card,
    /// In the CPU's write-combining buffers: page, then offset.
    combining: Vec<Write>,
    /// Posted, in order.
    posted: VecDeque<Write>,
    window: Window,
    interposer: Option<Arc<dyn Interposer>>,
}

/// A write to BAR 0.
struct Write {
    offset: u64,
    bytes: Vec<u8>,
}

/// What the card reaches of this side.
struct Window {
    memory: Arc<Memory>,
    /// Interrupts that the card has raised and nobody has taken yet.
    raised: BTreeSet<u32>,
}

impl Host for Window {
    fn dma_read(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        let found = self.memory.read(address, into);
        found.then_some(()).ok_or(DmaFault)
    }

    fn dma_write(&mut self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        let found = self.memory.write(address, bytes);
        found.then_some(()).ok_or(DmaFault)
    }

    /// Interrupts stay until they are waited for.
    fn interrupt(&mut self, vector: u32) {
        self.raised.insert(vector);
    }
}

impl CardBus {
    /// A new card in a new slot, with its own shared memory.
    pub fn new(config: CardConfig, tracer: &Tracer) -> Arc<Self> {
        Self::with(config, MEMORY_PAGES, None, tracer)
    }

    /// The same in a slot whose registers cannot be mapped write-combining, as behind some hypervisors:
    /// they take no BlueFlame.
    pub fn uncached(config: CardConfig, tracer: &Tracer) -> Arc<Self> {
        let bus = Self::build(config, MEMORY_PAGES, None, tracer);
        Arc::new(Self { combines: false, ..bus })
    }

    /// The same with so many pages of shared memory: a thousand queue pairs need about as many.
    pub fn with_memory(config: CardConfig, pages: usize, tracer: &Tracer) -> Arc<Self> {
        Self::with(config, pages, None, tracer)
    }

    /// A card that is plugged into a network. The configuration should say that it has a wire.
    pub fn plugged(config: CardConfig, network: Arc<dyn Network>, tracer: &Tracer) -> Arc<Self> {
        let (mac, ipv4) = (config.mac, config.ipv4);
        let plug = Plug { network, mac, ipv4, idle: AtomicU32::new(0) };
        Self::with(config, MEMORY_PAGES, Some(plug), tracer)
    }

    fn with(config: CardConfig, pages: usize, network: Option<Plug>, tracer: &Tracer) -> Arc<Self> {
        Arc::new(Self::build(config, pages, network, tracer))
    }

    fn build(config: CardConfig, pages: usize, network: Option<Plug>, tracer: &Tracer) -> Self {
        let memory = Memory::new(pages, MEMORY_ADDRESS);
        let window = Window { memory: Arc::clone(&memory), raised: BTreeSet::new() };
        let pci_ids = (config.vendor_id, config.device_id);
        let card = Card::new(config, tracer.acting_as(Actor::Card));
        let (combining, posted) = (Vec::new(), VecDeque::new());
        let slot = Slot { card, combining, posted, window, interposer: None };
        let slot = Arc::new(Mutex::new(slot));
        Self { memory, pci_ids, slot, network, combines: true }
    }

    /// The memory shared with the card.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Tells the interposer of every store to a send doorbell register from now on.
    pub fn interpose(&self, interposer: Arc<dyn Interposer>) {
        lock(&self.slot).interposer = Some(interposer);
    }

    /// PCI vendor and device of the card.
    pub fn pci_ids(&self) -> (u16, u16) {
        self.pci_ids
    }
}

/// The slot, also after a panic elsewhere.
fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// The card takes every write that is on its way.
    fn deliver(&mut self) {
        while let Some(write) = self.posted.pop_front() {
            self.card.write(write.offset, &write.bytes);
        }
    }

    /// The card takes what has arrived, and works until it has nothing to do.
    fn work(&mut self) {
        self.deliver();
        while self.card.run(&mut self.window) {}
    }

    /// The same, and packets come and go; says whether there were any.
    fn exchange(&mut self, network: &dyn Network) -> bool {
        self.card.tell_time(network.time());
        let coming = std::iter::from_fn(|| network.receive()).take(PACKETS_A_TURN);
        let mut moved = 0;
        for packet in coming {
            self.card.bring_packet(packet);
            moved += 1;
        }
        self.work();
        while let Some(packet) = self.card.take_packet() {
            network.send(packet);
            moved += 1;
        }
        moved > 0
    }

    /// The CPU's write-combining buffers are emptied onto the bus.
    fn flush(&mut self) {
        self.posted.extend(self.combining.drain(..));
    }
}

impl Bus for CardBus {
    type Page = CardPage;
}

impl Registers for CardBus {
    fn read(&self, offset: usize) -> u32 {
        let mut slot = lock(&self.slot);
        slot.deliver();
        let mut word = [0; 4];
        slot.card.read(offset as u64, &mut word);
        u32::from_be_bytes(word)
    }

    fn write(&self, offset: usize, value: u32) {
        lock(&self.slot)
            .posted
            .push_back(Write { offset: offset as u64, bytes: value.to_be_bytes().to_vec() });
    }

    /// The software card is the first of its revision.
    fn pci_device(&self) -> (u16, u8) {
        (self.pci_ids.1, 0)
    }

    /// On a network, what the card was configured with.
    fn network_address(&self) -> Option<([u8; 6], [u8; 4])> {
        let plug = self.network.as_ref()?;
        Some((plug.mac, plug.ipv4))
    }

    fn map_uar(&self, index: u32) -> CardPage {
        CardPage { slot: Arc::clone(&self.slot), base: u64::from(index) << 12 }
    }

    fn write_combining(&self) -> bool {
        self.combines
    }

    fn interrupts(&self) -> u16 {
        VECTORS
    }

    /// Without a network nothing can come later than in this turn.
    fn wait_interrupt(&self, vector: u16, deadline: Duration) -> bool {
        let now = || self.network.as_ref().map(|plug| Duration::from_nanos(plug.network.time()));
        let begin = now();
        loop {
            self.relax();
            if lock(&self.slot).window.raised.remove(&vector.into()) {
                return true;
            }
            match now().zip(begin) {
                Some((now, begin)) if now.saturating_sub(begin) < deadline => {}
                _ => return false,
            }
        }
    }

    fn relax(&self) {
        match &self.network {
            None => lock(&self.slot).work(),
            Some(plug) => plug.relax(&self.slot),
        }
    }
}

impl Plug {
    /// The card's turn; and when nothing has moved for some turns, sleep until something comes. The
    /// slot is free meanwhile.
    fn relax(&self, slot: &Mutex<Slot>) {
        let moved = lock(slot).exchange(&*self.network);
        let idle = if moved { 0 } else { self.idle.load(Ordering::Relaxed).saturating_add(1) };
        self.idle.store(idle, Ordering::Relaxed);
        if idle > LOOKS {
            self.network.wait(NAP);
        }
    }
}

/// A mapped UAR page of the software card.
pub struct CardPage {
    slot: Arc<Mutex<Slot>>,
    base: u64,
}

impl UarPage for CardPage {
    type Register = CardRegister;

    fn register(self: &Arc<Self>, offset: usize, buffer_size: usize) -> CardRegister {
        CardRegister { slot: Arc::clone(&self.slot), page: self.base, offset, buffer_size }
    }

    fn write_4(&self, offset: usize, bytes: [u8; 4]) {
        self.combine(offset, bytes.to_vec());
    }

    fn write_8(&self, offset: usize, bytes: [u8; 8]) {
        self.combine(offset, bytes.to_vec());
    }

    fn flushed(&self) {
        lock(&self.slot).flush();
    }
}

impl CardPage {
    /// A store stays in a write-combining buffer.
    fn combine(&self, offset: usize, bytes: Vec<u8>) {
        let offset = self.base + offset as u64;
        lock(&self.slot).combining.push(Write { offset, bytes });
    }
}

/// A doorbell register of the software card.
pub struct CardRegister {
    slot: Arc<Mutex<Slot>>,
    page: u64,
    offset: usize,
    buffer_size: usize,
}

impl CardRegister {
    /// A store stays in a write-combining buffer.
    fn combine(&self, offset: usize, bytes: Vec<u8>) {
        let (offset, length) = (self.page + (self.offset + offset) as u64, bytes.len());
        let mut slot = lock(&self.slot);
        slot.combining.push(Write { offset, bytes });
        let interposer = slot.interposer.clone();
        drop(slot);
        if let Some(interposer) = interposer {
            interposer.stored(offset, length);
        }
    }
}

impl DoorbellRegister for CardRegister {
    fn write_8(&self, bytes: [u8; 8]) {
        self.combine(0, bytes.to_vec());
    }

    fn write_64(&self, offset: usize, unit: impl Fn(usize) -> [u8; 16]) {
        self.combine(offset, (0..4).flat_map(unit).collect());
    }

    fn flushed(&self) {
        lock(&self.slot).flush();
    }

    fn toggle(&mut self) {
        self.offset ^= self.buffer_size;
    }

    fn offset(&self) -> usize {
        self.offset
    }
}

//! The card and the guest it works for, under one lock.

use crate::fabric::{Fabric, Plug};
use crate::guest_memory::GuestMemory;
use crate::interrupts::Interrupts;
use crate::registers::Registers;
use doorbell_card::{Card, DmaFault, Host};
use doorbell_prm::registers::init_segment::InitSegment;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What both threads work on.
pub(crate) struct Machine {
    inner: Mutex<Inner>,
    /// Something happened that the worker should see to at once.
    pub(crate) news: Arc<Condvar>,
    /// How many threads besides the worker wait for the lock.
    wanted: AtomicU32,
    power_on: Instant,
}

/// The card with its surroundings.
pub(crate) struct Inner {
    pub(crate) card: Card,
    pub(crate) guest: Guest,
    /// Register writes that are on their way.
    pub(crate) registers: Registers,
    /// The cable to other cards.
    plug: Option<Plug>,
    /// While the card is frozen: what the registers of its firmware held when that began.
    frozen: Option<Vec<u8>>,
    /// A client holds the connection, and has memory that the card can reach.
    pub(crate) connected: bool,
    /// The worker is to end.
    pub(crate) stopped: bool,
}

/// The guest's side of PCIe.
pub(crate) struct Guest {
    pub(crate) memory: GuestMemory,
    pub(crate) interrupts: Interrupts,
}

impl Host for Guest {
    fn dma_read(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        self.memory.read(address, into)
    }

    fn dma_write(&mut self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        self.memory.write(address, bytes)
    }

    fn interrupt(&mut self, vector: u32) {
        self.interrupts.raise(vector);
    }
}

impl Machine {
    pub(crate) fn new(card: Card, registers: Registers, fabric: Option<&Fabric>) -> Self {
        let news = Arc::new(Condvar::new());
        let plug = fabric.map(|fabric| fabric.join(&news));
        let guest = Guest { memory: GuestMemory::default(), interrupts: Interrupts::new() };
        let inner =
            Inner { card, guest, registers, plug, frozen: None, connected: false, stopped: false };
        Self { inner: Mutex::new(inner), news, wanted: AtomicU32::new(0), power_on: Instant::now() }
    }

    /// Takes the lock. A thread that panicked while it held it left the card as it was, and a
    /// reset brings the card back from anything.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock before the worker takes it again.
    pub(crate) fn lock_first(&self) -> MutexGuard<'_, Inner> {
        self.wanted.fetch_add(1, Ordering::Relaxed);
        let inner = self.lock();
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        inner
    }

    /// Whether somebody waits in [`Machine::lock_first`].
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    /// Nanoseconds since the card was made.
    pub(crate) fn time(&self) -> u64 {
        u64::try_from(self.power_on.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A client is gone: nothing of it stays, and the card is as after power-on.
    pub(crate) fn disconnect(&self) {
        let mut inner = self.lock();
        inner.card.reset();
        inner.registers.clear();
        inner.frozen = None;
        inner.guest.memory.clear();
        inner.guest.interrupts.clear();
        inner.set_connected(false);
    }
}

impl Inner {
    /// Takes a store of the guest; `false` when it is only kept to be combined with others.
    pub(crate) fn store(&mut self, offset: u64, bytes: &[u8]) -> bool {
        self.registers.store(offset, bytes, &mut self.card)
    }

    /// Hands on what the guest stored: a load must not overtake it. `false` when there was nothing.
    pub(crate) fn flush_stores(&mut self) -> bool {
        self.registers.flush(&mut self.card)
    }

    /// Hands on what was kept for too long; answers how long the rest may still wait.
    pub(crate) fn flush_late_stores(&mut self) -> Option<Duration> {
        self.registers.flush_late(&mut self.card)
    }

    /// A client has the connection and memory that the card can reach, or is gone.
    pub(crate) fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
        if let Some(plug) = &self.plug {
            plug.set_up(connected);
        }
    }

    /// Freezes the card, or lets it go on.
    pub(crate) fn set_frozen(&mut self, is_frozen: bool) {
        self.frozen = is_frozen.then(|| {
            let mut registers = vec![0; InitSegment::SIZE];
            self.card.read(0, &mut registers);
            registers
        });
    }

    /// Whether the card is frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Reads BAR 0, but for MSI-X. Of a frozen card nothing moves, and so neither does the counter
    /// by which a driver sees that the firmware lives.
    pub(crate) fn read(&mut self, offset: u64, into: &mut [u8]) {
        let Some(registers) = &self.frozen else {
            return self.card.read(offset, into);
        };
        into.fill(0);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let known = registers.get(from..).unwrap_or_default();
        let length = known.len().min(into.len());
        into[..length].copy_from_slice(&known[..length]);
    }

    /// Lets the card do one piece of work; `false` when there was none.
    pub(crate) fn step(&mut self) -> bool {
        if self.is_frozen() {
            return false;
        }
        let worked = self.card.run(&mut self.guest);
        self.plug.as_ref().is_some_and(|plug| plug.exchange(&mut self.card)) || worked
    }

    /// Lets the card do up to `steps` pieces of work; `true` when it came to rest before.
    pub(crate) fn work(&mut self, steps: u32) -> bool {
        (0..steps).any(|_| !self.step())
    }
}

//! How bytes reach the card: shared memory, and registers behind a PCI BAR.
//!
//! The data path needs only a [`UarPage`]: one page of doorbell registers. Bringing a card up needs
//! [`Registers`], the rest of BAR 0. Which card stands behind them is decided here and nowhere
//! above: `card.rs` is the software card in this process, `uar.rs` a page of a real one that the
//! kernel has mapped for us, `vfio.rs` a whole card without its kernel driver.

use doorbell_prm::registers::uar::BLUEFLAME_REGISTER_SIZE;
use std::sync::Arc;
use std::time::Duration;

mod card;
mod interposer;
mod memory;
mod uar;
#[cfg(target_os = "linux")]
mod vfio;
#[cfg(target_os = "linux")]
mod wait;

pub use card::{CardBus, CardPage, CardRegister};
pub use interposer::Interposer;
pub use memory::{AtHand, DmaRegion, Memory, OutOfMemory, PAGE_SIZE, Purpose};
pub use uar::{MappedPage, MappedRegister};
#[cfg(target_os = "linux")]
pub use vfio::{VfioCard, VfioError, check_driver, identify};
#[cfg(target_os = "linux")]
pub use wait::readable;

/// One page of doorbell registers, mapped write-combining: the UAR of PRM "UAR Page Format".
///
/// Stores to it leave the CPU when the write-combining buffer is flushed, and not before.
pub trait UarPage: Send + Sync + 'static {
    /// The type of one register of it.
    type Register: DoorbellRegister;

    /// The register at `offset`, a multiple of its size, whose two buffers have `buffer_size` bytes
    /// each: the PRM's size, or 0 if it takes no BlueFlame. The page stays mapped as long as it lives.
    fn register(self: &Arc<Self>, offset: usize, buffer_size: usize) -> Self::Register;

    /// Writes 4 bytes at `offset` of the page's first half, where queues of events have their
    /// registers, as one store.
    fn write_4(&self, offset: usize, bytes: [u8; 4]);

    /// The same with 8 bytes: completion queues have theirs there too.
    fn write_8(&self, offset: usize, bytes: [u8; 8]);

    /// What the bus does once the CPU's flush barrier has been passed.
    fn flushed(&self);
}

/// One doorbell register, standing at one of its two buffers.
pub trait DoorbellRegister: Send + 'static {
    /// Writes 8 bytes at the beginning of the buffer, as one store.
    fn write_8(&self, bytes: [u8; 8]);

    /// Writes 64 bytes at `offset` of the buffer, a multiple of 64, as four stores in ascending
    /// order, so that they can leave as one burst. `unit` gives the bytes of each store.
    fn write_64(&self, offset: usize, unit: impl Fn(usize) -> [u8; 16]);

    /// What the bus does once the CPU's flush barrier has been passed.
    fn flushed(&self);

    /// Goes to the other buffer.
    fn toggle(&mut self);

    /// Offset of the buffer in the page.
    fn offset(&self) -> usize;

    /// Offset of the buffer in the register.
    fn buffer(&self) -> usize {
        self.offset() % BLUEFLAME_REGISTER_SIZE as usize
    }
}

/// A way to a card, as far as the data path needs it: what its mapped UAR pages are.
pub trait Bus: Send + Sync + 'static {
    /// The type of a mapped UAR page.
    type Page: UarPage;
}

/// BAR 0 of a card, from the initialization segment on. All words are big endian.
pub trait Registers: Bus {
    /// Reads the word at `offset` bytes.
    fn read(&self, offset: usize) -> u32;

    /// Writes the word at `offset` bytes.
    fn write(&self, offset: usize, value: u32);

    /// PCI device number and revision of the card.
    fn pci_device(&self) -> (u16, u8);

    /// Maps the UAR page of this index.
    fn map_uar(&self, index: u32) -> Self::Page;

    /// MAC and IPv4 address that somebody has given the card's port on its network, if anybody has. On
    /// a machine with a kernel driver that is its administrator.
    fn network_address(&self) -> Option<([u8; 6], [u8; 4])> {
        None
    }

    /// Whether UAR pages are mapped write-combining.
    fn write_combining(&self) -> bool;

    /// Interrupts that can be waited for; their numbers begin with 0.
    fn interrupts(&self) -> u16;

    /// Waits until the card has raised an interrupt since this was last called for it; `false` if
    /// it has not within the deadline. A software card without a network knows no clock: there the
    /// deadline has passed when the card has nothing left to do.
    fn wait_interrupt(&self, vector: u16, deadline: Duration) -> bool;

    /// What the CPU does while it waits for the card. A real card needs nothing but time; the
    /// software card gets its turn here.
    fn relax(&self);
}

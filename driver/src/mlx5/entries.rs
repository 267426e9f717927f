//! The ring of a completion queue: the card writes its entries, and the driver reads them.
//!
//! Who owns an entry is said by one bit in its last byte. The card flips the value that means
//! "yours" each time it goes around the ring, so that neither side has to clear anything.
//! (PRM, "Completion Queue Element Ownership")

use crate::bus::DmaRegion;
use doorbell_prm::cqe::{Cqe, CqeOpcode};
use std::hint::cold_path;
use std::ptr::NonNull;

/// Size of an entry in bytes.
pub const CQE_SIZE: usize = 64;

/// The ring of entries: an address and a size.
#[derive(Clone, Copy)]
pub struct Entries {
    /// The first entry, and the last.
    first: NonNull<Cqe>,
    last: NonNull<Cqe>,
    /// The number of bytes, a power of two, less one.
    mask: u32,
    /// The number of entries: of a counter, the bit that says whether the turn of the ring is odd.
    pub size: u32,
}

/// An entry that has not been consumed yet.
#[derive(Clone, Copy)]
pub struct Next {
    /// Entries consumed before it since the beginning: masked, its place.
    pub index: u32,
    /// That place.
    pub entry: Entry,
    /// The owner bit by which it is ours.
    pub turn: u32,
}

/// The place of one entry of the ring. Like a copy of the ring, it lives no longer than the queue.
#[derive(Clone, Copy)]
pub struct Entry(NonNull<Cqe>);

// SAFETY: the entries are read by volatile copies under the queue's lock, and live as long as the
// `Keeper` beside it.
unsafe impl Send for Entries {}
// SAFETY: as for the ring that it is of.
unsafe impl Send for Entry {}

impl Entries {
    /// Those that `buffer` consists of.
    pub fn of(buffer: &DmaRegion, log_size: u32) -> Self {
        let length = CQE_SIZE << log_size;
        Self {
            first: buffer.pointer(0, length).cast(),
            last: buffer.pointer(length - CQE_SIZE, CQE_SIZE).cast(),
            mask: length as u32 - 1,
            size: 1 << log_size,
        }
    }

    /// Offset in bytes of the entry that `index` counts.
    #[inline(always)]
    pub fn offset(self, index: u32) -> usize {
        (index.wrapping_mul(CQE_SIZE as u32) & self.mask) as usize
    }

    /// The entry that `index` counts.
    #[inline(always)]
    pub fn at(self, index: u32) -> Entry {
        // SAFETY: the masked place lies in the ring.
        Entry(unsafe { self.first.byte_add(self.offset(index)) })
    }

    /// The entry that `index` counts, with what is to be known of it.
    #[inline(always)]
    pub fn next(self, index: u32) -> Next {
        Next { index, entry: self.at(index), turn: self.turn(index) }
    }

    // ANCHOR: owner_bit
    /// Whether the entry that `index` counts has been written by the card in this turn of the ring.
    #[inline(always)]
    pub fn is_ours(self, index: u32, op_own: u8) -> bool {
        Self::is_ours_in(self.turn(index), op_own)
    }

    /// The same of a turn by its owner bit.
    #[inline(always)]
    pub fn is_ours_in(turn: u32, op_own: u8) -> bool {
        op_own >> 4 != CqeOpcode::Invalid as u8 && (u32::from(op_own) ^ turn) & 1 == 0
    }

    /// The owner bit that means "yours" in the turn of the ring that `index` is in.
    #[inline(always)]
    pub fn turn(self, index: u32) -> u32 {
        u32::from(index & self.size != 0)
    }
    // ANCHOR_END: owner_bit
}

impl Next {
    /// The entry is consumed. Behind the last one of the ring comes its first, in the other turn.
    #[inline(always)]
    pub fn consume(&mut self, entries: Entries) {
        self.index = self.index.wrapping_add(1);
        if self.entry.0 == entries.last {
            cold_path();
            (self.entry, self.turn) = (Entry(entries.first), self.turn ^ 1);
        } else {
            // SAFETY: behind an entry that is not the last, the ring has another.
            self.entry = Entry(unsafe { self.entry.0.add(1) });
        }
    }
}

impl Entry {
    /// Its last byte: opcode and owner bit, written last.
    #[inline(always)]
    pub fn op_own(self) -> u8 {
        self.byte::<{ CQE_SIZE - 1 }>()
    }

    /// One of its words, big endian as it lies there; `OFFSET` is in bytes.
    #[inline(always)]
    pub fn word<const OFFSET: usize>(self) -> u32 {
        u32::from_be(self.big_endian::<OFFSET>())
    }

    /// The same, left in the card's byte order.
    #[inline(always)]
    pub fn big_endian<const OFFSET: usize>(self) -> u32 {
        const { assert!(OFFSET.is_multiple_of(4) && OFFSET < CQE_SIZE) };
        // SAFETY: the entry lies in the ring, the word in the entry, aligned to 4.
        unsafe { self.0.cast::<u32>().byte_add(OFFSET).read_volatile() }
    }

    /// One of its bytes.
    #[inline(always)]
    pub fn byte<const OFFSET: usize>(self) -> u8 {
        const { assert!(OFFSET < CQE_SIZE) };
        // SAFETY: the entry lies in the ring, the byte in the entry.
        unsafe { self.0.cast::<u8>().add(OFFSET).read_volatile() }
    }

    /// A copy of it.
    pub fn copy(self) -> Cqe {
        // SAFETY: the entry lies in the ring; a `Cqe` is bytes, whatever they are.
        unsafe { self.0.read_volatile() }
    }

    /// Puts another in its place, of an entry that is the driver's.
    pub fn put(self, entry: Cqe) {
        // SAFETY: the entry lies in the ring; the card writes none that is the driver's.
        unsafe { self.0.write_volatile(entry) };
    }
}

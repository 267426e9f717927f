//! The memory of a work queue, written in whole units that wrap by themselves.
//!
//! A send WQE is a row of 16-byte units, and a queue's length is a power of two of 64-byte blocks.
//! Counting in units and masking each one makes the wrap-around at the end of the ring a matter of
//! arithmetic: no segment needs to ask whether it is the last.

use crate::bus::DmaRegion;
use std::ptr::NonNull;

/// Size of a unit in bytes: what a WQE's DS counts (PRM, "Send WQE Format").
pub const UNIT: usize = 16;

/// A ring of 16-byte units in shared memory: an address and a mask, cheap to copy into registers.
#[derive(Clone, Copy)]
pub struct Ring {
    base: NonNull<u8>,
    /// Number of units less one; the number is a power of two.
    mask: u32,
}

// SAFETY: a ring's memory is written under the lock of the queue that owns it, and outlives it:
// the queue pair holds both.
unsafe impl Send for Ring {}

impl Ring {
    /// The ring of `bytes` bytes at `offset` of `region`. `bytes` is a power of two, at least a unit.
    ///
    /// # Safety
    /// - `region` outlives the ring.
    pub unsafe fn new(region: &DmaRegion, offset: usize, bytes: usize) -> Self {
        assert!(bytes.is_power_of_two() && bytes >= UNIT);
        Self {
            base: region.pointer(offset, bytes),
            mask: (bytes / UNIT - 1) as u32,
        }
    }

    /// Offset in bytes of a unit, wrapped into the ring.
    #[inline(always)]
    pub fn offset(&self, unit: u32) -> usize {
        (unit & self.mask) as usize * UNIT
    }

    /// Bytes from a unit to the end of the ring.
    #[inline(always)]
    fn room(&self, unit: u32) -> usize {
        (self.mask as usize + 1) * UNIT - self.offset(unit)
    }

    /// Stores one unit. The blocks of a WQE under construction belong to software: the card reads
    /// them only after the doorbell, so that a plain store will do.
    #[inline(always)]
    pub fn store(&self, unit: u32, bytes: [u8; UNIT]) {
        // SAFETY: the masked unit lies in the ring, see `new`.
        unsafe { self.base.add(self.offset(unit)).cast().write_unaligned(bytes) };
    }

    /// Copies `length` bytes from `from` to `skip` bytes behind the beginning of a unit, and goes
    /// on at the beginning of the ring if it ends before they do.
    ///
    /// # Safety
    /// - `from` is valid for reads of `length` bytes and does not lie in this ring.
    /// - `skip + length` is at most the size of the ring.
    #[inline(always)]
    pub unsafe fn copy(&self, unit: u32, skip: usize, from: NonNull<u8>, length: usize) {
        let start = unit.wrapping_add((skip / UNIT) as u32);
        let skip = skip % UNIT;
        let first = length.min(self.room(start) - skip);
        // SAFETY: `first` bytes from here end at the end of the ring at the latest; the rest, by
        // the caller's word not longer than the ring, begins at its base.
        unsafe {
            let to = self.base.add(self.offset(start) + skip);
            to.copy_from_nonoverlapping(from, first);
            if first < length {
                self.base.copy_from_nonoverlapping(from.add(first), length - first);
            }
        }
    }

    /// Stores four bytes at the beginning of a unit.
    #[inline(always)]
    pub fn store_4(&self, unit: u32, bytes: [u8; 4]) {
        // SAFETY: as for `store`.
        unsafe { self.base.add(self.offset(unit)).cast().write_unaligned(bytes) };
    }

    /// The block of four units that begins at `unit`, a multiple of four. A block never crosses
    /// the end of the ring.
    #[inline(always)]
    pub fn block(&self, unit: u32) -> Block {
        debug_assert!(unit.is_multiple_of(4) && self.mask >= 3);
        // SAFETY: the masked unit lies in the ring.
        Block(unsafe { self.base.add(self.offset(unit)).cast() })
    }

    /// The one or two stretches of the ring that `length` bytes, `skip` behind a unit, cover:
    /// their lengths and offsets in bytes. Empty ones are left out.
    #[inline(always)]
    pub fn parts(&self, unit: u32, skip: usize, length: usize) -> impl Iterator<Item = (usize, usize)> {
        let start = unit.wrapping_add((skip / UNIT) as u32);
        let skip = skip % UNIT;
        let first = length.min(self.room(start) - skip);
        [(first, self.offset(start) + skip), (length - first, 0)]
            .into_iter()
            .filter(|(length, _)| *length > 0)
    }

    /// Copies out `length` bytes at `offset`, for a trace.
    pub fn bytes(&self, offset: usize, length: usize) -> Vec<u8> {
        assert!(offset + length <= (self.mask as usize + 1) * UNIT);
        (offset..offset + length)
            // SAFETY: the range was checked against the size of the ring.
            .map(|at| unsafe { self.base.add(at).read_volatile() })
            .collect()
    }
}

/// A block of a ring, to be copied to a register word by word.
#[derive(Clone, Copy)]
pub struct Block(NonNull<u64>);

impl Block {
    /// Loads 8 bytes of the block; `index` is below 8.
    #[inline(always)]
    pub fn word(self, index: usize) -> [u8; 8] {
        debug_assert!(index < 8);
        // SAFETY: the block has eight words.
        let word = unsafe { self.0.add(index).read_volatile() };
        word.to_ne_bytes()
    }
}

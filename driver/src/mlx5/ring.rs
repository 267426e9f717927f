//! The memory of a work queue, written in whole units that wrap by themselves.
//!
//! A send WQE is a row of 16-byte units, and a queue's length is a power of two of 64-byte blocks.
//! Counting in units and masking each one makes the wrap-around at the end of the ring a matter of
//! arithmetic: no segment needs to ask whether it is the last. The first four units of a WQE are a
//! block, and a block never crosses the end: it is masked once for all of them.

use crate::bus::DmaRegion;
use std::hint::cold_path;
use std::ptr::NonNull;
use zerocopy::transmute;

/// Size of a unit in bytes: what a WQE's DS counts (PRM, "Send WQE Format").
pub const UNIT: usize = 16;

/// Size of a block in bytes: where a send WQE begins.
pub const BLOCK: usize = 64;

/// A ring of 16-byte units in shared memory: an address and a mask, cheap to copy into registers.
#[derive(Clone, Copy)]
pub struct Ring {
    base: NonNull<u8>,
    /// Number of bytes less one; the number is a power of two, and at least a block.
    mask: u32,
}

// SAFETY: a ring's memory is written under the lock of the queue that owns it, and outlives it:
// the queue pair holds both.
unsafe impl Send for Ring {}

impl Ring {
    /// The ring of `bytes` bytes at `offset` of `region`. `bytes` is a power of two, at least a block.
    ///
    /// # Safety
    /// - `region` outlives the ring.
    pub unsafe fn new(region: &DmaRegion, offset: usize, bytes: usize) -> Self {
        assert!(bytes.is_power_of_two() && (BLOCK..=1 << 31).contains(&bytes));
        Self { base: region.pointer(offset, bytes), mask: (bytes - 1) as u32 }
    }

    /// Offset in bytes of a unit, wrapped into the ring.
    #[inline(always)]
    pub fn offset(&self, unit: u32) -> usize {
        (unit.wrapping_mul(UNIT as u32) & self.mask) as usize
    }

    /// Offset in bytes of a block, wrapped into the ring.
    #[inline(always)]
    pub fn block_offset(&self, block: u32) -> usize {
        (block.wrapping_mul(BLOCK as u32) & self.mask) as usize
    }

    /// Offset in bytes of what lies `skip` bytes behind a unit, and the bytes from there to the end
    /// of the ring.
    #[inline(always)]
    fn behind(&self, unit: u32, skip: u32) -> (u32, u32) {
        let start = unit.wrapping_mul(UNIT as u32).wrapping_add(skip) & self.mask;
        (start, self.mask - start + 1)
    }

    /// Stores one unit. The blocks of a WQE under construction belong to software: the card reads
    /// them only after the doorbell, so that a plain store will do.
    #[inline(always)]
    pub fn store(&self, unit: u32, bytes: &[u8; UNIT]) {
        // SAFETY: the masked unit lies in the ring, see `new`.
        unsafe { self.base.add(self.offset(unit)).cast().write_unaligned(*bytes) };
    }

    /// Copies `length` bytes from `from` to `skip` bytes behind the beginning of a unit, and goes
    /// on at the beginning of the ring if it ends before they do.
    ///
    /// # Safety
    /// - `from` is valid for reads of `length` bytes and does not lie in this ring.
    /// - `skip + length` is at most the size of the ring.
    pub unsafe fn copy(&self, unit: u32, skip: u32, from: NonNull<u8>, length: u32) {
        let (start, room) = self.behind(unit, skip);
        let (first, length) = (length.min(room) as usize, length as usize);
        // SAFETY: `first` bytes from here end at the end of the ring at the latest; the rest, by
        // the caller's word not longer than the ring, begins at its base.
        unsafe {
            self.base.add(start as usize).copy_from_nonoverlapping(from, first);
            if first < length {
                cold_path();
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

    /// Stores a byte that lies `skip` bytes behind the beginning of a unit; `skip` counts modulo 16.
    pub fn store_byte(&self, unit: u32, skip: u32, byte: u8) {
        let offset = self.offset(unit) + skip as usize % UNIT;
        // SAFETY: the masked unit lies in the ring with all its bytes, see `new`.
        unsafe { self.base.add(offset).write(byte) };
    }

    /// Loads a unit.
    pub fn unit(&self, unit: u32) -> [u8; UNIT] {
        // SAFETY: as for `store_byte`; units are aligned to their size.
        unsafe { load_unit(self.base.add(self.offset(unit)).cast()) }
    }

    /// A block of the ring.
    #[inline(always)]
    pub fn block(&self, block: u32) -> Block {
        // SAFETY: a masked multiple of 64 lies in the ring with all its 64 bytes: the ring is a
        // power of two and not shorter.
        Block(unsafe { self.base.add(self.block_offset(block)).cast() })
    }

    /// The one or two stretches of the ring that `length` bytes, `skip` behind a unit, cover:
    /// their lengths and offsets in bytes. Empty ones are left out.
    #[inline(always)]
    pub fn parts(&self, unit: u32, skip: u32, length: u32) -> impl Iterator<Item = (usize, usize)> {
        let (start, room) = self.behind(unit, skip);
        let first = length.min(room);
        [(first, start), (length - first, 0)]
            .into_iter()
            .filter(|(length, _)| *length > 0)
            .map(|(length, start)| (length as usize, start as usize))
    }

    /// Copies out `length` bytes at `offset`, for a trace.
    pub fn bytes(&self, offset: usize, length: usize) -> Vec<u8> {
        assert!(offset + length <= self.mask as usize + 1);
        (offset..offset + length)
            // SAFETY: the range was checked against the size of the ring.
            .map(|at| unsafe { self.base.add(at).read_volatile() })
            .collect()
    }
}

/// A block of a ring: the first four units of a WQE, or the next four.
///
/// It is 64 bytes of the ring that it came from, and, like a copy of the ring, lives no longer.
#[derive(Clone, Copy)]
pub struct Block(NonNull<[u8; UNIT]>);

// SAFETY: as for the ring that it is of.
unsafe impl Send for Block {}

impl Block {
    /// Stores unit number `INDEX`, which is below 4, of the block: two halves of 8 bytes.
    #[inline(always)]
    pub fn store<const INDEX: usize>(self, halves: [[u8; UNIT / 2]; 2]) {
        const { assert!(INDEX < BLOCK / UNIT) };
        // SAFETY: the block has four units. No other thread writes it: see `Ring`.
        unsafe {
            let to = self.0.add(INDEX).cast::<[u8; UNIT / 2]>();
            to.write_unaligned(halves[0]);
            to.add(1).write_unaligned(halves[1]);
        }
    }

    /// Stores the last four bytes of the block's first unit: a number, big endian.
    #[inline(always)]
    pub fn store_immediate(self, immediate: u32) {
        self.store_word::<3>(immediate.to_be_bytes());
    }

    /// Stores word number `INDEX`, which is below 4, of the block's first unit.
    #[inline(always)]
    pub fn store_word<const INDEX: usize>(self, bytes: [u8; 4]) {
        const { assert!(INDEX < UNIT / 4) };
        // SAFETY: unit 0 has four words.
        unsafe { self.0.cast::<[u8; 4]>().add(INDEX).write_unaligned(bytes) };
    }

    /// Stores half number `INDEX`, which is below 8, of the block's units: 8 bytes.
    #[inline(always)]
    pub fn store_half<const INDEX: usize>(self, bytes: [u8; UNIT / 2]) {
        const { assert!(INDEX < 2 * BLOCK / UNIT) };
        // SAFETY: the block has eight halves of units.
        unsafe { self.0.cast::<[u8; UNIT / 2]>().add(INDEX).write_unaligned(bytes) };
    }

    /// Where a unit of it is, which counts modulo 4, for somebody who hands the place back.
    #[inline(always)]
    pub fn place(self, unit: u32) -> NonNull<()> {
        // SAFETY: the block has four units.
        unsafe { self.0.add((unit % 4) as usize).cast() }
    }

    /// The block that a place lies in: blocks are aligned to their size.
    ///
    /// # Safety
    /// - It is the [`Block::place`] of a block whose ring still lives.
    #[inline(always)]
    pub unsafe fn of(place: NonNull<()>) -> Self {
        let block = place.as_ptr().map_addr(|address| address & !(BLOCK - 1));
        // SAFETY: the block of a place is not at address 0.
        Self(unsafe { NonNull::new_unchecked(block.cast()) })
    }

    /// Stores a unit at a place: two halves of 8 bytes.
    ///
    /// # Safety
    /// - As for [`Block::of`].
    #[inline(always)]
    pub unsafe fn store_place(place: NonNull<()>, halves: [[u8; UNIT / 2]; 2]) {
        let to = place.cast::<[u8; UNIT / 2]>();
        // SAFETY: by the caller's word all of the unit lies in the block.
        unsafe {
            to.write_unaligned(halves[0]);
            to.add(1).write_unaligned(halves[1]);
        }
    }

    /// Length in units of the WQE that begins with this block, as its control segment has it.
    #[inline(always)]
    pub fn length(self) -> u32 {
        u32::from(self.first_word()[7] & 63)
    }

    /// Stores a unit of the block; `unit` counts modulo 4.
    #[inline(always)]
    pub fn store_at(self, unit: u32, bytes: [u8; UNIT]) {
        // SAFETY: the block has four units.
        unsafe { self.0.add((unit % 4) as usize).write_unaligned(bytes) };
    }

    /// Stores the first four bytes of a unit of the block; `unit` counts modulo 4.
    #[inline(always)]
    pub fn store_4(self, unit: u32, bytes: [u8; 4]) {
        // SAFETY: the block has four units.
        unsafe { self.0.add((unit % 4) as usize).cast::<[u8; 4]>().write_unaligned(bytes) };
    }

    /// The fewest bytes that [`Block::copy_short`] copies.
    pub const SHORTEST: u32 = 8;

    /// Copies bytes to `skip` bytes behind the beginning of a unit, without calling anybody: for
    /// short data the call of a general copy costs more than the copy. The first 16 (or 8) bytes
    /// are copied, and the last, which may overlap them, so that no odd rest is left.
    ///
    /// # Safety
    /// - `from` is valid for reads of `length` bytes and does not lie in the ring.
    /// - `length` is between [`Block::SHORTEST`] and 32, and the bytes end in this block.
    #[inline(always)]
    pub unsafe fn copy_short(self, unit: u32, skip: u32, from: NonNull<u8>, length: u32) {
        let length = length as usize;
        // SAFETY: by the caller's word all bytes lie in the block, and there are at least as many
        // as a piece has.
        unsafe {
            let (block, start) = (self.0.cast::<u8>(), (unit * UNIT as u32 + skip) as usize);
            if length >= 16 {
                both_ends(from, block.add(start), length);
            } else {
                cold_path();
                both_ends_from_behind(from.add(length), block.add(start + length), length);
            }
        }
    }

    /// Loads the first 8 bytes of the block: what the doorbell register gets.
    #[inline(always)]
    pub fn first_word(self) -> [u8; 8] {
        // SAFETY: the block has them.
        unsafe { self.0.cast().read_unaligned() }
    }

    /// Loads a unit of the block at once; `index` counts modulo 4.
    #[inline(always)]
    pub fn load(self, index: usize) -> [u8; UNIT] {
        // SAFETY: the block has four units, each aligned to its size: blocks are aligned to 64.
        unsafe { load_unit(self.0.add(index % (BLOCK / UNIT))) }
    }

    /// Loads a unit of the block for a trace; `index` counts modulo 4.
    #[inline(always)]
    pub fn unit(self, index: usize) -> [u8; UNIT] {
        transmute!(self.halves::<2>(index))
    }

    /// Loads `N` halves of units from unit `first` on, for a trace. Most of them were just stored by
    /// halves: to load both at once would wait until those stores have left the store buffer.
    #[inline(always)]
    pub fn halves<const N: usize>(self, first: usize) -> [[u8; UNIT / 2]; N] {
        let base = self.0.cast::<u64>();
        let mut halves = [[0; UNIT / 2]; N];
        for (half, to) in halves.iter_mut().enumerate() {
            // SAFETY: the block has eight halves, each aligned to its size.
            let loaded =
                unsafe { base.add((first * 2 + half) % (BLOCK / UNIT * 2)).read_volatile() };
            *to = loaded.to_ne_bytes();
        }
        halves
    }
}

/// Loads 16 bytes at once, where the machine can.
///
/// # Safety
/// - `from` is valid for reads of 16 bytes.
#[inline(always)]
unsafe fn load_unit(from: NonNull<[u8; UNIT]>) -> [u8; UNIT] {
    // SAFETY: by the caller's word.
    unsafe { from.read_unaligned() }
}

/// Copies the first 16 bytes and the last.
///
/// # Safety
/// - `from` is valid for reads, `to` for writes of `length` bytes, which is at least 16; the two do
///   not overlap.
#[inline(always)]
unsafe fn both_ends(from: NonNull<u8>, to: NonNull<u8>, length: usize) {
    let last = length - 16;
    // SAFETY: by the caller's word.
    unsafe {
        to.copy_from_nonoverlapping(from, 16);
        to.add(last).copy_from_nonoverlapping(from.add(last), 16);
    }
}

/// The same with 8 bytes, where `from` and `to` are the ends: so the longer copies, which are as frequent, do
/// not have to work out the beginning for both.
///
/// # Safety
/// - The bytes before `from` are valid for reads, those before `to` for writes, as many as `length`, which is at
///   least 8; the two do not overlap.
#[inline(always)]
unsafe fn both_ends_from_behind(from: NonNull<u8>, to: NonNull<u8>, length: usize) {
    // SAFETY: by the caller's word.
    unsafe {
        to.sub(8).copy_from_nonoverlapping(from.sub(8), 8);
        to.sub(length).copy_from_nonoverlapping(from.sub(length), 8);
    }
}

#[cfg(test)]
mod tests;

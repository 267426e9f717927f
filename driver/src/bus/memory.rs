//! The memory that the program and the card share.
//!
//! Everything that the card reads or writes by DMA comes from one [`Memory`]: rings, doorbell
//! records, mailboxes, and the program's own buffers. It is one mapping with one distance between
//! the addresses that the program uses and those that the card uses, as with SPDK's and DPDK's
//! memory: through the uverbs door that distance is 0, because the kernel translates.
//!
//! **No reference into this memory ever exists.** A card writes it at any time, and a Rust
//! reference promises that nobody does. Bytes are copied in and out by volatile accesses.

mod short;

pub use short::AtHand;

use doorbell_tracer::{MapRequest, Role};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Size of a page, of the host and of the card's translation entries alike (PRM, "adapter page").
pub const PAGE_SIZE: usize = 4096;

/// The memory shared with a card: `length` bytes at `base` for the program, at `address` for the card.
pub struct Memory {
    base: NonNull<u8>,
    length: usize,
    address: u64,
    free: Mutex<BTreeMap<usize, usize>>,
}

// SAFETY: `base` is an allocation owned by this value, reached through volatile copies only. Two
// threads may race on its bytes, as a CPU and a card do; who may touch what, and when, is the
// contract of each queue (owner bits, producer counters), kept by their locks.
unsafe impl Send for Memory {}
// SAFETY: as for `Send`; the free list has its own lock.
unsafe impl Sync for Memory {}

/// There is not enough shared memory left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "out of DMA memory: {wanted} bytes wanted, the largest free stretch has {largest}; use smaller queues or buffers"
)]
pub struct OutOfMemory {
    /// Bytes asked for, rounded up to pages.
    pub wanted: usize,
    /// Bytes of the largest stretch that is free.
    pub largest: usize,
}

impl Memory {
    /// `pages` zeroed pages that the card knows at `address`, which is a multiple of a page.
    pub fn new(pages: usize, address: u64) -> Arc<Self> {
        let length = pages.max(1) * PAGE_SIZE;
        let layout = Self::layout(length);
        // SAFETY: the layout has a non-zero size.
        let pointer = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(pointer) else { handle_alloc_error(layout) };
        Arc::new(Self { base, length, address, free: Mutex::new(BTreeMap::from([(0, length)])) })
    }

    /// `pages` zeroed pages that both sides know at the same address: where the kernel translates
    /// the program's addresses for the card.
    pub fn at_own_address(pages: usize) -> Arc<Self> {
        let mut memory = Self::new(pages, 0);
        if let Some(memory) = Arc::get_mut(&mut memory) {
            memory.address = memory.base.addr().get() as u64;
        }
        memory
    }

    /// Where it lies for the program, and its length in bytes.
    pub fn place(&self) -> (NonNull<u8>, usize) {
        (self.base, self.length)
    }

    /// The layout of an allocation of `length` bytes.
    fn layout(length: usize) -> Layout {
        Layout::from_size_align(length, PAGE_SIZE).expect("whole pages below isize::MAX")
    }

    /// Takes `length` zeroed bytes, rounded up to whole pages.
    pub fn allocate(self: &Arc<Self>, length: usize) -> Result<DmaRegion, OutOfMemory> {
        let taken = length.max(1).next_multiple_of(PAGE_SIZE);
        let region = DmaRegion {
            offset: self.take(taken)?,
            memory: Arc::clone(self),
            length: length.max(1),
            taken,
        };
        region.fill(0);
        Ok(region)
    }

    /// Takes `wanted` bytes out of the first free stretch that has them.
    fn take(&self, wanted: usize) -> Result<usize, OutOfMemory> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let found = free.iter().find(|(_, length)| **length >= wanted);
        let Some((&offset, &length)) = found else {
            let largest = free.values().copied().max().unwrap_or(0);
            return Err(OutOfMemory { wanted, largest });
        };
        free.remove(&offset);
        if length > wanted {
            free.insert(offset + wanted, length - wanted);
        }
        Ok(offset)
    }

    /// Gives a stretch back and joins it with its free neighbours.
    fn give_back(&self, mut offset: usize, mut length: usize) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(after) = free.remove(&(offset + length)) {
            length += after;
        }
        if let Some((&before, &size)) = free.range(..offset).next_back()
            && before + size == offset
        {
            free.remove(&before);
            offset = before;
            length += size;
        }
        free.insert(offset, length);
    }

    /// Where `length` bytes at the card's address `address` lie for the program; `None` if any of
    /// them is outside of this memory.
    #[inline]
    pub fn find(&self, address: u64, length: usize) -> Option<NonNull<u8>> {
        let offset = usize::try_from(address.wrapping_sub(self.address)).ok()?;
        if offset.checked_add(length)? > self.length {
            return None;
        }
        // SAFETY: `offset` is at most the length of the allocation.
        Some(unsafe { self.base.add(offset) })
    }

    /// Copies bytes at the card's address out. `false` if any of them is outside of this memory.
    #[inline]
    pub fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(from) = self.find(address, into.len()) else {
            return false;
        };
        // SAFETY: `find` checked that all of the bytes lie inside the allocation.
        unsafe { copy_out(from, into) };
        true
    }

    /// Copies bytes in at the card's address. `false`, and nothing is written, if any of them
    /// would lie outside of this memory.
    #[inline]
    pub fn write(&self, address: u64, bytes: &[u8]) -> bool {
        let Some(to) = self.find(address, bytes.len()) else {
            return false;
        };
        // SAFETY: `find` checked that all of the bytes lie inside the allocation.
        unsafe { copy_in(to, bytes) };
        true
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `base` came from `alloc_zeroed` with this layout and is not used after this.
        unsafe { dealloc(self.base.as_ptr(), Self::layout(self.length)) };
    }
}

/// Copies bytes out of shared memory, in words where both sides allow.
///
/// # Safety
/// - `from` is valid for reads of `into.len()` bytes.
unsafe fn copy_out(from: NonNull<u8>, into: &mut [u8]) {
    for (index, byte) in into.iter_mut().enumerate() {
        // SAFETY: the caller vouches for the whole length.
        *byte = unsafe { from.add(index).read_volatile() };
    }
}

/// Copies bytes into shared memory.
///
/// # Safety
/// - `to` is valid for writes of `bytes.len()` bytes.
unsafe fn copy_in(to: NonNull<u8>, bytes: &[u8]) {
    for (index, byte) in bytes.iter().enumerate() {
        // SAFETY: the caller vouches for the whole length.
        unsafe { to.add(index).write_volatile(*byte) };
    }
}

/// What a region is for, as the trace will tell.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// Its role.
    pub role: Role,
    /// What a reader calls it.
    pub name: &'a str,
    /// Size of one entry in bytes; 0 where there are none.
    pub stride: u32,
    /// Number of the object that it belongs to, if known yet; 0 if not.
    pub object: u32,
}

/// A stretch of shared memory, given back when dropped.
pub struct DmaRegion {
    memory: Arc<Memory>,
    offset: usize,
    length: usize,
    taken: usize,
}

impl DmaRegion {
    /// Its length in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The card's address of its first byte.
    pub fn address(&self) -> u64 {
        self.memory.address + self.offset as u64
    }

    /// The card's addresses of its pages, as translation tables want them.
    pub fn pages(&self) -> impl ExactSizeIterator<Item = u64> + use<> {
        let first = self.address();
        (0..self.taken / PAGE_SIZE).map(move |page| first + (page * PAGE_SIZE) as u64)
    }

    /// The memory that it is a part of.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// What the trace is told of `length` bytes at `offset` of this region.
    pub fn request(&self, offset: usize, length: usize, purpose: Purpose<'_>) -> MapRequest {
        MapRequest {
            role: purpose.role,
            name: purpose.name.to_owned(),
            address: self.address() + offset as u64,
            length,
            stride: purpose.stride,
            object: purpose.object,
        }
    }

    /// Where `length` bytes at `offset` lie for the program.
    ///
    /// # Panics
    /// If they are not inside of the region: the driver's own arithmetic is wrong.
    #[inline]
    pub fn pointer(&self, offset: usize, length: usize) -> NonNull<u8> {
        assert!(offset <= self.length && length <= self.length - offset);
        // SAFETY: the region lies inside the allocation, and the bytes inside the region.
        unsafe { self.memory.base.add(self.offset + offset) }
    }

    /// Sets every byte of the region.
    pub fn fill(&self, byte: u8) {
        let to = self.pointer(0, self.length);
        for index in 0..self.length {
            // SAFETY: `pointer` checked the whole length.
            unsafe { to.add(index).write_volatile(byte) };
        }
    }

    /// Stores plain bytes at `offset`.
    pub fn write_bytes(&self, offset: usize, bytes: &[u8]) {
        let to = self.pointer(offset, bytes.len());
        // SAFETY: `pointer` checked the whole length.
        unsafe { copy_in(to, bytes) };
    }

    /// Loads plain bytes from `offset`.
    pub fn read_bytes(&self, offset: usize, into: &mut [u8]) {
        let from = self.pointer(offset, into.len());
        // SAFETY: `pointer` checked the whole length.
        unsafe { copy_out(from, into) };
    }

    /// Stores a structure at `offset`.
    #[inline]
    pub fn store<T: IntoBytes + Immutable>(&self, offset: usize, value: &T) {
        self.write_bytes(offset, value.as_bytes());
    }

    /// Loads a structure from `offset`.
    #[inline]
    pub fn load<T: FromBytes + IntoBytes>(&self, offset: usize) -> T {
        let mut value = T::new_zeroed();
        self.read_bytes(offset, value.as_mut_bytes());
        value
    }
}

impl Drop for DmaRegion {
    fn drop(&mut self) {
        self.memory.give_back(self.offset, self.taken);
    }
}

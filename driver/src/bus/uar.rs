//! A UAR page as plain mapped memory: what a real card's page is to the CPU.

use super::UarPage;
use std::ptr::NonNull;

/// A page of registers that is mapped into this process.
pub struct MappedPage {
    base: NonNull<u8>,
}

// SAFETY: registers are written only, by whole aligned words; the locks of the queues that own
// them keep writers of one register apart.
unsafe impl Send for MappedPage {}
// SAFETY: as for `Send`.
unsafe impl Sync for MappedPage {}

impl MappedPage {
    /// The page at `base`.
    ///
    /// # Safety
    /// - `base` is valid for writes of 4096 bytes and aligned to 8 for as long as this value lives.
    /// - Nothing holds a Rust reference into the page.
    pub unsafe fn new(base: NonNull<u8>) -> Self {
        Self { base }
    }

    /// The place of a register. Offsets are the driver's own constants and a toggled bit.
    #[inline(always)]
    fn register(&self, offset: usize) -> NonNull<u64> {
        debug_assert!(offset.is_multiple_of(8) && offset <= super::PAGE_SIZE - 8);
        // SAFETY: the offset lies inside of the page, see `new`.
        unsafe { self.base.add(offset).cast() }
    }
}

impl UarPage for MappedPage {
    #[inline(always)]
    fn write_8(&self, offset: usize, bytes: [u8; 8]) {
        // SAFETY: the register lies in the page and is aligned to 8.
        unsafe { self.register(offset).write_volatile(u64::from_ne_bytes(bytes)) };
    }

    #[inline(always)]
    fn write_64(&self, offset: usize, word: impl Fn(usize) -> [u8; 8]) {
        let first = self.register(offset);
        for index in 0..8 {
            let bytes = word(index);
            // SAFETY: eight words from `offset` lie in the page: the BlueFlame buffers do.
            unsafe { first.add(index).write_volatile(u64::from_ne_bytes(bytes)) };
        }
    }

    #[inline(always)]
    fn flushed(&self) {}
}

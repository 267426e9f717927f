//! A UAR page as plain mapped memory: what a real card's page is to the CPU.

use super::{DoorbellRegister, PAGE_SIZE, UarPage};
use doorbell_prm::registers::uar::{BLUEFLAME_BUFFER_SIZE, BLUEFLAME_REGISTER_SIZE};
use std::ptr::NonNull;
use std::sync::Arc;

/// A page of registers that is mapped into this process.
pub struct MappedPage {
    base: NonNull<u8>,
    /// What keeps it mapped.
    _owner: Option<Arc<dyn Send + Sync>>,
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
    /// - `base` is valid for writes of 4096 bytes and aligned to 4096 for as long as this value lives.
    /// - Nothing holds a Rust reference into the page.
    pub unsafe fn new(base: NonNull<u8>) -> Self {
        Self { base, _owner: None }
    }

    /// The page at `base`, which `owner` keeps mapped.
    ///
    /// # Safety
    /// - As for [`MappedPage::new`], for as long as `owner` lives.
    pub unsafe fn within(base: NonNull<u8>, owner: Arc<dyn Send + Sync>) -> Self {
        Self { base, _owner: Some(owner) }
    }

    /// The page at `offset` of a device's file. It stays mapped for as long as this value lives.
    #[cfg(target_os = "linux")]
    pub fn map(file: &impl rustix::fd::AsFd, offset: u64) -> rustix::io::Result<Self> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        // SAFETY: the kernel chooses a place that nothing else uses.
        let place = unsafe {
            mmap(std::ptr::null_mut(), PAGE_SIZE, ProtFlags::WRITE, MapFlags::SHARED, file, offset)
        }?;
        let base = NonNull::new(place.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { base, _owner: Some(Arc::new(Mapping(base))) })
    }
}

/// A mapping of one page that is undone when dropped.
#[cfg(target_os = "linux")]
struct Mapping(NonNull<u8>);

#[cfg(target_os = "linux")]
// SAFETY: only an address, which `munmap` gets in the end.
unsafe impl Send for Mapping {}
#[cfg(target_os = "linux")]
// SAFETY: as for `Send`.
unsafe impl Sync for Mapping {}

#[cfg(target_os = "linux")]
impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `MappedPage::map` mapped the page, and what stands in it keeps this value.
        let _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), PAGE_SIZE) };
    }
}

impl UarPage for MappedPage {
    type Register = MappedRegister;

    fn register(self: &Arc<Self>, offset: usize, buffer_size: usize) -> MappedRegister {
        assert!(offset.is_multiple_of(REGISTER) && offset < PAGE_SIZE);
        assert!(buffer_size == 0 || buffer_size == BUFFER);
        MappedRegister {
            at: self.base.as_ptr().wrapping_add(offset),
            buffer_size,
            _page: Arc::clone(self),
        }
    }

    fn write_4(&self, offset: usize, bytes: [u8; 4]) {
        assert!(offset.is_multiple_of(4) && offset < PAGE_SIZE / 2);
        // SAFETY: the word lies in the page, which is mapped, and is aligned.
        unsafe { self.base.byte_add(offset).cast().write_volatile(u32::from_ne_bytes(bytes)) };
    }

    fn write_8(&self, offset: usize, bytes: [u8; 8]) {
        assert!(offset.is_multiple_of(8) && offset < PAGE_SIZE / 2);
        // SAFETY: as for `write_4`.
        unsafe { self.base.byte_add(offset).cast().write_volatile(u64::from_ne_bytes(bytes)) };
    }

    fn flushed(&self) {}
}

/// Sizes in bytes of a register and of one of its two buffers.
const REGISTER: usize = BLUEFLAME_REGISTER_SIZE as usize;
const BUFFER: usize = BLUEFLAME_BUFFER_SIZE as usize;

/// A register of a mapped page. Its address is kept, not worked out for each write.
pub struct MappedRegister {
    /// Place of the buffer that is next: one of the two halves of an aligned register.
    at: *mut u8,
    /// What lies between the two buffers: the size of one, or 0 if the register takes no BlueFlame.
    buffer_size: usize,
    _page: Arc<MappedPage>,
}

// SAFETY: the page behind it may be written from any thread, see `MappedPage`.
unsafe impl Send for MappedRegister {}

/// Sixteen bytes that the machine stores at once, where it can.
#[cfg(target_arch = "x86_64")]
type Wide = std::arch::x86_64::__m128i;
#[cfg(not(target_arch = "x86_64"))]
type Wide = u128;

impl DoorbellRegister for MappedRegister {
    #[inline(always)]
    fn write_8(&self, bytes: [u8; 8]) {
        // SAFETY: the buffer lies in the page, which is mapped, and is aligned to 8.
        unsafe { self.at.cast::<u64>().write_volatile(u64::from_ne_bytes(bytes)) };
    }

    #[inline(always)]
    fn write_64(&self, offset: usize, unit: impl Fn(usize) -> [u8; 16]) {
        let first = self.at.wrapping_add(offset & (BUFFER - 64)).cast::<Wide>();
        for index in 0..4 {
            let bytes = unit(index);
            // SAFETY: any 16 bytes are a `Wide`. The masked offset is a multiple of 64 below the
            // buffer's size, so all four lie in the buffer, and are aligned to 16.
            unsafe {
                first.add(index).write_volatile(std::mem::transmute::<[u8; 16], Wide>(bytes))
            };
        }
    }

    #[inline(always)]
    fn flushed(&self) {}

    #[inline(always)]
    fn toggle(&mut self) {
        // The register is aligned to its size, so that one bit of the address tells its halves apart.
        self.at = self.at.map_addr(|address| address ^ self.buffer_size);
    }

    fn offset(&self) -> usize {
        self.at.addr() % PAGE_SIZE
    }
}

#[cfg(test)]
mod tests;

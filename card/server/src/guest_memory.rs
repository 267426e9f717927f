//! The guest's memory: files that the client sends, mapped into this process.
//!
//! The guest changes this memory while the card reads and writes it, as it does with real DMA.
//! No Rust reference ever points into it: all access is by copying through raw pointers. Words
//! that software and card use to synchronise (doorbell records, owner bits) are read and written
//! in one access each.

use doorbell_card::DmaFault;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{Ordering, fence};

/// Mapped memory, by guest address.
#[derive(Default)]
pub(crate) struct GuestMemory {
    mappings: BTreeMap<u64, Mapping>,
}

/// One run of guest addresses.
struct Mapping {
    start: *mut u8,
    length: usize,
    writable: bool,
}

// SAFETY: the pointer is to a mapping that this value owns; nothing about it belongs to a thread.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `length` are those of a mapping that `map_file` made and that only this
        // value knows; no pointer into it outlives the calls below.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

impl GuestMemory {
    /// Maps `length` bytes of `file` from `offset` on at guest address `address`.
    ///
    /// Fails when the file is shorter, when addresses wrap around or are mapped already, and when
    /// the system refuses.
    pub(crate) fn map_file(
        &mut self,
        file: &File,
        offset: u64,
        (address, length): (u64, u64),
        writable: bool,
    ) -> io::Result<()> {
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let end = address.checked_add(length).filter(|_| length > 0);
        let end = end.ok_or_else(|| invalid("the range is empty or wraps around"))?;
        if self
            .mappings
            .range(..end)
            .next_back()
            .is_some_and(|(at, mapping)| at + mapping.length as u64 > address)
        {
            return Err(invalid("some of the range is mapped already"));
        }
        let needed = offset.checked_add(length);
        let needed = needed.ok_or_else(|| invalid("the offset wraps around"))?;
        if file.metadata()?.len() < needed {
            return Err(invalid("the file is shorter than the mapping"));
        }
        let size = usize::try_from(length).map_err(|_| invalid("the range is too long"))?;
        let mut protection = ProtFlags::READ;
        protection.set(ProtFlags::WRITE, writable);
        // SAFETY: a new mapping at an address of the system's choice disturbs no other memory.
        let start = unsafe {
            mmap(std::ptr::null_mut(), size, protection, MapFlags::SHARED, file, offset)
        }?;
        self.mappings.insert(address, Mapping { start: start.cast(), length: size, writable });
        Ok(())
    }

    /// Unmaps every mapping that lies wholly inside the range.
    pub(crate) fn unmap(&mut self, address: u64, length: u64) {
        let end = address.saturating_add(length);
        self.mappings.retain(|at, mapping| {
            let inside = *at >= address && at.saturating_add(mapping.length as u64) <= end;
            !inside
        });
    }

    /// Unmaps everything.
    pub(crate) fn clear(&mut self) {
        self.mappings.clear();
    }

    /// Copies bytes from guest addresses; all of them or none.
    pub(crate) fn read(&self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        self.check(address, into.len(), false)?;
        let mut done = 0;
        while done < into.len() {
            let (from, run) = self.place(address + done as u64, false).ok_or(DmaFault)?;
            let part = &mut into[done..];
            let length = run.min(part.len());
            // SAFETY: `place` answers `run` mapped, readable bytes; `part` is ordinary memory of
            // at least `length` bytes, apart from the mapping.
            unsafe { copy_in(from, &mut part[..length]) };
            done += length;
        }
        // What the caller reads next may depend on what it just read.
        fence(Ordering::Acquire);
        Ok(())
    }

    /// Copies bytes to guest addresses; all of them or none.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        self.check(address, bytes.len(), true)?;
        // Whoever sees these bytes must see all that was written before.
        fence(Ordering::Release);
        let mut done = 0;
        while done < bytes.len() {
            let (to, run) = self.place(address + done as u64, true).ok_or(DmaFault)?;
            let part = &bytes[done..];
            let length = run.min(part.len());
            // SAFETY: as in `read`, the other way round; the mapping is writable.
            unsafe { copy_out(&part[..length], to) };
            done += length;
        }
        Ok(())
    }

    /// Whether all bytes of a range are mapped.
    fn check(&self, address: u64, length: usize, write: bool) -> Result<(), DmaFault> {
        let end = address.checked_add(length as u64).ok_or(DmaFault)?;
        let mut at = address;
        while at < end {
            let (_, run) = self.place(at, write).ok_or(DmaFault)?;
            at = at.checked_add(run as u64).ok_or(DmaFault)?;
        }
        Ok(())
    }

    /// Where a guest address lies, and how many bytes follow it in the same mapping.
    fn place(&self, address: u64, write: bool) -> Option<(*mut u8, usize)> {
        let (at, mapping) = self.mappings.range(..=address).next_back()?;
        let into = usize::try_from(address - at).ok()?;
        let run = mapping.length.checked_sub(into).filter(|run| *run > 0)?;
        // SAFETY: `into` is less than the mapping's length.
        let place = unsafe { mapping.start.add(into) };
        (mapping.writable || !write).then_some((place, run))
    }
}

/// Copies from shared memory; a word of its natural alignment in one access.
///
/// # Safety
///
/// `from` must be mapped and readable for `into.len()` bytes, apart from `into`.
unsafe fn copy_in(from: *const u8, into: &mut [u8]) {
    // SAFETY: the caller's; alignment is checked before a word is read as such.
    unsafe {
        match into.len() {
            4 if from.addr().is_multiple_of(4) => {
                into.copy_from_slice(&from.cast::<u32>().read_volatile().to_ne_bytes());
            }
            8 if from.addr().is_multiple_of(8) => {
                into.copy_from_slice(&from.cast::<u64>().read_volatile().to_ne_bytes());
            }
            length => std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), length),
        }
    }
}

/// Copies to shared memory; a byte or a word of its natural alignment in one access.
///
/// # Safety
///
/// `to` must be mapped and writable for `bytes.len()` bytes, apart from `bytes`.
unsafe fn copy_out(bytes: &[u8], to: *mut u8) {
    // SAFETY: the caller's; alignment is checked before a word is written as such.
    unsafe {
        match bytes {
            [byte] => to.write_volatile(*byte),
            [a, b, c, d] if to.addr().is_multiple_of(4) => {
                to.cast::<u32>().write_volatile(u32::from_ne_bytes([*a, *b, *c, *d]));
            }
            _ => std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests;

//! Short stretches of a memory, found with one comparison.

use super::Memory;
use std::ptr::NonNull;
use std::sync::Arc;

/// A memory at hand of somebody who asks for many short stretches of it.
#[derive(Clone)]
pub struct AtHand {
    base: NonNull<u8>,
    address: u64,
    /// Offsets at which [`AtHand::SHORT`] bytes can begin: those below this.
    begin_below: u64,
    memory: Arc<Memory>,
}

// SAFETY: as for `Memory`, which this value keeps.
unsafe impl Send for AtHand {}
// SAFETY: as for `Send`.
unsafe impl Sync for AtHand {}

impl AtHand {
    /// Length of a short stretch in bytes.
    pub const SHORT: usize = 32;

    /// That memory.
    pub fn new(memory: &Arc<Memory>) -> Self {
        let begin_below = (memory.length + 1).saturating_sub(Self::SHORT) as u64;
        let (base, address) = (memory.base, memory.address);
        Self { base, address, begin_below, memory: Arc::clone(memory) }
    }

    /// As [`Memory::find`].
    pub fn find(&self, address: u64, length: usize) -> Option<NonNull<u8>> {
        self.memory.find(address, length)
    }

    /// Where [`AtHand::SHORT`] bytes at the card's address `address` lie for the program; `None` if any of
    /// them is outside of this memory. Then [`AtHand::find`] tells of fewer.
    #[inline(always)]
    pub fn find_short(&self, address: u64) -> Option<NonNull<u8>> {
        let offset = address.wrapping_sub(self.address);
        if offset >= self.begin_below {
            return None;
        }
        // SAFETY: so many bytes before the end of the memory, which this value keeps.
        Some(unsafe { self.base.add(offset as usize) })
    }
}

#[cfg(test)]
mod tests {
    use super::AtHand;
    use crate::bus::{Memory, PAGE_SIZE};

    #[test]
    fn a_short_stretch_is_found_where_it_lies_whole() {
        let (first, end) = (0x1000, 0x1000 + PAGE_SIZE as u64);
        let memory = Memory::new(1, first);
        let at_hand = AtHand::new(&memory);
        let last = end - AtHand::SHORT as u64;
        for address in [first, first + 1, last - 1, last] {
            let found = at_hand.find_short(address);
            assert_eq!(found, memory.find(address, AtHand::SHORT), "{address:#x}");
            assert!(found.is_some(), "{address:#x}");
        }
        for address in [0, first - 1, last + 1, end - 1, end, u64::MAX] {
            assert_eq!(at_hand.find_short(address), None, "{address:#x}");
        }
        assert_eq!(at_hand.find(last + 1, 31), memory.find(last + 1, 31), "fewer are there");
        assert!(at_hand.find(last + 1, 31).is_some() && at_hand.find(last + 1, 32).is_none());
    }
}

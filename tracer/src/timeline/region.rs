//! One region with its bytes.

use super::memory::Memory;
use crate::{Region, Role};
use std::ops::Range;
use std::sync::Arc;

/// The most bytes that one call of [`State::bytes`](super::State::bytes) hands out: the length of a region comes from
/// the trace, and a damaged one may name more than a machine has.
pub const MOST_BYTES: usize = 1 << 26;

/// A region of memory or registers, as it is after a step.
#[derive(Debug, Clone)]
pub struct RegionState {
    info: Arc<Region>,
    mapped: bool,
    mapped_at: u64,
    laid_at: u64,
    memory: Memory,
}

impl RegionState {
    /// A region that `step` maps.
    pub(super) fn new(region: &Region, step: u64) -> Self {
        Self {
            info: Arc::new(region.clone()),
            mapped: true,
            mapped_at: step,
            laid_at: step,
            memory: Memory::default(),
        }
    }

    /// The same region and bytes with another description, told by `step`.
    pub(super) fn described_anew(&self, region: &Region, step: u64) -> Self {
        let mut state = Self { info: Arc::new(region.clone()), ..self.clone() };
        if state.span() != self.span() {
            state.laid_at = step;
        }
        state
    }

    /// The step that put the region where it lies on the bus.
    pub(super) fn laid_at(&self) -> u64 {
        self.laid_at
    }

    /// Marks the region as unmapped; false if it was so before.
    pub(super) fn unmap(&mut self) -> bool {
        std::mem::replace(&mut self.mapped, false)
    }

    /// What the region's last map event said.
    pub fn info(&self) -> &Region {
        &self.info
    }

    /// Whether the region is still mapped. Its bytes can be read afterwards too.
    pub fn mapped(&self) -> bool {
        self.mapped
    }

    /// The step at which the region was mapped first.
    pub fn mapped_at(&self) -> u64 {
        self.mapped_at
    }

    /// The bytes of a range of offsets, cut at the region's end and at [`MOST_BYTES`]. What was
    /// never written is zero.
    pub fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let (offset, length) = self.cut(range);
        self.memory.read(offset, length)
    }

    /// For each byte of a range, cut as [`RegionState::bytes`] cuts it, the step that last wrote it.
    pub fn writers(&self, range: Range<u64>) -> Vec<Option<u64>> {
        let (offset, length) = self.cut(range);
        self.memory.writers(offset, length)
    }

    /// The step that last wrote the byte at `offset`; `None` if none did.
    pub fn writer(&self, offset: u64) -> Option<u64> {
        self.memory.writer(offset)
    }

    /// Offset and length of a range within the region.
    fn cut(&self, range: Range<u64>) -> (u64, usize) {
        let end = range.end.min(self.info.length);
        let length = usize::try_from(end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        (range.start, length.min(MOST_BYTES))
    }

    /// The part of `bytes` at `offset` that lies in the region.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], step: u64) {
        let room = self.info.length.saturating_sub(offset);
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        self.memory.write(offset, &bytes[..length], step);
    }

    /// First and last bus address of memory; `None` for registers and for an empty region.
    pub(super) fn span(&self) -> Option<(u64, u64)> {
        let memory = !matches!(self.info.role, Role::UserAccessRegion | Role::InitSegment);
        span_of(self.info.address, self.info.length).filter(|_| memory)
    }
}

/// First and last address of `length` bytes; `None` if there are none.
pub(super) fn span_of(address: u64, length: u64) -> Option<(u64, u64)> {
    let more = length.checked_sub(1)?;
    Some((address, address.saturating_add(more)))
}

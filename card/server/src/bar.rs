//! BAR 0: the init segment and MSI-X in its first MiB, UAR pages behind.

use crate::error::{ServeError, doing};
use doorbell_card::{CardConfig, FIRST_UAR};
use doorbell_prm::registers::uar::UAR_PAGE_SIZE;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::ops::Range;
use std::os::fd::OwnedFd;

/// Where the MSI-X table and the pending bits lie: behind the init segment, which ends at 0x400c.
pub(crate) const MSIX_TABLE: u64 = 0x8000;
pub(crate) const MSIX_PENDING: u64 = 0xa000;
/// Where what belongs to MSI-X ends.
pub(crate) const MSIX_END: u64 = 0xb000;

/// How a guest's writes to doorbell registers reach the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RegisterAccess {
    /// UAR pages, all but the first, are memory that the guest maps: writes cost nothing, and the
    /// card looks at doorbell records.
    #[default]
    Mapped,
    /// Every write is a message: slower for throughput, and seen exactly as it happened.
    Trapped,
}

impl RegisterAccess {
    /// The UAR pages that are memory.
    pub(crate) fn mapped_pages(self, card: &CardConfig) -> Range<u32> {
        match self {
            Self::Mapped => FIRST_UAR + 1..FIRST_UAR + card.uars,
            Self::Trapped => 0..0,
        }
    }
}

/// The memory behind the mapped pages, as large as the BAR, so that offsets are the same.
pub(crate) fn register_memory(card: &CardConfig) -> Result<OwnedFd, ServeError> {
    let file = memfd_create("doorbell-uar", MemfdFlags::CLOEXEC)
        .map_err(doing("make memory for UAR pages"))?;
    ftruncate(&file, card.bar_size()).map_err(doing("size the memory for UAR pages"))?;
    Ok(file)
}

/// The bytes of BAR 0 that a guest may map: none, or from the second UAR page to the end.
pub(crate) fn mapped_bytes(card: &CardConfig) -> Option<Range<u64>> {
    let pages = &card.mapped_uars;
    let first = u64::from(pages.start) * UAR_PAGE_SIZE;
    (!pages.is_empty()).then(|| first..card.bar_size())
}

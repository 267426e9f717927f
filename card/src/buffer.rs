//! A queue's buffer: scattered pages of host memory that count as one row of bytes.

use crate::reason::Reason;

/// The pages of a buffer, as a create command listed them.
#[derive(Debug, Clone)]
pub(crate) struct PageBuffer {
    pages: Vec<u64>,
    page_shift: u32,
    /// Where the buffer begins in its first page.
    offset: u64,
    length: u64,
}

impl PageBuffer {
    /// Takes the page addresses (8 bytes each, big-endian) of a buffer of `length` bytes that
    /// begins `offset` bytes into its first page.
    pub(crate) fn new(
        list: &[u8],
        page_shift: u32,
        offset: u64,
        length: u64,
    ) -> Result<Self, Reason> {
        let count = (offset + length).div_ceil(1 << page_shift);
        if (list.len() as u64) / 8 < count {
            return Err(Reason::MissingPages);
        }
        let pages: Vec<u64> = addresses(list).take(count as usize).collect();
        let misplaced = |page: &u64| page & ((1 << page_shift) - 1) != 0;
        if pages.iter().any(misplaced) {
            return Err(Reason::PageAddress);
        }
        Ok(Self { pages, page_shift, offset, length })
    }

    /// The same, as the context of a queue says it: `log_page_size` less 12, and the offset in
    /// 64ths of a page.
    pub(crate) fn of_queue(
        list: &[u8],
        log_page_size: u8,
        page_offset: u8,
        length: u64,
    ) -> Result<Self, Reason> {
        let shift = u32::from(log_page_size) + 12;
        if shift > MAX_PAGE_SHIFT {
            return Err(Reason::PageSize);
        }
        Self::new(list, shift, u64::from(page_offset) << (shift - 6), length)
    }

    /// The bus addresses and lengths of `length` bytes from byte `at` on; stops at the end.
    pub(crate) fn pieces(&self, at: u64, length: u64) -> Vec<(u64, u64)> {
        let end = at.saturating_add(length).min(self.length);
        let mut pieces = Vec::new();
        let mut at = at;
        while at < end {
            let within = at + self.offset;
            let inside = within & ((1 << self.page_shift) - 1);
            let Some(page) = self.pages.get((within >> self.page_shift) as usize) else {
                break;
            };
            let size = (end - at).min((1 << self.page_shift) - inside);
            pieces.push((page + inside, size));
            at += size;
        }
        pieces
    }

    /// The bus address of byte `at`, when the buffer has it.
    pub(crate) fn address(&self, at: u64) -> Option<u64> {
        self.pieces(at, 1).first().map(|(address, _)| *address)
    }
}

/// log2 of the largest page.
const MAX_PAGE_SHIFT: u32 = 31;

/// The addresses in a list of 8 bytes each, big-endian.
pub(crate) fn addresses(list: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let eight = list.as_chunks::<8>().0.iter();
    eight.map(|bytes| u64::from_be_bytes(*bytes))
}

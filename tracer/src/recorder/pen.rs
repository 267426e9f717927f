//! Writes events in a row into a recorder that stays open meanwhile.

use super::log::Room;
use super::{Chunks, Head};
use crate::Site;
use crate::report::Report;
use std::cell::{Cell, UnsafeCell};
use std::hint::cold_path;
use std::ops::DerefMut;

/// Where the next event goes, as the chunks give it away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// The end of the bytes that can be written.
    pub(super) end: *mut u8,
    /// Bytes up to there.
    pub(super) left: usize,
    /// Events in the current chunk.
    pub(super) events: usize,
}

/// Writes events in a row, if the recorder `C` could be opened.
///
/// Meanwhile the pen knows where the next event goes, and not the chunks: a processor keeps that in
/// registers, where the chunks' own counters would be two stores an event.
pub(crate) struct Pen<C: DerefMut<Target = Chunks>> {
    /// Used by one method at a time, each of which calls none of another crate's code meanwhile.
    open: UnsafeCell<Option<C>>,
    end: Cell<*mut u8>,
    left: Cell<usize>,
    events: Cell<usize>,
}

impl<C: DerefMut<Target = Chunks>> Pen<C> {
    /// A pen at the end of what is written.
    #[inline(always)]
    pub(crate) fn new(mut open: Option<C>) -> Self {
        let page = match &mut open {
            Some(chunks) => chunks.page(),
            None => {
                cold_path();
                Page { end: std::ptr::null_mut(), left: 0, events: 0 }
            }
        };
        Self {
            open: UnsafeCell::new(open),
            end: Cell::new(page.end),
            left: Cell::new(page.left),
            events: Cell::new(page.events),
        }
    }

    /// Whether the recorder could be opened.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        // SAFETY: as in `keep`.
        unsafe { &*self.open.get() }.is_some()
    }

    /// Keeps an event that begins with this head, with `site` if its point has none. The recorder must be
    /// open, see [`Pen::is_open`]: a report that is kept nowhere keeps the memory of its own texts.
    #[inline(always)]
    pub(crate) fn keep<R: Report>(&self, head: Head, site: Option<&'static Site>, report: R) {
        let size = report.size();
        // SAFETY: a pen stays in its thread, and none of its methods is running: each makes one such
        // reference, and until it is gone calls nothing that could come back to this pen. Reports
        // hold values, and no code of whoever made them.
        let Some(chunks) = unsafe { &mut *self.open.get() }.as_deref_mut() else {
            debug_assert!(false, "the recorder is not open");
            return;
        };
        if R::WHOLE || size > self.left.get() {
            let page = chunks.turn_page(self.left.get(), self.events.get(), size, R::WHOLE);
            self.end.set(page.end);
            self.left.set(page.left);
            self.events.set(page.events);
        }
        let left = self.left.get();
        // SAFETY: there are `left` bytes up to the end, and at least as many as the event needs: if
        // not, `turn_page` has brought a page that has them. They are of the buffer of the open recorder,
        // which lets nobody else at them, and which nothing moves or looks into before the page is
        // given back.
        let room = unsafe { std::slice::from_raw_parts_mut(self.end.get().sub(left), size) };
        self.left.set(left - size);
        self.events.set(self.events.get().wrapping_add(1));
        let (beside, depths) = chunks.beside_and_depths();
        report.keep(Room::of(room), beside, depths, head, site);
    }
}

impl<C: DerefMut<Target = Chunks>> Drop for Pen<C> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(chunks) = self.open.get_mut().as_deref_mut() {
            chunks.give_back(self.left.get(), self.events.get());
        }
    }
}

#[cfg(test)]
mod tests;

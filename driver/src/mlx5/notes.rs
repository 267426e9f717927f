//! The driver's own notes to the entries of a ring.

use std::sync::Arc;

/// The driver's own notes to the entries of a ring: one `T` for each, found by the same counters.
pub struct Notes<T> {
    /// As many as the mask says, and one.
    notes: Arc<[T]>,
    mask: u32,
}

/// The same notes, kept by one more.
impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Self { notes: Arc::clone(&self.notes), mask: self.mask }
    }
}

impl<T: Default> Notes<T> {
    /// Notes to `entries` entries, a power of two.
    pub fn new(entries: u32) -> Self {
        assert!(entries.is_power_of_two());
        Self { notes: (0..entries).map(|_| T::default()).collect(), mask: entries - 1 }
    }

    /// Where they are.
    #[inline(always)]
    pub fn view(&self) -> View<'_, T> {
        View { notes: &self.notes, mask: self.mask }
    }

    /// The note to the entry that `counter` counts.
    #[inline(always)]
    pub fn at(&self, counter: u32) -> &T {
        self.view().at(counter)
    }
}

/// Where notes are: an address and a mask, like a [`Ring`](super::ring::Ring), for a loop that looks at many.
pub struct View<'n, T> {
    notes: &'n [T],
    mask: u32,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'n, T> View<'n, T> {
    /// The note to the entry that `counter` counts.
    #[inline(always)]
    pub fn at(self, counter: u32) -> &'n T {
        // SAFETY: the masked counter is at most the mask, and there is one note more than that.
        unsafe { self.notes.get_unchecked((counter & self.mask) as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::Notes;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn notes_are_found_by_masked_counters() {
        let notes = Notes::<AtomicU32>::new(4);
        notes.at(6).store(1, Relaxed);
        notes.at(u32::MAX).store(2, Relaxed);
        let all = [0, 1, 2, 3].map(|at| notes.at(at).load(Relaxed));
        assert_eq!(all, [0, 0, 1, 2]);
    }
}

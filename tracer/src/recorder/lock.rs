//! A lock for what takes a few instructions: writing one event.
//!
//! With [`pen`](super::pen) the only place of this crate with `unsafe` code. [`bias`] says who may come in; here is what it
//! guards. A model of that protocol is tried out in all its orders by a test of this crate.

mod bias;
mod sync;
#[cfg(test)]
mod tests;

use bias::Bias;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use sync::{AtomicBool, Ordering};

/// A lock that is held for a moment only, mostly by one thread. After a panic of the holder it is
/// free: what was recorded stays readable.
pub(crate) struct BriefLock<T> {
    bias: Bias,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard only, and the lock lets one guard exist at a time,
// each made after the one before is gone. So threads have the value one after the other, which is
// as good as sending it from thread to thread.
unsafe impl<T: Send> Sync for BriefLock<T> {}

/// The right to the value, until it is dropped.
pub(crate) struct Guard<'a, T> {
    value: &'a UnsafeCell<T>,
    inside: &'a AtomicBool,
    /// It stays in its thread: the lock counts on that thread's own order when it is given back.
    stays: PhantomData<*const ()>,
}

impl<T> BriefLock<T> {
    /// An open lock. Where it must not lean, nobody gets it at once.
    pub(crate) fn new(value: T, leans: bool) -> Self {
        let most = if leans && sync::has_heavy_fence() { bias::OWNERSHIPS } else { 0 };
        Self { bias: Bias::new(most), value: UnsafeCell::new(value) }
    }

    /// Takes the lock if it leans towards this thread: that is done in a few instructions.
    #[inline(always)]
    pub(crate) fn lock_at_once(&self) -> Option<Guard<'_, T>> {
        let inside = self.bias.enter_at_once(sync::known_thread())?;
        Some(Guard { value: &self.value, inside, stays: PhantomData })
    }

    /// Takes the lock.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        self.lock_at_once().unwrap_or_else(|| {
            let inside = self.bias.enter(sync::this_thread());
            Guard { value: &self.value, inside, stays: PhantomData }
        })
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists only between coming in and the store in `drop`, when no other thread
        // is inside; the same thread is not let in twice. So this guard is the only way to the value,
        // and `&self` allows no `&mut` from it meanwhile.
        unsafe { &*self.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` allows no other reference from this guard meanwhile.
        unsafe { &mut *self.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.inside.store(false, Ordering::Release);
    }
}

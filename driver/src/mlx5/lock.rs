//! Taking a lock that is nearly always free: a queue's, or that of a doorbell register.

use super::sync::{SpinMutex, SpinMutexGuard, spin_loop};
use std::hint::cold_path;

/// Takes a queue's lock: at once if it is free, as it nearly always is.
#[inline(always)]
pub fn take<T>(lock: &SpinMutex<T>) -> SpinMutexGuard<'_, T> {
    if let Some(guard) = lock.try_lock() {
        return guard;
    }
    loop {
        cold_path();
        while lock.is_locked() {
            spin_loop();
        }
        if let Some(guard) = lock.try_lock() {
            return guard;
        }
    }
}

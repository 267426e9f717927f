//! What the lock needs of the machine and the system.

pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bias::{FIRST_THREAD, Thread};
use std::cell::Cell;
use std::time::Duration;

thread_local! {
    static THREAD: Cell<Thread> = const { Cell::new(Thread::UNKNOWN) };
}

/// This thread, unless it was not asked for its number yet.
#[inline(always)]
pub(super) fn known_thread() -> Thread {
    THREAD.get()
}

/// This thread, with its number.
pub(super) fn this_thread() -> Thread {
    static NEXT: AtomicU64 = AtomicU64::new(FIRST_THREAD);
    if THREAD.get() == Thread::UNKNOWN {
        THREAD.set(Thread::numbered(NEXT.fetch_add(1, Ordering::Relaxed)));
    }
    THREAD.get()
}

/// Keeps what stands before it in the program before what stands after it, as far as the compiler
/// goes. With a [`heavy_fence`] in another thread it is as good as a full fence.
#[inline(always)]
pub(super) fn light_fence() {
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// Looks at the lock before the thread lets others run.
const LOOKS: u32 = 100;

/// Times that it looks, or lets others run, before it sleeps.
const YIELDS: u32 = 200;

/// How long it sleeps. The one that it waits for goes on even if it has the lower priority.
const MOMENT: Duration = Duration::from_micros(50);

/// Passes some time, more as the number of times grows.
pub(super) fn wait(times: &mut u32) {
    match *times {
        ..LOOKS => std::hint::spin_loop(),
        LOOKS..YIELDS => std::thread::yield_now(),
        _ => std::thread::sleep(MOMENT),
    }
    *times = times.saturating_add(1);
}

pub(super) use system::{has_heavy_fence, heavy_fence};

/// Linux has a system call for the fence.
#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};

    /// Whether there is such a fence; asked before it is used.
    pub(in super::super) fn has_heavy_fence() -> bool {
        membarrier_query().contains(MembarrierQuery::PRIVATE_EXPEDITED)
            && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    /// A full fence in all threads of the process. The system does not refuse it to who asked
    /// before; should it, this does not return without a fence.
    pub(in super::super) fn heavy_fence() {
        let mut times = 0;
        while membarrier(MembarrierCommand::PrivateExpedited).is_err() {
            super::wait(&mut times);
        }
    }
}

/// Elsewhere the lock does not lean.
#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    /// Whether there is such a fence.
    pub(in super::super) fn has_heavy_fence() -> bool {
        false
    }

    /// Never needed: a lock that does not lean has no owner.
    pub(in super::super) fn heavy_fence() {}
}

//! How the threads of a card ask the scheduler to be run soon.
//!
//! Guests that poll keep every CPU busy. A thread that wakes up beside them waits until one of
//! them has used up its time slice, some milliseconds; unless it says that it wants less at a
//! time and sooner, which any thread may (Linux 6.12, `sched_setattr` with a runtime).

use std::time::Duration;

/// `struct sched_attr` of `linux/sched/types.h`, in its first version.
#[repr(C)]
#[derive(Default)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// The card seldom works longer than this.
const SLICE: Duration = Duration::from_micros(100);

/// Asks for short time slices for the calling thread. A kernel that knows nothing of
/// this leaves everything as it was.
pub(crate) fn ask_for_short_slices() {
    let attributes = SchedulingAttributes {
        size: size_of::<SchedulingAttributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        runtime: u64::try_from(SLICE.as_nanos()).unwrap_or(u64::MAX),
        ..Default::default()
    };
    let (this_thread, no_flags) = (0, 0);
    // SAFETY: the structure outlives the call, and its size is that which it says.
    let _ = unsafe {
        libc::syscall(libc::SYS_sched_setattr, this_thread, &raw const attributes, no_flags)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_has_the_size_of_its_first_version() {
        assert_eq!(size_of::<SchedulingAttributes>(), 48);
    }
}

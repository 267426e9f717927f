//! The atomics and the lock of what threads share. A test tries the same code out with others.

pub use spin::mutex::{SpinMutex, SpinMutexGuard};
pub use std::hint::spin_loop;
pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

//! The atomics of what posts and polls share. A test tries the same code out with others.

pub use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

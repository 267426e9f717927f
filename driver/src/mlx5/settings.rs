//! What a context's queues share: the BlueFlame settings, the memory that inline data is in, and the way
//! that their locks are taken.

use crate::bus::Memory;
use spin::{Mutex, MutexGuard};
use std::hint::{cold_path, spin_loop};
use std::sync::Arc;

/// libmlx5's two settings for BlueFlame, which it reads from the environment when it opens a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlueFlameSettings {
    /// Never use BlueFlame (`MLX5_SHUT_UP_BF`).
    pub forbidden: bool,
    /// Use it for single work requests whose data is not inline, too
    /// (`MLX5_POST_SEND_PREFER_BF`).
    pub preferred: bool,
}

impl Default for BlueFlameSettings {
    /// As libmlx5 has them when the environment says nothing.
    fn default() -> Self {
        Self { forbidden: false, preferred: true }
    }
}

impl BlueFlameSettings {
    // ANCHOR: blueflame_environment
    /// As the two environment variables say, which libmlx5 reads when it opens a device: `1`
    /// switches one on, and `0` off. (`get_shut_up_bf`, `mlx5_read_env`)
    pub fn from_environment() -> Self {
        let says = |name: &str, answer: &str| std::env::var(name).is_ok_and(|text| text == answer);
        let forbidden = std::env::var("MLX5_SHUT_UP_BF").is_ok_and(|text| text != "0");
        Self { forbidden, preferred: !says("MLX5_POST_SEND_PREFER_BF", "0") }
    }
    // ANCHOR_END: blueflame_environment
}

/// What each queue keeps at hand of its context.
#[derive(Clone)]
pub struct Settings {
    /// When to use BlueFlame.
    pub blueflame: BlueFlameSettings,
    /// Where inline data may lie.
    pub memory: Arc<Memory>,
}

/// Takes a queue's lock: at once if it is free, as it nearly always is.
#[inline(always)]
pub fn take<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        if let Some(guard) = lock.try_lock() {
            return guard;
        }
        while lock.is_locked() {
            cold_path();
            spin_loop();
        }
    }
}

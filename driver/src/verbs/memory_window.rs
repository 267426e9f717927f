//! Memory windows: remote keys that are opened and closed by posts.
//!
//! Registering memory goes through the kernel and takes its time. A window is a key that is had
//! once, and is then bound to a part of a registered region, with rights of its own, by a work
//! request: as fast as a send.

use super::ProtectionDomain;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Who chooses the key of a window, and who may close it (`enum ibv_mw_type`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum WindowKind {
    /// Type 1: for every queue pair of the protection domain; bound by `ibv_bind_mw`, which makes a
    /// new key each time, and closed by binding nothing.
    One = 1,
    /// Type 2: for the queue pair that binds it; bound by a work request with a key that the program
    /// chooses, and closed by an invalidation of either side.
    Two = 2,
}

/// A memory window (`struct ibv_mw`). Given back when dropped.
pub struct MemoryWindow {
    _provider: Box<dyn Any + Send + Sync>,
    kind: WindowKind,
    rkey: AtomicU32,
    pd: Arc<ProtectionDomain>,
}

impl MemoryWindow {
    /// A memory window that a provider has allocated, bound to nothing.
    pub fn new(
        pd: &Arc<ProtectionDomain>,
        kind: WindowKind,
        rkey: u32,
        provider: Box<dyn Any + Send + Sync>,
    ) -> Self {
        Self { _provider: provider, kind, rkey: AtomicU32::new(rkey), pd: Arc::clone(pd) }
    }

    /// Its type.
    pub fn kind(&self) -> WindowKind {
        self.kind
    }

    /// Its protection domain.
    pub fn pd(&self) -> &Arc<ProtectionDomain> {
        &self.pd
    }

    /// The key to give to the other side, as it was bound last; until then it opens nothing.
    pub fn rkey(&self) -> u32 {
        self.rkey.load(Ordering::Relaxed)
    }

    // ANCHOR: next_rkey
    /// The key for the next binding: the same index, and the next of its 256 variants
    /// (`ibv_inc_rkey`). Whoever still has the old key is shut out.
    pub fn next_rkey(&self) -> u32 {
        let rkey = self.rkey();
        (rkey & !0xff) | (rkey.wrapping_add(1) & 0xff)
    }
    // ANCHOR_END: next_rkey

    /// Remembers the key that it was bound with.
    pub fn bound(&self, rkey: u32) {
        self.rkey.store(rkey, Ordering::Relaxed);
    }
}

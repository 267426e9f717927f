//! Memory windows: remote keys that are opened and closed by posts.
//!
//! Registering memory goes through the kernel and takes its time. A window is a key that is had
//! once, and is then bound to a part of a registered region, with rights of its own, by a work
//! request: as fast as a send.

use super::{
    Access, Bind, MemoryRegion, Opcode, Operands, PostCause, PostError, ProtectionDomain,
    QueuePair, SendFlags, SendRequest, post_send,
};
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

/// What a window shall show (`struct ibv_mw_bind_info`).
#[derive(Clone, Copy)]
pub struct WindowPart<'a> {
    /// The region that it shows a part of, registered with `MW_BIND`.
    pub region: &'a MemoryRegion,
    /// Address of the part's first byte.
    pub address: u64,
    /// Its length in bytes, at most 2 GiB; 0 unbinds the window.
    pub length: u64,
    /// What others may do there.
    pub access: Access,
}

impl WindowPart<'_> {
    /// The same as the operands of a work request that gives `window` the key `new_key`.
    pub fn bind(&self, window: &MemoryWindow, new_key: u32) -> Bind {
        Bind {
            window: window.kind(),
            key: window.rkey(),
            new_key,
            lkey: self.region.lkey(),
            address: self.address,
            length: self.length,
            access: self.access,
            zero_based: false,
        }
    }
}

// ANCHOR: bind_mw
/// Binds a window of type 1 by a work request, with the next variant of its key (`ibv_bind_mw`). The
/// key is remembered once the request is posted; the other side may use it once it has completed.
pub fn bind_mw(
    qp: &QueuePair,
    window: &MemoryWindow,
    (wr_id, send_flags): (u64, SendFlags),
    part: &WindowPart<'_>,
) -> Result<(), PostError> {
    if window.kind() != WindowKind::One {
        return Err(PostError { index: 0, cause: PostCause::WindowKind });
    }
    let bind = part.bind(window, window.next_rkey());
    let opcode = Opcode::BindMemoryWindow;
    let operands = Operands::Bind(&bind);
    post_send(qp, &[SendRequest { wr_id, send_flags, opcode, operands, ..Default::default() }])?;
    window.bound(bind.new_key);
    Ok(())
}
// ANCHOR_END: bind_mw

//! The functions of a batch: what `struct ibv_qp_ex` has of its own.

use super::{
    AddressHandle, BatchError, Bind, PostCause, QueuePair, RemoteAddress, ScatterGatherElement,
    SendFlags,
};
use std::ptr::NonNull;

/// A send queue that is locked for a batch, as only its provider knows it.
#[derive(Clone, Copy)]
pub struct Locked(pub NonNull<()>);

/// A request whose data is to come: where its data goes, and what its provider wants to remember of it.
#[derive(Clone, Copy)]
pub struct Begun {
    /// Where.
    pub place: NonNull<()>,
    /// What is remembered.
    pub word: u32,
}

/// A batch that a provider has started.
#[derive(Clone, Copy)]
pub struct Started {
    /// The queue pair's functions.
    pub ops: &'static BatchOps,
    /// Its send queue.
    pub queue: Locked,
}

// ANCHOR: batch_ops
/// The functions of a queue pair's batches (`struct ibv_qp_ex`): C has them in the queue pair itself,
/// so that each transport has its own. Each builder takes number and flags of its request.
///
/// # Safety
/// Of all of them: the queue is of a [`Started`] whose `ops` these are, and neither `complete` nor
/// `abort` was called with it. Of those that take a [`Begun`]: the last builder returned it.
pub struct BatchOps {
    /// `ibv_wr_complete`.
    pub complete: unsafe fn(Locked) -> Result<(), BatchError>,
    /// `ibv_wr_abort`.
    pub abort: unsafe fn(Locked),
    /// `ibv_wr_send`.
    pub send: unsafe fn(Locked, u64, SendFlags) -> Begun,
    /// `ibv_wr_send_imm`.
    pub send_imm: unsafe fn(Locked, u64, SendFlags, u32) -> Begun,
    /// `ibv_wr_send_inv`.
    pub send_inv: unsafe fn(Locked, u64, SendFlags, u32) -> Begun,
    /// `ibv_wr_rdma_write`.
    pub rdma_write: unsafe fn(Locked, u64, SendFlags, RemoteAddress) -> Begun,
    /// `ibv_wr_rdma_write_imm`.
    pub rdma_write_imm: unsafe fn(Locked, u64, SendFlags, RemoteAddress, u32) -> Begun,
    /// `ibv_wr_rdma_read`.
    pub rdma_read: unsafe fn(Locked, u64, SendFlags, RemoteAddress) -> Begun,
    /// `ibv_wr_atomic_cmp_swp`: what is compared, and what is stored.
    pub atomic_cmp_swp: unsafe fn(Locked, u64, SendFlags, RemoteAddress, u64, u64) -> Begun,
    /// `ibv_wr_atomic_fetch_add`: what is added.
    pub atomic_fetch_add: unsafe fn(Locked, u64, SendFlags, RemoteAddress, u64) -> Begun,
    /// `ibv_wr_bind_mw`.
    pub bind_mw: unsafe fn(Locked, u64, SendFlags, &Bind),
    /// `ibv_wr_local_inv`.
    pub local_inv: unsafe fn(Locked, u64, SendFlags, u32),
    /// `ibv_wr_set_ud_addr`: the way, the receiver's queue pair and its queue key.
    pub set_ud_addr: unsafe fn(Locked, Begun, &AddressHandle, u32, u32),
    /// `ibv_wr_set_sge`: the address, and in one number the length, in its low half, and the key.
    pub set_sge: unsafe fn(Locked, Begun, u64, u64),
    /// `ibv_wr_set_sge_list`.
    pub set_sge_list: unsafe fn(Locked, Begun, &[ScatterGatherElement]),
    /// `ibv_wr_set_inline_data_list`; a list of one is `ibv_wr_set_inline_data`.
    pub set_inline_data_list: unsafe fn(Locked, Begun, &[ScatterGatherElement]),
    /// The batch was not used as it must be: it fails with this. (C has nothing of the kind.)
    pub refuse: unsafe fn(Locked, PostCause),
}
// ANCHOR_END: batch_ops

/// The start of a batch where no provider has one: nothing is locked, and it fails in the end.
pub fn not_started(_: &QueuePair) -> Started {
    Started { ops: &NOT_STARTED, queue: Locked(NonNull::dangling()) }
}

/// What such a batch returns.
const NOT_POSTED: BatchError = BatchError { index: 0, cause: PostCause::NotSupported };

/// A request of such a batch.
const NOTHING: Begun = Begun { place: NonNull::dangling(), word: 0 };

static NOT_STARTED: BatchOps = BatchOps {
    complete: |_| Err(NOT_POSTED),
    abort: |_| {},
    send: |_, _, _| NOTHING,
    send_imm: |_, _, _, _| NOTHING,
    send_inv: |_, _, _, _| NOTHING,
    rdma_write: |_, _, _, _| NOTHING,
    rdma_write_imm: |_, _, _, _, _| NOTHING,
    rdma_read: |_, _, _, _| NOTHING,
    atomic_cmp_swp: |_, _, _, _, _, _| NOTHING,
    atomic_fetch_add: |_, _, _, _, _| NOTHING,
    bind_mw: |_, _, _, _| {},
    local_inv: |_, _, _, _| {},
    set_ud_addr: |_, _, _, _, _| {},
    set_sge: |_, _, _, _| {},
    set_sge_list: |_, _, _| {},
    set_inline_data_list: |_, _, _| {},
    refuse: |_, _| {},
};

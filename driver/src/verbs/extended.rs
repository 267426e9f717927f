//! The extended way to post: one call for each step, and one for the whole batch.
//!
//! `ibv_post_send` takes a list of structs with a field for everything. `struct ibv_qp_ex` has a call
//! for each opcode instead, and setters for its data, between `ibv_wr_start` and `ibv_wr_complete`.
//! Each is a call through the queue pair's own table, [`BatchOps`].

use super::{
    AddressHandle, BatchError, BatchOps, Begun, Locked, MemoryWindow, PostCause, QueuePair,
    RemoteAddress, ScatterGatherElement, SendFlags, WindowKind, WindowPart,
};
use doorbell_tracer::{Group, Site, site};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::slice;

const PROBE_GROUP: Group = Group::PostSend;

/// How a batch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All of it is posted, or nothing (`ibv_wr_complete`).
    Complete,
    /// Nothing of it is posted (`ibv_wr_abort`).
    Abort,
}

// ANCHOR: ibv_wr_start
/// Starts a batch of requests, lets `fill` build them, and posts them all or none.
///
/// The send queue is locked from the beginning of `fill` to its end, as it is between `ibv_wr_start`
/// and `ibv_wr_complete`: do not post to the same queue in it.
#[inline]
pub fn wr_start(
    qp: &QueuePair,
    fill: impl FnOnce(&mut Batch<'_>) -> End,
) -> Result<(), BatchError> {
    let started = (qp.context().ops().wr_start)(qp);
    let (ops, queue) = (started.ops, started.queue);
    let mut batch =
        Batch { wr_id: 0, wr_flags: SendFlags::empty(), ops, queue, _queue_pair: PhantomData };
    match fill(&mut batch) {
        // SAFETY: the batch was started, and `ManuallyDrop` ends it here and nowhere else.
        End::Complete => unsafe {
            let batch = ManuallyDrop::new(batch);
            (batch.ops.complete)(batch.queue)
        },
        End::Abort => Ok(()),
    }
}

/// Where the call goes through the table.
pub(crate) static CALL: Site = site!(of wr_start at "(qp.context().ops().wr_start)(");
// ANCHOR_END: ibv_wr_start

/// A batch that has been started (`struct ibv_qp_ex`). Each of its calls is one of its table's, with
/// the queue that was started: what the table asks for holds from `wr_start` to the end of the batch.
pub struct Batch<'b> {
    /// Comes back in the completion of the requests that are begun from here on.
    pub wr_id: u64,
    /// How they are done. [`SendFlags::INLINE`] is not looked at: a setter says so.
    pub wr_flags: SendFlags,
    ops: &'static BatchOps,
    queue: Locked,
    _queue_pair: PhantomData<&'b QueuePair>,
}

impl Drop for Batch<'_> {
    /// A batch that is not completed is given up, as it is if `fill` panics.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: see `Batch`; this is its end.
        unsafe { (self.ops.abort)(self.queue) };
    }
}

/// A request that was begun, and waits for its data.
#[must_use = "a request without its data makes the batch fail: call one of the setters"]
pub struct Request<'q, 'b> {
    batch: &'q mut Batch<'b>,
    begun: Begun,
}

impl Drop for Request<'_, '_> {
    /// A request that never got its data.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: see `Batch`.
        unsafe { (self.batch.ops.refuse)(self.batch.queue, PostCause::Unfinished) };
    }
}

/// A request that has its data. A datagram may still wait for its address.
pub struct Filled<'q, 'b> {
    batch: &'q mut Batch<'b>,
    begun: Begun,
}

// ANCHOR: wr_builders
/// The requests. Each but the last two wants its data, if only an empty list of it.
impl<'b> Batch<'b> {
    /// `ibv_wr_send`.
    #[inline]
    pub fn send(&mut self) -> Request<'_, 'b> {
        // SAFETY: see `Batch`.
        let begun = unsafe { (self.ops.send)(self.queue, self.wr_id, self.wr_flags) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_send_imm`.
    #[inline]
    pub fn send_imm(&mut self, immediate: u32) -> Request<'_, 'b> {
        // SAFETY: see `Batch`.
        let begun =
            unsafe { (self.ops.send_imm)(self.queue, self.wr_id, self.wr_flags, immediate) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_send_inv`.
    #[inline]
    pub fn send_inv(&mut self, rkey: u32) -> Request<'_, 'b> {
        // SAFETY: see `Batch`.
        let begun = unsafe { (self.ops.send_inv)(self.queue, self.wr_id, self.wr_flags, rkey) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_rdma_write`.
    #[inline]
    pub fn rdma_write(&mut self, remote: RemoteAddress) -> Request<'_, 'b> {
        // SAFETY: see `Batch`.
        let begun = unsafe { (self.ops.rdma_write)(self.queue, self.wr_id, self.wr_flags, remote) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_rdma_write_imm`.
    #[inline]
    pub fn rdma_write_imm(&mut self, remote: RemoteAddress, immediate: u32) -> Request<'_, 'b> {
        let (wr_id, wr_flags) = (self.wr_id, self.wr_flags);
        // SAFETY: see `Batch`.
        let begun =
            unsafe { (self.ops.rdma_write_imm)(self.queue, wr_id, wr_flags, remote, immediate) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_rdma_read`.
    #[inline]
    pub fn rdma_read(&mut self, remote: RemoteAddress) -> Request<'_, 'b> {
        // SAFETY: see `Batch`.
        let begun = unsafe { (self.ops.rdma_read)(self.queue, self.wr_id, self.wr_flags, remote) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_atomic_cmp_swp`.
    #[inline]
    pub fn atomic_cmp_swp(
        &mut self,
        remote: RemoteAddress,
        compare: u64,
        swap: u64,
    ) -> Request<'_, 'b> {
        let (wr_id, wr_flags) = (self.wr_id, self.wr_flags);
        // SAFETY: see `Batch`.
        let begun = unsafe {
            (self.ops.atomic_cmp_swp)(self.queue, wr_id, wr_flags, remote, compare, swap)
        };
        Request { batch: self, begun }
    }

    /// `ibv_wr_atomic_fetch_add`.
    #[inline]
    pub fn atomic_fetch_add(&mut self, remote: RemoteAddress, add: u64) -> Request<'_, 'b> {
        let (wr_id, wr_flags) = (self.wr_id, self.wr_flags);
        // SAFETY: see `Batch`.
        let begun =
            unsafe { (self.ops.atomic_fetch_add)(self.queue, wr_id, wr_flags, remote, add) };
        Request { batch: self, begun }
    }

    /// `ibv_wr_bind_mw`: always as a window of type 2, as libmlx5 does it.
    pub fn bind_mw(&mut self, window: &MemoryWindow, new_key: u32, part: &WindowPart<'_>) {
        let mut bind = part.bind(window, new_key);
        bind.window = WindowKind::Two;
        // SAFETY: see `Batch`.
        unsafe { (self.ops.bind_mw)(self.queue, self.wr_id, self.wr_flags, &bind) };
    }

    /// `ibv_wr_local_inv`.
    pub fn local_inv(&mut self, rkey: u32) {
        // SAFETY: see `Batch`.
        unsafe { (self.ops.local_inv)(self.queue, self.wr_id, self.wr_flags, rkey) };
    }
}
// ANCHOR_END: wr_builders

// ANCHOR: wr_setters
/// The setters. With the data a request of a connection is whole, and with data and address, in
/// either order, a datagram.
impl<'q, 'b> Request<'q, 'b> {
    /// `ibv_wr_set_ud_addr`: to whom a datagram goes. Of no meaning on a connection.
    #[inline]
    pub fn set_ud_addr(self, handle: &AddressHandle, remote_qpn: u32, remote_qkey: u32) -> Self {
        let (ops, queue) = (self.batch.ops, self.batch.queue);
        // SAFETY: see `Batch`; the batch is borrowed since the request was begun.
        unsafe { (ops.set_ud_addr)(queue, self.begun, handle, remote_qpn, remote_qkey) };
        self
    }

    /// `ibv_wr_set_sge`.
    #[inline]
    pub fn set_sge(self, element: ScatterGatherElement) -> Filled<'q, 'b> {
        let ScatterGatherElement { address, length, lkey } = element;
        let length_and_key = u64::from(length) | u64::from(lkey) << 32;
        // SAFETY: see `set_ud_addr`.
        unsafe { (self.batch.ops.set_sge)(self.batch.queue, self.begun, address, length_and_key) };
        self.filled()
    }

    /// `ibv_wr_set_sge_list`.
    #[inline]
    pub fn set_sge_list(self, elements: &[ScatterGatherElement]) -> Filled<'q, 'b> {
        // SAFETY: see `set_ud_addr`.
        unsafe { (self.batch.ops.set_sge_list)(self.batch.queue, self.begun, elements) };
        self.filled()
    }

    /// `ibv_wr_set_inline_data`. The key is not looked at.
    #[inline]
    pub fn set_inline_data(self, element: ScatterGatherElement) -> Filled<'q, 'b> {
        self.set_inline_data_list(slice::from_ref(&element))
    }

    /// `ibv_wr_set_inline_data_list`.
    #[inline]
    pub fn set_inline_data_list(self, elements: &[ScatterGatherElement]) -> Filled<'q, 'b> {
        // SAFETY: see `set_ud_addr`.
        unsafe { (self.batch.ops.set_inline_data_list)(self.batch.queue, self.begun, elements) };
        self.filled()
    }

    /// The request has its data, and is not dropped without it.
    #[inline(always)]
    fn filled(self) -> Filled<'q, 'b> {
        let request = ManuallyDrop::new(self);
        // SAFETY: the reference is taken out of a value that is never used or dropped again.
        let batch = unsafe { std::ptr::read(&request.batch) };
        Filled { batch, begun: request.begun }
    }
}

impl Filled<'_, '_> {
    /// `ibv_wr_set_ud_addr`, behind the data.
    #[inline]
    pub fn set_ud_addr(self, handle: &AddressHandle, remote_qpn: u32, remote_qkey: u32) {
        let (ops, queue) = (self.batch.ops, self.batch.queue);
        // SAFETY: see `Batch`; the batch is borrowed since the request was begun.
        unsafe { (ops.set_ud_addr)(queue, self.begun, handle, remote_qpn, remote_qkey) };
    }
}
// ANCHOR_END: wr_setters

// ANCHOR: batch_sites
/// Where each call goes through the table: the sites of a provider's probes.
pub(crate) mod sites {
    use super::PROBE_GROUP;
    use doorbell_tracer::{Site, site};

    pub static SEND: Site = site!(of send at "(self.ops.send)(");
    pub static SEND_IMM: Site = site!(of send_imm at "(self.ops.send_imm)(");
    pub static SEND_INV: Site = site!(of send_inv at "(self.ops.send_inv)(");
    pub static RDMA_WRITE: Site = site!(of rdma_write at "(self.ops.rdma_write)(");
    pub static RDMA_WRITE_IMM: Site = site!(of rdma_write_imm at "(self.ops.rdma_write_imm)(");
    pub static RDMA_READ: Site = site!(of rdma_read at "(self.ops.rdma_read)(");
    pub static ATOMIC_CMP_SWP: Site = site!(of atomic_cmp_swp at "(self.ops.atomic_cmp_swp)(");
    pub static ATOMIC_FETCH_ADD: Site =
        site!(of atomic_fetch_add at "(self.ops.atomic_fetch_add)(");
    pub static BIND_MW: Site = site!(of bind_mw at "(self.ops.bind_mw)(");
    pub static LOCAL_INV: Site = site!(of local_inv at "(self.ops.local_inv)(");
    pub static SET_UD_ADDR: Site = site!(of set_ud_addr at "(ops.set_ud_addr)(");
    pub static SET_SGE: Site = site!(of set_sge at "(self.batch.ops.set_sge)(");
    pub static SET_SGE_LIST: Site = site!(of set_sge_list at "(self.batch.ops.set_sge_list)(");
    pub static SET_INLINE_DATA_LIST: Site =
        site!(of set_inline_data_list at "(self.batch.ops.set_inline_data_list)(");
}
// ANCHOR_END: batch_sites

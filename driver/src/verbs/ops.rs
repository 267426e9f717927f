//! The ops table: what ties a verb to a provider.
//!
//! C has `struct ibv_context_ops` inside of every context: a struct of function pointers. This is
//! the same struct. A provider fills it by field name over defaults that say "not supported", as
//! libibverbs' `dummy_ops.c` does, so that no slot is ever a null pointer.

use super::batch_ops::not_started;
use super::{
    Access, AddressHandle, AddressVector, AsyncEvent, Buffer, CompletionChannel, CompletionQueue,
    Context, DeviceAttributes, MemoryRegion, MemoryWindow, PollError, PortAttributes, PostCause,
    PostError, ProtectionDomain, QueuePair, QueuePairAttributes, QueuePairRequest, ReceiveRequest,
    SendRequest, SharedReceiveAttributes, SharedReceiveQueue, Started, ThreadDomain, Transition,
    VerbsError, WindowKind, WorkCompletion,
};
use std::sync::Arc;
use std::time::Duration;

/// Creates a completion queue of so many entries, which may tell a channel.
pub type CreateCq =
    fn(&Arc<Context>, u32, Option<&Arc<CompletionChannel>>) -> Result<CompletionQueue, VerbsError>;

/// Creates a queue pair, which may take its receives from a shared queue.
pub type CreateQp = fn(
    &Arc<ProtectionDomain>,
    &QueuePairRequest<'_>,
    Option<&Arc<SharedReceiveQueue>>,
) -> Result<QueuePair, VerbsError>;

// ANCHOR: ops_table
/// The functions that a provider brings (`struct ibv_context_ops`).
#[derive(Clone, Copy)]
pub struct ContextOps {
    /// The table's name, for the trace.
    pub name: &'static str,
    /// `ibv_query_device`.
    pub query_device: fn(&Context) -> Result<DeviceAttributes, VerbsError>,
    /// `ibv_query_port`.
    pub query_port: fn(&Context) -> Result<PortAttributes, VerbsError>,
    /// `ibv_query_gid` of the entry that this driver uses, with what else leads here.
    pub query_gid: fn(&Context) -> Result<AddressVector, VerbsError>,
    /// `ibv_query_gid`.
    pub gid: fn(&Context, u8) -> Result<[u8; 16], VerbsError>,
    /// `ibv_alloc_pd`.
    pub alloc_pd: fn(&Arc<Context>) -> Result<ProtectionDomain, VerbsError>,
    /// `ibv_alloc_td`.
    pub alloc_td: fn(&Arc<Context>) -> Result<ThreadDomain, VerbsError>,
    /// A buffer in memory that the card can be let into.
    pub alloc_buffer: fn(&Arc<Context>, usize, &str) -> Result<Buffer, VerbsError>,
    /// `ibv_reg_mr`.
    pub reg_mr: fn(&Arc<ProtectionDomain>, Buffer, Access) -> Result<MemoryRegion, VerbsError>,
    /// `ibv_alloc_mw`.
    pub alloc_mw: fn(&Arc<ProtectionDomain>, WindowKind) -> Result<MemoryWindow, VerbsError>,
    /// `ibv_create_comp_channel`.
    pub create_comp_channel: fn(&Arc<Context>) -> Result<CompletionChannel, VerbsError>,
    /// The part of `ibv_get_cq_event` that waits: the number of a completion queue.
    pub next_cq_event: fn(&CompletionChannel, Duration) -> Result<u32, VerbsError>,
    /// Makes sure that asynchronous events are kept.
    pub watch_async_events: fn(&Context) -> Result<(), VerbsError>,
    /// The part of `ibv_get_async_event` that waits.
    pub next_async_event: fn(&Context, Duration) -> Result<AsyncEvent, VerbsError>,
    /// `ibv_create_cq`.
    pub create_cq: CreateCq,
    /// `ibv_req_notify_cq`.
    pub req_notify_cq: fn(&CompletionQueue, bool) -> Result<(), VerbsError>,
    /// What the provider notes of a completion event.
    pub cq_event: fn(&CompletionQueue),
    /// `ibv_create_srq`.
    pub create_srq: fn(
        &Arc<ProtectionDomain>,
        SharedReceiveAttributes,
    ) -> Result<SharedReceiveQueue, VerbsError>,
    /// `ibv_modify_srq`: the limit.
    pub modify_srq: fn(&SharedReceiveQueue, u32) -> Result<(), VerbsError>,
    /// `ibv_query_srq`: the limit.
    pub query_srq: fn(&SharedReceiveQueue) -> Result<u32, VerbsError>,
    /// `ibv_create_ah`.
    pub create_ah: fn(&Arc<ProtectionDomain>, &AddressVector) -> Result<AddressHandle, VerbsError>,
    /// `ibv_create_qp`.
    pub create_qp: CreateQp,
    /// `ibv_modify_qp`.
    pub modify_qp: fn(&QueuePair, &Transition) -> Result<(), VerbsError>,
    /// `ibv_query_qp`.
    pub query_qp: fn(&QueuePair) -> Result<QueuePairAttributes, VerbsError>,
    /// `ibv_post_send`.
    pub post_send: fn(&QueuePair, &[SendRequest<'_>]) -> Result<(), PostError>,
    /// `ibv_wr_start`: locks the send queue, and says which functions fill and end the batch.
    pub wr_start: fn(&QueuePair) -> Started,
    /// `ibv_post_recv`.
    pub post_recv: fn(&QueuePair, &[ReceiveRequest<'_>]) -> Result<(), PostError>,
    /// `ibv_post_srq_recv`.
    pub post_srq_recv: fn(&SharedReceiveQueue, &[ReceiveRequest<'_>]) -> Result<(), PostError>,
    /// `ibv_poll_cq`.
    pub poll_cq: fn(&CompletionQueue, &mut [WorkCompletion]) -> Result<u32, PollError>,
    /// What a program does between two polls that found nothing.
    pub relax: fn(&Context),
}

/// The defaults: every slot answers that it is not supported.
pub const NOT_SUPPORTED: ContextOps = ContextOps {
    name: "verbs_dummy_ops",
    query_device: |_| not_supported("query_device"),
    query_port: |_| not_supported("query_port"),
    query_gid: |_| not_supported("query_gid"),
    gid: |_, _| not_supported("query_gid"),
    alloc_pd: |_| not_supported("alloc_pd"),
    alloc_td: |_| not_supported("alloc_td"),
    alloc_buffer: |_, _, _| not_supported("alloc_buffer"),
    reg_mr: |_, _, _| not_supported("reg_mr"),
    alloc_mw: |_, _| not_supported("alloc_mw"),
    create_comp_channel: |_| not_supported("create_comp_channel"),
    next_cq_event: |_, _| not_supported("get_cq_event"),
    watch_async_events: |_| not_supported("watch_async_events"),
    next_async_event: |_, _| not_supported("get_async_event"),
    create_cq: |_, _, _| not_supported("create_cq"),
    req_notify_cq: |_, _| not_supported("req_notify_cq"),
    cq_event: |_| {},
    create_srq: |_, _| not_supported("create_srq"),
    modify_srq: |_, _| not_supported("modify_srq"),
    query_srq: |_| not_supported("query_srq"),
    create_ah: |_, _| not_supported("create_ah"),
    create_qp: |_, _, _| not_supported("create_qp"),
    modify_qp: |_, _| not_supported("modify_qp"),
    query_qp: |_| not_supported("query_qp"),
    post_send: |_, _| Err(NOT_POSTED),
    wr_start: not_started,
    post_recv: |_, _| Err(NOT_POSTED),
    post_srq_recv: |_, _| Err(NOT_POSTED),
    poll_cq: |_, _| Err(PollError::NotSupported),
    relax: |_| std::hint::spin_loop(),
};
// ANCHOR_END: ops_table

/// What the default of a post returns.
const NOT_POSTED: PostError = PostError { index: 0, cause: PostCause::NotSupported };

/// What the default of any other slot returns.
fn not_supported<T>(verb: &'static str) -> Result<T, VerbsError> {
    Err(VerbsError::NotSupported { verb })
}

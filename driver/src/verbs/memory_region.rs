//! Protection domains, buffers and memory regions: what the card is let into.

use super::{
    AddressHandle, AddressVector, Context, MemoryWindow, QueuePair, QueuePairRequest,
    ScatterGatherElement, SharedReceiveAttributes, SharedReceiveQueue, ThreadDomain, VerbsError,
    WindowKind,
};
use crate::bus::DmaRegion;
use bitflags::bitflags;
use doorbell_tracer::{Actor, Group, RegionId, Tracer, probe};
use std::any::Any;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Program;

bitflags! {
    /// Rights to memory (`enum ibv_access_flags`, with its bits). Local reads are always allowed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Access: u32 {
        /// The card may write it for a local receive or read.
        const LOCAL_WRITE = 1;
        /// Others may write it. Needs `LOCAL_WRITE`.
        const REMOTE_WRITE = 2;
        /// Others may read it.
        const REMOTE_READ = 4;
        /// Others may do atomic operations on it. Needs `LOCAL_WRITE`.
        const REMOTE_ATOMIC = 8;
        /// Memory windows may be bound to it.
        const MW_BIND = 16;
    }
}

/// Keeps queues and memory of different users of one device apart (`struct ibv_pd`).
pub struct ProtectionDomain {
    context: Arc<Context>,
    number: u32,
    /// The thread that it is for.
    thread_domain: Option<Arc<ThreadDomain>>,
    /// Where events of its users go: told as theirs.
    user: Tracer,
    _provider: Box<dyn Any + Send + Sync>,
}

impl ProtectionDomain {
    /// A protection domain that a provider has allocated.
    pub fn new(context: &Arc<Context>, number: u32, provider: Box<dyn Any + Send + Sync>) -> Self {
        let (context, user) = (Arc::clone(context), context.tracer().clone());
        Self { context, number, thread_domain: None, user, _provider: provider }
    }

    // ANCHOR: parent_domain
    /// The same protection domain, joined with a thread domain (`ibv_alloc_parent_domain`): queue
    /// pairs that are created with it ring that thread's register.
    pub fn for_thread(self: &Arc<Self>, domain: &Arc<ThreadDomain>) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(&self.context),
            number: self.number,
            thread_domain: Some(Arc::clone(domain)),
            user: self.user.clone(),
            // The number is given back when the last of them goes.
            _provider: Box::new(Arc::clone(self)),
        })
    }
    // ANCHOR_END: parent_domain

    /// The same protection domain, for another thread of the program: what is posted to queue pairs that
    /// are created with it is told as done by `user`.
    pub fn used_by(self: &Arc<Self>, user: Actor) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(&self.context),
            number: self.number,
            thread_domain: self.thread_domain.clone(),
            user: self.context.tracer().acting_as(user),
            _provider: Box::new(Arc::clone(self)),
        })
    }

    /// Where events of posts to its queue pairs go.
    pub fn user(&self) -> &Tracer {
        &self.user
    }

    /// The thread domain that it is joined with, if any.
    pub fn thread_domain(&self) -> Option<&Arc<ThreadDomain>> {
        self.thread_domain.as_ref()
    }

    /// The context that it belongs to.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Its number on the card.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Lets the card into a buffer (`ibv_reg_mr`).
    pub fn reg_mr(
        self: &Arc<Self>,
        buffer: Buffer,
        access: Access,
    ) -> Result<MemoryRegion, VerbsError> {
        (self.context.ops().reg_mr)(self, buffer, access)
    }

    /// Allocates a memory window that is bound to nothing (`ibv_alloc_mw`).
    pub fn alloc_mw(self: &Arc<Self>, kind: WindowKind) -> Result<MemoryWindow, VerbsError> {
        (self.context.ops().alloc_mw)(self, kind)
    }

    /// Creates a queue pair in state RESET (`ibv_create_qp`).
    pub fn create_qp(
        self: &Arc<Self>,
        request: &QueuePairRequest<'_>,
    ) -> Result<QueuePair, VerbsError> {
        (self.context.ops().create_qp)(self, request, None)
    }

    /// Creates a queue pair that takes its receives from a shared queue (`ibv_create_qp` with an
    /// SRQ). What the request says of receives means nothing then.
    pub fn create_qp_with_srq(
        self: &Arc<Self>,
        request: &QueuePairRequest<'_>,
        srq: &Arc<SharedReceiveQueue>,
    ) -> Result<QueuePair, VerbsError> {
        (self.context.ops().create_qp)(self, request, Some(srq))
    }

    /// Creates a shared receive queue (`ibv_create_srq`) for at least `max_wr` receives of
    /// `max_sge` elements.
    pub fn create_srq(
        self: &Arc<Self>,
        max_wr: u32,
        max_sge: u32,
    ) -> Result<Arc<SharedReceiveQueue>, VerbsError> {
        let wanted = SharedReceiveAttributes { max_wr, max_sge, srq_limit: 0 };
        (self.context.ops().create_srq)(self, wanted).map(Arc::new)
    }

    /// Works out the way to a port (`ibv_create_ah`).
    pub fn create_ah(self: &Arc<Self>, to: &AddressVector) -> Result<AddressHandle, VerbsError> {
        (self.context.ops().create_ah)(self, to)
    }
}

/// Memory of the program that can be registered. Freed when dropped.
pub struct Buffer {
    context: Arc<Context>,
    memory: DmaRegion,
    region: RegionId,
}

impl Buffer {
    /// A buffer that a provider has taken out of the context's memory; the trace calls it `region`.
    pub fn new(context: &Arc<Context>, memory: DmaRegion, region: RegionId) -> Self {
        Self { context: Arc::clone(context), memory, region }
    }

    /// Address of the first byte, as work requests name it.
    pub fn address(&self) -> u64 {
        self.memory.address()
    }

    /// Length in bytes.
    pub fn length(&self) -> usize {
        self.memory.length()
    }

    /// The memory itself, for the provider.
    pub fn memory(&self) -> &DmaRegion {
        &self.memory
    }

    // ANCHOR: program_data
    /// Writes bytes at `offset`. `false`, and nothing is written, if they do not fit.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> bool {
        if offset > self.length() || bytes.len() > self.length() - offset {
            return false;
        }
        self.memory.write_bytes(offset, bytes);
        probe!(*self.context.tracer(), store(self.region, offset, "", bytes));
        true
    }

    /// Reads bytes from `offset`. `None` if there are not that many.
    pub fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        if offset > self.length() || length > self.length() - offset {
            return None;
        }
        let mut bytes = vec![0; length];
        self.memory.read_bytes(offset, &mut bytes);
        probe!(*self.context.tracer(), load(self.region, offset, "", &bytes));
        Some(bytes)
    }
    // ANCHOR_END: program_data
}

/// A buffer that the card has keys to (`struct ibv_mr`). Deregistered when dropped.
pub struct MemoryRegion {
    // The keys go before the memory does: fields are dropped in this order.
    _provider: Box<dyn Any + Send + Sync>,
    lkey: u32,
    rkey: u32,
    access: Access,
    buffer: Buffer,
    pd: Arc<ProtectionDomain>,
}

impl MemoryRegion {
    /// A memory region that a provider has registered.
    pub fn new(
        pd: &Arc<ProtectionDomain>,
        buffer: Buffer,
        access: Access,
        (lkey, rkey): (u32, u32),
        provider: Box<dyn Any + Send + Sync>,
    ) -> Self {
        Self { _provider: provider, lkey, rkey, access, buffer, pd: Arc::clone(pd) }
    }

    /// Its protection domain.
    pub fn pd(&self) -> &Arc<ProtectionDomain> {
        &self.pd
    }

    /// The rights that it was registered with.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The key for work requests of this side.
    pub fn lkey(&self) -> u32 {
        self.lkey
    }

    /// The key to give to the other side.
    pub fn rkey(&self) -> u32 {
        self.rkey
    }

    /// The memory.
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// `length` bytes at `offset`, for a work request. Nothing is checked here: the card does.
    pub fn element(&self, offset: usize, length: u32) -> ScatterGatherElement {
        ScatterGatherElement {
            address: self.buffer.address().wrapping_add(offset as u64),
            length,
            lkey: self.lkey,
        }
    }
}

//! Completion queues and what comes out of them.

use super::{CompletionChannel, Context, ProviderPart};
use doorbell_tracer::{Group, Value, probe};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const PROBE_GROUP: Group = Group::Control;

/// Where the card tells that work requests are done (`struct ibv_cq`).
pub struct CompletionQueue {
    provider: ProviderPart,
    context: Arc<Context>,
    number: u32,
    /// The channel that it tells. It must not go before the queue.
    channel: Option<Arc<CompletionChannel>>,
    /// Events that were told and not acknowledged.
    unacknowledged: AtomicU32,
}

impl CompletionQueue {
    /// A completion queue that a provider has created.
    pub fn new(
        context: &Arc<Context>,
        number: u32,
        channel: Option<&Arc<CompletionChannel>>,
        provider: impl Any + Send + Sync,
    ) -> Self {
        Self {
            provider: ProviderPart::new(provider),
            context: Arc::clone(context),
            number,
            channel: channel.map(Arc::clone),
            unacknowledged: AtomicU32::new(0),
        }
    }

    /// The context that it belongs to.
    #[inline(always)]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Its number on the card (CQN).
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The channel that it tells, if any.
    pub fn channel(&self) -> Option<&Arc<CompletionChannel>> {
        self.channel.as_ref()
    }

    /// The provider's own part, if it is a `T`.
    #[inline(always)]
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.get()
    }

    /// The same, or `None` where a closer look is needed: then [`CompletionQueue::provider`] tells.
    #[inline(always)]
    pub(crate) fn provider_at_once<T: Any>(&self) -> Option<&T> {
        self.provider.get_at_once()
    }

    // ANCHOR: ibv_ack_cq_events
    /// An event of it has been handed out.
    pub(super) fn told(&self) {
        self.unacknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Says that `count` events of it have been dealt with (`ibv_ack_cq_events`); more than there
    /// were count as all. In C the destruction of a queue waits until all of them are acknowledged, since
    /// an event is a pointer to it. Here who holds an event holds the queue.
    pub fn ack_events(&self, count: u32) {
        let told = self.unacknowledged.load(Ordering::Relaxed);
        self.unacknowledged.store(told.saturating_sub(count), Ordering::Relaxed);
        let cq = Value::Hex(self.number.into());
        let tracer = self.context.tracer();
        probe!(*tracer, call("ibv_ack_cq_events", [("cq", cq), ("nevents", count.into())]));
        probe!(*tracer, returned("ibv_ack_cq_events", told.saturating_sub(count)));
    }
    // ANCHOR_END: ibv_ack_cq_events

    /// Events that were handed out and not acknowledged.
    pub fn unacknowledged(&self) -> u32 {
        self.unacknowledged.load(Ordering::Relaxed)
    }
}

/// What a completed work request did (`enum ibv_wc_opcode`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Completed {
    /// A send.
    #[default]
    Send = 0,
    /// An RDMA write.
    RdmaWrite = 1,
    /// An RDMA read.
    RdmaRead = 2,
    /// A compare-and-swap.
    CompareAndSwap = 3,
    /// A fetch-and-add.
    FetchAndAdd = 4,
    /// A bind of a memory window.
    BindMemoryWindow = 5,
    /// An invalidation of a local key.
    LocalInvalidate = 6,
    /// A receive that a send arrived in.
    Receive = 128,
    /// A receive that an RDMA write with immediate data consumed.
    ReceiveRdmaWithImmediate = 129,
}

/// How a work request ended (`enum ibv_wc_status`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum WorkStatus {
    /// As asked.
    #[default]
    Success = 0,
    /// The receive was too short, or the message too long.
    LocalLength = 1,
    /// The WQE makes no sense to the queue pair.
    LocalQueuePairOperation = 2,
    /// A local key, address or right does not fit.
    LocalProtection = 4,
    /// The queue pair was in the error state.
    Flushed = 5,
    /// A memory window could not be bound.
    MemoryWindowBind = 6,
    /// The response makes no sense.
    BadResponse = 7,
    /// A local right is missing.
    LocalAccess = 8,
    /// The other side found the request invalid.
    RemoteInvalidRequest = 9,
    /// A remote key, address or right does not fit.
    RemoteAccess = 10,
    /// The other side could not carry the request out.
    RemoteOperation = 11,
    /// The other side stayed silent through all retries.
    RetryExceeded = 12,
    /// The other side had no receive posted through all retries.
    ReceiverNotReady = 13,
    /// The other side gave the operation up.
    RemoteAborted = 16,
    /// Anything else.
    General = 21,
}

impl WorkStatus {
    /// The verbs' name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "IBV_WC_SUCCESS",
            Self::LocalLength => "IBV_WC_LOC_LEN_ERR",
            Self::LocalQueuePairOperation => "IBV_WC_LOC_QP_OP_ERR",
            Self::LocalProtection => "IBV_WC_LOC_PROT_ERR",
            Self::Flushed => "IBV_WC_WR_FLUSH_ERR",
            Self::MemoryWindowBind => "IBV_WC_MW_BIND_ERR",
            Self::BadResponse => "IBV_WC_BAD_RESP_ERR",
            Self::LocalAccess => "IBV_WC_LOC_ACCESS_ERR",
            Self::RemoteInvalidRequest => "IBV_WC_REM_INV_REQ_ERR",
            Self::RemoteAccess => "IBV_WC_REM_ACCESS_ERR",
            Self::RemoteOperation => "IBV_WC_REM_OP_ERR",
            Self::RetryExceeded => "IBV_WC_RETRY_EXC_ERR",
            Self::ReceiverNotReady => "IBV_WC_RNR_RETRY_EXC_ERR",
            Self::RemoteAborted => "IBV_WC_REM_ABORT_ERR",
            Self::General => "IBV_WC_GENERAL_ERR",
        }
    }
}

/// A completion (`struct ibv_wc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkCompletion {
    /// The work request's own number.
    pub wr_id: u64,
    /// Number of bytes moved; meaningful for receives, reads and atomics that succeeded.
    pub byte_len: u32,
    /// The queue pair (QPN).
    pub qp_num: u32,
    /// Immediate data in host order, if the other side sent any.
    pub immediate: Option<u32>,
    /// How the request ended. If not with success, only `wr_id`, `qp_num` and `vendor_err` mean something.
    pub status: WorkStatus,
    /// What it did.
    pub opcode: Completed,
    /// The card's own word on an error. Written for errors only, as in C.
    pub vendor_err: u8,
    /// What is known of the message that came. Written for receives that succeeded; for all else it
    /// stays as it was, as these fields of `struct ibv_wc` do.
    pub arrival: Arrival,
}

/// What the card says of a message that came (the rest of `struct ibv_wc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// The key of this side that the message has invalidated, if it was sent to do that.
    pub invalidated: Option<u32>,
    /// Of a datagram: the queue pair that sent it (QPN).
    pub src_qp: u32,
    /// Of a datagram: the first 40 bytes of the receive are for its network header (`IBV_WC_GRH`).
    pub grh: bool,
    /// Entry of the P_Key table that the message came with; only if it carried nothing else.
    pub pkey_index: u16,
    /// LID of the port that it came from, on InfiniBand.
    pub slid: u16,
    /// Service level that it came on.
    pub sl: u8,
    /// The low bits of the LID that it came to, on InfiniBand.
    pub dlid_path_bits: u8,
}

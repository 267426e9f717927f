//! Queue pairs and the way from RESET to RTS.

use super::{
    Access, CompletionQueue, Context, ProtectionDomain, ProviderPart, SharedReceiveQueue,
    VerbsError,
};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Two queues and a connection (`struct ibv_qp`).
pub struct QueuePair {
    // The provider's part goes first when dropped: it destroys the queue pair on the card.
    provider: ProviderPart,
    context: Arc<Context>,
    number: u32,
    state: AtomicU8,
    send_cq: Arc<CompletionQueue>,
    recv_cq: Arc<CompletionQueue>,
    srq: Option<Arc<SharedReceiveQueue>>,
    pd: Arc<ProtectionDomain>,
}

/// State of a queue pair (`enum ibv_qp_state`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum QueuePairState {
    /// Just created; nothing can be posted.
    Reset = 0,
    /// Receives can be posted.
    Init = 1,
    /// Ready to receive.
    ReadyToReceive = 2,
    /// Ready to send.
    ReadyToSend = 3,
    /// Everything posted is flushed.
    Error = 6,
}

/// Which of the transports of InfiniBand a queue pair speaks (`enum ibv_qp_type`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Transport {
    /// RC: one peer; every message arrives once and in order, or the sender is told.
    #[default]
    ReliableConnection = 2,
    /// UC: one peer; a message arrives whole or not at all, and nobody is told.
    UnreliableConnection = 3,
    /// UD: any peer; each message is one packet.
    UnreliableDatagram = 4,
}

/// How large a queue pair's queues are (`struct ibv_qp_cap`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePairCapabilities {
    /// Send work requests that can be outstanding.
    pub max_send_wr: u32,
    /// Receive work requests that can be outstanding.
    pub max_recv_wr: u32,
    /// Scatter/gather elements of a send.
    pub max_send_sge: u32,
    /// Scatter/gather elements of a receive.
    pub max_recv_sge: u32,
    /// Bytes of inline data.
    pub max_inline_data: u32,
}

/// What a queue pair is created from (`struct ibv_qp_init_attr`).
#[derive(Clone, Copy)]
pub struct QueuePairRequest<'a> {
    /// What it speaks.
    pub transport: Transport,
    /// Where sends complete.
    pub send_cq: &'a Arc<CompletionQueue>,
    /// Where receives complete.
    pub recv_cq: &'a Arc<CompletionQueue>,
    /// The least sizes; a queue may become larger.
    pub capabilities: QueuePairCapabilities,
    /// Every send makes a completion, whether flagged or not (`sq_sig_all`).
    pub signal_all: bool,
}

/// Way to the other side (`struct ibv_ah_attr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressVector {
    /// GID of the other side; with RoCE v2 over IPv4 the mapped address `::ffff:a.b.c.d`.
    pub gid: [u8; 16],
    /// A GRH with that GID is sent: always with RoCE, beyond the subnet with InfiniBand.
    pub global: bool,
    /// LID of the other side; 0 with RoCE.
    pub lid: u16,
    /// MAC address of the next hop. The kernel finds it by itself.
    pub mac: [u8; 6],
    /// Hop limit of the packets.
    pub hop_limit: u8,
    /// Which of our own GIDs the packets come from.
    pub source_gid_index: u8,
    /// Service level of the packets.
    pub service_level: u8,
}

/// What INIT to RTR needs (`IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | ...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectTo {
    /// QPN of the other side.
    pub qp_num: u32,
    /// Largest payload of a packet: 1 is 256 bytes, 5 is 4096 (`enum ibv_mtu`).
    pub path_mtu: u8,
    /// Sequence number that the other side's first packet will have.
    pub first_psn: u32,
    /// RDMA reads and atomics of the other side served at a time.
    pub max_dest_rd_atomic: u8,
    /// Code of the time that the other side waits when no receive is posted.
    pub min_rnr_timer: u8,
    /// The way.
    pub address: AddressVector,
}

/// What RTR to RTS needs (`IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | ...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendParameters {
    /// Sequence number of our first packet.
    pub first_psn: u32,
    /// Code of the time to wait for an acknowledgement: 4.096 us times 2 to its power.
    pub timeout: u8,
    /// Times to send again without an answer.
    pub retry_count: u8,
    /// Times to send again when the other side is not ready; 7 is without end.
    pub rnr_retry: u8,
    /// Our RDMA reads and atomics outstanding at a time.
    pub max_rd_atomic: u8,
}

impl QueuePair {
    /// A queue pair that a provider has created.
    pub fn new(
        pd: &Arc<ProtectionDomain>,
        request: &QueuePairRequest<'_>,
        srq: Option<&Arc<SharedReceiveQueue>>,
        number: u32,
        provider: impl Any + Send + Sync,
    ) -> Self {
        Self {
            provider: ProviderPart::new(provider),
            context: Arc::clone(pd.context()),
            number,
            state: AtomicU8::new(QueuePairState::Reset as u8),
            send_cq: Arc::clone(request.send_cq),
            recv_cq: Arc::clone(request.recv_cq),
            srq: srq.map(Arc::clone),
            pd: Arc::clone(pd),
        }
    }

    /// The context that it belongs to: the first step of every post.
    #[inline(always)]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Its number (QPN).
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its protection domain.
    pub fn pd(&self) -> &Arc<ProtectionDomain> {
        &self.pd
    }

    /// Where its sends complete.
    pub fn send_cq(&self) -> &Arc<CompletionQueue> {
        &self.send_cq
    }

    /// Where its receives complete.
    pub fn recv_cq(&self) -> &Arc<CompletionQueue> {
        &self.recv_cq
    }

    /// The shared queue that it takes receives from, if it does.
    pub fn srq(&self) -> Option<&Arc<SharedReceiveQueue>> {
        self.srq.as_ref()
    }

    /// The provider's own part, if it is a `T`.
    #[inline(always)]
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.get()
    }

    /// The state that it was last brought to. The card may have moved it to the error state since.
    pub fn state(&self) -> QueuePairState {
        match self.state.load(Ordering::Relaxed) {
            0 => QueuePairState::Reset,
            1 => QueuePairState::Init,
            2 => QueuePairState::ReadyToReceive,
            3 => QueuePairState::ReadyToSend,
            _ => QueuePairState::Error,
        }
    }

    // ANCHOR: modify_qp
    /// RESET to INIT: says what the other side may do with our memory through this queue pair.
    pub fn init(&self, access: Access) -> Result<(), VerbsError> {
        (self.context.ops().init_qp)(self, access)?;
        self.reached(QueuePairState::Init);
        Ok(())
    }

    /// INIT to RTR: says who the other side is. From here on packets are taken in.
    pub fn connect(&self, to: &ConnectTo) -> Result<(), VerbsError> {
        (self.context.ops().connect_qp)(self, to)?;
        self.reached(QueuePairState::ReadyToReceive);
        Ok(())
    }

    /// RTR to RTS: says how to send. From here on posted sends are carried out.
    pub fn start(&self, parameters: &SendParameters) -> Result<(), VerbsError> {
        (self.context.ops().start_qp)(self, parameters)?;
        self.reached(QueuePairState::ReadyToSend);
        Ok(())
    }
    // ANCHOR_END: modify_qp

    /// Remembers the state.
    fn reached(&self, state: QueuePairState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

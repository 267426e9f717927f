//! Queue pairs and the way from RESET to RTS.

use super::{
    Access, AddressVector, CompletionQueue, Context, InitParameters, Peer, ProtectionDomain,
    ProviderPart, SharedReceiveQueue, Start, Stopped, Transition, VerbsError,
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
    transport: Transport,
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
    /// SQD: sends have stopped after those that were begun. The card's own number of it is 5.
    SendQueueDrained = 4,
    /// SQE: sends have stopped at one that failed. The card's own number of it is 4.
    SendQueueError = 5,
    /// Everything posted is flushed.
    Error = 6,
}

impl QueuePairState {
    /// The state of this number; any other is taken for an error.
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Reset,
            1 => Self::Init,
            2 => Self::ReadyToReceive,
            3 => Self::ReadyToSend,
            4 => Self::SendQueueDrained,
            5 => Self::SendQueueError,
            _ => Self::Error,
        }
    }

    /// The verbs' name, without `IBV_QPS_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reset => "RESET",
            Self::Init => "INIT",
            Self::ReadyToReceive => "RTR",
            Self::ReadyToSend => "RTS",
            Self::SendQueueDrained => "SQD",
            Self::SendQueueError => "SQE",
            Self::Error => "ERR",
        }
    }
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

impl Transport {
    /// Its abbreviation.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReliableConnection => "RC",
            Self::UnreliableConnection => "UC",
            Self::UnreliableDatagram => "UD",
        }
    }
}

/// How large a queue pair's queues are (`struct ibv_qp_cap`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// What a queue pair is and how it is set (`struct ibv_qp_attr`, as `ibv_query_qp` fills it). What
/// its transport does not have is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePairAttributes {
    /// Its state on the card.
    pub state: QueuePairState,
    /// It is on its way to SQD: what was begun is still being done.
    pub draining: bool,
    /// Largest payload of a packet: 1 is 256 bytes, 5 is 4096 (`enum ibv_mtu`).
    pub path_mtu: u8,
    /// Queue key.
    pub qkey: u32,
    /// Sequence number that is expected next.
    pub rq_psn: u32,
    /// Sequence number of the next packet.
    pub sq_psn: u32,
    /// QPN of the other side.
    pub dest_qp_num: u32,
    /// What the other side may do.
    pub access: Access,
    /// How large the queues have become; inline data as much as the largest WQE has room for.
    pub capabilities: QueuePairCapabilities,
    /// Index of its partition key.
    pub pkey_index: u16,
    /// Its port, counted from 1.
    pub port_num: u8,
    /// Our RDMA reads and atomics outstanding at a time.
    pub max_rd_atomic: u8,
    /// Those of the other side served at a time.
    pub max_dest_rd_atomic: u8,
    /// Code of the time that the other side waits when no receive is posted.
    pub min_rnr_timer: u8,
    /// Code of the time to wait for an acknowledgement.
    pub timeout: u8,
    /// Times to send again without an answer.
    pub retry_count: u8,
    /// Times to send again when the other side is not ready.
    pub rnr_retry: u8,
    /// The way to the other side; `None` if it is not connected.
    pub address: Option<AddressVector>,
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
            transport: request.transport,
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

    /// What it speaks.
    pub fn transport(&self) -> Transport {
        self.transport
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

    /// The same, or `None` where a closer look is needed: then [`QueuePair::provider`] tells.
    #[inline(always)]
    pub(crate) fn provider_at_once<T: Any>(&self) -> Option<&T> {
        self.provider.get_at_once()
    }

    /// The state that it was last brought to, or last found in. The card may have moved it to the
    /// error state since: [`QueuePair::query`] asks.
    pub fn state(&self) -> QueuePairState {
        QueuePairState::from_code(self.state.load(Ordering::Relaxed))
    }

    // ANCHOR: modify_qp
    /// RESET to INIT: what the other side may do with our memory through this queue pair, or whose
    /// datagrams are taken. Receives can be posted from here on.
    pub fn init(&self, parameters: impl Into<InitParameters>) -> Result<(), VerbsError> {
        self.modify(Transition::Init(parameters.into()))
    }

    /// INIT to RTR: says who the other side is. From here on packets are taken in.
    pub fn connect(&self, to: impl Into<Peer>) -> Result<(), VerbsError> {
        self.modify(Transition::Connect(to.into()))
    }

    /// RTR to RTS: says how to send. From here on posted sends are carried out.
    pub fn start(&self, parameters: impl Into<Start>) -> Result<(), VerbsError> {
        self.modify(Transition::Start(parameters.into()))
    }

    /// Any state to ERR: what is posted, and what will be, comes back as flushed.
    pub fn fail(&self) -> Result<(), VerbsError> {
        self.modify(Transition::Fail)
    }

    /// Any state to RESET: what is posted is forgotten, with the completions that nobody polled.
    pub fn reset(&self) -> Result<(), VerbsError> {
        self.modify(Transition::Reset)
    }

    /// A transition through the table (`ibv_modify_qp`).
    fn modify(&self, transition: Transition) -> Result<(), VerbsError> {
        transition.check(self.transport)?;
        (self.context.ops().modify_qp)(self, &transition)?;
        self.reached(transition.target());
        Ok(())
    }
    // ANCHOR_END: modify_qp

    // ANCHOR: resume_qp
    /// SQE or SQD to RTS: sends go on. Only from the state that [`QueuePair::query`] has found.
    ///
    /// There is no way to SQD by request: `mlx5_ib` has no command for it, though the verbs have the
    /// transition. A card stops there by itself, at an error of a signature.
    pub fn resume(&self) -> Result<(), VerbsError> {
        let from = match self.state() {
            QueuePairState::SendQueueError => Stopped::Failed,
            QueuePairState::SendQueueDrained => Stopped::Drained,
            state => return Err(VerbsError::NotStopped { state }),
        };
        self.modify(Transition::Resume(from))
    }
    // ANCHOR_END: resume_qp

    // ANCHOR: query_qp
    /// Asks the card how the queue pair is (`ibv_query_qp`), and remembers the state.
    pub fn query(&self) -> Result<QueuePairAttributes, VerbsError> {
        let attributes = (self.context.ops().query_qp)(self)?;
        self.reached(attributes.state);
        Ok(attributes)
    }
    // ANCHOR_END: query_qp

    /// Remembers the state.
    fn reached(&self, state: QueuePairState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

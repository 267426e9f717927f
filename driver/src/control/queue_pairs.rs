//! Queue pairs: how they are asked for, and what limits them.

use super::ControlError;
use crate::verbs::{QueuePairAttributes, QueuePairCapabilities, Transition, Transport};

/// A queue pair.
#[derive(Debug, Clone)]
pub struct QpRequest {
    /// What it speaks.
    pub transport: Transport,
    /// The protection domain.
    pub pd: u32,
    /// Where sends complete.
    pub send_cq: u32,
    /// Where receives complete.
    pub recv_cq: u32,
    /// Address of the buffer: the receive queue, then the send queue.
    pub buffer: u64,
    /// Bus addresses of its pages.
    pub pages: Vec<u64>,
    /// Base-2 logarithm of the number of receive WQEs.
    pub log_rq_size: u32,
    /// Base-2 logarithm of a receive WQE's size in 16-byte units.
    pub log_rq_stride: u32,
    /// Base-2 logarithm of the number of 64-byte blocks of the send queue.
    pub log_sq_size: u32,
    /// Bus address of the doorbell record.
    pub record: u64,
    /// The page of doorbell registers that its doorbells come from.
    pub uar: u32,
    /// Shared receive queue that it takes receives from; then it has none of its own.
    pub srq: Option<u32>,
    /// What completions will name it by.
    pub user_index: u32,
    /// What the program asked for; the sizes above follow from it.
    pub capabilities: QueuePairCapabilities,
    /// Its WQEs carry signatures, and the card shall look at them.
    pub signatures: bool,
}

/// The largest queues and WQEs of a card. `mlx5_ib` tells them with the answer to GET_CONTEXT, and
/// has them from QUERY_HCA_CAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Bytes of a send WQE (`max_sq_desc_sz`, `max_wqe_sz_sq`).
    pub send_wqe: u32,
    /// Bytes of a receive WQE (`max_rq_desc_sz`, `max_wqe_sz_rq`).
    pub receive_wqe: u32,
    /// Blocks of 64 bytes of a send queue (`max_send_wqebb`, `log_max_qp_sz`).
    pub send_blocks: u32,
    /// WQEs of a receive queue (`max_recv_wr`, `log_max_qp_sz`).
    pub receive_wqes: u32,
}

impl QueueLimits {
    /// Most entries of any queue: a queue pair's context has 4 bits for the logarithm.
    const LARGEST: u32 = 1 << 15;

    /// The limits that a card told, as far as a queue pair's context can hold them.
    pub fn new(send_wqe: u16, receive_wqe: u16, send_blocks: u32, receive_wqes: u32) -> Self {
        Self {
            send_wqe: send_wqe.into(),
            receive_wqe: receive_wqe.into(),
            send_blocks: send_blocks.min(Self::LARGEST),
            receive_wqes: receive_wqes.min(Self::LARGEST),
        }
    }
}

/// The requests of queue pairs.
pub trait QueuePairs {
    /// The largest queues.
    fn limits(&self) -> QueueLimits;

    /// Asks for a queue pair in state RESET; its number is the answer.
    fn create_qp(&self, request: &QpRequest) -> Result<u32, ControlError>;

    /// Gives a queue pair back.
    fn destroy_qp(&self, number: u32);

    /// Brings a queue pair to another state. Whether there is a way to it from the present state
    /// is for the kernel or the card to say.
    fn modify_qp(&self, number: u32, transition: &Transition) -> Result<(), ControlError>;

    /// Asks how a queue pair is. What the answer says of its capabilities means nothing.
    fn query_qp(&self, number: u32) -> Result<QueuePairAttributes, ControlError>;
}

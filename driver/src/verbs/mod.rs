//! What libibverbs is: the names that a program calls, and the tables behind them.
//!
//! Nothing in this folder knows an mlx5. A device is found, a provider says that it can drive it,
//! and fills a table of functions in the context that the program opens. From then on every verb
//! is a call through that table.

mod address_handle;
mod batch_ops;
mod completion_queue;
mod context;
mod device;
mod drain;
mod error;
mod events;
mod extended;
mod memory_region;
mod memory_window;
mod ops;
mod poll_cq;
mod post_recv;
mod post_send;
mod provider;
mod provider_part;
mod query;
mod queue_pair;
mod shared_receive;
mod thread_domain;
mod transitions;
mod work_request;

pub use address_handle::AddressHandle;
pub use batch_ops::{BatchOps, Begun, Locked, Started};
pub use completion_queue::{Arrival, Completed, CompletionQueue, WorkCompletion, WorkStatus};
pub use context::{Context, open_device};
pub use device::{Device, DeviceInfo, Door, NothingThere, get_device_list};
pub use drain::{Drain, DrainError};
pub use error::{BatchError, PollError, PostCause, PostError, VerbsError};
pub use events::{AsyncEvent, CompletionChannel, get_cq_event, req_notify_cq};
pub use extended::{Batch, End, Filled, Request, wr_start};
pub use memory_region::{Access, Buffer, MemoryRegion, ProtectionDomain};
pub use memory_window::{MemoryWindow, WindowKind, WindowPart, bind_mw};
pub use ops::{ContextOps, CreateCq, CreateQp, NOT_SUPPORTED};
pub use poll_cq::poll_cq;
pub use post_recv::post_recv;
pub use post_send::post_send;
pub use provider::{Opened, Provider, Providers};
pub use query::{DeviceAttributes, LinkLayer, PortAttributes, PortState};
pub use queue_pair::{
    QueuePair, QueuePairAttributes, QueuePairCapabilities, QueuePairRequest, QueuePairState,
    Transport,
};
pub use shared_receive::{SharedReceiveAttributes, SharedReceiveQueue, post_srq_recv};
pub use thread_domain::ThreadDomain;
pub use transitions::{
    AddressVector, ConnectTo, ConnectUnreliably, FirstPsn, InitParameters, Peer, QueueKey,
    SendParameters, Start, Stopped, Transition,
};
pub use work_request::{
    Bind, Opcode, Operands, ReceiveRequest, RemoteAddress, ScatterGatherElement, SendFlags,
    SendRequest,
};

pub(crate) use extended::{CALL as WR_START_CALL, sites as batch_sites};
pub(crate) use provider_part::ProviderPart;

pub(crate) use poll_cq::CALL as POLL_CQ_CALL;
pub(crate) use post_recv::CALL as POST_RECV_CALL;
pub(crate) use post_send::{CALL as POST_SEND_CALL, ENTRY as POST_SEND_ENTRY};

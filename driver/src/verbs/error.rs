//! What can go wrong, and what to do about it.

use super::{Opcode, QueuePairState, Transport};
use crate::bus::OutOfMemory;
use crate::control::ControlError;

/// Why a verb outside of the data path failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerbsError {
    /// The table's slot was never filled by a provider.
    #[error(
        "{verb} is not supported by this device's provider (EOPNOTSUPP); use a device whose provider fills that slot"
    )]
    NotSupported {
        /// The slot.
        verb: &'static str,
    },
    /// No provider knows the device.
    #[error(
        "no provider drives {device} (vendor {vendor:#06x}, device {id:#06x}); register the provider for it before opening it"
    )]
    NoProvider {
        /// Name of the device.
        device: String,
        /// PCI vendor.
        vendor: u16,
        /// PCI device.
        id: u16,
    },
    /// An argument has no meaning.
    #[error("{what} is {value}, which {why} (EINVAL)")]
    Invalid {
        /// The argument.
        what: &'static str,
        /// Its value.
        value: u64,
        /// What is wrong, and what would be right.
        why: &'static str,
    },
    /// A transition was given what another transport needs.
    #[error(
        "{given} is not what a {} queue pair needs to come to {} (EINVAL); give it its own transport's parameters",
        transport.name(), state.name()
    )]
    WrongParameters {
        /// Where it was to come to.
        state: QueuePairState,
        /// What it speaks.
        transport: Transport,
        /// What was given.
        given: &'static str,
    },
    /// Sends that have not stopped cannot go on.
    #[error(
        "the queue pair's sends have not stopped: it is in {}, not in SQE or SQD (EINVAL); query it first",
        state.name()
    )]
    NotStopped {
        /// The state that it was last found in.
        state: QueuePairState,
    },
    /// An environment variable holds something else than a number.
    #[error(
        "the environment variable {name} is {text:?}, which is no number; set it to one, or unset it"
    )]
    Environment {
        /// The variable.
        name: &'static str,
        /// What it holds.
        text: String,
    },
    /// There is no shared memory left.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The control path failed.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A card could not be taken through VFIO.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Vfio(#[from] crate::bus::VfioError),
}

/// Why a list of work requests was not posted whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("work request {index} of the list was not posted{}: {cause}", before(*index))]
pub struct PostError {
    /// Index of the failed request in the list: what `bad_wr` points to in C.
    pub index: u32,
    /// What was wrong with it.
    pub cause: PostCause,
}

/// What became of the requests before this one.
fn before(index: u32) -> &'static str {
    if index == 0 { "" } else { ", those before it were" }
}

/// Why a batch was not posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("work request {index} of the batch was refused, and none of the batch is posted: {cause}")]
pub struct BatchError {
    /// Index of the first request that was refused.
    pub index: u32,
    /// What was wrong with it.
    pub cause: PostCause,
}

/// What was wrong with a work request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostCause {
    /// The provider has no post for this queue.
    #[error("posting is not supported by this device's provider (EOPNOTSUPP)")]
    NotSupported,
    /// The opcode does not go with the queue pair's transport, or is not covered by this driver.
    #[error(
        "{} is not posted on a queue pair of transport {} (EINVAL); it takes {}. TSO, raw packets and XRC are not covered by this driver", .opcode.name(), transport_name(*.transport), takes(*.transport)
    )]
    Opcode {
        /// The request's.
        opcode: Opcode,
        /// The queue pair's.
        transport: Transport,
    },
    /// The request has not the operands that it must have.
    #[error(
        "the operands of {} on this queue pair are {needed}, and the request has others (EINVAL); set `operands`", .opcode.name(), needed = operands(*.opcode)
    )]
    Operands {
        /// The request's.
        opcode: Opcode,
    },
    /// More memory than one memory window can show.
    #[error("a memory window shows at most 2 GiB (EOPNOTSUPP); bind several, each to a part")]
    WindowTooLong,
    /// The device has no atomic operations.
    #[error(
        "the device has no atomic operations (EOPNOTSUPP); ask for `atomic_cap`, as `ibv_devinfo -v` shows it, before posting them"
    )]
    NoAtomics,
    /// No room in the queue.
    #[error(
        "the queue is full: as many as the {limit} work requests that it takes are outstanding (ENOMEM); poll the completion queue, and signal at least one request of each queue length"
    )]
    QueueFull {
        /// The most that the queue takes.
        limit: u16,
    },
    /// Too many scatter/gather elements.
    #[error(
        "more scatter/gather elements than the {limit} that the queue was created for (ENOMEM on a send queue, EINVAL on a receive queue); raise max_sge when creating it"
    )]
    TooManyElements {
        /// The most that the queue takes.
        limit: u16,
    },
    /// The queue pair has not come to RTS yet.
    #[error(
        "the queue pair does not send yet (ENOMEM, EINVAL where a batch is completed); bring it to RTS first"
    )]
    NotReadyToSend,
    /// A window of type 2 is bound by a work request, not by `bind_mw`.
    #[error(
        "`bind_mw` is for windows of type 1 (EINVAL); post a request with `Operands::Bind` for one of type 2"
    )]
    WindowKind,
    /// A request of a batch was begun, and its data was never given.
    #[error(
        "a request of the batch was begun and not finished (EINVAL); give each its data, if only an empty list, and a datagram its address"
    )]
    Unfinished,
    /// Too much inline data.
    #[error(
        "more bytes of inline data than the {limit} that the queue was created for (ENOMEM); raise max_inline_data, or post without INLINE"
    )]
    InlineTooLong {
        /// Bytes that the queue takes.
        limit: u16,
    },
    /// Inline data that is not in the program's shared memory.
    #[error(
        "inline data of element {element} of the request is outside of this context's memory (EFAULT); take it from a buffer of this context"
    )]
    InlineOutside {
        /// Index of the element in `sg_list`.
        element: u16,
    },
}

// What a post returns is as small as an `int`: it comes back in a register.
const _: () = assert!(size_of::<Result<(), PostError>>() == 8);

impl PostCause {
    /// The error number that libmlx5's post of a send queue returns for this cause. Two of the causes
    /// it does not look for: it has no check that an opcode goes with the transport, and posts a WQE
    /// that the card refuses; and operands are a union there, of which nobody knows what was filled in.
    pub fn errno(&self) -> i32 {
        match self {
            Self::NotSupported | Self::WindowTooLong | Self::NoAtomics => 95,
            Self::Opcode { .. } | Self::Operands { .. } | Self::WindowKind | Self::Unfinished => 22,
            Self::QueueFull { .. }
            | Self::TooManyElements { .. }
            | Self::NotReadyToSend
            | Self::InlineTooLong { .. } => 12,
            Self::InlineOutside { .. } => 14,
        }
    }
}

/// The verbs' name of a transport.
fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::ReliableConnection => "IBV_QPT_RC",
        Transport::UnreliableConnection => "IBV_QPT_UC",
        Transport::UnreliableDatagram => "IBV_QPT_UD",
    }
}

/// What a queue pair of a transport takes, for a message.
fn takes(transport: Transport) -> &'static str {
    match transport {
        Transport::ReliableConnection => "all opcodes but TSO",
        Transport::UnreliableConnection => "all but TSO, RDMA READ and the two atomic operations",
        Transport::UnreliableDatagram => "SEND, also with immediate data",
    }
}

/// The operands that a request with this opcode was refused for, for a message.
fn operands(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::AtomicCompareAndSwap | Opcode::AtomicFetchAndAdd => "`Atomic`",
        Opcode::BindMemoryWindow => "`Bind`",
        _ => "`Datagram`, with an address handle of this context",
    }
}

/// Why a completion queue could not be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// The provider has no poll.
    #[error("polling is not supported by this device's provider (EOPNOTSUPP)")]
    NotSupported,
    /// The card completed something for a queue pair that this completion queue does not know.
    #[error(
        "a completion names user index {user_index:#x}, which is no queue pair of this completion queue: it was destroyed with completions outstanding, or memory was overwritten"
    )]
    UnknownQueuePair {
        /// As the CQE has it.
        user_index: u32,
    },
    /// A CQE with an opcode that this driver does not know.
    #[error("a completion has opcode {opcode:#x}, which this driver does not know")]
    UnknownOpcode {
        /// As the CQE has it.
        opcode: u8,
    },
}

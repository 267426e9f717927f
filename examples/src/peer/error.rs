//! Why a program that works with another one ended early.

use super::exchange::ExchangeError;
use crate::ExampleError;
use crate::nvmf::Status;
use doorbell_driver::verbs::{PollError, PostError, VerbsError, WorkStatus};

/// Why it ended early.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A software card without an address has no wire to another process.
    #[error(
        "the software card of this process has no wire to another one; give each side an address: --device card,address=127.0.0.2 here, and 127.0.0.3 there"
    )]
    NoWire,
    /// Over Ethernet nothing resolves the other side's MAC address without the kernel.
    #[error(
        "over Ethernet somebody must resolve the other side's MAC address, which the exchange does not carry; through VFIO play both sides with --both, or use --device mlx5_0"
    )]
    NoMac,
    /// Its address is of another network.
    #[error(
        "the other side's GID {0} is not that of an IPv4 address; a software card reaches only others of its kind"
    )]
    NotOnTheNetwork(std::net::Ipv6Addr),
    /// The other side gave no GID.
    #[error("over Ethernet the other side must give its GID: start it with -g")]
    NoGid,
    /// A datagram is one packet.
    #[error(
        "a datagram has at most {most} bytes here, the port's MTU, and not {size}; use -s {most} or less"
    )]
    TooLong {
        /// Bytes wanted.
        size: u32,
        /// Bytes possible.
        most: u32,
    },
    /// A scenario's own errors.
    #[error(transparent)]
    Example(#[from] ExampleError),
    /// A verb failed.
    #[error(transparent)]
    Verbs(#[from] VerbsError),
    /// A post failed.
    #[error(transparent)]
    Post(#[from] PostError),
    /// A poll failed.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// The two sides did not come together.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A work request failed.
    #[error("a {what} ended with {}, vendor syndrome {vendor_err:#x}{}", status.name(), hint(*status))]
    Failed {
        /// What it was.
        what: &'static str,
        /// How it ended.
        status: WorkStatus,
        /// The card's own word.
        vendor_err: u8,
    },
    /// The other side was started with other options.
    #[error(
        "the other side runs {theirs:?} and this one {ours:?}; start both with the same options"
    )]
    OtherPlan {
        /// What this side is to do.
        ours: String,
        /// What the other is.
        theirs: String,
    },
    /// Nothing more came.
    #[error("no completion came within {0} s; did the other side fail?")]
    Silent(u64),
    /// Counts are missing, or too many.
    #[error("the sum is {found:#x}, not {right:#x}: an operation was lost, or done twice")]
    WrongSum {
        /// What it is.
        found: u64,
        /// What it ought to be.
        right: u64,
    },
    /// A command of NVMe failed.
    #[error(
        "command {id} ended with status {status}; of a disk of 2048 blocks, is --first-block within it?"
    )]
    Command {
        /// The command.
        id: u16,
        /// How it ended.
        status: Status,
    },
    /// A response of no command.
    #[error(
        "a response came that is of no command under way ({0:?}); is the target one of these programs?"
    )]
    NotOfACommand(Option<u16>),
    /// A response that did not close the key of its command.
    #[error("the response of command {id} did not invalidate its key {key:#x}: the memory is open")]
    KeyLeftOpen {
        /// The command.
        id: u16,
        /// The key.
        key: u32,
    },
    /// A block is not that of the disk.
    #[error("command {id} succeeded, but block {block} is not what the target's disk has there")]
    WrongBlock {
        /// The command.
        id: u16,
        /// The block.
        block: u64,
    },
    /// A byte is wrong.
    #[error(
        "invalid data: byte {at} is {byte:#04x}, not {right:#04x}; does the client use -c too?"
    )]
    Invalid {
        /// Which byte.
        at: usize,
        /// What it is.
        byte: u8,
        /// What it ought to be.
        right: u8,
    },
}

/// What to look at.
fn hint(status: WorkStatus) -> &'static str {
    match status {
        WorkStatus::RetryExceeded => "; is the other side still there, and reachable?",
        _ => "",
    }
}

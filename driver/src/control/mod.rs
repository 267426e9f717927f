//! How queues come to exist: the requests, and who answers them.
//!
//! The data path needs nobody's help, but what it works on has to be asked for: a page of
//! registers, a protection domain, keys, queues. [`Control`] lists those requests; they are the
//! ones that a program sends to the kernel's `mlx5_ib` through uverbs, and `uverbs.rs` sends them
//! there. `firmware.rs` answers them without a kernel, by being `mlx5_core` and `mlx5_ib` itself: it brings the card up and speaks
//! to its firmware.

#[cfg(target_os = "linux")]
pub mod uverbs;

pub mod firmware;

mod events;
mod queries;
mod queue_pairs;
mod shared;
mod windows;

pub use crate::verbs::LinkLayer as Link;
pub use events::Events;
pub use queries::Query;
pub use queue_pairs::{QpRequest, QueueLimits, QueuePairs};
pub use shared::{SharedReceives, SrqRequest, Ways};
pub use windows::Windows;

use crate::bus::{Bus, Memory, OutOfMemory};
use crate::verbs::Access;
use std::sync::Arc;

/// The requests of the control path.
pub trait Control<B: Bus>:
    QueuePairs + Query + Events + SharedReceives + Ways + Windows + Send + Sync
{
    /// The memory that is shared with the card.
    fn memory(&self) -> &Arc<Memory>;

    /// What a CPU does while it waits for the card.
    fn relax(&self);

    /// This side's address on the network.
    fn address(&self) -> PortAddress;

    /// Whether pages can be mapped write-combining, so that their registers take BlueFlame.
    fn has_blueflame(&self) -> bool;

    /// Asks for a page of doorbell registers, mapped in this way.
    fn alloc_uar(&self, mapping: Mapping) -> Result<Granted<B::Page>, ControlError>;

    /// Gives a page of doorbell registers back.
    fn dealloc_uar(&self, index: u32);

    /// Asks for a protection domain.
    fn alloc_pd(&self) -> Result<u32, ControlError>;

    /// Gives a protection domain back.
    fn dealloc_pd(&self, number: u32);

    /// Asks for a key to memory.
    fn create_mkey(&self, request: &MkeyRequest) -> Result<u32, ControlError>;

    /// Gives a key back.
    fn destroy_mkey(&self, key: u32);

    /// Asks for a completion queue; its number is the answer.
    fn create_cq(&self, request: &CqRequest) -> Result<u32, ControlError>;

    /// Gives a completion queue back.
    fn destroy_cq(&self, number: u32);
}

/// How a page of doorbell registers is to be mapped (`enum mlx5_ib_uapi_uar_alloc_type`, with its
/// numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// Write-combining, for BlueFlame.
    WriteCombining = 0,
    /// Uncached: each store leaves by itself, and at once.
    Uncached = 1,
}

/// A page of doorbell registers that was asked for.
pub struct Granted<P> {
    /// Its index on the card, which queues are created with.
    pub index: u32,
    /// The page, mapped.
    pub page: P,
    /// It is mapped write-combining: its registers take BlueFlame.
    pub write_combining: bool,
}

/// A port's own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortAddress {
    /// GID: over RoCE v2 an IPv4 address as `::ffff:a.b.c.d`.
    pub gid: [u8; 16],
    /// Its index in the port's table.
    pub gid_index: u8,
    /// LID: the address within an InfiniBand subnet; 0 on Ethernet.
    pub lid: u16,
    /// What the port is plugged into.
    pub link: Link,
    /// MAC address, where the driver has to know it: not through the kernel's door.
    pub mac: [u8; 6],
}

/// A key to a stretch of memory.
#[derive(Debug, Clone)]
pub struct MkeyRequest {
    /// The protection domain.
    pub pd: u32,
    /// First address, as work requests will name it.
    pub address: u64,
    /// Length in bytes.
    pub length: u64,
    /// Rights beside local reads.
    pub access: Access,
    /// Bus addresses of the pages that hold it, of [`crate::bus::PAGE_SIZE`] each.
    pub pages: Vec<u64>,
}

/// A completion queue.
#[derive(Debug, Clone)]
pub struct CqRequest {
    /// Address of the ring.
    pub buffer: u64,
    /// Bus addresses of its pages.
    pub pages: Vec<u64>,
    /// Base-2 logarithm of the number of entries.
    pub log_size: u32,
    /// Bus address of the doorbell record.
    pub record: u64,
    /// The page of doorbell registers that arms it.
    pub uar: u32,
    /// The channel that it tells, if any.
    pub channel: Option<u32>,
}

/// Why the control path failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The firmware refused a command.
    #[error(
        "the card refused {command}: status {status:#x} ({meaning}), syndrome {syndrome:#x}; look the input up in the trace"
    )]
    Refused {
        /// The command.
        command: &'static str,
        /// Status of its output.
        status: u8,
        /// What the status means.
        meaning: &'static str,
        /// Syndrome of its output.
        syndrome: u32,
    },
    /// The card could not even take a command.
    #[error(
        "the card did not take {command}: delivery status {status:#x} ({meaning}); its command queue entry or a mailbox is malformed"
    )]
    NotDelivered {
        /// The command.
        command: &'static str,
        /// Delivery status of the entry.
        status: u8,
        /// What the status means.
        meaning: &'static str,
    },
    /// A command does not fit the mailboxes.
    #[error(
        "{command} would need {length} bytes of mailboxes, there are {most}; use a smaller buffer or queue"
    )]
    TooLong {
        /// The command.
        command: &'static str,
        /// Its length in bytes.
        length: usize,
        /// What fits.
        most: usize,
    },
    /// The card did not answer within the deadline.
    #[error(
        "the card did not finish {what} within {polls} looks at it; it may have died: reset it"
    )]
    Silent {
        /// What was waited for.
        what: &'static str,
        /// How often was looked.
        polls: u32,
    },
    /// The card is not what the driver can drive.
    #[error("the card's {what} is {found}, this driver needs {needed}")]
    Unfit {
        /// The property.
        what: &'static str,
        /// Its value.
        found: u64,
        /// What it ought to be.
        needed: &'static str,
    },
    /// This control path has no such request.
    #[error("{request} is not offered by this way to the card; use another --device")]
    NotOffered {
        /// The request.
        request: &'static str,
    },
    /// The other side cannot be allowed what the card cannot do.
    #[error(
        "the card has no atomic operations, and so the other side cannot be allowed any (EOPNOTSUPP); leave REMOTE_ATOMIC out"
    )]
    NoAtomics,
    /// A table of the port has no such entry.
    #[error(
        "entry {index} of the port's {table} is not there or empty; ibv_devinfo -v shows the table"
    )]
    NoEntry {
        /// The table.
        table: &'static str,
        /// The entry asked for.
        index: u32,
    },
    /// No event came.
    #[error(
        "no {what} came within {milliseconds} ms; was the queue armed, and is there work that will complete?"
    )]
    NoEvent {
        /// What was waited for.
        what: &'static str,
        /// The deadline.
        milliseconds: u64,
    },
    /// All interrupts of the card are in use.
    #[error("all {limit} interrupts of the card are in use; let completion queues share a channel")]
    NoInterrupt {
        /// How many there are.
        limit: u16,
    },
    /// A device's file could not be opened.
    #[error("{path} cannot be opened: {what} (error {errno})")]
    Node {
        /// The file.
        path: String,
        /// What the error means, and what helps.
        what: &'static str,
        /// The system's number for it.
        errno: i32,
    },
    /// The kernel refused a request.
    #[error("the kernel refused {request}: {what} (error {errno})")]
    Kernel {
        /// The request.
        request: &'static str,
        /// What the error means, and what helps.
        what: &'static str,
        /// The system's number for it.
        errno: i32,
    },
    /// A port has no address.
    #[error("port 1 of {device} has no address: bring its link up, or start a subnet manager")]
    NoAddress {
        /// The device.
        device: String,
    },
    /// No shared memory left for a mailbox or pages.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

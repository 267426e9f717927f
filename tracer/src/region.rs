//! Regions of memory that a trace knows by number: rings, records, buffers, register pages.

use crate::event::Text;
use serde::{Deserialize, Serialize};

/// The number of a region within one trace. 0 is "not traced".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RegionId(pub u32);

/// What a region of memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Send queue: WQE building blocks of 64 bytes.
    SendQueue,
    /// Receive queue: WQEs of one stride each.
    ReceiveQueue,
    /// Completion queue: CQEs of 64 bytes, written by the card.
    CompletionQueue,
    /// Event queue: EQEs of 64 bytes, written by the card.
    EventQueue,
    /// Doorbell record: the counters that a card reads from memory.
    DoorbellRecord,
    /// The program's own data.
    Buffer,
    /// The ring of command queue entries.
    CommandQueue,
    /// Mailbox blocks of commands.
    Mailbox,
    /// Memory given to the card for its own use.
    Pages,
    /// A page of doorbell registers (UAR).
    UserAccessRegion,
    /// The initialization segment of BAR 0.
    InitSegment,
}

/// A stretch of memory or registers, from the event that maps it to the one that unmaps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Its number in this trace.
    pub region: RegionId,
    /// What it is for.
    pub role: Role,
    /// What a reader calls it, as `send queue of QP 0x41`.
    pub name: Text,
    /// Address on the bus, as a DMA of the card or a BAR access names it; bytes.
    pub address: u64,
    /// Length in bytes.
    pub length: u64,
    /// Size of one entry in bytes; 0 where the region has no entries.
    pub stride: u32,
    /// Number of the object that it belongs to (QPN, CQN, EQN); 0 if none.
    pub object: u32,
}

//! What can happen: one variant a kind, one typed constructor each.
//!
//! Probes make [reports](crate::report) of the same names, and recorders keep those in a compact form; a
//! [`Kind`] is what comes out of a recorder, or of a file. Formatting, naming and decoding are left
//! to the readers of a trace.

mod constructors;
mod value;

pub use value::{Argument, Arguments, Relation, Value};

use crate::{Bytes, Region, RegionId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Text that is static where it is recorded and owned where it is read from a file.
pub type Text = Cow<'static, str>;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A thread of the program, by number.
    Cpu(u8),
    /// The card.
    Card,
}

/// What was done to a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockAction {
    /// Taken.
    Acquired,
    /// Given back.
    Released,
}

/// Direction of a DMA, as the card sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The card read host memory.
    Read,
    /// The card wrote host memory.
    Write,
}

/// A firmware command as the card executed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Slot in the command queue.
    pub slot: u32,
    /// Opcode.
    pub opcode: u16,
    /// Its name, as `CREATE_QP`.
    pub name: Text,
    /// Layout of the input, by the name that its field table has.
    pub input_layout: Text,
    /// The input, mailboxes joined.
    pub input: Bytes,
    /// Layout of the output.
    pub output_layout: Text,
    /// The output, mailboxes joined.
    pub output: Bytes,
    /// Status in the output: 0 is success.
    pub status: u8,
    /// Syndrome in the output.
    pub syndrome: u32,
}

/// A RoCEv2 packet between queue pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// QPN of the sender.
    pub from: u32,
    /// QPN of the receiver.
    pub to: u32,
    /// What it is, as `RC RDMA WRITE Only`.
    pub name: Text,
    /// Packet sequence number.
    pub psn: u32,
    /// The packet from its Ethernet header to its ICRC.
    pub bytes: Bytes,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A function was entered.
    Call {
        /// Its name.
        function: Text,
        /// Its arguments.
        arguments: Arguments,
    },
    /// A function was left.
    Return {
        /// Its name.
        function: Text,
        /// Its result.
        result: Value,
    },
    /// A call went through an ops table.
    Dispatch {
        /// Name of the table.
        table: Text,
        /// Name of the slot.
        slot: Text,
        /// The function that the slot held.
        target: Text,
    },
    /// Two values were compared.
    Check {
        /// What the check is for.
        what: Text,
        /// Left side.
        left: Argument,
        /// The comparison.
        relation: Relation,
        /// Right side.
        right: Argument,
        /// Whether it held.
        holds: bool,
    },
    /// A lock was taken or given back.
    Lock {
        /// Name of the lock.
        lock: Text,
        /// What was done.
        action: LockAction,
    },
    /// A region of memory or registers came to be known.
    Map(Box<Region>),
    /// A region went away.
    Unmap {
        /// Its number.
        region: RegionId,
    },
    /// The program stored bytes in a region.
    Store {
        /// Where: the region,
        region: RegionId,
        /// and the offset of the first byte in it.
        offset: u64,
        /// Layout of the bytes, by the name that its field table has; empty for plain data.
        layout: Text,
        /// What was stored.
        bytes: Bytes,
    },
    /// The program loaded bytes from a region that the card writes.
    Load {
        /// Where: the region,
        region: RegionId,
        /// and the offset of the first byte in it.
        offset: u64,
        /// Layout of the bytes.
        layout: Text,
        /// What was loaded.
        bytes: Bytes,
    },
    /// A memory barrier was passed.
    Barrier {
        /// Its name, which says its purpose.
        name: Text,
        /// The instruction that it is on this machine; empty if it only holds the compiler.
        instruction: Text,
    },
    /// The program wrote a register of the card.
    RegisterWrite {
        /// The region of the register page.
        region: RegionId,
        /// Offset in it.
        offset: u64,
        /// Name of the register.
        register: Text,
        /// Layout of the bytes; empty for plain data.
        layout: Text,
        /// What was written.
        bytes: Bytes,
    },
    /// The program read a register of the card.
    RegisterRead {
        /// The region of the register page.
        region: RegionId,
        /// Offset in it.
        offset: u64,
        /// Name of the register.
        register: Text,
        /// What was read.
        bytes: Bytes,
    },
    /// The card executed a firmware command.
    Command(Box<Command>),
    /// The card moved bytes from or to host memory.
    Dma {
        /// Which way.
        direction: Direction,
        /// Bus address of the first byte.
        address: u64,
        /// Why, as `WQE fetch`.
        why: Text,
        /// Layout of the bytes; empty for plain data.
        layout: Text,
        /// What was moved.
        bytes: Bytes,
    },
    /// A packet left one queue pair for another.
    Packet(Box<Packet>),
    /// An object changed its state.
    State {
        /// Its kind, as `QP`.
        object: Text,
        /// Its number.
        number: u32,
        /// The state before.
        from: Text,
        /// The state after.
        to: Text,
    },
    /// A counter of a queue moved.
    Index {
        /// The region of the queue.
        region: RegionId,
        /// Name of the counter in the source, as `sq.cur_post`.
        name: Text,
        /// Its new value, before it is masked to the ring.
        value: u64,
    },
    /// A completion reached the program.
    Completion {
        /// wr_id of the work request.
        wr_id: u64,
        /// Status, as `success`.
        status: Text,
        /// Everything else that the work completion says.
        attributes: Arguments,
    },
    /// A step of finding a device: a place looked at, a device found, a provider asked.
    Discovery {
        /// What was looked at or asked.
        subject: Text,
        /// What came of it.
        finding: Text,
        /// Whether it leads on to a device.
        found: bool,
    },
    /// The card did something that no other kind tells: a doorbell dropped, a WQE taken from BlueFlame.
    Note {
        /// What it did.
        text: Text,
        /// The values that belong to it.
        values: Arguments,
    },
}

impl Kind {
    /// The names of all kinds, as the trace file spells them.
    pub const NAMES: [&str; 20] = [
        "call",
        "return",
        "dispatch",
        "check",
        "lock",
        "map",
        "unmap",
        "store",
        "load",
        "barrier",
        "register_write",
        "register_read",
        "command",
        "dma",
        "packet",
        "state",
        "index",
        "completion",
        "discovery",
        "note",
    ];

    /// The kind's name, as the trace file spells it.
    pub fn name(&self) -> &'static str {
        Self::NAMES[usize::from(self.code())]
    }

    /// The index of the kind's name in [`Kind::NAMES`].
    pub fn code(&self) -> u8 {
        match self {
            Self::Call { .. } => 0,
            Self::Return { .. } => 1,
            Self::Dispatch { .. } => 2,
            Self::Check { .. } => 3,
            Self::Lock { .. } => 4,
            Self::Map(_) => 5,
            Self::Unmap { .. } => 6,
            Self::Store { .. } => 7,
            Self::Load { .. } => 8,
            Self::Barrier { .. } => 9,
            Self::RegisterWrite { .. } => 10,
            Self::RegisterRead { .. } => 11,
            Self::Command(_) => 12,
            Self::Dma { .. } => 13,
            Self::Packet(_) => 14,
            Self::State { .. } => 15,
            Self::Index { .. } => 16,
            Self::Completion { .. } => 17,
            Self::Discovery { .. } => 18,
            Self::Note { .. } => 19,
        }
    }
}

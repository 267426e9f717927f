//! Work requests: what a program asks a queue pair to do.

use super::{Access, AddressHandle, WindowKind};
use bitflags::bitflags;
use zerocopy::{Immutable, IntoBytes};

/// What a send work request does (`enum ibv_wr_opcode`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Opcode {
    /// Write local data to remote memory.
    #[default]
    RdmaWrite = 0,
    /// The same, and consume a receive there that completes with immediate data.
    RdmaWriteWithImmediate = 1,
    /// Send local data to a receive posted on the other side.
    Send = 2,
    /// The same, with immediate data.
    SendWithImmediate = 3,
    /// Read remote memory.
    RdmaRead = 4,
    /// Compare eight remote bytes and swap them if equal.
    AtomicCompareAndSwap = 5,
    /// Add to eight remote bytes.
    AtomicFetchAndAdd = 6,
    /// Invalidate a local key.
    LocalInvalidate = 7,
    /// Bind a memory window.
    BindMemoryWindow = 8,
    /// Send, and invalidate a key of the other side.
    SendWithInvalidate = 9,
    /// Segmentation offload of a raw packet.
    Tso = 10,
}

impl Opcode {
    /// All opcodes, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::RdmaWrite,
        Self::RdmaWriteWithImmediate,
        Self::Send,
        Self::SendWithImmediate,
        Self::RdmaRead,
        Self::AtomicCompareAndSwap,
        Self::AtomicFetchAndAdd,
        Self::LocalInvalidate,
        Self::BindMemoryWindow,
        Self::SendWithInvalidate,
        Self::Tso,
    ];

    /// The verbs' name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RdmaWrite => "IBV_WR_RDMA_WRITE",
            Self::RdmaWriteWithImmediate => "IBV_WR_RDMA_WRITE_WITH_IMM",
            Self::Send => "IBV_WR_SEND",
            Self::SendWithImmediate => "IBV_WR_SEND_WITH_IMM",
            Self::RdmaRead => "IBV_WR_RDMA_READ",
            Self::AtomicCompareAndSwap => "IBV_WR_ATOMIC_CMP_AND_SWP",
            Self::AtomicFetchAndAdd => "IBV_WR_ATOMIC_FETCH_AND_ADD",
            Self::LocalInvalidate => "IBV_WR_LOCAL_INV",
            Self::BindMemoryWindow => "IBV_WR_BIND_MW",
            Self::SendWithInvalidate => "IBV_WR_SEND_WITH_INV",
            Self::Tso => "IBV_WR_TSO",
        }
    }
}

bitflags! {
    /// How a send work request is done (`enum ibv_send_flags`, with its bits).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct SendFlags: u32 {
        /// Wait for the RDMA reads and atomics before it.
        const FENCE = 1;
        /// Make a completion.
        const SIGNALED = 2;
        /// Ask the other side for a solicited event.
        const SOLICITED = 4;
        /// Copy the data into the WQE; the buffers may be reused at once and need no key.
        const INLINE = 8;
    }
}

/// A piece of local memory (`struct ibv_sge`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, IntoBytes, Immutable)]
#[repr(C)]
pub struct ScatterGatherElement {
    /// Address of the first byte, as the card knows it; see [`super::Buffer::address`].
    pub address: u64,
    /// Number of bytes; 0 is skipped.
    pub length: u32,
    /// Local key of the memory region that it lies in. Not looked at for inline data.
    pub lkey: u32,
}

/// A place in remote memory (`wr.wr.rdma` of `struct ibv_send_wr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoteAddress {
    /// Address of the first byte, as the other side registered it.
    pub address: u64,
    /// Remote key of the memory region there.
    pub rkey: u32,
}

/// What some opcodes need besides data and a place in remote memory (the rest of the union `wr`, and
/// `bind_mw`). The other opcodes do not look at it.
#[derive(Debug, Clone, Copy, Default)]
pub enum Operands<'a> {
    /// Nothing.
    #[default]
    None,
    /// Of the two atomic operations; what was there before comes into the data (`wr.wr.atomic`).
    Atomic {
        /// What compare-and-swap must find, or what fetch-and-add adds.
        compare_add: u64,
        /// What compare-and-swap stores if it does; fetch-and-add has no use for it.
        swap: u64,
    },
    /// Of binding a memory window.
    Bind(&'a Bind),
    /// Of everything that is sent by unreliable datagram: to whom (`wr.wr.ud`).
    Datagram {
        /// The way to the receiver's port.
        handle: &'a AddressHandle,
        /// The receiver's queue pair (QPN).
        remote_qpn: u32,
        /// Its queue key; with the highest bit set, the card takes the sender's own.
        remote_qkey: u32,
    },
}

/// A memory window, and the memory that it shall show (`bind_mw` of `struct ibv_send_wr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind {
    /// The window's type.
    pub window: WindowKind,
    /// The key that the window has had so far.
    pub key: u32,
    /// The key that it gets: as before, but for the low 8 bits, which are the program's choice.
    pub new_key: u32,
    /// Local key of the memory region that it shows a part of, registered with `MW_BIND`.
    pub lkey: u32,
    /// Address of the part's first byte.
    pub address: u64,
    /// Its length in bytes, at most 2 GiB; 0 unbinds the window.
    pub length: u64,
    /// What others may do there.
    pub access: Access,
    /// Remote addresses count from 0, and not from `address` (`IBV_ACCESS_ZERO_BASED`).
    pub zero_based: bool,
}

/// A work request for a send queue (`struct ibv_send_wr`). The default is an RDMA WRITE of nothing,
/// as a zeroed one is in C.
#[derive(Debug, Clone, Copy, Default)]
pub struct SendRequest<'a> {
    /// Comes back in the completion, for the program to know the request by.
    pub wr_id: u64,
    /// The data, in its order.
    pub sg_list: &'a [ScatterGatherElement],
    /// What to do.
    pub opcode: Opcode,
    /// How.
    pub send_flags: SendFlags,
    /// Immediate data in host order, for the opcodes that carry it; the key to invalidate for
    /// `LocalInvalidate` and `SendWithInvalidate` (in C a union, `imm_data` and `invalidate_rkey`).
    pub immediate: u32,
    /// Where to, for the opcodes that touch remote memory.
    pub remote: RemoteAddress,
    /// What else the opcode needs.
    pub operands: Operands<'a>,
}

/// A work request for a receive queue (`struct ibv_recv_wr`).
#[derive(Debug, Clone, Copy)]
pub struct ReceiveRequest<'a> {
    /// Comes back in the completion.
    pub wr_id: u64,
    /// Where arriving data goes, in its order.
    pub sg_list: &'a [ScatterGatherElement],
}

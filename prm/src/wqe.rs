//! Work queue entries: what software writes into a send or receive queue.
//!
//! A send WQE is a row of 16-byte segments. The control segment comes first and says how many
//! there are (`ds`); an RDMA or atomic operation has a remote address segment next; then come
//! data segments (where the bytes lie) or an inline segment (the bytes themselves). Send queues
//! count in blocks of 64 bytes: a WQE begins on a block and takes as many as it needs. A receive
//! WQE is data segments only. (PRM, "Work queue elements".)

use crate::layout::{Layout, LayoutInfo};
use crate::macros::{codes, wire};
use zerocopy::big_endian::{U32, U64};

codes! {
    /// What a send WQE asks for (`mlx5dv.h`, `MLX5_OPCODE_*`).
    pub enum SendOpcode: u8 {
        Nop = 0x00 "NOP";
        SendInvalidate = 0x01 "SEND_INVAL";
        RdmaWrite = 0x08 "RDMA_WRITE";
        RdmaWriteImmediate = 0x09 "RDMA_WRITE_IMM";
        Send = 0x0a "SEND";
        SendImmediate = 0x0b "SEND_IMM";
        Tso = 0x0e "TSO";
        RdmaRead = 0x10 "RDMA_READ";
        AtomicCompareSwap = 0x11 "ATOMIC_CS";
        AtomicFetchAdd = 0x12 "ATOMIC_FA";
        AtomicMaskedCompareSwap = 0x14 "ATOMIC_MASKED_CS";
        AtomicMaskedFetchAdd = 0x15 "ATOMIC_MASKED_FA";
        FastMemoryRegion = 0x19 "FMR";
        LocalInvalidate = 0x1b "LOCAL_INVAL";
        ConfigurationCommand = 0x1f "CONFIG_CMD";
        SetProtectionValues = 0x20 "SET_PSV";
        Umr = 0x25 "UMR";
        TagMatching = 0x28 "TAG_MATCHING";
        FlowTableAccess = 0x2c "FLOW_TBL_ACCESS";
        Mmo = 0x2f "MMO";
    }
}

wire! {
    /// Control segment: the first 16 bytes of every send WQE, and what the doorbell register gets.
    pub struct ControlSegment [16] = "wqe_control_segment"
    from "PRM \"Control segment\"; struct mlx5_wqe_ctrl_seg in mlx5dv.h" {
        @ 0 opmod_idx_opcode: U32 {
            opmod, set_opmod: 0, 8 "Variant of the operation.";
            wqe_index, set_wqe_index: 8, 16 "Number of the WQE's first block, modulo 65536.";
            opcode, set_opcode: 24, 8 "What is to be done." => SendOpcode::TABLE;
        },
        @ 4 qpn_ds: U32 {
            qpn, set_qpn: 0, 24 "The queue pair.";
            ds, set_ds: 26, 6 "How many 16-byte units the WQE has.";
        },
        @ 8 signature: u8 "Checksum of the WQE, where the queue uses them.",
        @ 9 dci_stream_channel_id: [u8; 2] "Stream channel of a DC initiator.",
        @ 11 fm_ce_se: u8 {
            fence_mode, set_fence_mode: 0, 3 "What must be finished before this begins." => &[(0, "NONE"), (1, "INITIATOR_SMALL_FENCE"), (4, "FENCE")];
            completion_mode, set_completion_mode: 4, 2 "Whether a CQE is wanted." => &[(0, "ON_ERROR"), (1, "ON_FIRST_ERROR"), (2, "ALWAYS"), (3, "ALWAYS_AND_EVENT")];
            solicited, set_solicited: 6, 1 "The other side shall be woken.";
        },
        @ 12 immediate: U32 "Immediate data, or the key to invalidate.",
    }
}

/// In `fm_ce_se`: write a CQE when this is done (`MLX5_WQE_CTRL_CQ_UPDATE`).
pub const CONTROL_CQ_UPDATE: u8 = 2 << 2;
/// In `fm_ce_se`: wake the other side (`MLX5_WQE_CTRL_SOLICITED`).
pub const CONTROL_SOLICITED: u8 = 1 << 1;
/// In `fm_ce_se`: wait for outstanding reads and atomics (`MLX5_WQE_CTRL_FENCE`).
pub const CONTROL_FENCE: u8 = 4 << 5;
/// In `fm_ce_se`: order against local work only (`MLX5_WQE_CTRL_INITIATOR_SMALL_FENCE`).
pub const CONTROL_INITIATOR_SMALL_FENCE: u8 = 1 << 5;

impl ControlSegment {
    /// A control segment with all its fields. `immediate` is a number; see
    /// [`ControlSegment::immediate`] for raw bytes.
    #[inline(always)]
    pub const fn new(
        opmod: u8,
        wqe_index: u16,
        opcode: u8,
        qpn: u32,
        ds: u8,
        fm_ce_se: u8,
        immediate: u32,
    ) -> Self {
        Self {
            opmod_idx_opcode: U32::new(
                (opmod as u32) << 24 | (wqe_index as u32) << 8 | opcode as u32,
            ),
            qpn_ds: U32::new(qpn << 8 | ds as u32),
            signature: 0,
            dci_stream_channel_id: [0; 2],
            fm_ce_se,
            immediate: U32::new(immediate),
        }
    }
}

wire! {
    /// Remote address segment: the memory of the other side that an RDMA operation means.
    pub struct RemoteAddressSegment [16] = "wqe_remote_address_segment"
    from "PRM \"Remote address segment\"; struct mlx5_wqe_raddr_seg in mlx5dv.h" {
        @ 0 remote_address: U64 as Address "Virtual address on the other side.",
        @ 8 rkey: U32 as Key "The key that the other side gave out for it.",
        @ 12 reserved0: U32,
    }
}

impl RemoteAddressSegment {
    /// A remote address segment.
    #[inline(always)]
    pub const fn new(remote_address: u64, rkey: u32) -> Self {
        Self {
            remote_address: U64::new(remote_address),
            rkey: U32::new(rkey),
            reserved0: U32::ZERO,
        }
    }
}

wire! {
    /// Datagram segment: where a datagram goes. Its first 16 bytes may be all there is.
    pub struct DatagramSegment [48] = "wqe_datagram_segment"
    from "PRM \"UD address vector\"; struct mlx5_wqe_datagram_seg and mlx5_wqe_av in mlx5dv.h" {
        @ 0 queue_key: U32 "The receiver's queue key; with the highest bit set, the sender's own is used.",
        @ 4 reserved4: U32,
        @ 8 destination: U32 {
            extended, set_extended: 0, 1 "The segment has all its 48 bytes.";
            destination_qpn, set_destination_qpn: 8, 24 "The queue pair of the receiver.";
        },
        @ 12 stat_rate_sl: u8 {
            stat_rate, set_stat_rate: 0, 4 "Static rate limit.";
            sl, set_sl: 4, 4 "Service level.";
        },
        @ 13 fl_mlid: u8 "Force loopback; low bits of the own LID.",
        @ 14 rlid: U16 "LID of the receiver, or the UDP source port of RoCE v2.",
        @ 16 reserved16: [u8; 4],
        @ 20 rmac: [u8; 6] "MAC address of the receiver.",
        @ 26 tclass: u8 "Traffic class of the GRH or of IP.",
        @ 27 hop_limit: u8 "Hop limit of the GRH, or time to live of IP.",
        @ 28 grh_gid_flow: U32 {
            grh, set_grh: 1, 1 "A global route header is sent.";
            source_gid_index, set_source_gid_index: 4, 8 "Entry of the own GID table.";
            flow_label, set_flow_label: 12, 20 "Flow label.";
        },
        @ 32 rgid: [u8; 16] "GID or IP address of the receiver.",
    }
}

/// Size of a datagram segment that is not extended.
pub const COMPACT_DATAGRAM_SIZE: usize = 16;

wire! {
    /// Data segment: a piece of local memory to read from or to write to.
    pub struct DataSegment [16] = "wqe_data_segment"
    from "PRM \"Memory pointer data segment\"; struct mlx5_wqe_data_seg in mlx5dv.h" {
        @ 0 byte_count: U32 "Length in bytes; 0 stands for 2 GiB.",
        @ 4 lkey: U32 as Key "The local key of the memory region." => &[(0x100, "INVALID_LKEY: end of the list")],
        @ 8 address: U64 as Address "Virtual address.",
    }
}

wire! {
    /// Ethernet segment: behind the control segment of a send queue that carries whole frames. The
    /// first bytes of the frame may lie in it, and go on behind it up to a multiple of 16.
    pub struct EthernetSegment [16] = "wqe_ethernet_segment"
    from "PRM \"Ethernet segment\"; struct mlx5_wqe_eth_seg in mlx5dv.h" {
        @ 0 reserved0: U32,
        @ 4 checksum_flags: u8 {
            l4_checksum, set_l4_checksum: 0, 1 "The card computes the checksum of TCP or UDP.";
            l3_checksum, set_l3_checksum: 1, 1 "The card computes the checksum of the IP header.";
        },
        @ 5 reserved5: u8,
        @ 6 mss: U16 "Payload bytes of a packet, where the card cuts the frame into several.",
        @ 8 reserved8: U32,
        @ 12 inline_header_size: U16 "How many bytes of the frame lie here and behind.",
        @ 14 inline_header_start: [u8; 2] as Payload "The first of them.",
    }
}

/// The lkey that ends a list of receive data segments (`MLX5_INVALID_LKEY`).
pub const INVALID_LKEY: u32 = 0x100;

impl DataSegment {
    /// A data segment.
    #[inline(always)]
    pub const fn new(byte_count: u32, lkey: u32, address: u64) -> Self {
        Self { byte_count: U32::new(byte_count), lkey: U32::new(lkey), address: U64::new(address) }
    }

    /// The segment that ends a list which is shorter than its receive WQE.
    #[inline(always)]
    pub const fn end_of_list() -> Self {
        Self::new(0, INVALID_LKEY, 0)
    }
}

wire! {
    /// Next segment: the first 16 bytes of a shared receive queue's WQE.
    pub struct NextSegment [16] = "wqe_srq_next_segment"
    from "PRM \"Shared receive queue\"; struct mlx5_wqe_srq_next_seg in mlx5dv.h" {
        @ 0 reserved0: [u8; 2],
        @ 2 next_wqe_index: U16 "Index of the WQE that is used after this one.",
        @ 4 signature: u8 "Checksum of the WQE, where the queue uses them.",
        @ 5 reserved5: [u8; 11],
    }
}

wire! {
    /// What stands in front of a receive WQE's pointers where WQEs carry signatures.
    pub struct ReceiveSignature [16] = "wqe_receive_signature"
    from "struct mlx5_rwqe_sig in libmlx5's wqe.h" {
        @ 0 reserved0: [u8; 4],
        @ 4 signature: u8 "Checksum of the WQE, of the queue pair's number and of the receive counter.",
        @ 5 reserved5: [u8; 11],
    }
}

wire! {
    /// Inline segment header: the bytes themselves follow it, padded to 16.
    pub struct InlineHeader [4] = "wqe_inline_header"
    from "PRM \"Inline data segment\"; struct mlx5_wqe_inl_data_seg in mlx5dv.h" {
        @ 0 inline_byte_count: U32 {
            is_inline, set_is_inline: 0, 1 "1 tells an inline segment from a data segment.";
            byte_count, set_byte_count: 1, 31 "How many bytes follow.";
        },
        @tail data: 8 as Payload "A byte of the message.",
    }
}

/// In the first word of an inline segment (`MLX5_INLINE_SEG`).
pub const INLINE_SEGMENT: u32 = 0x8000_0000;

impl InlineHeader {
    /// The header of `byte_count` inline bytes.
    #[inline(always)]
    pub const fn new(byte_count: u32) -> Self {
        Self { inline_byte_count: U32::new(INLINE_SEGMENT | byte_count) }
    }
}

wire! {
    /// Atomic segment: the operands of compare-and-swap or fetch-and-add.
    pub struct AtomicSegment [16] = "wqe_atomic_segment"
    from "PRM \"Atomic segment\"; struct mlx5_wqe_atomic_seg in mlx5dv.h" {
        @ 0 swap_add: U64 as Payload "The value to store, or to add.",
        @ 8 compare: U64 as Payload "The value that must be found.",
    }
}

wire! {
    /// UMR control segment: which properties of a memory key a WQE changes, and under which
    /// conditions. Binding a memory window and invalidating a key are such changes.
    pub struct UmrControlSegment [48] = "wqe_umr_control_segment"
    from "PRM \"UMR control segment\"; struct mlx5_wqe_umr_ctrl_seg in mlx5dv.h" {
        @ 0 flags: u8 {
            is_inline, set_is_inline: 0, 1 "The translation entries follow in the WQE itself.";
            check_free, set_check_free: 2, 1 "Only if the key is free.";
            translation_in_octowords, set_translation_in_octowords: 3, 1 "The translation offset counts in 16 bytes.";
            check_qpn, set_check_qpn: 4, 1 "Only if the key belongs to this queue pair.";
        },
        @ 1 reserved1: [u8; 3],
        @ 4 klm_octowords: U16 "Size of the translation entries in 16 bytes, in steps of 4.",
        @ 6 translation_offset: U16 "Where in the key's translation table they begin.",
        @ 8 mkey_mask: U64 {
            changes_free, set_changes_free: 34, 1 "The state, free or in use, changes.";
            changes_atomic, set_changes_atomic: 42, 1 "The right of remote atomics changes.";
            changes_remote_write, set_changes_remote_write: 43, 1 "The right of remote writes changes.";
            changes_remote_read, set_changes_remote_read: 44, 1 "The right of remote reads changes.";
            changes_local_write, set_changes_local_write: 45, 1 "The right of local writes changes.";
            changes_qpn, set_changes_qpn: 49, 1 "The queue pair that it belongs to changes.";
            changes_mkey, set_changes_mkey: 50, 1 "The low 8 bits of the key change.";
            changes_start, set_changes_start: 57, 1 "The first address changes.";
            changes_length, set_changes_length: 63, 1 "The length changes.";
        },
        @ 16 reserved16: [u8; 32],
    }
}

wire! {
    /// Memory key context segment: the new properties, of which the mask says which count.
    pub struct MkeyContextSegment [64] = "wqe_mkey_context_segment"
    from "PRM \"UMR memory key context segment\"; struct mlx5_wqe_mkey_context_seg in mlx5dv.h" {
        @ 0 state: u8 {
            free, set_free: 1, 1 "The key is free: nobody can use it.";
        },
        @ 1 reserved1: u8,
        @ 2 access_flags: u8 {
            atomic, set_atomic: 1, 1 "Remote atomics are allowed.";
            remote_write, set_remote_write: 2, 1 "Remote writes are allowed.";
            remote_read, set_remote_read: 3, 1 "Remote reads are allowed.";
            local_write, set_local_write: 4, 1 "Local writes are allowed.";
            local_read, set_local_read: 5, 1 "Local reads are allowed.";
        },
        @ 3 reserved3: u8,
        @ 4 qpn_mkey: U32 {
            qpn, set_qpn: 0, 24 "The queue pair that it belongs to; all ones: any.";
            mkey, set_mkey: 24, 8 "The low 8 bits of the key.";
        },
        @ 8 reserved8: U32,
        @ 12 flags_pd: U32 {
            pd, set_pd: 8, 24 "Protection domain.";
        },
        @ 16 start_address: U64 as Address "First address, as remote operations name it.",
        @ 24 length: U64 "Length in bytes.",
        @ 32 bsf_octoword_size: U32 "Size of the signature parameters in 16 bytes.",
        @ 36 reserved36: [u8; 16],
        @ 52 translations_octoword_size: U32 "Size of the translation table in 16 bytes.",
        @ 56 reserved56: [u8; 3],
        @ 59 log_page_size: u8 "Base-2 logarithm of the page size.",
        @ 60 reserved60: [u8; 4],
    }
}

wire! {
    /// Translation entry: a stretch of the memory of another key.
    pub struct KlmSegment [16] = "wqe_klm_segment"
    from "PRM \"UMR translation entries, KLM\"; struct mlx5_wqe_umr_klm_seg in mlx5dv.h" {
        @ 0 byte_count: U32 "Length in bytes; 2 GiB at most.",
        @ 4 mkey: U32 as Key "The key of the memory region.",
        @ 8 address: U64 as Address "First address, as that key has it.",
    }
}

wire! {
    /// XRC segment: the receiver's shared receive queue. It stands behind the control segment of every
    /// send of an extended reliable connection that has packets; nothing in the WQE tells it apart.
    pub struct XrcSegment [16] = "wqe_xrc_segment"
    from "PRM \"XRC segment\"; struct mlx5_wqe_xrc_seg in rdma-core's wqe.h" {
        @ 0 queue: U32 {
            receiver, set_receiver: 8, 24 "The XRC shared receive queue of the receiver.";
        },
        @ 4 reserved4: [u8; 12],
    }
}

/// The size of a send queue block in bytes (`MLX5_SEND_WQE_BB`).
pub const SEND_BLOCK: usize = 64;

/// The size of the unit that `ds` counts in, in bytes.
pub const SEGMENT_UNIT: usize = 16;

/// One segment of a WQE: where it lies, in bytes, and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// First byte.
    pub offset: usize,
    /// Length in bytes; that of an inline segment includes its header and padding.
    pub len: usize,
    /// Its layout.
    pub layout: &'static LayoutInfo,
}

/// Takes a send WQE apart, as far as its bytes make sense.
///
/// Stops at the end that `ds` gives, at the end of the bytes, or at a segment that is not whole.
pub fn send_segments(wqe: &[u8]) -> Vec<Segment> {
    segments_of(wqe, false)
}

/// The same for a send queue that carries whole Ethernet frames: nothing in the WQE says so, but an
/// Ethernet segment follows on the control segment of its sends.
pub fn ethernet_segments(wqe: &[u8]) -> Vec<Segment> {
    segments_of(wqe, true)
}

fn segments_of(wqe: &[u8], ethernet: bool) -> Vec<Segment> {
    let mut segments = Vec::new();
    let Ok((control, _)) = <ControlSegment as zerocopy::FromBytes>::ref_from_prefix(wqe) else {
        return segments;
    };
    let end = wqe.len().min(control.ds() as usize * SEGMENT_UNIT);
    let mut at = push(&mut segments, 0, ControlSegment::LAYOUT);
    let opcode = SendOpcode::from_code(control.opcode() as u8);
    for layout in fixed_segments(opcode) {
        if at + layout.size <= end {
            at = push(&mut segments, at, layout);
        }
    }
    let is_frame = matches!(opcode, Some(SendOpcode::Send | SendOpcode::Tso));
    if ethernet && is_frame && at + SEGMENT_UNIT <= end {
        let inline = u16::from_be_bytes([wqe[at + 12], wqe[at + 13]]) as usize;
        // Two bytes of the frame fit into the segment itself.
        let len = (SEGMENT_UNIT + inline.saturating_sub(2)).next_multiple_of(SEGMENT_UNIT);
        let len = len.min(end - at);
        segments.push(Segment { offset: at, len, layout: EthernetSegment::LAYOUT });
        at += len;
    }
    if opcode == Some(SendOpcode::Umr) && has_entries(wqe) {
        while at + KlmSegment::SIZE <= end {
            at = push(&mut segments, at, KlmSegment::LAYOUT);
        }
    }
    while at + SEGMENT_UNIT <= end {
        let first = u32::from_be_bytes([wqe[at], wqe[at + 1], wqe[at + 2], wqe[at + 3]]);
        if first & INLINE_SEGMENT == 0 {
            at = push(&mut segments, at, DataSegment::LAYOUT);
            continue;
        }
        let bytes = (first & !INLINE_SEGMENT) as usize;
        let len = (InlineHeader::SIZE + bytes).next_multiple_of(SEGMENT_UNIT);
        let len = len.min(end - at);
        segments.push(Segment { offset: at, len, layout: InlineHeader::LAYOUT });
        at += len;
    }
    segments
}

/// Whether the translation entries of a UMR WQE stand in it. Elsewhere a data segment leads to them.
fn has_entries(wqe: &[u8]) -> bool {
    let behind = wqe.get(ControlSegment::SIZE..).unwrap_or_default();
    <UmrControlSegment as zerocopy::FromBytes>::ref_from_prefix(behind)
        .is_ok_and(|(control, _)| control.is_inline() == 1)
}

/// The segments that an opcode demands between the control segment and the data.
fn fixed_segments(opcode: Option<SendOpcode>) -> &'static [&'static LayoutInfo] {
    match opcode {
        Some(SendOpcode::RdmaWrite | SendOpcode::RdmaWriteImmediate | SendOpcode::RdmaRead) => {
            &[RemoteAddressSegment::LAYOUT]
        }
        Some(SendOpcode::AtomicCompareSwap | SendOpcode::AtomicFetchAdd) => {
            &[RemoteAddressSegment::LAYOUT, AtomicSegment::LAYOUT]
        }
        Some(SendOpcode::Umr) => &[UmrControlSegment::LAYOUT, MkeyContextSegment::LAYOUT],
        _ => &[],
    }
}

fn push(segments: &mut Vec<Segment>, offset: usize, layout: &'static LayoutInfo) -> usize {
    let len = layout.size;
    segments.push(Segment { offset, len, layout });
    offset + len
}

//! Completion queue entries: what the card writes when work is done.
//!
//! A CQE has 64 bytes. Its last byte holds the opcode and the owner bit, and is written last: the
//! owner bit changes its value with every turn of the ring, so that software sees which entries
//! are new. An error completion has the same last 8 bytes and a syndrome before them.
//! (PRM, "Completion queue element".)

use crate::macros::{codes, wire};

codes! {
    /// What a CQE reports (`mlx5dv.h`, `MLX5_CQE_*`).
    pub enum CqeOpcode: u8 {
        Requester = 0 "REQ";
        ResponderWriteImmediate = 1 "RESP_WR_IMM";
        ResponderSend = 2 "RESP_SEND";
        ResponderSendImmediate = 3 "RESP_SEND_IMM";
        ResponderSendInvalidate = 4 "RESP_SEND_INV";
        ResizeCq = 5 "RESIZE_CQ";
        NoPacket = 6 "NO_PACKET";
        SignatureError = 12 "SIG_ERR";
        RequesterError = 13 "REQ_ERR";
        ResponderError = 14 "RESP_ERR";
        Invalid = 15 "INVALID";
    }
}

codes! {
    /// Why work failed (`mlx5dv.h`, `MLX5_CQE_SYNDROME_*`).
    pub enum CqeSyndrome: u8 {
        LocalLengthError = 0x01 "LOCAL_LENGTH_ERR";
        LocalQpOperationError = 0x02 "LOCAL_QP_OP_ERR";
        LocalProtectionError = 0x04 "LOCAL_PROT_ERR";
        WorkRequestFlushed = 0x05 "WR_FLUSH_ERR";
        MemoryWindowBindError = 0x06 "MW_BIND_ERR";
        BadResponseError = 0x10 "BAD_RESP_ERR";
        LocalAccessError = 0x11 "LOCAL_ACCESS_ERR";
        RemoteInvalidRequest = 0x12 "REMOTE_INVAL_REQ_ERR";
        RemoteAccessError = 0x13 "REMOTE_ACCESS_ERR";
        RemoteOperationError = 0x14 "REMOTE_OP_ERR";
        TransportRetryExceeded = 0x15 "TRANSPORT_RETRY_EXC_ERR";
        RnrRetryExceeded = 0x16 "RNR_RETRY_EXC_ERR";
        RemoteAborted = 0x22 "REMOTE_ABORTED_ERR";
    }
}

wire! {
    /// A completion queue entry of 64 bytes.
    pub struct Cqe [64] = "cqe"
    from "PRM \"Completion queue element\"; struct mlx5_cqe64 in mlx5dv.h; grh: UCT_IB_MLX5_CQE_FLAG_L3_* in UCX's ib_mlx5.h; sl: MLX5_CQE_ROCE_L3_HEADER_TYPE_* in Linux's device.h" {
        @ 0 reserved0: [u8; 2],
        @ 2 wqe_id: U16 "Receive WQE of a striding receive queue.",
        @ 4 reserved4: [u8; 13],
        @ 17 ml_path: u8 "Low bits of the LID that the message came to.",
        @ 18 reserved18: [u8; 4],
        @ 22 slid: U16 "LID that the message came from.",
        @ 24 flags_rqpn: U32 {
            grh, set_grh: 2, 2 "Where the route header of the message is." => &[(0, "NONE"), (1, "IN_DATA"), (2, "IN_CQE")];
            sl, set_sl: 4, 4 "Service level of the message; with RoCE, in its low 2 bits, the kind of the route header: 0 GRH, 1 IPv6, 2 IPv4.";
            rqpn, set_rqpn: 8, 24 "Queue pair that the message came from.";
        },
        @ 28 hds_ip_ext: u8 "Header split and checksum bits of Ethernet receives.",
        @ 29 l4_hdr_type_etc: u8 "Header types of Ethernet receives.",
        @ 30 vlan_info: U16 "VLAN tag that was taken off.",
        @ 32 srqn_uidx: U32 {
            user_index, set_user_index: 8, 24 "User index of the queue pair, or the shared receive queue.";
        },
        @ 36 imm_inval_pkey: U32 "Immediate data, invalidated key, or P_Key index.",
        @ 40 app: u8 "Application of tag matching and the like.",
        @ 41 app_op: u8 "Its operation.",
        @ 42 app_info: U16 "Its data.",
        @ 44 byte_cnt: U32 "How many bytes came in.",
        @ 48 timestamp: U64 "When, on the card's clock.",
        @ 56 sop_drop_qpn: U32 {
            send_opcode, set_send_opcode: 0, 8 "Opcode of the send WQE." => crate::wqe::SendOpcode::TABLE;
            qpn, set_qpn: 8, 24 "The queue pair.";
        },
        @ 60 wqe_counter: U16 "Index of the WQE that is done.",
        @ 62 signature: u8 "Checksum of the entry, where the queue uses them.",
        @ 63 op_own: u8 {
            opcode, set_opcode: 0, 4 "What the entry reports." => CqeOpcode::TABLE;
            format, set_format: 4, 2 "How the entry is to be read." => &[(0, "NO_INLINE_DATA"), (1, "INLINE_DATA_32"), (2, "INLINE_DATA_64"), (3, "COMPRESSED")];
            solicited, set_solicited: 6, 1 "The sender asked to wake the receiver.";
            owner, set_owner: 7, 1 "Changes with every turn of the ring.";
        },
    }
}

wire! {
    /// A completion queue entry that reports an error.
    pub struct ErrorCqe [64] = "error_cqe"
    from "PRM \"Completion with error\"; struct mlx5_err_cqe in mlx5dv.h; bytes 52 and 53: uct_ib_mlx5_err_cqe_t in UCX's ib_mlx5.h" {
        @ 0 reserved0: [u8; 32],
        @ 32 srqn: U32 {
            user_index, set_user_index: 8, 24 "User index of the queue pair, or the shared receive queue.";
        },
        @ 36 reserved36: [u8; 16],
        @ 52 hw_err_synd: u8 "The hardware's own reason; not documented.",
        @ 53 hw_synd_type: u8 {
            hw_syndrome_type, set_hw_syndrome_type: 0, 4 "Which part of the hardware gave it; not documented.";
        },
        @ 54 vendor_err_synd: u8 "The vendor's finer reason; few are known.",
        @ 55 syndrome: u8 "Why the work failed." => CqeSyndrome::TABLE,
        @ 56 s_wqe_opcode_qpn: U32 {
            send_opcode, set_send_opcode: 0, 8 "Opcode of the send WQE." => crate::wqe::SendOpcode::TABLE;
            qpn, set_qpn: 8, 24 "The queue pair.";
        },
        @ 60 wqe_counter: U16 "Index of the WQE that failed.",
        @ 62 signature: u8 "Checksum of the entry, where the queue uses them.",
        @ 63 op_own: u8 {
            opcode, set_opcode: 0, 4 "What the entry reports." => CqeOpcode::TABLE;
            format, set_format: 4, 2 "How the entry is to be read.";
            solicited, set_solicited: 6, 1 "The sender asked to wake the receiver.";
            owner, set_owner: 7, 1 "Changes with every turn of the ring.";
        },
    }
}

/// What software writes into the last byte of every entry of a new completion queue: not valid,
/// owned by the card (`MLX5_CQE_INVALID << 4`, with the owner bit of the turn before the first).
pub const CQE_INITIAL_OP_OWN: u8 = CqeOpcode::Invalid.code() << 4 | 1;

impl Cqe {
    /// Whether the entry is one of the two kinds that report an error.
    #[inline(always)]
    pub const fn is_error(&self) -> bool {
        let opcode = self.op_own >> 4;
        opcode == CqeOpcode::RequesterError.code() || opcode == CqeOpcode::ResponderError.code()
    }
}

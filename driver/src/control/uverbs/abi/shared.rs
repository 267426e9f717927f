//! Requests and answers of shared receive queues and address handles.

abi! {
    /// `struct ib_uverbs_create_srq` with `struct mlx5_ib_create_srq`.
    CreateSrq [64] {
        /// Where the answer goes.
        response: u64,
        /// Comes back in events.
        user_handle: u64,
        /// The protection domain's handle.
        pd_handle: u32,
        /// WQEs, less one.
        max_wr: u32,
        max_sge: u32,
        srq_limit: u32,
        /// The WQEs.
        buf_addr: u64,
        /// The doorbell record.
        db_addr: u64,
        /// `MLX5_SRQ_FLAG_SIGNATURE`.
        flags: u32,
        reserved0: u32,
        /// What CQEs name it by, if it is not an ordinary one.
        uidx: u32,
        reserved1: u32,
    }

    /// `struct ib_uverbs_create_srq_resp` with `struct mlx5_ib_create_srq_resp`.
    CreateSrqAnswer [24] {
        /// The kernel's handle.
        srq_handle: u32,
        max_wr: u32,
        max_sge: u32,
        reserved0: u32,
        /// The card's number.
        srqn: u32,
        reserved1: u32,
    }

    /// `struct ib_uverbs_modify_srq`.
    ModifySrq [16] {
        srq_handle: u32,
        /// `enum ibv_srq_attr_mask`.
        attr_mask: u32,
        max_wr: u32,
        srq_limit: u32,
    }

    /// `struct ib_uverbs_query_srq`.
    QuerySrq [16] {
        /// Where the answer goes.
        response: u64,
        srq_handle: u32,
        reserved: u32,
    }

    /// `struct ib_uverbs_query_srq_resp`.
    QuerySrqAnswer [16] {
        max_wr: u32,
        max_sge: u32,
        srq_limit: u32,
        reserved: u32,
    }

    /// `struct ib_uverbs_create_ah`.
    CreateAh [56] {
        /// Where the answer goes.
        response: u64,
        user_handle: u64,
        /// The protection domain's handle.
        pd_handle: u32,
        reserved: u32,
        dgid: [u8; 16],
        flow_label: u32,
        sgid_index: u8,
        hop_limit: u8,
        traffic_class: u8,
        reserved1: u8,
        dlid: u16,
        sl: u8,
        src_path_bits: u8,
        static_rate: u8,
        is_global: u8,
        port_num: u8,
        reserved2: u8,
    }

    /// `struct ib_uverbs_create_ah_resp` with `struct mlx5_ib_create_ah_resp`.
    CreateAhAnswer [20] {
        /// The kernel's handle.
        ah_handle: u32,
        response_length: u32,
        /// MAC address of the next hop.
        dmac: [u8; 6],
        reserved: [u8; 6],
    }
}

/// `IBV_SRQ_LIMIT`.
pub const SRQ_LIMIT: u32 = 1 << 1;

//! Requests and answers of completion queues and queue pairs.

abi! {
    /// `struct ib_uverbs_create_cq` with `struct mlx5_ib_create_cq`.
    CreateCq [64] {
        /// Where the answer goes.
        response: u64,
        /// Comes back in events.
        user_handle: u64,
        /// Entries, less one.
        cqe: u32,
        /// Interrupt of its events.
        comp_vector: u32,
        /// File of its events; -1 is none.
        comp_channel: i32,
        reserved: u32,
        /// The ring.
        buf_addr: u64,
        /// The doorbell record.
        db_addr: u64,
        /// Size of an entry: 64.
        cqe_size: u32,
        cqe_comp_en: u8,
        cqe_comp_res_format: u8,
        /// `MLX5_IB_CREATE_CQ_FLAGS_*`.
        flags: u16,
        /// Page of the register that arms it.
        uar_page_index: u16,
        reserved0: u16,
        reserved1: u32,
    }

    /// `struct ib_uverbs_create_cq_resp` with `struct mlx5_ib_create_cq_resp`.
    CreateCqAnswer [16] {
        /// The kernel's handle.
        cq_handle: u32,
        /// Entries, less one.
        cqe: u32,
        /// The card's number.
        cqn: u32,
        reserved: u32,
    }

    /// `struct ib_uverbs_create_qp` with `struct mlx5_ib_create_qp`.
    CreateQp [112] {
        /// Where the answer goes.
        response: u64,
        /// Comes back in events.
        user_handle: u64,
        /// The protection domain's handle.
        pd_handle: u32,
        /// Handle of the completion queue for sends.
        send_cq_handle: u32,
        /// And of that for receives.
        recv_cq_handle: u32,
        /// Shared receive queue.
        srq_handle: u32,
        /// Sizes, as the program asked for them.
        max_send_wr: u32,
        max_recv_wr: u32,
        max_send_sge: u32,
        max_recv_sge: u32,
        max_inline_data: u32,
        /// Every send makes a completion.
        sq_sig_all: u8,
        /// `enum ibv_qp_type`: 2 is RC, 3 UC, 4 UD.
        qp_type: u8,
        is_srq: u8,
        reserved: u8,
        /// The receive queue, and behind it the send queue.
        buf_addr: u64,
        /// The doorbell record.
        db_addr: u64,
        /// Blocks of the send queue.
        sq_wqe_count: u32,
        /// WQEs of the receive queue.
        rq_wqe_count: u32,
        /// Base-2 logarithm of the size of one in bytes.
        rq_wqe_shift: u32,
        /// `MLX5_QP_FLAG_*`.
        flags: u32,
        /// What CQEs will name it by.
        uidx: u32,
        /// Page of its doorbell register.
        bfreg_index: u32,
        sq_buf_addr: u64,
        ece_options: u32,
        dci_streams: u16,
        reserved1: u16,
    }

    /// `struct ib_uverbs_create_qp_resp` with the beginning of `struct mlx5_ib_create_qp_resp`.
    CreateQpAnswer [72] {
        /// The kernel's handle.
        qp_handle: u32,
        /// The card's number.
        qpn: u32,
        max_send_wr: u32,
        max_recv_wr: u32,
        max_send_sge: u32,
        max_recv_sge: u32,
        max_inline_data: u32,
        reserved: u32,
        bfreg_index: u32,
        ece_options: u32,
        comp_mask: u32,
        tirn: u32,
        tisn: u32,
        rqn: u32,
        sqn: u32,
        reserved1: u32,
        tir_icm_addr: u64,
    }

    /// `struct ib_uverbs_qp_dest`: the way to the other side.
    Destination [32] {
        /// Its GID.
        dgid: [u8; 16],
        flow_label: u32,
        /// Its LID.
        dlid: u16,
        reserved: u16,
        /// Which of our GIDs.
        sgid_index: u8,
        hop_limit: u8,
        traffic_class: u8,
        sl: u8,
        src_path_bits: u8,
        static_rate: u8,
        /// A GRH is sent.
        is_global: u8,
        /// Our port.
        port_num: u8,
    }

    /// `struct ib_uverbs_modify_qp`.
    ModifyQp [112] {
        dest: Destination,
        alt_dest: Destination,
        qp_handle: u32,
        /// `enum ibv_qp_attr_mask`.
        attr_mask: u32,
        qkey: u32,
        rq_psn: u32,
        sq_psn: u32,
        dest_qp_num: u32,
        qp_access_flags: u32,
        pkey_index: u16,
        alt_pkey_index: u16,
        qp_state: u8,
        cur_qp_state: u8,
        path_mtu: u8,
        path_mig_state: u8,
        en_sqd_async_notify: u8,
        max_rd_atomic: u8,
        max_dest_rd_atomic: u8,
        min_rnr_timer: u8,
        port_num: u8,
        timeout: u8,
        retry_cnt: u8,
        rnr_retry: u8,
        alt_port_num: u8,
        alt_timeout: u8,
        reserved: [u8; 2],
    }

    /// `struct ib_uverbs_query_qp`.
    QueryQp [16] {
        /// Where the answer goes.
        response: u64,
        qp_handle: u32,
        /// `enum ibv_qp_attr_mask`.
        attr_mask: u32,
    }

    /// `struct ib_uverbs_query_qp_resp`.
    QueryQpAnswer [128] {
        dest: Destination,
        alt_dest: Destination,
        max_send_wr: u32,
        max_recv_wr: u32,
        max_send_sge: u32,
        max_recv_sge: u32,
        max_inline_data: u32,
        qkey: u32,
        rq_psn: u32,
        sq_psn: u32,
        dest_qp_num: u32,
        qp_access_flags: u32,
        pkey_index: u16,
        alt_pkey_index: u16,
        qp_state: u8,
        cur_qp_state: u8,
        path_mtu: u8,
        path_mig_state: u8,
        /// On the way to SQD.
        sq_draining: u8,
        max_rd_atomic: u8,
        max_dest_rd_atomic: u8,
        min_rnr_timer: u8,
        port_num: u8,
        timeout: u8,
        retry_cnt: u8,
        rnr_retry: u8,
        alt_port_num: u8,
        alt_timeout: u8,
        sq_sig_all: u8,
        reserved: [u8; 5],
    }
}

/// `uar_page_index` is valid (`MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX`).
pub const CQ_UAR_PAGE_INDEX: u16 = 1 << 1;

/// WQEs carry signatures (`MLX5_QP_FLAG_SIGNATURE`).
pub const QP_SIGNATURE: u32 = 1;

/// `bfreg_index` is a page (`MLX5_QP_FLAG_UAR_PAGE_INDEX`).
pub const QP_UAR_PAGE_INDEX: u32 = 1 << 10;

/// Bits of `attr_mask` (`enum ibv_qp_attr_mask`).
pub mod mask {
    pub const STATE: u32 = 1 << 0;
    pub const CURRENT_STATE: u32 = 1 << 1;
    pub const ACCESS_FLAGS: u32 = 1 << 3;
    pub const PKEY_INDEX: u32 = 1 << 4;
    pub const PORT: u32 = 1 << 5;
    pub const QKEY: u32 = 1 << 6;
    pub const AV: u32 = 1 << 7;
    pub const PATH_MTU: u32 = 1 << 8;
    pub const TIMEOUT: u32 = 1 << 9;
    pub const RETRY_CNT: u32 = 1 << 10;
    pub const RNR_RETRY: u32 = 1 << 11;
    pub const RQ_PSN: u32 = 1 << 12;
    pub const MAX_QP_RD_ATOMIC: u32 = 1 << 13;
    pub const MIN_RNR_TIMER: u32 = 1 << 15;
    pub const SQ_PSN: u32 = 1 << 16;
    pub const MAX_DEST_RD_ATOMIC: u32 = 1 << 17;
    pub const DEST_QPN: u32 = 1 << 20;

    /// What a query asks for: all of these. `mlx5_ib` answers all anyway.
    pub const QUERIED: u32 = STATE
        | ACCESS_FLAGS
        | PKEY_INDEX
        | PORT
        | QKEY
        | AV
        | PATH_MTU
        | TIMEOUT
        | RETRY_CNT
        | RNR_RETRY
        | RQ_PSN
        | MAX_QP_RD_ATOMIC
        | MIN_RNR_TIMER
        | SQ_PSN
        | MAX_DEST_RD_ATOMIC
        | DEST_QPN;
}

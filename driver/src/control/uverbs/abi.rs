//! The words that go to the kernel: `rdma/ib_user_verbs.h`, `rdma/mlx5-abi.h` and
//! `rdma/rdma_user_ioctl_cmds.h`, as far as this driver asks for anything.
//!
//! Unlike everything that crosses the bus, these are in the byte order of the machine. A request is
//! a core part that every provider has, and behind it the provider's own; so is the answer.

/// Defines structures of the kernel's interface, each with its size in bytes.
macro_rules! abi {
    ($($(#[$meta:meta])* $name:ident [$size:literal] { $($(#[$doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, Default, zerocopy::FromBytes, zerocopy::IntoBytes,
            zerocopy::Immutable, zerocopy::KnownLayout,
        )]
        #[repr(C)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)* }
        const _: () = assert!(size_of::<$name>() == $size);
    )*};
}

mod events;
mod ioctl;
mod query;
mod queues;
mod shared;

pub use events::{
    AsyncEventDescription, CompletionEvent, CreateCompChannel, CreateCompChannelAnswer,
};
pub use ioctl::{Attribute, DRIVER, IoctlHeader, MANDATORY, uar};
pub use query::{QueryDevice, QueryDeviceAnswer, QueryPort, QueryPortAnswer};
pub use queues::{
    CQ_UAR_PAGE_INDEX, CreateCq, CreateCqAnswer, CreateQp, CreateQpAnswer, Destination, ModifyQp,
    QP_SIGNATURE, QP_UAR_PAGE_INDEX, QueryQp, QueryQpAnswer, mask,
};
pub use shared::{
    CreateAh, CreateAhAnswer, CreateSrq, CreateSrqAnswer, ModifySrq, QuerySrq, QuerySrqAnswer,
    SRQ_LIMIT,
};

/// Commands of `write` (`enum ib_uverbs_write_cmds`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Command {
    GetContext = 0,
    QueryDevice = 1,
    QueryPort = 2,
    AllocPd = 3,
    DeallocPd = 4,
    CreateAh = 5,
    DestroyAh = 8,
    RegMr = 9,
    DeregMr = 13,
    AllocMw = 14,
    DeallocMw = 16,
    CreateCompChannel = 17,
    CreateCq = 18,
    DestroyCq = 20,
    CreateQp = 24,
    QueryQp = 25,
    ModifyQp = 26,
    DestroyQp = 27,
    CreateSrq = 32,
    ModifySrq = 33,
    QuerySrq = 34,
    DestroySrq = 35,
}

impl Command {
    /// The kernel's name, with the system call that carries it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetContext => "write IB_USER_VERBS_CMD_GET_CONTEXT",
            Self::QueryDevice => "write IB_USER_VERBS_CMD_QUERY_DEVICE",
            Self::QueryPort => "write IB_USER_VERBS_CMD_QUERY_PORT",
            Self::AllocPd => "write IB_USER_VERBS_CMD_ALLOC_PD",
            Self::DeallocPd => "write IB_USER_VERBS_CMD_DEALLOC_PD",
            Self::CreateAh => "write IB_USER_VERBS_CMD_CREATE_AH",
            Self::DestroyAh => "write IB_USER_VERBS_CMD_DESTROY_AH",
            Self::RegMr => "write IB_USER_VERBS_CMD_REG_MR",
            Self::DeregMr => "write IB_USER_VERBS_CMD_DEREG_MR",
            Self::AllocMw => "write IB_USER_VERBS_CMD_ALLOC_MW",
            Self::DeallocMw => "write IB_USER_VERBS_CMD_DEALLOC_MW",
            Self::CreateCompChannel => "write IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL",
            Self::CreateCq => "write IB_USER_VERBS_CMD_CREATE_CQ",
            Self::DestroyCq => "write IB_USER_VERBS_CMD_DESTROY_CQ",
            Self::CreateQp => "write IB_USER_VERBS_CMD_CREATE_QP",
            Self::QueryQp => "write IB_USER_VERBS_CMD_QUERY_QP",
            Self::ModifyQp => "write IB_USER_VERBS_CMD_MODIFY_QP",
            Self::DestroyQp => "write IB_USER_VERBS_CMD_DESTROY_QP",
            Self::CreateSrq => "write IB_USER_VERBS_CMD_CREATE_SRQ",
            Self::ModifySrq => "write IB_USER_VERBS_CMD_MODIFY_SRQ",
            Self::QuerySrq => "write IB_USER_VERBS_CMD_QUERY_SRQ",
            Self::DestroySrq => "write IB_USER_VERBS_CMD_DESTROY_SRQ",
        }
    }
}

abi! {
    /// What every `write` begins with (`struct ib_uverbs_cmd_hdr`). Lengths are in words of 4 bytes.
    Header [8] {
        /// The command.
        command: u32,
        /// Length of the request, this header included.
        in_words: u16,
        /// Room for the answer.
        out_words: u16,
    }

    /// Requests and answers of the context (`struct ib_uverbs_get_context` with
    /// `struct mlx5_ib_alloc_ucontext_req_v2`).
    GetContext [40] {
        /// Where the answer goes.
        response: u64,
        /// BlueFlame registers for the kernel to hand out.
        total_num_bfregs: u32,
        /// Of these, for one queue each.
        num_low_latency_bfregs: u32,
        /// `MLX5_IB_ALLOC_UCTX_DEVX`.
        flags: u32,
        /// None is defined.
        comp_mask: u32,
        /// 1: CQEs name queue pairs by the index that the program chose.
        max_cqe_version: u8,
        reserved0: u8,
        reserved1: u16,
        reserved2: u32,
        /// `MLX5_LIB_CAP_*`: what the program can deal with.
        lib_caps: u64,
    }

    /// `struct ib_uverbs_get_context_resp` with `struct mlx5_ib_alloc_ucontext_resp`.
    GetContextAnswer [80] {
        /// File that reports asynchronous events.
        async_fd: u32,
        /// Interrupts to spread completion queues over.
        num_comp_vectors: u32,
        /// Queue pairs that the card can have.
        qp_tab_size: u32,
        /// Size of a BlueFlame register in bytes.
        bf_reg_size: u32,
        /// Registers that the kernel hands out.
        tot_bfregs: u32,
        /// Of the CPU, in bytes.
        cache_line_size: u32,
        /// Largest send WQE in bytes.
        max_sq_desc_sz: u16,
        /// Largest receive WQE in bytes.
        max_rq_desc_sz: u16,
        /// Blocks of the largest send queue.
        max_send_wqebb: u32,
        /// WQEs of the largest receive queue.
        max_recv_wr: u32,
        /// WQEs of the largest shared receive queue.
        max_srq_recv_wr: u32,
        /// Ports.
        num_ports: u16,
        flow_action_flags: u16,
        /// `MLX5_IB_ALLOC_UCONTEXT_RESP_MASK_*`.
        comp_mask: u32,
        /// Bytes of this part that the kernel filled.
        response_length: u32,
        /// What the card was set to; see `max_cqe_version`.
        cqe_version: u8,
        cmds_supp_uhw: u8,
        eth_min_inline: u8,
        clock_info_versions: u8,
        hca_core_clock_offset: u64,
        /// Base-2 logarithm of a UAR page's size.
        log_uar_size: u32,
        num_uars_per_page: u32,
        num_dyn_bfregs: u32,
        dump_fill_mkey: u32,
    }

    /// `struct ib_uverbs_alloc_pd`.
    AllocPd [8] {
        /// Where the answer goes.
        response: u64,
    }

    /// `struct ib_uverbs_alloc_pd_resp` with `struct mlx5_ib_alloc_pd_resp`.
    AllocPdAnswer [8] {
        /// The kernel's handle.
        pd_handle: u32,
        /// The card's number.
        pdn: u32,
    }

    /// `struct ib_uverbs_reg_mr`.
    RegMr [40] {
        /// Where the answer goes.
        response: u64,
        /// First byte.
        start: u64,
        /// Bytes.
        length: u64,
        /// What work requests will call the first byte.
        hca_va: u64,
        /// The protection domain's handle.
        pd_handle: u32,
        /// `enum ibv_access_flags`.
        access_flags: u32,
    }

    /// `struct ib_uverbs_reg_mr_resp`, with the padding that its size in the request has.
    RegMrAnswer [12] {
        /// The kernel's handle.
        mr_handle: u32,
        /// Key for this side.
        lkey: u32,
        /// Key for the other side.
        rkey: u32,
    }

    /// `struct ib_uverbs_alloc_mw`.
    AllocMw [16] {
        /// Where the answer goes.
        response: u64,
        /// The protection domain's handle.
        pd_handle: u32,
        /// `enum ibv_mw_type`.
        mw_type: u8,
        reserved: [u8; 3],
    }

    /// `struct ib_uverbs_alloc_mw_resp`.
    AllocMwAnswer [8] {
        /// The kernel's handle.
        mw_handle: u32,
        /// Key for the other side, once it is bound.
        rkey: u32,
    }

    /// Requests that give something back by its handle alone (`struct ib_uverbs_dereg_mr`,
    /// `struct ib_uverbs_dealloc_pd`, `struct ib_uverbs_dealloc_mw`).
    Handle [4] {
        handle: u32,
    }

    /// Requests that give something back and hear how many events it had
    /// (`struct ib_uverbs_destroy_cq`, and those of queue pairs and shared receive queues).
    Destroy [16] {
        response: u64,
        handle: u32,
        reserved: u32,
    }

    /// `struct ib_uverbs_destroy_cq_resp`; those of the others are its first word.
    DestroyAnswer [8] {
        comp_events_reported: u32,
        async_events_reported: u32,
    }
}

/// The program asks for pages of registers itself (`MLX5_LIB_CAP_DYN_UAR`), and can deal with
/// pages of 4 KiB whatever the machine's page size (`MLX5_LIB_CAP_4K_UAR`).
pub const LIB_CAPS: u64 = 1 << 0 | 1 << 1;

#[cfg(test)]
mod tests;

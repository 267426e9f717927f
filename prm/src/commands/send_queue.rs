//! Send queues that are objects of their own: a work queue and a completion queue, without a queue
//! pair around it.
//!
//! The kernel makes one to try BlueFlame (`mlx5_core`, `wc.c`), and Ethernet drivers send with them.
//! The page addresses of the buffer follow the input, 8 bytes each, big-endian.

use super::WorkQueueContext;
use crate::macros::{codes, command, firmware};

command! {
    /// Creates a send queue; the page addresses follow the input.
    CreateSq {
        input CreateSqIn [272] = "create_sq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            @nested {
                ctx, ctx_mut: SqContext @ 256 "The context.";
            }
        }
        output CreateSqOut [16] = "create_sq_out" {
            sqn, set_sqn: u32 @ 72, 24 "The send queue.";
        }
    }
}

command! {
    /// Changes the state of a send queue.
    ModifySq {
        input ModifySqIn [272] = "modify_sq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            sq_state, set_sq_state: u8 @ 64, 4 "State that the queue has now." => SqState::TABLE;
            sqn, set_sqn: u32 @ 72, 24 "The send queue.";
            modify_bitmask, set_modify_bitmask: u64 @ 128, 64 "What is to be changed besides the state.";
            @nested {
                ctx, ctx_mut: SqContext @ 256 "The context; its state is the one to go to.";
            }
        }
        output ModifySqOut [16] = "modify_sq_out" {}
    }
}

command! {
    /// Destroys a send queue.
    DestroySq {
        input DestroySqIn [16] = "destroy_sq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            sqn, set_sqn: u32 @ 72, 24 "The send queue.";
        }
        output DestroySqOut [16] = "destroy_sq_out" {}
    }
}

command! {
    /// Asks for the context of a send queue.
    QuerySq {
        input QuerySqIn [16] = "query_sq_in" {
            sqn, set_sqn: u32 @ 72, 24 "The send queue.";
        }
        output QuerySqOut [272] = "query_sq_out" {
            @nested {
                sq_context, sq_context_mut: SqContext @ 256 "The context.";
            }
        }
    }
}

codes! {
    /// The states of a send queue that is an object of its own (`MLX5_SQC_STATE_*`).
    pub enum SqState: u8 {
        Reset = 0 "RST";
        Ready = 1 "RDY";
        Error = 3 "ERR";
    }
}

firmware! {
    /// The context of a send queue.
    pub struct SqContext [240] = "sqc" {
        rlky, set_rlky: bool @ 0, 1 "The reserved lkey may be used.";
        cd_master, set_cd_master: bool @ 1, 1 "The queue may enable the work of others.";
        fre, set_fre: bool @ 2, 1 "Fast registration is enabled.";
        flush_in_error_en, set_flush_in_error_en: bool @ 3, 1 "A failed queue completes what is posted as flushed.";
        allow_multi_pkt_send_wqe, set_allow_multi_pkt_send_wqe: bool @ 4, 1 "A WQE may hold several packets.";
        min_wqe_inline_mode, set_min_wqe_inline_mode: u8 @ 5, 3 "How much of the headers must be inline.";
        state, set_state: u8 @ 8, 4 "State of the queue." => SqState::TABLE;
        reg_umr, set_reg_umr: bool @ 12, 1 "Memory can be registered by a WQE.";
        allow_swp, set_allow_swp: bool @ 13, 1 "Software says where headers are.";
        hairpin, set_hairpin: bool @ 14, 1 "The queue sends what a receive queue of the card takes.";
        non_wire, set_non_wire: bool @ 15, 1 "Nothing of it goes to the wire.";
        ts_format, set_ts_format: u8 @ 26, 2 "Clock of the timestamps." => &[(0, "FREE_RUNNING"), (1, "DEFAULT"), (2, "REAL_TIME")];
        user_index, set_user_index: u32 @ 40, 24 "Number that completions carry.";
        cqn, set_cqn: u32 @ 72, 24 "Completion queue.";
        hairpin_peer_rq, set_hairpin_peer_rq: u32 @ 104, 24 "Hairpin: the receive queue.";
        hairpin_peer_vhca, set_hairpin_peer_vhca: u16 @ 144, 16 "Hairpin: the function of the receive queue.";
        ts_cqe_to_dest_cqn, set_ts_cqe_to_dest_cqn: u32 @ 200, 24 "Completion queue that gets the timestamps.";
        packet_pacing_rate_limit_index, set_packet_pacing_rate_limit_index: u16 @ 240, 16 "Row of the table of rates.";
        tis_lst_sz, set_tis_lst_sz: u16 @ 256, 16 "How many transport interface sends it uses.";
        qos_queue_group_id, set_qos_queue_group_id: u16 @ 272, 16 "Group that shares a quality of service.";
        tis_num_0, set_tis_num_0: u32 @ 360, 24 "The transport interface send that it uses.";
        @nested {
            wq, wq_mut: WorkQueueContext @ 384 "The work queue.";
        }
    }
}

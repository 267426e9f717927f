//! Receive queues that many queue pairs share: XRC shared receive queues, and receive memory
//! pools, which is what a ConnectX calls an ordinary shared receive queue.
//!
//! The page addresses of the buffer follow the input, 8 bytes each, big-endian.

use crate::macros::{command, firmware};

command! {
    /// Creates an XRC shared receive queue; the page addresses follow the input.
    CreateXrcSrq {
        input CreateXrcSrqIn [272] = "create_xrc_srq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            xrc_srq_umem_valid, set_xrc_srq_umem_valid: bool @ 736, 1 "The buffer is a registered umem, not a list of pages.";
            @nested {
                xrc_srq_context_entry, xrc_srq_context_entry_mut: XrcSrqContext @ 128 "The context of the queue.";
            }
        }
        output CreateXrcSrqOut [16] = "create_xrc_srq_out" {
            xrc_srqn, set_xrc_srqn: u32 @ 72, 24 "The queue.";
        }
    }
}

command! {
    /// Destroys an XRC shared receive queue.
    DestroyXrcSrq {
        input DestroyXrcSrqIn [16] = "destroy_xrc_srq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            xrc_srqn, set_xrc_srqn: u32 @ 72, 24 "The queue.";
        }
        output DestroyXrcSrqOut [16] = "destroy_xrc_srq_out" {}
    }
}

command! {
    /// Asks for the context of an XRC shared receive queue.
    QueryXrcSrq {
        input QueryXrcSrqIn [16] = "query_xrc_srq_in" {
            xrc_srqn, set_xrc_srqn: u32 @ 72, 24 "The queue.";
        }
        output QueryXrcSrqOut [272] = "query_xrc_srq_out" {
            @nested {
                xrc_srq_context_entry, xrc_srq_context_entry_mut: XrcSrqContext @ 128 "The context of the queue.";
            }
        }
    }
}

command! {
    /// Sets the low-water mark of an XRC shared receive queue.
    ArmXrcSrq {
        input ArmXrcSrqIn [16] = "arm_xrc_srq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            xrc_srqn, set_xrc_srqn: u32 @ 72, 24 "The queue.";
            lwm, set_lwm: u16 @ 112, 16 "Low-water mark: with fewer receives left, an event tells.";
        }
        output ArmXrcSrqOut [16] = "arm_xrc_srq_out" {}
    }
}

firmware! {
    /// The context of an XRC shared receive queue.
    pub struct XrcSrqContext [64] = "xrc_srqc" {
        state, set_state: u8 @ 0, 4 "State of the queue." => &[(0, "GOOD"), (1, "ERROR")];
        log_xrc_srq_size, set_log_xrc_srq_size: u8 @ 4, 4 "log2 of the number of receive WQEs.";
        wq_signature, set_wq_signature: bool @ 32, 1 "WQEs carry signatures.";
        cont_srq, set_cont_srq: bool @ 33, 1 "Segments are continued by others.";
        rlky, set_rlky: bool @ 35, 1 "The reserved lkey may be used.";
        basic_cyclic_rcv_wqe, set_basic_cyclic_rcv_wqe: bool @ 36, 1 "Receive WQEs begin with data segments at once.";
        log_rq_stride, set_log_rq_stride: u8 @ 37, 3 "log2 of the size of a receive WQE in 16-byte units.";
        xrcd, set_xrcd: u32 @ 40, 24 "XRC domain.";
        page_offset, set_page_offset: u8 @ 64, 6 "Where the buffer begins in its first page, in 64-byte units.";
        dbr_umem_valid, set_dbr_umem_valid: bool @ 71, 1 "The doorbell record lies in a umem.";
        cqn, set_cqn: u32 @ 72, 24 "Completion queue.";
        user_index_equal_xrc_srqn, set_user_index_equal_xrc_srqn: bool @ 128, 1 "user_index is the number of the queue.";
        log_page_size, set_log_page_size: u8 @ 130, 6 "log2 of the page size, less 12.";
        user_index, set_user_index: u32 @ 136, 24 "Number that completions carry.";
        pd, set_pd: u32 @ 200, 24 "The protection domain.";
        lwm, set_lwm: u16 @ 224, 16 "Low-water mark: with fewer receives left, an event tells.";
        wqe_cnt, set_wqe_cnt: u16 @ 240, 16 "Receives posted and not used.";
        db_record_addr_h, set_db_record_addr_h: u32 @ 320, 32 "Doorbell record: upper half of its physical address.";
        db_record_addr_l, set_db_record_addr_l: u32 @ 352, 30 "Doorbell record: bits 31 to 2 of its physical address.";
    }
}

command! {
    /// Creates a receive memory pool; the page addresses follow the input.
    CreateRmp {
        input CreateRmpIn [272] = "create_rmp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            @nested {
                ctx, ctx_mut: RmpContext @ 256 "The context.";
            }
        }
        output CreateRmpOut [16] = "create_rmp_out" {
            rmpn, set_rmpn: u32 @ 72, 24 "The receive memory pool.";
        }
    }
}

command! {
    /// Changes a receive memory pool: its low-water mark.
    ModifyRmp {
        input ModifyRmpIn [272] = "modify_rmp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            rmp_state, set_rmp_state: u8 @ 64, 4 "State that the pool has now.";
            rmpn, set_rmpn: u32 @ 72, 24 "The receive memory pool.";
            @nested {
                bitmask, bitmask_mut: RmpBitmask @ 128 "What is to be changed.";
                ctx, ctx_mut: RmpContext @ 256 "The context.";
            }
        }
        output ModifyRmpOut [16] = "modify_rmp_out" {}
    }
}

command! {
    /// Destroys a receive memory pool.
    DestroyRmp {
        input DestroyRmpIn [16] = "destroy_rmp_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            rmpn, set_rmpn: u32 @ 72, 24 "The receive memory pool.";
        }
        output DestroyRmpOut [16] = "destroy_rmp_out" {}
    }
}

command! {
    /// Asks for the context of a receive memory pool.
    QueryRmp {
        input QueryRmpIn [16] = "query_rmp_in" {
            rmpn, set_rmpn: u32 @ 72, 24 "The receive memory pool.";
        }
        output QueryRmpOut [272] = "query_rmp_out" {
            @nested {
                rmp_context, rmp_context_mut: RmpContext @ 256 "The context.";
            }
        }
    }
}

firmware! {
    /// What a change of a receive memory pool changes.
    pub struct RmpBitmask [8] = "rmp_bitmask" {
        lwm, set_lwm: bool @ 63, 1 "The low-water mark.";
    }
}

firmware! {
    /// The context of a receive memory pool.
    pub struct RmpContext [240] = "rmpc" {
        state, set_state: u8 @ 8, 4 "State of the pool." => &[(0, "RST"), (1, "RDY"), (3, "ERR")];
        basic_cyclic_rcv_wqe, set_basic_cyclic_rcv_wqe: bool @ 32, 1 "Receive WQEs begin with data segments at once.";
        @nested {
            wq, wq_mut: WorkQueueContext @ 384 "The work queue.";
        }
    }
}

firmware! {
    /// A work queue that belongs to another object.
    pub struct WorkQueueContext [192] = "wq" {
        wq_type, set_wq_type: u8 @ 0, 4 "How the ring is made up." => &[(0, "LINKED_LIST"), (1, "CYCLIC"), (2, "LINKED_LIST_STRIDING"), (3, "CYCLIC_STRIDING")];
        wq_signature, set_wq_signature: bool @ 4, 1 "WQEs carry signatures.";
        end_padding_mode, set_end_padding_mode: u8 @ 5, 2 "Pad the end of incoming data to a cache line.";
        cd_slave, set_cd_slave: bool @ 7, 1 "Work is enabled by another queue.";
        hds_skip_first_sge, set_hds_skip_first_sge: bool @ 32, 1 "Header split: leave the first segment out.";
        log2_hds_buf_size, set_log2_hds_buf_size: u8 @ 33, 3 "Header split: log2 of the size of the buffer.";
        page_offset, set_page_offset: u8 @ 43, 5 "Where the buffer begins in its first page, in 64-byte units.";
        lwm, set_lwm: u16 @ 48, 16 "Low-water mark: with fewer receives left, an event tells.";
        pd, set_pd: u32 @ 72, 24 "The protection domain.";
        uar_page, set_uar_page: u32 @ 104, 24 "The UAR page whose doorbells belong to this object.";
        dbr_addr, set_dbr_addr: u64 @ 128, 64 as Address "Physical address of the doorbell record.";
        hw_counter, set_hw_counter: u32 @ 192, 32 "WQE the card will use next.";
        sw_counter, set_sw_counter: u32 @ 224, 32 "WQEs posted, as last read from the doorbell record.";
        log_wq_stride, set_log_wq_stride: u8 @ 268, 4 "log2 of the size of a WQE in bytes.";
        log_wq_pg_sz, set_log_wq_pg_sz: u8 @ 275, 5 "log2 of the page size, less 12.";
        log_wq_sz, set_log_wq_sz: u8 @ 283, 5 "log2 of the number of WQEs.";
        dbr_umem_valid, set_dbr_umem_valid: bool @ 288, 1 "The doorbell record lies in a umem.";
        wq_umem_valid, set_wq_umem_valid: bool @ 289, 1 "The buffer is a registered umem, not a list of pages.";
        log_hairpin_num_packets, set_log_hairpin_num_packets: u8 @ 291, 5 "Hairpin: log2 of the packets that are held.";
        log_hairpin_data_sz, set_log_hairpin_data_sz: u8 @ 299, 5 "Hairpin: log2 of the bytes that are held.";
        log_wqe_num_of_strides, set_log_wqe_num_of_strides: u8 @ 308, 4 "Striding: log2 of the strides of a WQE.";
        two_byte_shift_en, set_two_byte_shift_en: bool @ 312, 1 "Data begin two bytes into the buffer.";
        log_wqe_stride_size, set_log_wqe_stride_size: u8 @ 317, 3 "Striding: log2 of the size of a stride.";
        dbr_umem_id, set_dbr_umem_id: u32 @ 320, 32 "The umem of the doorbell record.";
        wq_umem_id, set_wq_umem_id: u32 @ 352, 32 "The umem of the buffer.";
        wq_umem_offset, set_wq_umem_offset: u64 @ 384, 64 "Where the buffer begins in its umem.";
        headers_mkey, set_headers_mkey: u32 @ 448, 32 as Key "Header split: key of the headers.";
        shampo_enable, set_shampo_enable: bool @ 480, 1 "Header split with merging.";
        log_reservation_size, set_log_reservation_size: u8 @ 485, 3 "Header split: log2 of a reservation.";
        log_max_num_of_packets_per_reservation, set_log_max_num_of_packets_per_reservation: u8 @ 493, 3 "Header split: log2 of the packets of a reservation.";
        log_headers_entry_size, set_log_headers_entry_size: u8 @ 502, 2 "Header split: log2 of a header.";
        log_headers_buffer_entry_num, set_log_headers_buffer_entry_num: u8 @ 508, 4 "Header split: log2 of the headers.";
    }
}

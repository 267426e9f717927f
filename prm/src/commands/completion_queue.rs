//! Completion queues.
//!
//! The page addresses of the buffer follow CREATE_CQ's input, 8 bytes each, big-endian.

use crate::macros::{command, firmware};

command! {
    /// Creates a completion queue; the page addresses follow the input.
    CreateCq {
        input CreateCqIn [272] = "create_cq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            cq_umem_valid, set_cq_umem_valid: bool @ 736, 1 "The buffer is a registered umem, not a list of pages.";
            @nested {
                cq_context, cq_context_mut: CqContext @ 128 "The completion queue context.";
            }
            @tail pas: 64 as Address "Address of a page of the buffer.";
        }
        output CreateCqOut [16] = "create_cq_out" {
            cqn, set_cqn: u32 @ 72, 24 "The completion queue.";
        }
    }
}

command! {
    /// Destroys a completion queue.
    DestroyCq {
        input DestroyCqIn [16] = "destroy_cq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            cqn, set_cqn: u32 @ 72, 24 "The completion queue.";
        }
        output DestroyCqOut [16] = "destroy_cq_out" {}
    }
}

firmware! {
    /// The context of a completion queue.
    pub struct CqContext [64] = "cqc" {
        status, set_status: u8 @ 0, 4 "0 ok; 9 overflow; 10 write failure.";
        dbr_umem_valid, set_dbr_umem_valid: bool @ 6, 1 "The doorbell record lies in a umem.";
        apu_cq, set_apu_cq: bool @ 7, 1 "The queue belongs to an accelerator processing unit.";
        cqe_sz, set_cqe_sz: u8 @ 8, 3 "Size of an entry." => &[(0, "64 bytes"), (1, "128 bytes")];
        cc, set_cc: bool @ 11, 1 "Collapse all completions into the first entry.";
        scqe_break_moderation_en, set_scqe_break_moderation_en: bool @ 13, 1 "A solicited completion ends moderation at once.";
        oi, set_oi: bool @ 14, 1 "Ignore overrun.";
        cq_period_mode, set_cq_period_mode: u8 @ 15, 2 "What the moderation timer counts from.";
        cqe_comp_en, set_cqe_comp_en: bool @ 17, 1 "Compress runs of completions.";
        mini_cqe_res_format, set_mini_cqe_res_format: u8 @ 18, 2 "What a compressed entry holds.";
        st, set_st: u8 @ 20, 4 "Armed or not." => &[(6, "SOLICITED_NOTIFICATION_REQUEST_ARMED"), (9, "NOTIFICATION_REQUEST_ARMED"), (10, "FIRED")];
        cqe_compression_layout, set_cqe_compression_layout: u8 @ 30, 2 "How compressed entries lie.";
        page_offset, set_page_offset: u8 @ 84, 6 "Where the buffer begins in its first page, in 64-byte units.";
        log_cq_size, set_log_cq_size: u8 @ 99, 5 "log2 of the number of entries.";
        uar_page, set_uar_page: u32 @ 104, 24 "The UAR page whose doorbells belong to this object.";
        cq_period, set_cq_period: u16 @ 132, 12 "Moderation: microseconds at most between two events.";
        cq_max_count, set_cq_max_count: u16 @ 144, 16 "Moderation: completions at most between two events.";
        c_eqn_or_apu_element, set_c_eqn_or_apu_element: u32 @ 160, 32 "The event queue for completion events.";
        log_page_size, set_log_page_size: u8 @ 195, 5 "log2 of the page size, less 12.";
        last_notified_index, set_last_notified_index: u32 @ 264, 24 "Consumer index of the last event.";
        last_solicit_index, set_last_solicit_index: u32 @ 296, 24 "Consumer index of the last solicited event.";
        consumer_counter, set_consumer_counter: u32 @ 328, 24 "Consumer index as last told to the card.";
        producer_counter, set_producer_counter: u32 @ 360, 24 "Index of the next entry to be written.";
        dbr_addr, set_dbr_addr: u64 @ 448, 64 as Address "Physical address of the doorbell record: consumer index, then arm.";
    }
}

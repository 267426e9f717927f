//! Event queues: where the card says what happened.
//!
//! The page addresses of the buffer follow CREATE_EQ's input, 8 bytes each, big-endian.

use crate::macros::{command, firmware};

command! {
    /// Creates an event queue; the page addresses follow the input.
    CreateEq {
        input CreateEqIn [272] = "create_eq_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            event_bitmask, set_event_bitmask: [u64; 4] @ 704, 256 "One bit for each event type that goes to this queue; type 0 is bit 0 of the first word.";
            @nested {
                eq_context_entry, eq_context_entry_mut: EqContext @ 128 "The event queue context.";
            }
            @tail pas: 64 as Address "Address of a page of the buffer.";
        }
        output CreateEqOut [16] = "create_eq_out" {
            eq_number, set_eq_number: u8 @ 88, 8 "The event queue.";
        }
    }
}

command! {
    /// Destroys an event queue.
    DestroyEq {
        input DestroyEqIn [16] = "destroy_eq_in" {
            eq_number, set_eq_number: u8 @ 88, 8 "The event queue.";
        }
        output DestroyEqOut [16] = "destroy_eq_out" {}
    }
}

firmware! {
    /// The context of an event queue.
    pub struct EqContext [64] = "eqc" {
        status, set_status: u8 @ 0, 4 "0 ok; 9 overflow; 10 write failure.";
        ec, set_ec: bool @ 13, 1 "Collapse all events into the first entry.";
        oi, set_oi: bool @ 14, 1 "Ignore overrun.";
        st, set_st: u8 @ 20, 4 "Armed or not." => &[(9, "ARMED"), (10, "FIRED")];
        page_offset, set_page_offset: u8 @ 84, 6 "Where the buffer begins in its first page, in 64-byte units.";
        log_eq_size, set_log_eq_size: u8 @ 99, 5 "log2 of the number of entries.";
        uar_page, set_uar_page: u32 @ 104, 24 "The UAR page whose doorbells belong to this object.";
        intr, set_intr: u16 @ 180, 12 "MSI-X vector.";
        log_page_size, set_log_page_size: u8 @ 195, 5 "log2 of the page size, less 12.";
        consumer_counter, set_consumer_counter: u32 @ 328, 24 "Consumer index as last told to the card.";
        producer_counter, set_producer_counter: u32 @ 360, 24 "Index of the next entry to be written.";
    }
}

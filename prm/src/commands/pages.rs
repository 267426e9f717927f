//! Pages of host memory that the firmware keeps its objects in.
//!
//! A ConnectX has little memory of its own. The driver asks how many pages it wants, and gives
//! them; at the end it asks for them back. Page addresses follow the input (`give`) or the output
//! (`take`), 8 bytes each, big-endian.

use crate::macros::{codes, command};

command! {
    /// Asks how many pages the card wants; `op_mod` is a [`PagesStage`].
    QueryPages {
        input QueryPagesIn [16] = "query_pages_in" {
            embedded_cpu_function, set_embedded_cpu_function: bool @ 64, 1 "The function belongs to the embedded CPU of a DPU.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
        }
        output QueryPagesOut [16] = "query_pages_out" {
            embedded_cpu_function, set_embedded_cpu_function: bool @ 64, 1 "The function belongs to the embedded CPU of a DPU.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
            num_pages, set_num_pages: u32 @ 96, 32 "Pages of 4 KiB that the card wants; negative when it gives back.";
        }
    }
}

command! {
    /// Gives pages to the card, or asks for some back; `op_mod` is a [`PagesAction`].
    ManagePages {
        input ManagePagesIn [16] = "manage_pages_in" {
            embedded_cpu_function, set_embedded_cpu_function: bool @ 64, 1 "The function belongs to the embedded CPU of a DPU.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
            input_num_entries, set_input_num_entries: u32 @ 96, 32 "How many pages are given, or asked back.";
            @tail pas: 64 as Address "Address of a page that is given.";
        }
        output ManagePagesOut [16] = "manage_pages_out" {
            output_num_entries, set_output_num_entries: u32 @ 64, 32 "How many pages are returned.";
            @tail pas: 64 as Address "Address of a page that is returned.";
        }
    }
}

codes! {
    /// `op_mod` of QUERY_PAGES: pages for which stage.
    pub enum PagesStage: u16 {
        Boot = 1 "BOOT_PAGES";
        Init = 2 "INIT_PAGES";
        Regular = 3 "REGULAR_PAGES";
    }
}

codes! {
    /// `op_mod` of MANAGE_PAGES: what happens to the pages.
    pub enum PagesAction: u16 {
        CannotGive = 0 "ALLOCATION_FAIL";
        Give = 1 "ALLOCATION_SUCCESS";
        Take = 2 "HCA_RETURN_PAGES";
    }
}

//! Protection domains and user access regions: resources that are just numbers.

use crate::macros::command;

command! {
    /// Asks for a protection domain.
    AllocPd {
        input AllocPdIn [16] = "alloc_pd_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
        output AllocPdOut [16] = "alloc_pd_out" {
            pd, set_pd: u32 @ 72, 24 "The new protection domain.";
        }
    }
}

command! {
    /// Gives a protection domain back.
    DeallocPd {
        input DeallocPdIn [16] = "dealloc_pd_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            pd, set_pd: u32 @ 72, 24 "The protection domain.";
        }
        output DeallocPdOut [16] = "dealloc_pd_out" {}
    }
}

command! {
    /// Asks for a user access region: a page of doorbell registers.
    AllocUar {
        input AllocUarIn [16] = "alloc_uar_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
        output AllocUarOut [16] = "alloc_uar_out" {
            uar, set_uar: u32 @ 72, 24 "The user access region: its page number in BAR 0.";
        }
    }
}

command! {
    /// Gives a user access region back.
    DeallocUar {
        input DeallocUarIn [16] = "dealloc_uar_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            uar, set_uar: u32 @ 72, 24 "The user access region: its page number in BAR 0.";
        }
        output DeallocUarOut [16] = "dealloc_uar_out" {}
    }
}

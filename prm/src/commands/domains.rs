//! Resources that are just numbers: XRC domains, transport domains, and user contexts.

use crate::macros::{command, firmware};

command! {
    /// Asks for an XRC domain.
    AllocXrcd {
        input AllocXrcdIn [16] = "alloc_xrcd_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
        output AllocXrcdOut [16] = "alloc_xrcd_out" {
            xrcd, set_xrcd: u32 @ 72, 24 "XRC domain.";
        }
    }
}

command! {
    /// Gives an XRC domain back.
    DeallocXrcd {
        input DeallocXrcdIn [16] = "dealloc_xrcd_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            xrcd, set_xrcd: u32 @ 72, 24 "XRC domain.";
        }
        output DeallocXrcdOut [16] = "dealloc_xrcd_out" {}
    }
}

command! {
    /// Asks for a transport domain: what sees whose loopback packets.
    AllocTransportDomain {
        input AllocTransportDomainIn [16] = "alloc_transport_domain_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
        output AllocTransportDomainOut [16] = "alloc_transport_domain_out" {
            transport_domain, set_transport_domain: u32 @ 72, 24 "Transport domain.";
        }
    }
}

command! {
    /// Gives a transport domain back.
    DeallocTransportDomain {
        input DeallocTransportDomainIn [16] = "dealloc_transport_domain_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            transport_domain, set_transport_domain: u32 @ 72, 24 "Transport domain.";
        }
        output DeallocTransportDomainOut [16] = "dealloc_transport_domain_out" {}
    }
}

command! {
    /// Makes a user context: the kernel marks with it what it asks for on behalf of a program.
    CreateUctx {
        input CreateUctxIn [64] = "create_uctx_in" {
            @nested {
                uctx, uctx_mut: UserContext @ 128 "What the context may do.";
            }
        }
        output CreateUctxOut [16] = "create_uctx_out" {
            uid, set_uid: u16 @ 80, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
    }
}

firmware! {
    /// What a user context may do.
    pub struct UserContext [48] = "uctx" {
        cap, set_cap: u32 @ 0, 32 "One bit for each thing that the context may do.";
    }
}

command! {
    /// Takes a user context away.
    DestroyUctx {
        input DestroyUctxIn [16] = "destroy_uctx_in" {
            uid, set_uid: u16 @ 80, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
        output DestroyUctxOut [16] = "destroy_uctx_out" {}
    }
}

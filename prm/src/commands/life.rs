//! Commands that bring the card up and down, in the order in which a driver gives them.

use super::TeardownProfile;
use crate::macros::{command, firmware};

command! {
    /// Makes the function usable: the first command of all.
    EnableHca {
        input EnableHcaIn [16] = "enable_hca_in" {
            embedded_cpu_function, set_embedded_cpu_function: bool @ 64, 1 "The function belongs to the embedded CPU of a DPU.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
        }
        output EnableHcaOut [12] = "enable_hca_out" {}
    }
}

command! {
    /// Asks which versions of the interface there are.
    QueryIssi {
        input QueryIssiIn [16] = "query_issi_in" {}
        output QueryIssiOut [112] = "query_issi_out" {
            current_issi, set_current_issi: u16 @ 80, 16 "Interface step sequence ID in use.";
            supported_issi_dw0, set_supported_issi_dw0: u32 @ 864, 32 "One bit for each supported step, step 0 in bit 0.";
        }
    }
}

command! {
    /// Chooses a version of the interface.
    SetIssi {
        input SetIssiIn [16] = "set_issi_in" {
            current_issi, set_current_issi: u16 @ 80, 16 "Interface step sequence ID in use.";
        }
        output SetIssiOut [16] = "set_issi_out" {}
    }
}

command! {
    /// Tells the card who drives it.
    SetDriverVersion {
        input SetDriverVersionIn [80] = "set_driver_version_in" {
            driver_version, set_driver_version: [u8; 64] @ 128, 512 "Text: operating system, driver, version.";
        }
        output SetDriverVersionOut [16] = "set_driver_version_out" {}
    }
}

command! {
    /// Starts the function, once it has its pages and capabilities.
    InitHca {
        input InitHcaIn [32] = "init_hca_in" {
            sw_vhca_id, set_sw_vhca_id: u16 @ 98, 14 "Number by which software knows this function.";
            sw_owner_id, set_sw_owner_id: [u32; 4] @ 128, 128 "128 bits by which the owner of several functions is known.";
        }
        output InitHcaOut [16] = "init_hca_out" {}
    }
}

command! {
    /// Stops the function.
    TeardownHca {
        input TeardownHcaIn [16] = "teardown_hca_in" {
            profile, set_profile: u16 @ 80, 16 "How to close." => TeardownProfile::TABLE;
        }
        output TeardownHcaOut [16] = "teardown_hca_out" {
            state, set_state: bool @ 127, 1 "1 when the requested way of closing was refused.";
        }
    }
}

command! {
    /// Makes the function unusable: the last command of all.
    DisableHca {
        input DisableHcaIn [16] = "disable_hca_in" {
            embedded_cpu_function, set_embedded_cpu_function: bool @ 64, 1 "The function belongs to the embedded CPU of a DPU.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
        }
        output DisableHcaOut [12] = "disable_hca_out" {}
    }
}

command! {
    /// Asks for the name of the board.
    QueryAdapter {
        input QueryAdapterIn [16] = "query_adapter_in" {}
        output QueryAdapterOut [272] = "query_adapter_out" {
            @nested {
                query_adapter_struct, query_adapter_struct_mut: AdapterParameters @ 128 "What the adapter says about itself.";
            }
        }
    }
}

firmware! {
    /// What the adapter says about itself.
    pub struct AdapterParameters [256] = "query_adapter_param_block" {
        ieee_vendor_id, set_ieee_vendor_id: u32 @ 200, 24 "IEEE company number of the vendor.";
        vsd_vendor_id, set_vsd_vendor_id: u16 @ 240, 16 "PCI vendor number of the board's data.";
        vsd, set_vsd: [u8; 208] @ 256, 1664 "Vendor specific data.";
        vsd_contd_psid, set_vsd_contd_psid: [u8; 16] @ 1920, 128 "Rest of the data: the board's parameter set name.";
    }
}

command! {
    /// Asks for the keys that have a meaning of their own.
    QuerySpecialContexts {
        input QuerySpecialContextsIn [16] = "query_special_contexts_in" {}
        output QuerySpecialContextsOut [32] = "query_special_contexts_out" {
            dump_fill_mkey, set_dump_fill_mkey: u32 @ 64, 32 as Key "Key whose reads fill memory with what a dump needs.";
            resd_lkey, set_resd_lkey: u32 @ 96, 32 as Key "Key for any physical address; for the kernel only.";
            null_mkey, set_null_mkey: u32 @ 128, 32 as Key "Key that drops writes and reads zeros.";
            terminate_scatter_list_mkey, set_terminate_scatter_list_mkey: u32 @ 160, 32 as Key "lkey that ends a list of receive data segments.";
            repeated_mkey, set_repeated_mkey: u32 @ 192, 32 as Key "Key of a repeated block entry.";
        }
    }
}

//! Memory keys: what turns a virtual address into physical pages, and who may use it for what.
//!
//! The translation entries follow CREATE_MKEY's input: 8 bytes for each page, big-endian. They are
//! counted in pairs. With on-demand paging the low two bits of an entry say whether the card may
//! read and write the page; without it they mean nothing.

use crate::macros::{codes, command, firmware};

command! {
    /// Creates a memory key; the page addresses follow the input.
    CreateMkey {
        input CreateMkeyIn [272] = "create_mkey_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            pg_access, set_pg_access: bool @ 96, 1 "Start with the pages absent (on-demand paging).";
            mkey_umem_valid, set_mkey_umem_valid: bool @ 97, 1 "The translations come from a registered umem.";
            data_direct, set_data_direct: bool @ 98, 1 "Use the data-direct function for the memory.";
            translations_octword_actual_size, set_translations_octword_actual_size: u32 @ 768, 32 "16-byte units of translation entries that follow.";
            @nested {
                memory_key_mkey_entry, memory_key_mkey_entry_mut: MkeyContext @ 128 "The memory key context.";
            }
            @tail klm_pas_mtt: 64 as Address "Translation of a page: its address, and in the low bits the rights.";
        }
        output CreateMkeyOut [16] = "create_mkey_out" {
            mkey_index, set_mkey_index: u32 @ 72, 24 "The upper 24 bits of the key.";
        }
    }
}

command! {
    /// Destroys a memory key.
    DestroyMkey {
        input DestroyMkeyIn [16] = "destroy_mkey_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
            mkey_index, set_mkey_index: u32 @ 72, 24 "The upper 24 bits of the key.";
        }
        output DestroyMkeyOut [16] = "destroy_mkey_out" {}
    }
}

firmware! {
    /// The context of a memory key.
    pub struct MkeyContext [64] = "mkc" {
        free, set_free: bool @ 1, 1 "The key has no memory yet.";
        access_mode_4_2, set_access_mode_4_2: u8 @ 3, 3 "Upper bits of access_mode_1_0.";
        relaxed_ordering_write, set_relaxed_ordering_write: bool @ 13, 1 "Writes may pass other writes.";
        small_fence_on_rdma_read_response, set_small_fence_on_rdma_read_response: bool @ 15, 1 "Order read responses with a small fence.";
        umr_en, set_umr_en: bool @ 16, 1 "The key may be changed by a UMR work request.";
        a, set_a: bool @ 17, 1 "Atomics are allowed.";
        rw, set_rw: bool @ 18, 1 "Remote writes are allowed.";
        rr, set_rr: bool @ 19, 1 "Remote reads are allowed.";
        lw, set_lw: bool @ 20, 1 "Local writes are allowed.";
        lr, set_lr: bool @ 21, 1 "Local reads are allowed.";
        access_mode_1_0, set_access_mode_1_0: u8 @ 22, 2 "How addresses are translated." => MkeyAccessMode::TABLE;
        ma_translation_mode, set_ma_translation_mode: u8 @ 26, 2 "Memory address translation mode.";
        qpn, set_qpn: u32 @ 32, 24 "The only queue pair that may use the key; 0xffffff for any.";
        mkey_7_0, set_mkey_7_0: u8 @ 56, 8 "The variant byte: the low 8 bits of the key, chosen by software.";
        length64, set_length64: bool @ 96, 1 "The region is the whole 64-bit address space.";
        bsf_en, set_bsf_en: bool @ 97, 1 "A byte stream format (signature) is attached.";
        sync_umr, set_sync_umr: bool @ 98, 1 "Synchronise with UMR.";
        expected_sigerr_count, set_expected_sigerr_count: bool @ 101, 1 "Low bit of the signature error count.";
        en_rinval, set_en_rinval: bool @ 103, 1 "Remote invalidation is allowed.";
        pd, set_pd: u32 @ 104, 24 "The protection domain.";
        start_addr, set_start_addr: u64 @ 128, 64 as Address "First virtual address of the region.";
        length, set_length: u64 @ 192, 64 "Length of the region in bytes.";
        bsf_octword_size, set_bsf_octword_size: u32 @ 256, 32 "16-byte units of the byte stream format.";
        crossing_target_vhca_id, set_crossing_target_vhca_id: u16 @ 384, 16 "Function that owns the target key.";
        translations_octword_size, set_translations_octword_size: u32 @ 416, 32 "16-byte units of translation entries: two page addresses each.";
        relaxed_ordering_read, set_relaxed_ordering_read: bool @ 473, 1 "Reads may pass writes.";
        log_page_size, set_log_page_size: u8 @ 474, 6 "log2 of the page size.";
    }
}

codes! {
    /// How a memory key translates addresses.
    pub enum MkeyAccessMode: u8 {
        Physical = 0 "PA";
        Translated = 1 "MTT";
        Indirect = 2 "KLMS";
        IndirectFixed = 3 "KSM";
    }
}

/// In a translation entry: the card may read the page.
pub const TRANSLATION_READ: u64 = 1;
/// In a translation entry: the card may write the page.
pub const TRANSLATION_WRITE: u64 = 2;

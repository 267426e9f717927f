//! What the card can do, and what the driver chose of it.
//!
//! The answer to QUERY_HCA_CAP has room for 4096 bytes; of the many capability groups only the
//! general one, that of RoCE and that of atomics are described here. `op_mod` holds the group and, in its lowest
//! bit, whether the most that is possible or what is in force is asked for.

use crate::macros::{codes, command, firmware};

command! {
    /// Asks for a group of capabilities; `op_mod` comes from [`capability_op_mod`].
    QueryHcaCap {
        input QueryHcaCapIn [16] = "query_hca_cap_in" {
            other_function, set_other_function: bool @ 64, 1 "Ask about another function than the own one.";
            ec_vf_function, set_ec_vf_function: bool @ 65, 1 "The other function is a virtual function of the embedded CPU.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
        }
        output QueryHcaCapOut [4112] = "query_hca_cap_out" {
            @nested {
                capability, capability_mut: GeneralCapabilities @ 128 "The general group, when that was asked for.";
            }
        }
    }
}

command! {
    /// Sets a group of capabilities; `op_mod` is the group shifted left by one.
    SetHcaCap {
        input SetHcaCapIn [4112] = "set_hca_cap_in" {
            other_function, set_other_function: bool @ 64, 1 "Set those of another function than the own one.";
            function_id, set_function_id: u16 @ 80, 16 "Which PCI function is meant; 0 is the one that asks.";
            @nested {
                capability, capability_mut: GeneralCapabilities @ 128 "The general group, when that is set.";
            }
        }
        output SetHcaCapOut [16] = "set_hca_cap_out" {}
    }
}

firmware! {
    /// The general group of capabilities: those that Doorbell uses or reports.
    pub struct GeneralCapabilities [256] = "cmd_hca_cap" {
        vhca_id, set_vhca_id: u16 @ 48, 16 "Number of this function on the card.";
        log_max_srq_sz, set_log_max_srq_sz: u8 @ 128, 8 "log2 of the largest shared receive queue.";
        log_max_qp_sz, set_log_max_qp_sz: u8 @ 136, 8 "log2 of the largest work queue.";
        log_max_qp, set_log_max_qp: u8 @ 155, 5 "log2 of the number of queue pairs.";
        ece_support, set_ece_support: bool @ 163, 1 "Enhanced connection establishment is supported.";
        log_max_srq, set_log_max_srq: u8 @ 171, 5 "log2 of the number of shared receive queues.";
        log_max_cq_sz, set_log_max_cq_sz: u8 @ 200, 8 "log2 of the largest completion queue.";
        log_max_cq, set_log_max_cq: u8 @ 219, 5 "log2 of the number of completion queues.";
        log_max_eq_sz, set_log_max_eq_sz: u8 @ 224, 8 "log2 of the largest event queue.";
        log_max_mkey, set_log_max_mkey: u8 @ 234, 6 "log2 of the number of memory keys.";
        terminate_scatter_list_mkey, set_terminate_scatter_list_mkey: bool @ 246, 1 "There is a key that ends scatter lists.";
        dump_fill_mkey, set_dump_fill_mkey: bool @ 248, 1 "There is a dump-fill key.";
        log_max_eq, set_log_max_eq: u8 @ 252, 4 "log2 of the number of event queues.";
        max_indirection, set_max_indirection: u8 @ 256, 8 "Entries of an indirect key.";
        fixed_buffer_size, set_fixed_buffer_size: bool @ 264, 1 "Fixed-size buffers in memory keys are supported.";
        log_max_mrw_sz, set_log_max_mrw_sz: u8 @ 265, 7 "log2 of the longest memory region.";
        null_mkey, set_null_mkey: bool @ 281, 1 "There is a null key.";
        log_max_klm_list_size, set_log_max_klm_list_size: u8 @ 282, 6 "log2 of the longest list of indirect entries.";
        log_max_ra_req_qp, set_log_max_ra_req_qp: u8 @ 330, 6 "log2 of outstanding reads per queue pair as requester.";
        log_max_ra_res_qp, set_log_max_ra_res_qp: u8 @ 346, 6 "log2 of outstanding reads per queue pair as responder.";
        gid_table_size, set_gid_table_size: u16 @ 368, 16 "GID table: 0 for 8 entries, then doubling.";
        vport_counters, set_vport_counters: bool @ 385, 1 "The port counts, and QUERY_VPORT_COUNTER tells.";
        max_qp_cnt, set_max_qp_cnt: u16 @ 390, 10 "Counter sets there are.";
        pkey_table_size, set_pkey_table_size: u16 @ 400, 16 "P_Key table: 0 for 128 entries, then doubling.";
        ib_virt, set_ib_virt: bool @ 418, 1 "InfiniBand virtual ports are supported.";
        local_ca_ack_delay, set_local_ca_ack_delay: u8 @ 427, 5 "How long the card takes to acknowledge, as an exponent.";
        port_type, set_port_type: u8 @ 438, 2 "What the port speaks." => &[(0, "INFINIBAND"), (1, "ETHERNET")];
        num_ports, set_num_ports: u8 @ 440, 8 "Number of ports.";
        log_max_msg, set_log_max_msg: u8 @ 451, 5 "log2 of the longest message.";
        cqe_version, set_cqe_version: u8 @ 508, 4 "0 or 1; with 1 a completion carries the user index.";
        compact_address_vector, set_compact_address_vector: bool @ 512, 1 "Address vectors of 16 bytes are possible.";
        umr_modify_entity_size_disabled, set_umr_modify_entity_size_disabled: bool @ 519, 1 "UMR cannot change the entity size.";
        cmdif_checksum, set_cmdif_checksum: u8 @ 528, 2 "Command interface signatures: 0 off, 3 on.";
        sctr_data_cqe, set_sctr_data_cqe: bool @ 533, 1 "Small received data can be scattered into the CQE.";
        roce, set_roce: bool @ 541, 1 "RoCE is supported.";
        atomic, set_atomic: bool @ 542, 1 "Atomic operations are supported.";
        cq_oi, set_cq_oi: bool @ 544, 1 "Completion queues can ignore overrun.";
        cq_resize, set_cq_resize: bool @ 545, 1 "Completion queues can be resized.";
        cq_moderation, set_cq_moderation: bool @ 546, 1 "Completion events can be moderated.";
        pg, set_pg: bool @ 551, 1 "On-demand paging is supported.";
        block_lb_mc, set_block_lb_mc: bool @ 552, 1 "Own multicasts can be kept from looping back.";
        cd, set_cd: bool @ 556, 1 "Cross-channel synchronisation is supported.";
        apm, set_apm: bool @ 558, 1 "Automatic path migration is supported.";
        imaicl, set_imaicl: bool @ 561, 1 "Memory windows are supported: mlx5_ib offers them where this is set.";
        qkv, set_qkv: bool @ 566, 1 "Queue key violations are counted.";
        pkv, set_pkv: bool @ 567, 1 "Partition key violations are counted.";
        set_deth_sqpn, set_set_deth_sqpn: bool @ 568, 1 "The source queue pair of datagrams can be set.";
        xrc, set_xrc: bool @ 572, 1 "XRC transport is supported.";
        ud, set_ud: bool @ 573, 1 "Unreliable datagram is supported.";
        uc, set_uc: bool @ 574, 1 "Unreliable connection is supported.";
        rc, set_rc: bool @ 575, 1 "Reliable connection is supported.";
        uar_4k, set_uar_4k: bool @ 576, 1 "UAR pages are 4 KiB whatever the system's page size is.";
        uar_sz, set_uar_sz: u8 @ 586, 6 "log2 of the size of the UAR area in MiB.";
        log_pg_sz, set_log_pg_sz: u8 @ 600, 8 "log2 of the smallest page size.";
        bf, set_bf: bool @ 608, 1 "BlueFlame is supported.";
        driver_version, set_driver_version: bool @ 609, 1 "SET_DRIVER_VERSION is supported.";
        log_bf_reg_size, set_log_bf_reg_size: u8 @ 619, 5 "log2 of the size of a BlueFlame register, both buffers together.";
        max_wqe_sz_sq, set_max_wqe_sz_sq: u16 @ 656, 16 "Largest send WQE in bytes.";
        max_wqe_sz_rq, set_max_wqe_sz_rq: u16 @ 688, 16 "Largest receive WQE in bytes.";
        max_wqe_sz_sq_dc, set_max_wqe_sz_sq_dc: u16 @ 720, 16 "Largest send WQE of dynamically connected transport, in bytes.";
        log_max_mcg, set_log_max_mcg: u8 @ 792, 8 "log2 of the number of multicast groups.";
        log_max_transport_domain, set_log_max_transport_domain: u8 @ 803, 5 "log2 of the number of transport domains.";
        log_max_pd, set_log_max_pd: u8 @ 811, 5 "log2 of the number of protection domains.";
        log_max_xrcd, set_log_max_xrcd: u8 @ 827, 5 "log2 of the number of XRC domains.";
        log_max_rq, set_log_max_rq: u8 @ 867, 5 "log2 of the number of receive queues that are objects of their own.";
        log_max_sq, set_log_max_sq: u8 @ 875, 5 "log2 of the number of send queues that are objects of their own.";
        log_max_rmp, set_log_max_rmp: u8 @ 899, 5 "log2 of the number of receive memory pools.";
        log_max_wq_sz, set_log_max_wq_sz: u8 @ 987, 5 "log2 of the largest work queue that belongs to another object.";
        log_max_uctx, set_log_max_uctx: u8 @ 1123, 5 "log2 of the number of user contexts.";
        max_num_eqs, set_max_num_eqs: u16 @ 1136, 16 "Number of event queues, if not a power of two.";
        log_uar_page_sz, set_log_uar_page_sz: u16 @ 1168, 16 "log2 of the UAR page size, less 12.";
        device_frequency_mhz, set_device_frequency_mhz: u32 @ 1216, 32 "Clock of the timestamps in MHz.";
        device_frequency_khz, set_device_frequency_khz: u32 @ 1248, 32 "Clock of the timestamps in kHz.";
        num_of_uars_per_page, set_num_of_uars_per_page: u32 @ 1312, 32 "UARs that share a page.";
        native_port_num, set_native_port_num: u8 @ 1544, 8 "The function's own port.";
    }
}

firmware! {
    /// The group of RoCE: what Doorbell reports of it.
    pub struct RoceCapabilities [256] = "roce_cap" {
        l3_type, set_l3_type: u8 @ 140, 4 "Network layers supported: bit 1 IPv4, bit 2 IPv6.";
        roce_version, set_roce_version: u8 @ 152, 8 "RoCE version; in capabilities one bit for each version supported.";
        r_roce_dest_udp_port, set_r_roce_dest_udp_port: u16 @ 176, 16 "UDP destination port of RoCE v2: 4791.";
        r_roce_max_src_udp_port, set_r_roce_max_src_udp_port: u16 @ 192, 16 "Highest UDP source port.";
        r_roce_min_src_udp_port, set_r_roce_min_src_udp_port: u16 @ 208, 16 "Lowest UDP source port.";
        roce_address_table_size, set_roce_address_table_size: u16 @ 240, 16 "Entries of the RoCE address table.";
    }
}

firmware! {
    /// The group of atomic operations: what Doorbell reports of it.
    pub struct AtomicCapabilities [256] = "atomic_caps" {
        atomic_req_8b_endianness_mode, set_atomic_req_8b_endianness_mode: u8 @ 64, 2 "Byte order in which the original value is handed to the program." => &[(0, "BIG_ENDIAN"), (1, "HOST")];
        supported_atomic_req_8b_endianness_mode_1, set_supported_atomic_req_8b_endianness_mode_1: bool @ 70, 1 "The byte order can be the host's.";
        atomic_operations, set_atomic_operations: u16 @ 144, 16 "Operations supported: 1 compare-and-swap, 2 fetch-and-add, 4 and 8 the masked ones.";
        atomic_size_qp, set_atomic_size_qp: u16 @ 176, 16 "Sizes of operands supported on queue pairs, in bytes, added up.";
    }
}

codes! {
    /// Groups of capabilities.
    pub enum CapabilityGroup: u16 {
        General = 0 "GENERAL";
        Odp = 2 "ODP";
        Atomic = 3 "ATOMIC";
        Roce = 4 "ROCE";
    }
}

/// The `op_mod` of QUERY_HCA_CAP for a group: what is in force, or the most that is possible.
pub const fn capability_op_mod(group: CapabilityGroup, current: bool) -> u16 {
    group.code() << 1 | current as u16
}

//! The context of a queue pair: everything the card knows about it.

use crate::macros::{codes, firmware};

firmware! {
    /// The context of a queue pair.
    pub struct QpContext [232] = "qpc" {
        state, set_state: u8 @ 0, 4 "State of the queue pair." => QpState::TABLE;
        lag_tx_port_affinity, set_lag_tx_port_affinity: u8 @ 4, 4 "Port of a bond on which to send.";
        st, set_st: u8 @ 8, 8 "Service type." => QpServiceType::TABLE;
        isolate_vl_tc, set_isolate_vl_tc: bool @ 18, 1 "Keep to one virtual lane.";
        pm_state, set_pm_state: u8 @ 19, 2 "Path migration state." => &[(0, "ARMED"), (1, "REARM"), (3, "MIGRATED")];
        req_e2e_credit_mode, set_req_e2e_credit_mode: u8 @ 22, 2 "How end-to-end credits are requested.";
        offload_type, set_offload_type: u8 @ 24, 4 "Offload that the queue pair serves.";
        end_padding_mode, set_end_padding_mode: u8 @ 28, 2 "Pad the end of incoming data to a cache line.";
        wq_signature, set_wq_signature: bool @ 32, 1 "WQEs carry signatures.";
        block_lb_mc, set_block_lb_mc: bool @ 33, 1 "Own multicasts can be kept from looping back.";
        atomic_like_write_en, set_atomic_like_write_en: bool @ 34, 1 "Atomic-like writes are allowed.";
        latency_sensitive, set_latency_sensitive: bool @ 35, 1 "Prefer latency to throughput.";
        drain_sigerr, set_drain_sigerr: bool @ 37, 1 "Drain on a signature error.";
        pd, set_pd: u32 @ 40, 24 "The protection domain.";
        mtu, set_mtu: u8 @ 64, 3 "Path MTU." => PathMtu::TABLE;
        log_msg_max, set_log_msg_max: u8 @ 67, 5 "log2 of the longest message.";
        log_rq_size, set_log_rq_size: u8 @ 73, 4 "log2 of the number of receive WQEs.";
        log_rq_stride, set_log_rq_stride: u8 @ 77, 3 "log2 of the size of a receive WQE in 16-byte units.";
        no_sq, set_no_sq: bool @ 80, 1 "There is no send queue.";
        log_sq_size, set_log_sq_size: u8 @ 81, 4 "log2 of the number of 64-byte blocks of the send queue.";
        retry_mode, set_retry_mode: u8 @ 86, 2 "How packets are sent again.";
        ts_format, set_ts_format: u8 @ 88, 2 "Timestamp format of completions.";
        rlky, set_rlky: bool @ 91, 1 "The reserved lkey may be used.";
        ulp_stateless_offload_mode, set_ulp_stateless_offload_mode: u8 @ 92, 4 "Stateless offload of the upper protocol.";
        counter_set_id, set_counter_set_id: u8 @ 96, 8 "Counter set that counts for this queue pair.";
        uar_page, set_uar_page: u32 @ 104, 24 "The UAR page whose doorbells belong to this object.";
        user_index, set_user_index: u32 @ 136, 24 "Number that completions carry in place of the queue pair number.";
        log_page_size, set_log_page_size: u8 @ 163, 5 "log2 of the page size, less 12.";
        remote_qpn, set_remote_qpn: u32 @ 168, 24 "Queue pair number of the other side.";
        log_ack_req_freq, set_log_ack_req_freq: u8 @ 896, 4 "log2 of the number of packets between two requests to acknowledge.";
        log_sra_max, set_log_sra_max: u8 @ 904, 3 "log2 of outstanding RDMA reads and atomics as requester.";
        retry_count, set_retry_count: u8 @ 909, 3 "How often to send again before giving up.";
        rnr_retry, set_rnr_retry: u8 @ 912, 3 "How often to try again after receiver-not-ready; 7 for ever.";
        fre, set_fre: bool @ 916, 1 "Fast registration is allowed.";
        cur_rnr_retry, set_cur_rnr_retry: u8 @ 917, 3 "Receiver-not-ready retries left.";
        cur_retry_count, set_cur_retry_count: u8 @ 920, 3 "Retries left.";
        next_send_psn, set_next_send_psn: u32 @ 968, 24 "Packet sequence number of the next request.";
        log_num_dci_stream_channels, set_log_num_dci_stream_channels: u8 @ 995, 5 "log2 of stream channels of a DC initiator.";
        cqn_snd, set_cqn_snd: u32 @ 1000, 24 "Completion queue for sends.";
        log_num_dci_errored_streams, set_log_num_dci_errored_streams: u8 @ 1027, 5 "log2 of streams that may fail.";
        deth_sqpn, set_deth_sqpn: u32 @ 1032, 24 "Source queue pair number put into datagrams.";
        last_acked_psn, set_last_acked_psn: u32 @ 1096, 24 "Last packet sequence number acknowledged.";
        ssn, set_ssn: u32 @ 1128, 24 "Send sequence number.";
        log_rra_max, set_log_rra_max: u8 @ 1160, 3 "log2 of outstanding RDMA reads and atomics as responder.";
        atomic_mode, set_atomic_mode: u8 @ 1164, 4 "Sizes of atomics that are accepted.";
        rre, set_rre: bool @ 1168, 1 "Remote reads are accepted.";
        rwe, set_rwe: bool @ 1169, 1 "Remote writes are accepted.";
        rae, set_rae: bool @ 1170, 1 "Remote atomics are accepted.";
        page_offset, set_page_offset: u8 @ 1172, 6 "Where the buffer begins in its first page, in 64-byte units.";
        cd_slave_receive, set_cd_slave_receive: bool @ 1181, 1 "Receive work is enabled by another queue.";
        cd_slave_send, set_cd_slave_send: bool @ 1182, 1 "Send work is enabled by another queue.";
        cd_master, set_cd_master: bool @ 1183, 1 "This queue enables others.";
        min_rnr_nak, set_min_rnr_nak: u8 @ 1187, 5 "Time the other side is asked to wait when no receive is posted.";
        next_rcv_psn, set_next_rcv_psn: u32 @ 1192, 24 "Packet sequence number expected next.";
        xrcd, set_xrcd: u32 @ 1224, 24 "XRC domain.";
        cqn_rcv, set_cqn_rcv: u32 @ 1256, 24 "Completion queue for receives.";
        dbr_addr, set_dbr_addr: u64 @ 1280, 64 as Address "Physical address of the doorbell record: receive counter, then send counter.";
        q_key, set_q_key: u32 @ 1344, 32 as Key "Queue key of datagrams.";
        rq_type, set_rq_type: u8 @ 1381, 3 "What receives go to." => &[(0, "REGULAR"), (1, "SRQ_RMP_XRC_SRQ_XRQ"), (3, "ZERO_SIZE_RQ")];
        srqn_rmpn_xrqn, set_srqn_rmpn_xrqn: u32 @ 1384, 24 "Shared receive queue.";
        rmsn, set_rmsn: u32 @ 1416, 24 "Received message sequence number.";
        hw_sq_wqebb_counter, set_hw_sq_wqebb_counter: u16 @ 1440, 16 "Send block the card will execute next.";
        sw_sq_wqebb_counter, set_sw_sq_wqebb_counter: u16 @ 1456, 16 "Send blocks posted, as last read from the doorbell record.";
        hw_rq_counter, set_hw_rq_counter: u32 @ 1472, 32 "Receive WQE the card will use next.";
        sw_rq_counter, set_sw_rq_counter: u32 @ 1504, 32 "Receive WQEs posted, as last read from the doorbell record.";
        cgs, set_cgs: bool @ 1583, 1 "Congestion state.";
        cs_req, set_cs_req: u8 @ 1584, 8 "Scatter data of requests' responses into the CQE.";
        cs_res, set_cs_res: u8 @ 1592, 8 "Scatter data of received messages into the CQE.";
        dc_access_key, set_dc_access_key: u64 @ 1600, 64 as Key "Access key of dynamically connected transport.";
        dbr_umem_valid, set_dbr_umem_valid: bool @ 1667, 1 "The doorbell record lies in a umem.";
        @nested {
            primary_address_path, primary_address_path_mut: AddressPath @ 192 "Where to send.";
            secondary_address_path, secondary_address_path_mut: AddressPath @ 544 "Where to send after a path migration.";
        }
    }
}

firmware! {
    /// Address path: how to reach the other side.
    pub struct AddressPath [44] = "ads" {
        fl, set_fl: bool @ 0, 1 "Force loopback.";
        free_ar, set_free_ar: bool @ 1, 1 "Adaptive routing is allowed.";
        pkey_index, set_pkey_index: u16 @ 16, 16 "Entry of the P_Key table.";
        plane_index, set_plane_index: u8 @ 32, 8 "Plane of a multi-plane port.";
        grh, set_grh: bool @ 40, 1 "A global route header is sent.";
        mlid, set_mlid: u8 @ 41, 7 "Low bits of the own LID.";
        rlid, set_rlid: u16 @ 48, 16 "LID of the other side.";
        ack_timeout, set_ack_timeout: u8 @ 64, 5 "Wait 4.096 us times 2 to this power for an acknowledgement; 0 for ever.";
        src_addr_index, set_src_addr_index: u8 @ 72, 8 "Entry of the own GID or RoCE address table.";
        stat_rate, set_stat_rate: u8 @ 84, 4 "Static rate limit.";
        hop_limit, set_hop_limit: u8 @ 88, 8 "Hop limit of the GRH, or time to live of IP.";
        tclass, set_tclass: u8 @ 100, 8 "Traffic class of the GRH or of IP.";
        flow_label, set_flow_label: u32 @ 108, 20 "Flow label of the GRH or of IPv6.";
        rgid_rip, set_rgid_rip: [u8; 16] @ 128, 128 as NetworkAddress "GID or IP address of the other side.";
        f_dscp, set_f_dscp: bool @ 260, 1 "Force the DSCP given here.";
        f_ecn, set_f_ecn: bool @ 261, 1 "Force the ECN bits given here.";
        f_eth_prio, set_f_eth_prio: bool @ 263, 1 "Force the Ethernet priority given here.";
        ecn, set_ecn: u8 @ 264, 2 "ECN bits of IP.";
        dscp, set_dscp: u8 @ 266, 6 "DSCP of IP.";
        udp_sport, set_udp_sport: u16 @ 272, 16 "UDP source port of RoCE v2.";
        dei_cfi, set_dei_cfi: bool @ 288, 1 "Drop-eligible bit of the VLAN tag.";
        eth_prio, set_eth_prio: u8 @ 289, 3 "Priority in the VLAN tag.";
        sl, set_sl: u8 @ 292, 4 "Service level.";
        vhca_port_num, set_vhca_port_num: u8 @ 296, 8 "Port, counted from 1.";
        rmac_47_32, set_rmac_47_32: u16 @ 304, 16 "Upper 16 bits of the other side's MAC address.";
        rmac_31_0, set_rmac_31_0: u32 @ 320, 32 "Lower 32 bits of the other side's MAC address.";
    }
}

codes! {
    /// States of a queue pair (InfiniBand specification, "QP and EE context states").
    pub enum QpState: u8 {
        Reset = 0 "RST";
        Init = 1 "INIT";
        ReadyToReceive = 2 "RTR";
        ReadyToSend = 3 "RTS";
        SendQueueError = 4 "SQER";
        SendQueueDrained = 5 "SQD";
        Error = 6 "ERR";
    }
}

codes! {
    /// Service types of a queue pair.
    pub enum QpServiceType: u8 {
        ReliableConnection = 0 "RC";
        UnreliableConnection = 1 "UC";
        UnreliableDatagram = 2 "UD";
        ExtendedReliableConnection = 3 "XRC";
        SubnetManagement = 7 "QP0";
        GeneralManagement = 8 "QP1";
        Registration = 12 "REG_UMR";
    }
}

codes! {
    /// Path MTU, as the InfiniBand specification numbers it.
    pub enum PathMtu: u8 {
        Mtu256 = 1 "256";
        Mtu512 = 2 "512";
        Mtu1024 = 3 "1024";
        Mtu2048 = 4 "2048";
        Mtu4096 = 5 "4096";
    }
}

impl PathMtu {
    /// The most payload bytes of one packet.
    pub const fn bytes(self) -> usize {
        128 << self.code()
    }
}

//! Counters: of queue pairs, and of the port.

use crate::macros::{command, firmware};

command! {
    /// Asks for a set of counters that queue pairs share.
    AllocQCounter {
        input AllocQCounterIn [16] = "alloc_q_counter_in" {
            uid, set_uid: u16 @ 16, 16 "User context on whose behalf the kernel asks; 0 for the kernel itself.";
        }
        output AllocQCounterOut [16] = "alloc_q_counter_out" {
            counter_set_id, set_counter_set_id: u8 @ 88, 8 "The counter set.";
        }
    }
}

command! {
    /// Gives a set of counters back.
    DeallocQCounter {
        input DeallocQCounterIn [16] = "dealloc_q_counter_in" {
            counter_set_id, set_counter_set_id: u8 @ 88, 8 "The counter set.";
        }
        output DeallocQCounterOut [16] = "dealloc_q_counter_out" {}
    }
}

command! {
    /// Reads a set of counters.
    QueryQCounter {
        input QueryQCounterIn [32] = "query_q_counter_in" {
            other_vport, set_other_vport: bool @ 64, 1 "Ask about the port of another function.";
            vport_number, set_vport_number: u16 @ 80, 16 "The virtual port, when other_vport is set.";
            clear, set_clear: bool @ 192, 1 "Set the counters to 0 after reading.";
            aggregate, set_aggregate: bool @ 193, 1 "Sum of all counter sets.";
            counter_set_id, set_counter_set_id: u8 @ 248, 8 "The counter set.";
        }
        output QueryQCounterOut [256] = "query_q_counter_out" {
            rx_write_requests, set_rx_write_requests: u32 @ 128, 32 "RDMA writes received.";
            rx_read_requests, set_rx_read_requests: u32 @ 192, 32 "RDMA reads received.";
            rx_atomic_requests, set_rx_atomic_requests: u32 @ 256, 32 "Atomics received.";
            rx_dct_connect, set_rx_dct_connect: u32 @ 320, 32 "Dynamic connections received.";
            out_of_buffer, set_out_of_buffer: u32 @ 384, 32 "Messages refused because no receive was posted.";
            out_of_sequence, set_out_of_sequence: u32 @ 448, 32 "Packets that came too early.";
            duplicate_request, set_duplicate_request: u32 @ 512, 32 "Requests that came a second time.";
            rnr_nak_retry_err, set_rnr_nak_retry_err: u32 @ 576, 32 "Receiver-not-ready answers received.";
            packet_seq_err, set_packet_seq_err: u32 @ 640, 32 "Answers that say that a packet was missed.";
            implied_nak_seq_err, set_implied_nak_seq_err: u32 @ 704, 32 "Answers that show that an earlier one was lost.";
            local_ack_timeout_err, set_local_ack_timeout_err: u32 @ 768, 32 "Acknowledgements that did not come in time.";
            req_rnr_retries_exceeded, set_req_rnr_retries_exceeded: u32 @ 896, 32 "Requests given up because the receiver was never ready.";
            resp_local_length_error, set_resp_local_length_error: u32 @ 960, 32 "Receives that were too short.";
            req_local_length_error, set_req_local_length_error: u32 @ 992, 32 "Requests that were too long.";
            resp_local_qp_error, set_resp_local_qp_error: u32 @ 1024, 32 "Receives that made no sense.";
            local_operation_error, set_local_operation_error: u32 @ 1056, 32 "Requests that made no sense.";
            resp_local_protection, set_resp_local_protection: u32 @ 1088, 32 "Receives into memory that may not be written.";
            req_local_protection, set_req_local_protection: u32 @ 1120, 32 "Requests from memory that may not be used.";
            resp_cqe_error, set_resp_cqe_error: u32 @ 1152, 32 "Receives completed with an error.";
            req_cqe_error, set_req_cqe_error: u32 @ 1184, 32 "Requests completed with an error.";
            req_mw_binding, set_req_mw_binding: u32 @ 1216, 32 "Memory windows that could not be bound.";
            req_bad_response, set_req_bad_response: u32 @ 1248, 32 "Answers that made no sense.";
            req_remote_invalid_request, set_req_remote_invalid_request: u32 @ 1280, 32 "Own requests that the other side called invalid.";
            resp_remote_invalid_request, set_resp_remote_invalid_request: u32 @ 1312, 32 "Requests of the other side that were invalid.";
            req_remote_access_errors, set_req_remote_access_errors: u32 @ 1344, 32 "Own requests that the other side did not allow.";
            resp_remote_access_errors, set_resp_remote_access_errors: u32 @ 1376, 32 "Requests of the other side that were not allowed.";
            req_remote_operation_errors, set_req_remote_operation_errors: u32 @ 1408, 32 "Own requests that the other side could not carry out.";
            req_transport_retries_exceeded, set_req_transport_retries_exceeded: u32 @ 1440, 32 "Requests given up without an answer.";
            cq_overflow, set_cq_overflow: u32 @ 1472, 32 "Completion queues that overflowed.";
            resp_cqe_flush_error, set_resp_cqe_flush_error: u32 @ 1504, 32 "Receives flushed.";
            req_cqe_flush_error, set_req_cqe_flush_error: u32 @ 1536, 32 "Requests flushed.";
            roce_adp_retrans, set_roce_adp_retrans: u32 @ 1600, 32 "Adaptive retransmissions.";
            roce_adp_retrans_to, set_roce_adp_retrans_to: u32 @ 1632, 32 "Adaptive retransmission timeouts.";
            roce_slow_restart, set_roce_slow_restart: u32 @ 1664, 32 "Slow restarts.";
            roce_slow_restart_cnps, set_roce_slow_restart_cnps: u32 @ 1696, 32 "Congestion notifications of slow restarts.";
            roce_slow_restart_trans, set_roce_slow_restart_trans: u32 @ 1728, 32 "Transitions of slow restarts.";
        }
    }
}

command! {
    /// Reads the counters of the port.
    QueryVportCounter {
        input QueryVportCounterIn [32] = "query_vport_counter_in" {
            other_vport, set_other_vport: bool @ 64, 1 "Ask about the port of another function.";
            port_num, set_port_num: u8 @ 76, 4 "Physical port, counted from 1.";
            vport_number, set_vport_number: u16 @ 80, 16 "The virtual port, when other_vport is set.";
            clear, set_clear: bool @ 192, 1 "Set the counters to 0 after reading.";
        }
        output QueryVportCounterOut [528] = "query_vport_counter_out" {
            @nested {
                received_errors, received_errors_mut: TrafficCounter @ 128 "Received with errors.";
                transmit_errors, transmit_errors_mut: TrafficCounter @ 256 "Sent with errors.";
                received_ib_unicast, received_ib_unicast_mut: TrafficCounter @ 384 "InfiniBand, received.";
                transmitted_ib_unicast, transmitted_ib_unicast_mut: TrafficCounter @ 512 "InfiniBand, sent.";
                received_ib_multicast, received_ib_multicast_mut: TrafficCounter @ 640 "InfiniBand multicast, received.";
                transmitted_ib_multicast, transmitted_ib_multicast_mut: TrafficCounter @ 768 "InfiniBand multicast, sent.";
                received_eth_broadcast, received_eth_broadcast_mut: TrafficCounter @ 896 "Ethernet broadcast, received.";
                transmitted_eth_broadcast, transmitted_eth_broadcast_mut: TrafficCounter @ 1024 "Ethernet broadcast, sent.";
                received_eth_unicast, received_eth_unicast_mut: TrafficCounter @ 1152 "Ethernet, received.";
                transmitted_eth_unicast, transmitted_eth_unicast_mut: TrafficCounter @ 1280 "Ethernet, sent.";
                received_eth_multicast, received_eth_multicast_mut: TrafficCounter @ 1408 "Ethernet multicast, received.";
                transmitted_eth_multicast, transmitted_eth_multicast_mut: TrafficCounter @ 1536 "Ethernet multicast, sent.";
                local_loopback, local_loopback_mut: TrafficCounter @ 1664 "Looped back inside the card.";
            }
        }
    }
}

firmware! {
    /// Packets and bytes of one kind of traffic.
    pub struct TrafficCounter [16] = "traffic_counter" {
        packets, set_packets: u64 @ 0, 64 "Packets.";
        octets, set_octets: u64 @ 64, 64 "Bytes.";
    }
}

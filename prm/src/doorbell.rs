//! Doorbells: how software tells the card how far it got.
//!
//! A doorbell *record* is 8 bytes of host memory. Software stores its counters there; the card
//! reads them when it wants to know. A doorbell *register* lies on the card; a write to it makes
//! the card look. (PRM, "Doorbells".)

use crate::macros::wire;
use zerocopy::big_endian::U32;

wire! {
    /// Doorbell record of a queue pair.
    pub struct QpDoorbellRecord [8] = "qp_doorbell_record"
    from "PRM \"Doorbell record\"; MLX5_RCV_DBR and MLX5_SND_DBR in mlx5dv.h" {
        @ 0 receive: U32 {
            receive_counter, set_receive_counter: 16, 16 "Receive WQEs posted so far, modulo 65536.";
        },
        @ 4 send: U32 {
            send_counter, set_send_counter: 16, 16 "Send blocks posted so far, modulo 65536.";
        },
    }
}

wire! {
    /// Doorbell record of a completion queue.
    pub struct CqDoorbellRecord [8] = "cq_doorbell_record"
    from "PRM \"CQ doorbell record\"; MLX5_CQ_SET_CI and MLX5_CQ_ARM_DB in rdma-core's cq.c" {
        @ 0 consumer: U32 {
            consumer_index, set_consumer_index: 8, 24 "CQEs consumed so far, modulo 2^24.";
        },
        @ 4 arm: U32 {
            arm_sequence, set_arm_sequence: 2, 2 "Changes with every event.";
            solicited_only, set_solicited_only: 7, 1 "Only a solicited completion shall raise the event.";
            arm_consumer_index, set_arm_consumer_index: 8, 24 "Consumer index at the time of arming.";
        },
    }
}

wire! {
    /// What goes to the completion queue doorbell register: 8 bytes that arm one queue.
    pub struct CqArmDoorbell [8] = "cq_arm_doorbell"
    from "PRM \"CQ doorbell register\"; mlx5_arm_cq in rdma-core's cq.c" {
        @ 0 arm: U32 {
            arm_sequence, set_arm_sequence: 2, 2 "Changes with every event.";
            solicited_only, set_solicited_only: 7, 1 "Only a solicited completion shall raise the event.";
            consumer_index, set_consumer_index: 8, 24 "Consumer index at the time of arming.";
        },
        @ 4 queue: U32 {
            cqn, set_cqn: 8, 24 "The completion queue.";
        },
    }
}

wire! {
    /// What goes to an event queue's doorbell registers: 4 bytes.
    pub struct EqDoorbell [4] = "eq_doorbell"
    from "PRM \"EQ doorbell register\"; eq_update_ci in rdma-core's mlx5_vfio.c" {
        @ 0 value: U32 {
            eqn, set_eqn: 0, 8 "The event queue.";
            consumer_index, set_consumer_index: 8, 24 "EQEs consumed so far, modulo 2^24.";
        },
    }
}

/// Offset of the receive counter in a queue pair's doorbell record.
pub const RECEIVE_RECORD_OFFSET: usize = 0;
/// Offset of the send counter in a queue pair's doorbell record.
pub const SEND_RECORD_OFFSET: usize = 4;

impl QpDoorbellRecord {
    /// A record with both counters.
    #[inline(always)]
    pub const fn new(receive_counter: u16, send_counter: u16) -> Self {
        Self { receive: U32::new(receive_counter as u32), send: U32::new(send_counter as u32) }
    }
}

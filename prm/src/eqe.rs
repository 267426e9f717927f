//! Event queue entries: what the card says when something happened that software may wait for.
//!
//! An EQE has 64 bytes: a type, 28 bytes of data that depend on it, and an owner bit in the last
//! byte that changes with every turn of the ring. (PRM, "Event queue element".)

use crate::layout::{Layout, LayoutInfo};
use crate::macros::{codes, wire};

codes! {
    /// What happened (`mlx5_core`, `enum mlx5_event`).
    pub enum EventType: u8 {
        Completion = 0x00 "COMP";
        CommunicationEstablished = 0x02 "COMM_EST";
        SendQueueDrained = 0x03 "SQ_DRAINED";
        CqError = 0x04 "CQ_ERROR";
        WorkQueueCatastrophicError = 0x05 "WQ_CATAS_ERROR";
        PortChange = 0x09 "PORT_CHANGE";
        Command = 0x0a "CMD";
        PageRequest = 0x0b "PAGE_REQUEST";
        WorkQueueInvalidRequest = 0x10 "WQ_INVAL_REQ_ERROR";
        WorkQueueAccessError = 0x11 "WQ_ACCESS_ERROR";
        SrqCatastrophicError = 0x12 "SRQ_CATAS_ERROR";
        SrqLastWqe = 0x13 "SRQ_LAST_WQE";
        SrqLimit = 0x14 "SRQ_RQ_LIMIT";
    }
}

wire! {
    /// An event queue entry of 64 bytes.
    pub struct Eqe [64] = "eqe"
    from "PRM \"Event queue element\"; mlx5_ifc_eqe_bits in mlx5_ifc.h" {
        @ 0 reserved0: u8,
        @ 1 event_type: u8 "What happened." => EventType::TABLE,
        @ 2 reserved2: u8,
        @ 3 event_sub_type: u8 "Its variant.",
        @ 4 reserved4: [u8; 28],
        @ 32 event_data: [u8; 28] "What it happened to; the shape depends on the type.",
        @ 60 reserved60: [u8; 2],
        @ 62 signature: u8 "Checksum of the entry.",
        @ 63 owner_byte: u8 {
            owner, set_owner: 7, 1 "Changes with every turn of the ring.";
        },
    }
}

wire! {
    /// Event data: a completion queue that was armed has a new entry.
    pub struct CompletionEventData [28] = "comp_event"
    from "mlx5_ifc_comp_event_bits in mlx5_ifc.h" {
        @ 0 reserved0: [u8; 24],
        @ 24 cq: U32 {
            cq_number, set_cq_number: 8, 24 "The completion queue.";
        },
    }
}

wire! {
    /// Event data: commands are done.
    pub struct CommandEventData [28] = "cmd_inter_comp_event"
    from "mlx5_ifc_cmd_inter_comp_event_bits in mlx5_ifc.h" {
        @ 0 command_completion_vector: U32 "One bit for each command slot that is done.",
        @ 4 reserved4: [u8; 24],
    }
}

wire! {
    /// Event data: a completion queue failed.
    pub struct CqErrorEventData [28] = "cq_error"
    from "mlx5_ifc_cq_error_bits in mlx5_ifc.h" {
        @ 0 cq: U32 {
            cqn, set_cqn: 8, 24 "The completion queue.";
        },
        @ 4 reserved4: [u8; 7],
        @ 11 syndrome: u8 "Why." => &[(1, "CQ_OVERRUN"), (2, "CQ_ACCESS_VIOLATION_ERROR")],
        @ 12 reserved12: [u8; 16],
    }
}

wire! {
    /// Event data: a queue pair failed, or its state changed.
    pub struct QpEventData [28] = "qp_events"
    from "mlx5_ifc_qp_events_bits in mlx5_ifc.h" {
        @ 0 reserved0: [u8; 20],
        @ 20 queue_type: u8 "What the number means." => &[(0, "QP"), (1, "RQ"), (2, "SQ")],
        @ 21 reserved21: [u8; 3],
        @ 24 number: U32 {
            qpn_rqn_sqn, set_qpn_rqn_sqn: 8, 24 "The queue pair, or the receive or send queue.";
        },
    }
}

codes! {
    /// What happened to a port: the `event_sub_type` of a `PORT_CHANGE` event (`mlx5_core`,
    /// `MLX5_PORT_CHANGE_SUBTYPE_*`).
    pub enum PortChange: u8 {
        Down = 1 "DOWN";
        Active = 4 "ACTIVE";
        Initialized = 5 "INITIALIZED";
        Lid = 6 "LID";
        PartitionKey = 7 "PKEY";
        Guid = 8 "GUID";
        ClientReregister = 9 "CLIENT_REREG";
    }
}

wire! {
    /// Event data: a port changed; how, is in the event's `event_sub_type`, a [`PortChange`].
    pub struct PortChangeEventData [28] = "port_state_change_event"
    from "mlx5_ifc_port_state_change_event_bits in mlx5_ifc.h" {
        @ 0 reserved0: [u8; 8],
        @ 8 port: u8 {
            port_num, set_port_num: 0, 4 "The port, from 1 on.";
        },
        @ 9 reserved9: [u8; 19],
    }
}

/// The shape of the event data that goes with an event type, where it is known.
pub fn event_data_layout(event_type: u8) -> Option<&'static LayoutInfo> {
    match EventType::from_code(event_type)? {
        EventType::Completion => Some(CompletionEventData::LAYOUT),
        EventType::Command => Some(CommandEventData::LAYOUT),
        EventType::CqError => Some(CqErrorEventData::LAYOUT),
        EventType::CommunicationEstablished
        | EventType::SendQueueDrained
        | EventType::SrqCatastrophicError
        | EventType::SrqLastWqe
        | EventType::SrqLimit
        | EventType::WorkQueueCatastrophicError
        | EventType::WorkQueueInvalidRequest
        | EventType::WorkQueueAccessError => Some(QpEventData::LAYOUT),
        EventType::PortChange => Some(PortChangeEventData::LAYOUT),
        EventType::PageRequest => None,
    }
}

/// What software writes into the last byte of every entry of a new event queue
/// (`MLX5_EQE_OWNER_INIT_VAL`).
pub const EQE_INITIAL_OWNER: u8 = 1;

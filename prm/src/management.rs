//! Management datagrams (MADs): 256 bytes by which InfiniBand asks a port about itself.
//!
//! A datagram has a header of 24 bytes; the attribute that it asks for lies from byte 64 on.
//! (InfiniBand specification volume 1, chapters 13, 14 and 16.)

use crate::commands::PortState;
use crate::macros::{codes, wire};

wire! {
    /// The header of a management datagram.
    pub struct MadHeader [24] = "mad_header" from "InfiniBand specification, 13.4.3" {
        @ 0 base_version: u8 "1.",
        @ 1 management_class: u8 "Whose business it is." => ManagementClass::TABLE,
        @ 2 class_version: u8 "Version of the class.",
        @ 3 method: u8 "What is to be done." => &[(0x01, "GET"), (0x02, "SET"), (0x81, "GET_RESPONSE")],
        @ 4 status: U16 "How it went.",
        @ 6 class_specific: U16 "Hops of a directed route.",
        @ 8 transaction: U64 "By which the answer is found.",
        @ 16 attribute: U16 "What is asked for.",
        @ 18 reserved18: [u8; 2],
        @ 20 modifier: U32 "Which of several: a port, or a block of a table.",
    }
}

wire! {
    /// Subnet management attribute: what kind of node it is.
    pub struct NodeInfo [40] = "mad_node_info" from "InfiniBand specification, 14.2.5.3" {
        @ 0 base_version: u8 "1.",
        @ 1 class_version: u8 "1.",
        @ 2 node_type: u8 "What it is." => &[(1, "CHANNEL_ADAPTER"), (2, "SWITCH"), (3, "ROUTER")],
        @ 3 ports: u8 "Number of ports.",
        @ 4 system_guid: U64 "GUID of the system.",
        @ 12 node_guid: U64 "GUID of the node.",
        @ 20 port_guid: U64 "GUID of the port.",
        @ 28 partition_capacity: U16 "Entries of the partition key table.",
        @ 30 device: U16 "Device number.",
        @ 32 revision: U32 "Revision of the device.",
        @ 36 local_port: u8 "The port that was asked.",
        @ 37 vendor: [u8; 3] "IEEE company number.",
    }
}

wire! {
    /// Subnet management attribute: state and properties of a port.
    pub struct PortInfo [64] = "mad_port_info" from "InfiniBand specification, 14.2.5.6" {
        @ 0 management_key: U64 "Who may manage the port.",
        @ 8 gid_prefix: U64 "First half of the port's GID.",
        @ 16 lid: U16 "Local identifier.",
        @ 18 sm_lid: U16 "LID of the subnet manager.",
        @ 20 capabilities: U32 "What the port can do.",
        @ 24 diagnostic: U16 "Result of self tests.",
        @ 26 management_key_lease: U16 "How long the key holds.",
        @ 28 local_port: u8 "The port that was asked.",
        @ 29 width_enabled: u8 "Widths that are allowed.",
        @ 30 width_supported: u8 "Widths that are possible.",
        @ 31 width_active: u8 "Width now.",
        @ 32 speed_and_state: u8 {
            speed_supported, set_speed_supported: 0, 4 "Speeds that are possible.";
            port_state, set_port_state: 4, 4 "State of the port." => PortState::TABLE;
        },
        @ 33 physical: u8 {
            physical_state, set_physical_state: 0, 4 "State of the link." => &[(2, "POLLING"), (5, "LINK_UP")];
            down_default, set_down_default: 4, 4 "Where a link that goes down goes.";
        },
        @ 34 protection_and_lmc: u8 "Protection of the key; LID mask count.",
        @ 35 speeds: u8 {
            speed_active, set_speed_active: 0, 4 "Speed now.";
            speed_enabled, set_speed_enabled: 4, 4 "Speeds that are allowed.";
        },
        @ 36 mtu_and_level: u8 {
            neighbor_mtu, set_neighbor_mtu: 0, 4 "Longest packets now.";
            manager_level, set_manager_level: 4, 4 "Service level to the subnet manager.";
        },
        @ 37 lanes: u8 {
            lane_capability, set_lane_capability: 0, 4 "Virtual lanes that are possible.";
            initialization, set_initialization: 4, 4 "How the port wants to be initialised.";
        },
        @ 38 high_limit: u8 "Limit of high priority lanes.",
        @ 39 arbitration: [u8; 2] "Sizes of the arbitration tables.",
        @ 41 reply_and_mtu: u8 {
            initialization_reply, set_initialization_reply: 0, 4 "How the port was initialised.";
            mtu_capability, set_mtu_capability: 4, 4 "Longest packets that are possible.";
        },
        @ 42 stall_and_lifetime: u8 "When packets are given up.",
        @ 43 operation: u8 {
            operational_lanes, set_operational_lanes: 0, 4 "Virtual lanes now.";
            enforcement, set_enforcement: 4, 4 "Which partition keys are checked.";
        },
        @ 44 management_key_violations: U16 "Packets with a wrong management key.",
        @ 46 partition_key_violations: U16 "Packets with a wrong partition key.",
        @ 48 queue_key_violations: U16 "Packets with a wrong queue key.",
        @ 50 guid_capacity: u8 "Entries of the GUID table.",
        @ 51 timeout: u8 {
            subnet_timeout, set_subnet_timeout: 3, 5 "How long a packet may travel in the subnet.";
        },
        @ 52 response_time: u8 "How long an answer may take.",
        @ 53 thresholds: u8 "When errors are reported.",
        @ 54 credit_hint: U16 "Credits of the other side.",
        @ 56 latency: U32 "Round trip of the link.",
        @ 60 capabilities_2: U16 "What else the port can do.",
        @ 62 extended: u8 {
            extended_active, set_extended_active: 0, 4 "Speed now, above 10 Gb/s a lane.";
            extended_supported, set_extended_supported: 4, 4 "Speeds above 10 Gb/s that are possible.";
        },
        @ 63 extended_enabled: u8 "Speeds above 10 Gb/s that are allowed.",
    }
}

wire! {
    /// Performance attribute: counters of a port, in 16 and 32 bits.
    pub struct PortCounters [44] = "mad_port_counters" from "InfiniBand specification, 16.1.3.5" {
        @ 0 reserved0: u8,
        @ 1 port: u8 "The port.",
        @ 2 select: U16 "Which counters a SET sets.",
        @ 4 errors: [u8; 20] "Counters of errors.",
        @ 24 transmitted_words: U32 "Sent: 4-byte words.",
        @ 28 received_words: U32 "Received: 4-byte words.",
        @ 32 transmitted_packets: U32 "Sent: packets.",
        @ 36 received_packets: U32 "Received: packets.",
        @ 40 wait: U32 "Time without credits.",
    }
}

wire! {
    /// Performance attribute: counters of a port, in 64 bits.
    pub struct PortCountersExtended [72] = "mad_port_counters_extended"
    from "InfiniBand specification, 16.1.4.11" {
        @ 0 reserved0: u8,
        @ 1 port: u8 "The port.",
        @ 2 select: U16 "Which counters a SET sets.",
        @ 4 reserved4: [u8; 4],
        @ 8 transmitted_words: U64 "Sent: 4-byte words.",
        @ 16 received_words: U64 "Received: 4-byte words.",
        @ 24 transmitted_packets: U64 "Sent: packets.",
        @ 32 received_packets: U64 "Received: packets.",
        @ 40 transmitted_unicast: U64 "Sent: packets to one port.",
        @ 48 received_unicast: U64 "Received: packets for one port.",
        @ 56 transmitted_multicast: U64 "Sent: packets to several ports.",
        @ 64 received_multicast: U64 "Received: packets for several ports.",
    }
}

codes! {
    /// Management classes.
    pub enum ManagementClass: u8 {
        SubnetLidRouted = 0x01 "SUBN_LID_ROUTED";
        Performance = 0x04 "PERF_MGMT";
        SubnetDirectedRoute = 0x81 "SUBN_DIRECTED_ROUTE";
    }
}

/// The size of a management datagram in bytes.
pub const MAD_SIZE: usize = 256;
/// Where the attribute lies in it.
pub const MAD_DATA_OFFSET: usize = 64;
/// `method`: the attribute is asked for, is to be set, is answered.
pub const METHOD_GET: u8 = 0x01;
/// The attribute is to be set.
pub const METHOD_SET: u8 = 0x02;
/// The attribute is answered.
pub const METHOD_GET_RESPONSE: u8 = 0x81;
/// `status`: the class has no such attribute, or not with this method.
pub const STATUS_NO_SUCH_ATTRIBUTE: u16 = 0x000c;

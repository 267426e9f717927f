//! What a device and its port say of themselves.

/// What a device is and can do (`struct ibv_device_attr`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAttributes {
    /// Firmware version: major, minor, sub-minor.
    pub fw_ver: [u16; 3],
    /// GUID of the node.
    pub node_guid: u64,
    /// GUID of the system that it is a part of.
    pub sys_image_guid: u64,
    /// IEEE company number of the vendor.
    pub vendor_id: u32,
    /// PCI device number.
    pub vendor_part_id: u32,
    /// PCI revision.
    pub hw_ver: u32,
    /// Name of the board's parameter set (PSID).
    pub board_id: String,
    /// Number of ports.
    pub phys_port_cnt: u8,
    /// Longest memory region in bytes.
    pub max_mr_size: u64,
    /// Page sizes, one bit each.
    pub page_size_cap: u64,
    /// Queue pairs.
    pub max_qp: u32,
    /// Work requests of one queue.
    pub max_qp_wr: u32,
    /// Scatter/gather elements of a work request, on either queue.
    pub max_sge: u32,
    /// Completion queues.
    pub max_cq: u32,
    /// Entries of one.
    pub max_cqe: u32,
    /// Memory regions.
    pub max_mr: u32,
    /// Protection domains.
    pub max_pd: u32,
    /// RDMA reads and atomics that a queue pair can serve at a time.
    pub max_qp_rd_atom: u32,
    /// The same for all queue pairs together.
    pub max_res_rd_atom: u32,
    /// RDMA reads and atomics that a queue pair can have outstanding.
    pub max_qp_init_rd_atom: u32,
    /// Shared receive queues.
    pub max_srq: u32,
    /// Work requests of one.
    pub max_srq_wr: u32,
    /// Scatter/gather elements of a work request of one.
    pub max_srq_sge: u32,
    /// Partition keys of a port.
    pub max_pkeys: u16,
    /// How long the card takes to acknowledge: 4.096 us times 2 to its power.
    pub local_ca_ack_delay: u8,
}

/// What a port is and how it is (`struct ibv_port_attr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortAttributes {
    /// Its state.
    pub state: PortState,
    /// Largest payload of a packet: 1 is 256 bytes, 5 is 4096 (`enum ibv_mtu`).
    pub max_mtu: u8,
    /// The same as the port is set now.
    pub active_mtu: u8,
    /// Entries of its GID table.
    pub gid_tbl_len: u32,
    /// Capabilities of an InfiniBand port, one bit each.
    pub port_cap_flags: u32,
    /// Longest message in bytes.
    pub max_msg_sz: u32,
    /// Packets with a wrong partition key.
    pub bad_pkey_cntr: u32,
    /// Packets with a wrong queue key.
    pub qkey_viol_cntr: u32,
    /// Entries of its partition key table.
    pub pkey_tbl_len: u16,
    /// Its LID; 0 on Ethernet.
    pub lid: u16,
    /// LID of the subnet manager.
    pub sm_lid: u16,
    /// LID mask count.
    pub lmc: u8,
    /// Code of the number of virtual lanes.
    pub max_vl_num: u8,
    /// Service level to the subnet manager.
    pub sm_sl: u8,
    /// Code of the time that a packet may travel in the subnet.
    pub subnet_timeout: u8,
    /// How the subnet manager initialized it.
    pub init_type_reply: u8,
    /// Width of the link: 1, 2, 4, 8 for 1X, 4X, 8X, 12X, and 16 for 2X; 0 if not told.
    pub active_width: u8,
    /// Code of the speed of a lane; 0 if not told.
    pub active_speed: u8,
    /// Code of the physical state: 5 is up.
    pub phys_state: u8,
    /// What it is plugged into.
    pub link_layer: LinkLayer,
}

/// State of a port (`enum ibv_port_state`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PortState {
    /// Anything else.
    Unknown = 0,
    /// No link.
    Down = 1,
    /// A link, and no subnet manager has been here yet.
    Initializing = 2,
    /// Set up, and not yet carrying data.
    Armed = 3,
    /// Carrying data.
    Active = 4,
}

impl PortState {
    /// The state of this number.
    pub fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Down,
            2 => Self::Initializing,
            3 => Self::Armed,
            4 => Self::Active,
            _ => Self::Unknown,
        }
    }

    /// The verbs' name, without `IBV_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "PORT_NOP",
            Self::Down => "PORT_DOWN",
            Self::Initializing => "PORT_INIT",
            Self::Armed => "PORT_ARMED",
            Self::Active => "PORT_ACTIVE",
        }
    }
}

/// What a port is plugged into (`IBV_LINK_LAYER_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkLayer {
    /// An InfiniBand subnet.
    InfiniBand,
    /// Ethernet: RoCE v2.
    Ethernet,
}

impl LinkLayer {
    /// As the tools print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InfiniBand => "InfiniBand",
            Self::Ethernet => "Ethernet",
        }
    }
}

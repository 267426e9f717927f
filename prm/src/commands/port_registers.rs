//! Registers of the port that ACCESS_REG reaches.

use crate::macros::firmware;

firmware! {
    /// PTYS: widths and speeds of the link.
    pub struct PtysRegister [64] = "ptys_reg" {
        an_disable_admin, set_an_disable_admin: bool @ 1, 1 "Autonegotiation is to be off.";
        an_disable_cap, set_an_disable_cap: bool @ 2, 1 "Autonegotiation can be off.";
        local_port, set_local_port: u8 @ 8, 8 "Port, counted from 1.";
        plane_ind, set_plane_ind: u8 @ 24, 4 "Plane of a multi-plane port.";
        proto_mask, set_proto_mask: u8 @ 29, 3 "Which protocol is meant: 1 InfiniBand, 4 Ethernet.";
        an_status, set_an_status: u8 @ 32, 4 "State of the autonegotiation.";
        data_rate_oper, set_data_rate_oper: u16 @ 48, 16 "Data rate now.";
        ext_eth_proto_capability, set_ext_eth_proto_capability: u32 @ 64, 32 "Ethernet speeds that are possible, extended.";
        eth_proto_capability, set_eth_proto_capability: u32 @ 96, 32 "Ethernet speeds that are possible.";
        ib_link_width_capability, set_ib_link_width_capability: u16 @ 128, 16 "InfiniBand widths that are possible.";
        ib_proto_capability, set_ib_proto_capability: u16 @ 144, 16 "InfiniBand speeds that are possible.";
        ext_eth_proto_admin, set_ext_eth_proto_admin: u32 @ 160, 32 "Ethernet speeds that are allowed, extended.";
        eth_proto_admin, set_eth_proto_admin: u32 @ 192, 32 "Ethernet speeds that are allowed.";
        ib_link_width_admin, set_ib_link_width_admin: u16 @ 224, 16 "InfiniBand widths that are allowed.";
        ib_proto_admin, set_ib_proto_admin: u16 @ 240, 16 "InfiniBand speeds that are allowed.";
        ext_eth_proto_oper, set_ext_eth_proto_oper: u32 @ 256, 32 "Ethernet speed now, extended.";
        eth_proto_oper, set_eth_proto_oper: u32 @ 288, 32 "Ethernet speed now.";
        ib_link_width_oper, set_ib_link_width_oper: u16 @ 320, 16 "InfiniBand width now." => &[(1, "1X"), (2, "2X"), (4, "4X"), (8, "8X"), (16, "12X")];
        ib_proto_oper, set_ib_proto_oper: u16 @ 336, 16 "InfiniBand speed now.";
        connector_type, set_connector_type: u8 @ 380, 4 "What is plugged in.";
        eth_proto_lp_advertise, set_eth_proto_lp_advertise: u32 @ 384, 32 "Ethernet speeds of the other side.";
    }
}

firmware! {
    /// PMTU: the longest packets.
    pub struct PmtuRegister [16] = "pmtu_reg" {
        local_port, set_local_port: u8 @ 8, 8 "Port, counted from 1.";
        max_mtu, set_max_mtu: u16 @ 32, 16 "Most that is possible, in bytes.";
        admin_mtu, set_admin_mtu: u16 @ 64, 16 "Most that is allowed, in bytes.";
        oper_mtu, set_oper_mtu: u16 @ 96, 16 "Most now, in bytes.";
    }
}

firmware! {
    /// PVLC: virtual lanes.
    pub struct PvlcRegister [16] = "pvlc_reg" {
        local_port, set_local_port: u8 @ 8, 8 "Port, counted from 1.";
        vl_hw_cap, set_vl_hw_cap: u8 @ 60, 4 "Lanes that are possible, as PortInfo codes them.";
        vl_admin, set_vl_admin: u8 @ 92, 4 "Lanes that are allowed.";
        vl_operational, set_vl_operational: u8 @ 124, 4 "Lanes now.";
    }
}

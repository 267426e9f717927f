//! The port, and registers reached through a command.

use crate::macros::{codes, command, firmware};

codes! {
    /// States of a port (InfiniBand specification, "PortInfo", `PortState`).
    pub enum PortState: u8 {
        Down = 1 "DOWN";
        Initialize = 2 "INITIALIZE";
        Armed = 3 "ARMED";
        Active = 4 "ACTIVE";
    }
}

command! {
    /// Reads (`op_mod` 1) or writes (`op_mod` 0) a register; its bytes follow the input and the output.
    AccessReg {
        input AccessRegisterIn [16] = "access_register_in" {
            register_id, set_register_id: u16 @ 80, 16 "Which register.";
            argument, set_argument: u32 @ 96, 32 "Register-specific argument.";
        }
        output AccessRegisterOut [16] = "access_register_out" {}
    }
}

command! {
    /// Asks for state and identity of the port.
    QueryHcaVportContext {
        input QueryHcaVportContextIn [16] = "query_hca_vport_context_in" {
            other_vport, set_other_vport: bool @ 64, 1 "Ask about the port of another function.";
            port_num, set_port_num: u8 @ 76, 4 "Physical port, counted from 1.";
            vport_number, set_vport_number: u16 @ 80, 16 "The virtual port, when other_vport is set.";
        }
        output QueryHcaVportContextOut [528] = "query_hca_vport_context_out" {
            @nested {
                hca_vport_context, hca_vport_context_mut: HcaVportContext @ 128 "State and identity of the port.";
            }
        }
    }
}

command! {
    /// Changes properties of the port.
    ModifyHcaVportContext {
        input ModifyHcaVportContextIn [528] = "modify_hca_vport_context_in" {
            other_vport, set_other_vport: bool @ 64, 1 "Change the port of another function.";
            port_num, set_port_num: u8 @ 76, 4 "Physical port, counted from 1.";
            vport_number, set_vport_number: u16 @ 80, 16 "The virtual port, when other_vport is set.";
            @nested {
                hca_vport_context, hca_vport_context_mut: HcaVportContext @ 128 "What is to be changed, and to what.";
            }
        }
        output ModifyHcaVportContextOut [16] = "modify_hca_vport_context_out" {}
    }
}

firmware! {
    /// State and identity of the port.
    pub struct HcaVportContext [512] = "hca_vport_context" {
        field_select, set_field_select: u32 @ 0, 32 "Which fields a modify command sets.";
        sm_virt_aware, set_sm_virt_aware: bool @ 256, 1 "The subnet manager knows of virtual ports.";
        has_smi, set_has_smi: bool @ 257, 1 "Subnet management is possible.";
        has_raw, set_has_raw: bool @ 258, 1 "Raw packets are possible.";
        grh_required, set_grh_required: bool @ 259, 1 "Every packet needs a GRH.";
        num_port_plane, set_num_port_plane: u8 @ 264, 8 "Planes of a multi-plane port.";
        port_physical_state, set_port_physical_state: u8 @ 272, 4 "Physical state of the link." => &[(2, "POLLING"), (3, "DISABLED"), (5, "LINK_UP")];
        vport_state_policy, set_vport_state_policy: u8 @ 276, 4 "Whether the virtual port follows the physical one.";
        port_state, set_port_state: u8 @ 280, 4 "State of the physical port." => PortState::TABLE;
        vport_state, set_vport_state: u8 @ 284, 4 "State of the virtual port." => PortState::TABLE;
        system_image_guid, set_system_image_guid: u64 @ 320, 64 "GUID of the system.";
        port_guid, set_port_guid: u64 @ 384, 64 "GUID of the port.";
        node_guid, set_node_guid: u64 @ 448, 64 "GUID of the node.";
        cap_mask1, set_cap_mask1: u32 @ 512, 32 "InfiniBand port capability mask.";
        cap_mask1_field_select, set_cap_mask1_field_select: u32 @ 544, 32 "Bits of cap_mask1 that a modify command sets.";
        cap_mask2, set_cap_mask2: u32 @ 576, 32 "Second capability mask.";
        cap_mask2_field_select, set_cap_mask2_field_select: u32 @ 608, 32 "Bits of cap_mask2 that a modify command sets.";
        lid, set_lid: u16 @ 768, 16 "Local identifier.";
        init_type_reply, set_init_type_reply: u8 @ 788, 4 "How the port was initialised.";
        lmc, set_lmc: u8 @ 792, 3 "LID mask count.";
        subnet_timeout, set_subnet_timeout: u8 @ 795, 5 "Time a packet may travel in the subnet.";
        sm_lid, set_sm_lid: u16 @ 800, 16 "LID of the subnet manager.";
        sm_sl, set_sm_sl: u8 @ 816, 4 "Service level to the subnet manager.";
        qkey_violation_counter, set_qkey_violation_counter: u16 @ 832, 16 "Packets with a wrong queue key.";
        pkey_violation_counter, set_pkey_violation_counter: u16 @ 848, 16 "Packets with a wrong partition key.";
    }
}

command! {
    /// Sets an entry of the RoCE address table: the own IP and MAC address.
    SetRoceAddress {
        input SetRoceAddressIn [48] = "set_roce_address_in" {
            roce_address_index, set_roce_address_index: u16 @ 64, 16 "Entry of the RoCE address table.";
            vhca_port_num, set_vhca_port_num: u8 @ 92, 4 "Port, counted from 1.";
            @nested {
                roce_address, roce_address_mut: RoceAddress @ 128 "The entry.";
            }
        }
        output SetRoceAddressOut [16] = "set_roce_address_out" {}
    }
}

command! {
    /// Asks for an entry of the RoCE address table.
    QueryRoceAddress {
        input QueryRoceAddressIn [16] = "query_roce_address_in" {
            roce_address_index, set_roce_address_index: u16 @ 64, 16 "Entry of the RoCE address table.";
            vhca_port_num, set_vhca_port_num: u8 @ 92, 4 "Port, counted from 1.";
        }
        output QueryRoceAddressOut [48] = "query_roce_address_out" {
            @nested {
                roce_address, roce_address_mut: RoceAddress @ 128 "The entry.";
            }
        }
    }
}

firmware! {
    /// An entry of the RoCE address table.
    pub struct RoceAddress [32] = "roce_addr_layout" {
        source_l3_address, set_source_l3_address: [u8; 16] @ 0, 128 as NetworkAddress "IP address; IPv4 in the last four bytes.";
        vlan_valid, set_vlan_valid: bool @ 131, 1 "The entry belongs to a VLAN.";
        vlan_id, set_vlan_id: u16 @ 132, 12 "The VLAN.";
        source_mac_47_32, set_source_mac_47_32: u16 @ 144, 16 "Upper 16 bits of the MAC address.";
        source_mac_31_0, set_source_mac_31_0: u32 @ 160, 32 "Lower 32 bits of the MAC address.";
        roce_l3_type, set_roce_l3_type: u8 @ 212, 4 "Network layer." => &[(0, "IPV4"), (1, "IPV6")];
        roce_version, set_roce_version: u8 @ 216, 8 "RoCE version; in capabilities one bit for each version supported.";
    }
}

command! {
    /// Asks for GIDs of the port; 16 bytes each follow the output.
    QueryHcaVportGid {
        input QueryHcaVportGidIn [16] = "query_hca_vport_gid_in" {
            other_vport, set_other_vport: bool @ 64, 1 "Ask about the port of another function.";
            port_num, set_port_num: u8 @ 76, 4 "Physical port, counted from 1.";
            vport_number, set_vport_number: u16 @ 80, 16 "The virtual port, when other_vport is set.";
            gid_index, set_gid_index: u16 @ 112, 16 "First entry of the GID table to read; 0xffff for all.";
        }
        output QueryHcaVportGidOut [16] = "query_hca_vport_gid_out" {
            gids_num, set_gids_num: u16 @ 96, 16 "How many GIDs follow.";
        }
    }
}

command! {
    /// Asks for P_Keys of the port; 4 bytes each follow the output, the key in the low half.
    QueryHcaVportPkey {
        input QueryHcaVportPkeyIn [16] = "query_hca_vport_pkey_in" {
            other_vport, set_other_vport: bool @ 64, 1 "Ask about the port of another function.";
            port_num, set_port_num: u8 @ 76, 4 "Physical port, counted from 1.";
            vport_number, set_vport_number: u16 @ 80, 16 "The virtual port, when other_vport is set.";
            pkey_index, set_pkey_index: u16 @ 112, 16 "First entry of the P_Key table to read; 0xffff for all.";
        }
        output QueryHcaVportPkeyOut [16] = "query_hca_vport_pkey_out" {}
    }
}

codes! {
    /// Registers of ACCESS_REG.
    pub enum RegisterId: u16 {
        Pmtu = 0x5003 "PMTU";
        Ptys = 0x5004 "PTYS";
        Pvlc = 0x500f "PVLC";
        NodeDescription = 0x6001 "NODE_DESC";
        HostEndianness = 0x7004 "HOST_ENDIANNESS";
    }
}

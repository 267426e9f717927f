//! What the card says of itself, and what `mlx5_ib` makes of it.

use super::super::{ControlError, Link, Query};
use super::Firmware;
use crate::bus::Registers;
use crate::verbs::{DeviceAttributes, PortAttributes, PortState};
use doorbell_prm::commands::*;
use doorbell_prm::registers::init_segment::offset;
use zerocopy::{FromZeros, IntoBytes};

/// The smallest page size that memory can be registered in, as a bit mask from there on up.
const PAGE_SIZES: u64 = !(4096 - 1);

/// The longest send WQE that `mlx5_ib` reckons with (`mlx5_ib_query_device`).
const LONGEST_SEND_WQE: u16 = 512;

/// The card counts blocks of 64 bytes, and a send of a reliable connection reserves four of them
/// even with one element. Linux 6.12 tells what is left; earlier versions told the blocks.
const BLOCKS_OF_A_REQUEST: u32 = 4;

/// Size of a segment of a WQE.
const SEGMENT: u16 = 16;

/// `op_mod` of ACCESS_REG that reads.
const READ: u16 = 1;

/// `proto_mask` of PTYS that asks about InfiniBand.
const PROTOCOL_INFINIBAND: u8 = 1;

impl<R: Registers> Query for Firmware<R> {
    // ANCHOR: firmware_query_device
    /// Capabilities are logarithms; a program gets numbers. (`mlx5_ib_query_device`)
    fn query_device(&self) -> Result<DeviceAttributes, ControlError> {
        let mut query = QueryHcaCapIn::new();
        query.set_op_mod(capability_op_mod(CapabilityGroup::General, true));
        let answer = self.simple(&query)?;
        let general = answer.capability();
        let adapter = self.simple(&QueryAdapterIn::new())?;
        let adapter = adapter.query_adapter_struct();
        let port = self.port_context()?;
        let receive_elements = u32::from(general.max_wqe_sz_rq() / SEGMENT);
        let send_units = u32::from(general.max_wqe_sz_sq().min(LONGEST_SEND_WQE) / SEGMENT);
        let max_qp = 1 << general.log_max_qp();
        let max_qp_rd_atom = 1 << general.log_max_ra_req_qp();
        Ok(DeviceAttributes {
            fw_ver: self.firmware_version(),
            node_guid: port.node_guid(),
            sys_image_guid: port.system_image_guid(),
            vendor_id: adapter.ieee_vendor_id(),
            vendor_part_id: self.registers.pci_device().0.into(),
            hw_ver: self.registers.pci_device().1.into(),
            board_id: text(&adapter.vsd_contd_psid()),
            phys_port_cnt: general.num_ports(),
            max_mr_size: u64::MAX,
            page_size_cap: PAGE_SIZES,
            max_qp,
            max_qp_wr: (1 << general.log_max_qp_sz()) / BLOCKS_OF_A_REQUEST,
            // In front of the pointers: a control segment and a remote address segment.
            max_sge: receive_elements.min(send_units.saturating_sub(2)),
            max_cq: 1 << general.log_max_cq(),
            max_cqe: (1 << general.log_max_cq_sz()) - 1,
            max_mr: 1 << general.log_max_mkey(),
            max_pd: 1 << general.log_max_pd(),
            max_qp_rd_atom,
            max_res_rd_atom: max_qp_rd_atom * max_qp,
            max_qp_init_rd_atom: 1 << general.log_max_ra_res_qp(),
            max_srq: 1 << general.log_max_srq(),
            max_srq_wr: (1 << general.log_max_srq_sz()) - 1,
            max_srq_sge: receive_elements.saturating_sub(1),
            max_pkeys: 128 << general.pkey_table_size(),
            local_ca_ack_delay: general.local_ca_ack_delay(),
        })
    }
    // ANCHOR_END: firmware_query_device

    fn has_atomics(&self) -> bool {
        self.held.atomics
    }

    // ANCHOR: firmware_query_port
    /// State and addresses from one command, the rest from registers that ACCESS_REG reads.
    /// (`mlx5_query_hca_port`; over Ethernet, where the kernel asks its network device, the same.)
    fn query_port(&self) -> Result<PortAttributes, ControlError> {
        let port = self.port_context()?;
        let general = self.simple(&QueryHcaCapIn::new())?;
        let general = general.capability();
        let mtu: PmtuRegister = self.register(RegisterId::Pmtu, PmtuRegister::new_zeroed())?;
        let mut lanes = PvlcRegister::new_zeroed();
        lanes.set_local_port(1);
        let lanes = self.register(RegisterId::Pvlc, lanes)?;
        let (link_layer, gid_tbl_len, pkey_tbl_len) = match self.held.ethernet {
            true => (Link::Ethernet, self.roce_table_size()?, 1),
            false => {
                let pkeys = 128 << general.pkey_table_size();
                (Link::InfiniBand, 8 << general.gid_table_size(), pkeys)
            }
        };
        let (active_width, active_speed) = self.link()?;
        Ok(PortAttributes {
            state: PortState::from_code(port.vport_state()),
            max_mtu: mtu_code(mtu.max_mtu()),
            active_mtu: mtu_code(mtu.oper_mtu()),
            gid_tbl_len,
            port_cap_flags: port.cap_mask1(),
            max_msg_sz: 1 << general.log_max_msg(),
            bad_pkey_cntr: port.pkey_violation_counter().into(),
            qkey_viol_cntr: port.qkey_violation_counter().into(),
            pkey_tbl_len,
            lid: port.lid(),
            sm_lid: port.sm_lid(),
            lmc: port.lmc(),
            max_vl_num: lane_code(lanes.vl_hw_cap()),
            sm_sl: port.sm_sl(),
            subnet_timeout: port.subnet_timeout(),
            init_type_reply: port.init_type_reply(),
            active_width,
            active_speed,
            phys_state: port.port_physical_state(),
            link_layer,
        })
    }
    // ANCHOR_END: firmware_query_port

    fn query_gid(&self, index: u8) -> Result<[u8; 16], ControlError> {
        let mut query = QueryHcaVportGidIn::new();
        query.set_port_num(1).set_gid_index(index.into());
        let (_, gids) = self.command(&query, &[], size_of::<[u8; 16]>())?;
        let gid = gids.first_chunk().copied().unwrap_or_default();
        match gid == [0; 16] {
            true => Err(ControlError::NoEntry { table: "GID table", index: index.into() }),
            false => Ok(gid),
        }
    }
}

impl<R: Registers> Firmware<R> {
    /// State and identity of the port.
    fn port_context(&self) -> Result<HcaVportContext, ControlError> {
        let mut query = QueryHcaVportContextIn::new();
        query.set_port_num(1);
        Ok(*self.simple(&query)?.hca_vport_context())
    }

    /// Width and speed of an InfiniBand link.
    fn link(&self) -> Result<(u8, u8), ControlError> {
        if self.held.ethernet {
            return Ok((0, 0));
        }
        let mut link = PtysRegister::new_zeroed();
        link.set_local_port(1).set_proto_mask(PROTOCOL_INFINIBAND);
        let link = self.register(RegisterId::Ptys, link)?;
        Ok((width_code(link.ib_link_width_oper()), link.ib_proto_oper() as u8))
    }

    /// Reads a register of the port; `selection` says of which port.
    fn register<T: FromZeros + IntoBytes + zerocopy::FromBytes + zerocopy::Immutable>(
        &self,
        id: RegisterId,
        selection: T,
    ) -> Result<T, ControlError> {
        let mut input = AccessRegisterIn::new();
        input.set_op_mod(READ).set_register_id(id.code());
        let (_, bytes) = self.command(&input, selection.as_bytes(), size_of::<T>())?;
        let mut register = selection;
        register.as_mut_bytes().copy_from_slice(&bytes);
        Ok(register)
    }

    /// Entries of the RoCE address table, which are the GIDs of an Ethernet port.
    fn roce_table_size(&self) -> Result<u32, ControlError> {
        let mut query = QueryHcaCapIn::new();
        query.set_op_mod(capability_op_mod(CapabilityGroup::Roce, true));
        let answer = self.simple(&query)?;
        let bytes = answer.capability().as_bytes();
        let roce = <RoceCapabilities as zerocopy::FromBytes>::read_from_prefix(bytes);
        Ok(roce.map_or(0, |(roce, _)| roce.roce_address_table_size().into()))
    }

    /// The firmware's version, from the initialization segment.
    fn firmware_version(&self) -> [u16; 3] {
        let first = self.registers.read(offset::FIRMWARE_REVISION as usize);
        let second = self.registers.read(offset::COMMAND_INTERFACE_REVISION as usize);
        // The low half of each word, and the high half of the first: minor and major, sub-minor.
        [first as u16, (first >> 16) as u16, second as u16]
    }
}

/// Text that ends at the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The verbs' code of an MTU in bytes (`mlx5_mtu_to_ib_mtu`); 0 for any other.
fn mtu_code(bytes: u16) -> u8 {
    match bytes {
        256 => 1,
        512 => 2,
        1024 => 3,
        2048 => 4,
        4096 => 5,
        _ => 0,
    }
}

/// The verbs' code of a link's width in the card's bits (`translate_active_width`).
fn width_code(bits: u16) -> u8 {
    match bits {
        1 => 1,
        2 => 16,
        8 => 4,
        16 => 8,
        _ => 2,
    }
}

/// The verbs' code of a number of lanes in the card's code (`translate_max_vl_num`); 0 for any other.
fn lane_code(lanes: u8) -> u8 {
    match lanes {
        1 => 1,
        2 => 2,
        4 => 3,
        8 => 4,
        15 => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_card_become_those_of_the_verbs() {
        assert_eq!([256, 4096, 9000].map(mtu_code), [1, 5, 0]);
        assert_eq!([1, 2, 4, 8, 16].map(width_code), [1, 16, 2, 4, 8]);
        assert_eq!([1, 2, 3, 4, 8, 15].map(lane_code), [1, 2, 0, 3, 4, 5]);
        assert_eq!(text(b"DBL\0\0"), "DBL");
    }
}

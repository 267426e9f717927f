//! Questions about the device and its port, as the kernel answers them.

use super::Uverbs;
use super::abi::{self, Command};
use super::sysfs::{PORT, gid, word};
use crate::control::{ControlError, Link, Query};
use crate::verbs::{DeviceAttributes, PortAttributes, PortState};

/// `IBV_LINK_LAYER_ETHERNET`.
const LINK_ETHERNET: u8 = 2;

impl Uverbs {
    // ANCHOR: uverbs_ask_device
    /// What the kernel says of the device.
    pub(super) fn ask_device(&self) -> Result<abi::QueryDeviceAnswer, ControlError> {
        let request = |response| abi::QueryDevice { response };
        self.ask(Command::QueryDevice, [], request, |answer: &abi::QueryDeviceAnswer| {
            answer.vendor_part_id
        })
    }
    // ANCHOR_END: uverbs_ask_device
}

impl Query for Uverbs {
    // ANCHOR: uverbs_query_device
    fn query_device(&self) -> Result<DeviceAttributes, ControlError> {
        let answer = self.ask_device()?;
        let version = |shift: u32| (answer.fw_ver >> shift) as u16;
        Ok(DeviceAttributes {
            fw_ver: [version(32), version(16), version(0)],
            node_guid: u64::from_be_bytes(answer.node_guid),
            sys_image_guid: u64::from_be_bytes(answer.sys_image_guid),
            vendor_id: answer.vendor_id,
            vendor_part_id: answer.vendor_part_id,
            hw_ver: answer.hw_ver,
            board_id: word(&self.sysfs, "board_id").unwrap_or_default(),
            phys_port_cnt: answer.phys_port_cnt,
            max_mr_size: answer.max_mr_size,
            page_size_cap: answer.page_size_cap,
            max_qp: answer.max_qp,
            max_qp_wr: answer.max_qp_wr,
            max_sge: answer.max_sge,
            max_cq: answer.max_cq,
            max_cqe: answer.max_cqe,
            max_mr: answer.max_mr,
            max_pd: answer.max_pd,
            max_qp_rd_atom: answer.max_qp_rd_atom,
            max_res_rd_atom: answer.max_res_rd_atom,
            max_qp_init_rd_atom: answer.max_qp_init_rd_atom,
            max_srq: answer.max_srq,
            max_srq_wr: answer.max_srq_wr,
            max_srq_sge: answer.max_srq_sge,
            max_pkeys: answer.max_pkeys,
            local_ca_ack_delay: answer.local_ca_ack_delay,
        })
    }
    // ANCHOR_END: uverbs_query_device

    fn has_atomics(&self) -> bool {
        self.atomics
    }

    // ANCHOR: uverbs_query_port
    fn query_port(&self) -> Result<PortAttributes, ControlError> {
        let told = [("port_num", u32::from(PORT).into())];
        let request = |response| abi::QueryPort { response, port_num: PORT, ..Default::default() };
        let answer: abi::QueryPortAnswer =
            self.ask(Command::QueryPort, told, request, |answer: &abi::QueryPortAnswer| {
                answer.state.into()
            })?;
        Ok(PortAttributes {
            state: PortState::from_code(answer.state),
            max_mtu: answer.max_mtu,
            active_mtu: answer.active_mtu,
            gid_tbl_len: answer.gid_tbl_len,
            port_cap_flags: answer.port_cap_flags,
            max_msg_sz: answer.max_msg_sz,
            bad_pkey_cntr: answer.bad_pkey_cntr,
            qkey_viol_cntr: answer.qkey_viol_cntr,
            pkey_tbl_len: answer.pkey_tbl_len,
            lid: answer.lid,
            sm_lid: answer.sm_lid,
            lmc: answer.lmc,
            max_vl_num: answer.max_vl_num,
            sm_sl: answer.sm_sl,
            subnet_timeout: answer.subnet_timeout,
            init_type_reply: answer.init_type_reply,
            active_width: answer.active_width,
            active_speed: answer.active_speed,
            phys_state: answer.phys_state,
            link_layer: match answer.link_layer {
                LINK_ETHERNET => Link::Ethernet,
                _ => Link::InfiniBand,
            },
        })
    }
    // ANCHOR_END: uverbs_query_port

    /// The table lies in sysfs: no request is needed.
    fn query_gid(&self, index: u8) -> Result<[u8; 16], ControlError> {
        let port = self.sysfs.join(format!("ports/{PORT}"));
        let found = gid(&port, index).filter(|gid| *gid != [0; 16]);
        found.ok_or(ControlError::NoEntry { table: "GID table", index: index.into() })
    }
}

//! What a device and its port say of themselves, with the names and in the form of rdma-core's
//! `ibv_devinfo -v`, as far as this driver asks.

use crate::{ExampleError, Scenario, Settings, Topic, World};
use doorbell_driver::verbs::{Context, DeviceAttributes, LinkLayer, PortAttributes};

/// What the program does. It is not in the registry.
pub const SCENARIO: Scenario = Scenario {
    name: "devinfo",
    title: "What a device says of itself",
    topic: Topic::ControlPath,
    summary: "Limits of the device, state and addresses of its port.",
    own: Settings::DEFAULT,
    keys: &[],
    failure: None,
    run,
};

// ANCHOR: devinfo
/// Asks the device, then its port, then each entry of the port's GID table.
fn run(world: &World, _: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let device = context.query_device()?;
    let port = context.query_port()?;
    let mut lines = vec![format!("hca_id:\t{}", context.device().info.name)];
    lines.extend(of_device(&device).map(|(name, value)| format!("\t{name}:\t{value}")));
    lines.push("\t\tport:\t1".to_owned());
    let own = of_port(&port).into_iter().chain(gids(&context, &port));
    lines.extend(own.map(|(name, value)| format!("\t\t\t{name}:\t{value}")));
    Ok(lines)
}
// ANCHOR_END: devinfo

/// A name and what stands behind it.
type Line = (String, String);

/// What the device says.
fn of_device(device: &DeviceAttributes) -> impl Iterator<Item = Line> {
    let [major, minor, sub_minor] = device.fw_ver;
    let plain = |name: &str, value: u64| (name.to_owned(), value.to_string());
    let line = |name: &str, value: String| (name.to_owned(), value);
    [
        line("fw_ver", format!("{major}.{minor}.{sub_minor:04}")),
        line("node_guid", guid(device.node_guid)),
        line("sys_image_guid", guid(device.sys_image_guid)),
        line("vendor_id", format!("{:#06x}", device.vendor_id)),
        plain("vendor_part_id", device.vendor_part_id.into()),
        line("hw_ver", format!("0x{:X}", device.hw_ver)),
        line("board_id", device.board_id.clone()),
        plain("phys_port_cnt", device.phys_port_cnt.into()),
        line("max_mr_size", format!("{:#x}", device.max_mr_size)),
        line("page_size_cap", format!("{:#x}", device.page_size_cap)),
        plain("max_qp", device.max_qp.into()),
        plain("max_qp_wr", device.max_qp_wr.into()),
        plain("max_sge", device.max_sge.into()),
        plain("max_cq", device.max_cq.into()),
        plain("max_cqe", device.max_cqe.into()),
        plain("max_mr", device.max_mr.into()),
        plain("max_pd", device.max_pd.into()),
        plain("max_qp_rd_atom", device.max_qp_rd_atom.into()),
        plain("max_res_rd_atom", device.max_res_rd_atom.into()),
        plain("max_qp_init_rd_atom", device.max_qp_init_rd_atom.into()),
        plain("max_srq", device.max_srq.into()),
        plain("max_srq_wr", device.max_srq_wr.into()),
        plain("max_srq_sge", device.max_srq_sge.into()),
        plain("max_pkeys", device.max_pkeys.into()),
        plain("local_ca_ack_delay", device.local_ca_ack_delay.into()),
    ]
    .into_iter()
}

/// What the port says.
fn of_port(port: &PortAttributes) -> Vec<Line> {
    let plain = |name: &str, value: u64| (name.to_owned(), value.to_string());
    let coded =
        |name: &str, meaning: &str, code: u8| (name.to_owned(), format!("{meaning} ({code})"));
    let line = |name: &str, value: String| (name.to_owned(), value);
    let mut lines = vec![
        coded("state", port.state.name(), port.state as u8),
        coded("max_mtu", mtu(port.max_mtu), port.max_mtu),
        coded("active_mtu", mtu(port.active_mtu), port.active_mtu),
        plain("sm_lid", port.sm_lid.into()),
        plain("port_lid", port.lid.into()),
        line("port_lmc", format!("{:#04x}", port.lmc)),
        line("link_layer", port.link_layer.name().to_owned()),
        line("max_msg_sz", format!("{:#x}", port.max_msg_sz)),
        line("port_cap_flags", format!("{:#010x}", port.port_cap_flags)),
        coded("max_vl_num", lanes(port.max_vl_num), port.max_vl_num),
        line("bad_pkey_cntr", format!("{:#x}", port.bad_pkey_cntr)),
        line("qkey_viol_cntr", format!("{:#x}", port.qkey_viol_cntr)),
        plain("sm_sl", port.sm_sl.into()),
        plain("pkey_tbl_len", port.pkey_tbl_len.into()),
        plain("gid_tbl_len", port.gid_tbl_len.into()),
        plain("subnet_timeout", port.subnet_timeout.into()),
        plain("init_type_reply", port.init_type_reply.into()),
    ];
    if port.active_width != 0 {
        lines.push(coded("active_width", width(port.active_width), port.active_width));
        lines.push(coded("active_speed", speed(port.active_speed), port.active_speed));
    }
    lines.push(coded("phys_state", physical(port.phys_state), port.phys_state));
    lines
}

/// The entries of the GID table that are not empty.
fn gids(context: &Context, port: &PortAttributes) -> Vec<Line> {
    let entries = (0..=u8::MAX).take(port.gid_tbl_len as usize);
    let filled = entries.filter_map(|index| Some((index, context.gid(index).ok()?)));
    let text = |gid: [u8; 16]| match port.link_layer {
        LinkLayer::Ethernet => std::net::Ipv6Addr::from(gid).to_string(),
        LinkLayer::InfiniBand => {
            let groups = gid.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1]));
            groups.collect::<Vec<_>>().join(":")
        }
    };
    filled.map(|(index, gid)| (format!("GID[{index:3}]"), text(gid))).collect()
}

/// A GUID in four groups.
fn guid(guid: u64) -> String {
    let group = |shift: u32| format!("{:04x}", guid >> shift & 0xffff);
    [48, 32, 16, 0].map(group).join(":")
}

/// Bytes of an MTU code.
fn mtu(code: u8) -> &'static str {
    match code {
        1 => "256",
        2 => "512",
        3 => "1024",
        4 => "2048",
        5 => "4096",
        _ => "invalid MTU",
    }
}

/// Number of lanes of a code.
fn lanes(code: u8) -> &'static str {
    match code {
        1 => "1",
        2 => "2",
        3 => "4",
        4 => "8",
        5 => "15",
        _ => "invalid value",
    }
}

/// Width of a code.
fn width(code: u8) -> &'static str {
    match code {
        1 => "1X",
        2 => "4X",
        4 => "8X",
        8 => "12X",
        16 => "2X",
        _ => "invalid widthX",
    }
}

/// Speed of a lane of a code.
fn speed(code: u8) -> &'static str {
    match code {
        1 => "2.5 Gbps",
        2 => "5.0 Gbps",
        4 | 8 => "10.0 Gbps",
        16 => "14.0 Gbps",
        32 => "25.0 Gbps",
        64 => "50.0 Gbps",
        128 => "100.0 Gbps",
        _ => "invalid speed",
    }
}

/// Physical state of a code.
fn physical(code: u8) -> &'static str {
    match code {
        1 => "SLEEP",
        2 => "POLLING",
        3 => "DISABLED",
        4 => "PORT_CONFIGURATION TRAINNING",
        5 => "LINK_UP",
        6 => "LINK_ERROR_RECOVERY",
        7 => "PHY TEST",
        _ => "invalid physical state",
    }
}

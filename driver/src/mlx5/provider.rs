//! The provider: which devices are its own, and what it puts into the table.

use super::doors;
use super::settings::ProviderSettings;
use super::tables::Mlx5Context;
use super::{
    address_handle, completion_queue, events, extended, memory, modify_qp, poll_cq, post_recv,
    post_send, query, queue_pair, registers, shared_receive,
};
use crate::bus::Bus;
use crate::control::{Control, Link, PortAddress};
use crate::verbs::{
    AddressVector, ContextOps, Device, DeviceInfo, NOT_SUPPORTED, Opened, Provider, VerbsError,
};
use doorbell_tracer::{Group, Off, Probe, Tracer, probe};
use std::any::type_name_of_val;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Discovery;

/// Mellanox's PCI vendor number.
const VENDOR: u16 = 0x15b3;

// ANCHOR: hca_table
/// The cards that this provider drives, by their PCI device number (`mlx5_hca_table`): ConnectX-4
/// and later, with their virtual functions.
const DEVICES: [u16; 23] = [
    0x1013, // ConnectX-4
    0x1014, // ConnectX-4, virtual function
    0x1015, // ConnectX-4 Lx
    0x1016, // ConnectX-4 Lx, virtual function
    0x1017, // ConnectX-5
    0x1018, // ConnectX-5, virtual function
    0x1019, // ConnectX-5 Ex
    0x101a, // ConnectX-5 Ex, virtual function
    0x101b, // ConnectX-6
    0x101c, // ConnectX-6, virtual function
    0x101d, // ConnectX-6 Dx
    0x101e, // virtual function of ConnectX-6 Dx and later
    0x101f, // ConnectX-6 Lx
    0x1021, // ConnectX-7
    0x1023, // ConnectX-8
    0x1025, // ConnectX-9
    0x1027, // ConnectX-10
    0x2101, // ConnectX-10 on NVLink-C2C
    0xa2d2, // BlueField
    0xa2d3, // BlueField, virtual function
    0xa2d6, // BlueField-2
    0xa2dc, // BlueField-3
    0xa2df, // BlueField-4
];
// ANCHOR_END: hca_table

/// The provider itself. Registered once, asked for each device.
pub struct Mlx5;

impl Provider for Mlx5 {
    fn name(&self) -> &'static str {
        "mlx5"
    }

    // ANCHOR: mlx5_match
    fn matches(&self, device: &DeviceInfo) -> bool {
        device.vendor == VENDOR && DEVICES.contains(&device.device)
    }
    // ANCHOR_END: mlx5_match

    // ANCHOR: mlx5_open
    fn open(&self, device: &Device, tracer: &Tracer) -> Result<Opened, VerbsError> {
        doors::open(device, tracer)
    }
    // ANCHOR_END: mlx5_open
}

// ANCHOR: fill_ops
/// The table (`mlx5_ctx_ops`): named fields over the defaults. `P` is all the difference between
/// the table with probes and the one without.
#[expect(clippy::needless_update, reason = "a slot that the verbs gain keeps its default")]
fn ops<B: Bus, P: Probe>() -> ContextOps {
    ContextOps {
        name: "mlx5_ctx_ops",
        query_device: query::query_device::<B>,
        query_port: query::query_port::<B>,
        query_gid: |context| Ok(address_vector(Mlx5Context::<B>::of(context).control.address())),
        gid: query::gid::<B>,
        alloc_pd: memory::alloc_pd::<B>,
        alloc_td: registers::alloc_td::<B>,
        alloc_buffer: memory::alloc_buffer::<B>,
        reg_mr: memory::reg_mr::<B>,
        alloc_mw: memory::alloc_mw::<B>,
        create_comp_channel: events::create_comp_channel::<B>,
        next_cq_event: events::next_cq_event::<B>,
        watch_async_events: events::watch_async_events::<B>,
        next_async_event: events::next_async_event::<B>,
        create_cq: completion_queue::create_cq::<B>,
        req_notify_cq: events::req_notify_cq::<B, P>,
        cq_event: events::cq_event::<B>,
        create_srq: shared_receive::create_srq::<B>,
        modify_srq: shared_receive::modify_srq::<B>,
        query_srq: shared_receive::query_srq::<B>,
        create_ah: address_handle::create_ah::<B>,
        create_qp: queue_pair::create_qp::<B>,
        modify_qp: modify_qp::modify_qp::<B>,
        query_qp: modify_qp::query_qp::<B>,
        post_send: post_send::post_send::<B, P>,
        wr_start: extended::wr_start::<B, P>,
        post_recv: post_recv::post_recv::<B, P>,
        post_srq_recv: shared_receive::post_srq_recv::<B, P>,
        poll_cq: poll_cq::poll_cq::<B, P>,
        relax: |context| Mlx5Context::<B>::of(context).control.relax(),
        ..NOT_SUPPORTED
    }
}
// ANCHOR_END: fill_ops

/// The way to a port: its address, and a hop limit that gets a packet anywhere.
fn address_vector(port: PortAddress) -> AddressVector {
    let global = port.link == Link::Ethernet;
    AddressVector {
        gid: port.gid,
        global,
        lid: port.lid,
        mac: port.mac,
        hop_limit: 64,
        source_gid_index: port.gid_index,
        service_level: 0,
    }
}

// ANCHOR: open_with
/// What a context gets, whoever answers its control path (`mlx5_init_context`).
pub fn open_with<B: Bus>(
    control: Arc<dyn Control<B>>,
    settings: impl Into<ProviderSettings>,
    tracer: &Tracer,
) -> Result<Opened, VerbsError> {
    let provider = Mlx5Context::<B>::new(control, settings.into(), tracer)?;
    probe!(
        *tracer,
        note(
            "mlx5_ctx_ops filled",
            [
                ("post_send", type_name_of_val(&post_send::post_send::<B, Tracer>).into()),
                ("post_recv", type_name_of_val(&post_recv::post_recv::<B, Tracer>).into()),
                ("poll_cq", type_name_of_val(&poll_cq::poll_cq::<B, Tracer>).into()),
            ]
        )
    );
    Ok(Opened {
        ops: ops::<B, Off>(),
        traced_ops: ops::<B, Tracer>(),
        provider: Box::new(provider),
    })
}
// ANCHOR_END: open_with

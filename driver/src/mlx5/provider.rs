//! The provider: which devices are its own, and what it puts into the table.

use super::settings::BlueFlameSettings;
use super::tables::Mlx5Context;
use super::{completion_queue, memory, poll_cq, post_recv, post_send, queue_pair};
use crate::bus::{CardBus, Registers};
use crate::control::firmware::Firmware;
use crate::control::{Control, PortAddress};
use crate::verbs::{
    AddressVector, ContextOps, Device, DeviceInfo, Door, NOT_SUPPORTED, NothingThere, Opened,
    Provider, VerbsError,
};
use doorbell_tracer::{Group, Off, Probe, Tracer, probe};
use std::any::{Any, type_name_of_val};
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Discovery;

/// Mellanox's PCI vendor number.
const VENDOR: u16 = 0x15b3;

// ANCHOR: hca_table
/// The cards that this provider drives, by their PCI device number (`hca_table`): ConnectX-4 and
/// later, as far as their data path is the one in this folder.
const DEVICES: [u16; 8] = [
    0x1013, // ConnectX-4
    0x1015, // ConnectX-4 Lx
    0x1017, // ConnectX-5
    0x1019, // ConnectX-5 Ex
    0x101b, // ConnectX-6
    0x101d, // ConnectX-6 Dx
    0x101f, // ConnectX-6 Lx
    0x1021, // ConnectX-7
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
        match device.door.as_any().downcast_ref::<CardDoor>() {
            Some(door) => door.open(tracer),
            None => Err(VerbsError::NotSupported { verb: "opening through this door" }),
        }
    }
    // ANCHOR_END: mlx5_open
}

// ANCHOR: fill_ops
/// The table (`mlx5_ctx_ops`): named fields over the defaults. `P` is all the difference between
/// the table with probes and the one without.
#[expect(clippy::needless_update, reason = "a slot that the verbs gain keeps its default")]
fn ops<R: Registers, P: Probe>() -> ContextOps {
    ContextOps {
        name: "mlx5_ctx_ops",
        query_gid: |context| Ok(address_vector(Mlx5Context::<R>::of(context).control.address())),
        alloc_pd: memory::alloc_pd::<R>,
        alloc_buffer: memory::alloc_buffer::<R>,
        reg_mr: memory::reg_mr::<R>,
        create_cq: completion_queue::create_cq::<R>,
        create_qp: queue_pair::create_qp::<R>,
        init_qp: queue_pair::init_qp::<R>,
        connect_qp: queue_pair::connect_qp::<R>,
        start_qp: queue_pair::start_qp::<R>,
        post_send: post_send::post_send::<R, P>,
        post_recv: post_recv::post_recv::<R, P>,
        poll_cq: poll_cq::poll_cq::<R, P>,
        relax: |context| Mlx5Context::<R>::of(context).control.relax(),
        ..NOT_SUPPORTED
    }
}
// ANCHOR_END: fill_ops

/// The way to a port: its address, and a hop limit that gets a packet anywhere.
fn address_vector(port: PortAddress) -> AddressVector {
    AddressVector { gid: port.gid, mac: port.mac, hop_limit: 64 }
}

// ANCHOR: open_with
/// What a context gets, whoever answers its control path (`mlx5_init_context`).
pub fn open_with<R: Registers>(
    control: Arc<dyn Control<R>>,
    blueflame: BlueFlameSettings,
    tracer: &Tracer,
) -> Result<Opened, VerbsError> {
    let provider = Mlx5Context::<R>::new(control, blueflame, tracer)?;
    probe!(
        *tracer,
        note(
            "mlx5_ctx_ops filled",
            [
                ("post_send", type_name_of_val(&post_send::post_send::<R, Tracer>).into()),
                ("post_recv", type_name_of_val(&post_recv::post_recv::<R, Tracer>).into()),
                ("poll_cq", type_name_of_val(&poll_cq::poll_cq::<R, Tracer>).into()),
            ]
        )
    );
    Ok(Opened {
        ops: ops::<R, Off>(),
        traced_ops: ops::<R, Tracer>(),
        provider: Box::new(provider),
    })
}
// ANCHOR_END: open_with

/// The door to the software card in this process: a slot with a card in it.
pub struct CardDoor {
    bus: Arc<CardBus>,
    blueflame: BlueFlameSettings,
}

impl CardDoor {
    /// A door to the card behind `bus`.
    pub fn new(bus: Arc<CardBus>, blueflame: BlueFlameSettings) -> Self {
        Self { bus, blueflame }
    }

    // ANCHOR: card_door
    /// Brings the card up, being its kernel driver, and opens it.
    fn open(&self, tracer: &Tracer) -> Result<Opened, VerbsError> {
        let memory = Arc::clone(self.bus.memory());
        let firmware = Firmware::bring_up(Arc::clone(&self.bus), memory, tracer)?;
        open_with(Arc::new(firmware), self.blueflame, tracer)
    }
    // ANCHOR_END: card_door
}

impl Door for CardDoor {
    fn place(&self) -> String {
        "the software slot of this process".to_owned()
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        let (vendor, device) = self.bus.pci_ids();
        let name = "card0".to_owned();
        Ok(vec![DeviceInfo { name, vendor, device }])
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A door that leads nowhere: what a program meets on a machine where no kernel driver has made
/// a device. It plays that machine, and looks at nothing of the real one.
pub struct NoDoor;

// ANCHOR: no_door
impl Door for NoDoor {
    fn place(&self) -> String {
        "/sys/class/infiniband_verbs (played: a machine without mlx5_ib)".to_owned()
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        Err(NothingThere(
            "empty: uverbs entries are made by a kernel driver, mlx5_ib for this card, and it is \
             not loaded"
                .to_owned(),
        ))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
// ANCHOR_END: no_door

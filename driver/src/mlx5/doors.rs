//! The doors to a card, as this provider goes through them.
//!
//! A door says where a device was found; what lies behind it decides who answers the requests of
//! the control path, and which bus the registers are on. From [`open_with`] on all are the same.

use super::provider::open_with;
use super::settings::ProviderSettings;
use crate::bus::CardBus;
#[cfg(target_os = "linux")]
use crate::bus::{VfioCard, identify};
use crate::control::firmware::Firmware;
#[cfg(target_os = "linux")]
use crate::control::{
    ControlError,
    uverbs::{KernelDoor, Uverbs},
};
use crate::verbs::{Device, DeviceInfo, Door, NothingThere, Opened, VerbsError};
use doorbell_tracer::Tracer;
use std::any::Any;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::sync::Arc;

// ANCHOR: mlx5_doors
/// Opens a device through the door that led to it.
pub fn open(device: &Device, tracer: &Tracer) -> Result<Opened, VerbsError> {
    let door = device.door.as_any();
    if let Some(door) = door.downcast_ref::<CardDoor>() {
        return door.open(tracer);
    }
    #[cfg(target_os = "linux")]
    if let Some(door) = door.downcast_ref::<KernelDoor>() {
        return open_kernel(door, &device.info.name, tracer);
    }
    #[cfg(target_os = "linux")]
    if let Some(door) = door.downcast_ref::<VfioDoor>() {
        return door.open(tracer);
    }
    Err(VerbsError::NotSupported { verb: "opening through this door" })
}
// ANCHOR_END: mlx5_doors

// ANCHOR: kernel_door
/// Opens a device that the kernel drives: its file, and a context behind it.
#[cfg(target_os = "linux")]
fn open_kernel(door: &KernelDoor, name: &str, tracer: &Tracer) -> Result<Opened, VerbsError> {
    let missing = || ControlError::NoAddress { device: name.to_owned() };
    let address = door.address(name).ok_or_else(missing)?;
    let node = door.node(name).ok_or_else(missing)?;
    let uverbs = Uverbs::open(&node, &door.folder(name), address, tracer)?;
    open_with(Arc::new(uverbs), ProviderSettings::from_environment()?, tracer)
}
// ANCHOR_END: kernel_door

/// The door to the software card in this process: a slot with a card in it.
pub struct CardDoor {
    bus: Arc<CardBus>,
    settings: ProviderSettings,
}

impl CardDoor {
    /// A door to the card behind `bus`.
    pub fn new(bus: Arc<CardBus>, settings: impl Into<ProviderSettings>) -> Self {
        Self { bus, settings: settings.into() }
    }

    // ANCHOR: card_door
    /// Brings the card up, being its kernel driver, and opens it.
    fn open(&self, tracer: &Tracer) -> Result<Opened, VerbsError> {
        let memory = Arc::clone(self.bus.memory());
        let firmware = Firmware::bring_up(Arc::clone(&self.bus), memory, tracer)?;
        open_with(Arc::new(firmware), self.settings, tracer)
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

/// The door to a card that VFIO holds, by its PCI address.
#[cfg(target_os = "linux")]
pub struct VfioDoor {
    address: String,
}

#[cfg(target_os = "linux")]
impl VfioDoor {
    /// The door to the card at `address`, as `0000:3b:00.0`.
    pub fn to(address: &str) -> Self {
        Self { address: address.to_owned() }
    }

    // ANCHOR: vfio_door
    /// Takes the card, brings it up as its kernel driver would, and opens it.
    fn open(&self, tracer: &Tracer) -> Result<Opened, VerbsError> {
        let card = VfioCard::open(&self.address)?;
        let memory = Arc::clone(card.memory());
        let firmware = Firmware::bring_up(card, memory, tracer)?;
        open_with(Arc::new(firmware), ProviderSettings::from_environment()?, tracer)
    }
    // ANCHOR_END: vfio_door
}

#[cfg(target_os = "linux")]
impl Door for VfioDoor {
    fn place(&self) -> String {
        format!("/sys/bus/pci/devices/{}", self.address)
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        let found = identify(Path::new("/sys"), &self.address);
        let (vendor, device) = found.map_err(|error| NothingThere(error.to_string()))?;
        Ok(vec![DeviceInfo { name: format!("vfio:{}", self.address), vendor, device }])
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

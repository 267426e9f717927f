//! Finding devices: the places looked at, and what was found there.

use doorbell_tracer::{Group, Tracer, probe};
use std::fmt;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Discovery;

/// What a place of discovery tells of a device, before any provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Name of the device, as `card0` or `mlx5_0`.
    pub name: String,
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
}

/// A way in which devices come to be known to a program.
///
/// libibverbs knows one: the class folder of uverbs devices in sysfs, which a kernel driver
/// fills. A program that brings its own control path can bring a door of its own.
pub trait Door: Send + Sync {
    /// Where it looks, in words.
    fn place(&self) -> String;

    /// What it finds there, or why it finds nothing.
    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere>;

    /// The door's own part of a device, for the provider to open.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// Why a place has no devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NothingThere(pub String);

impl fmt::Display for NothingThere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A device that was found, and the door through which.
#[derive(Clone)]
pub struct Device {
    /// What is known of it.
    pub info: DeviceInfo,
    /// The door that leads to it.
    pub door: Arc<dyn Door>,
}

// ANCHOR: get_device_list
/// Looks through every door and lists the devices there (`ibv_get_device_list`).
///
/// An empty list is no error: it says that no door led to a device. The trace says why.
pub fn get_device_list(doors: &[Arc<dyn Door>], tracer: &Tracer) -> Vec<Device> {
    probe!(*tracer, call("ibv_get_device_list", [("doors", doors.len().into())]));
    let mut list = Vec::new();
    for door in doors {
        match door.devices() {
            Ok(found) => list.extend(found.into_iter().map(|info| listed(info, door, tracer))),
            Err(reason) => probe!(*tracer, discovery(door.place(), reason.to_string(), false)),
        }
    }
    probe!(*tracer, returned("ibv_get_device_list", list.len()));
    list
}

/// One entry of the list.
fn listed(info: DeviceInfo, door: &Arc<dyn Door>, tracer: &Tracer) -> Device {
    let (name, vendor, device) = (&info.name, info.vendor, info.device);
    probe!(
        *tracer,
        discovery(door.place(), format!("found {name}, PCI {vendor:04x}:{device:04x}"), true,)
    );
    Device { info, door: Arc::clone(door) }
}
// ANCHOR_END: get_device_list

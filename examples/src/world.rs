//! What a program finds when it starts: doors to devices, and a tracer.

use crate::{Device, ExampleError};
use doorbell_card::CardConfig;
use doorbell_driver::bus::CardBus;
#[cfg(target_os = "linux")]
use doorbell_driver::control::uverbs::KernelDoor;
#[cfg(target_os = "linux")]
use doorbell_driver::mlx5::VfioDoor;
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5, NoDoor};
use doorbell_driver::verbs::{Context, Door, Providers, get_device_list, open_device};
use doorbell_tracer::Tracer;
use std::sync::Arc;

/// The machine as a program sees it.
pub struct World {
    doors: Vec<Arc<dyn Door>>,
    /// Where events go.
    pub tracer: Tracer,
}

impl World {
    /// A machine with this device.
    pub fn new(device: Device, tracer: &Tracer) -> Self {
        let door: Arc<dyn Door> = match device {
            Device::None => Arc::new(NoDoor),
            #[cfg(target_os = "linux")]
            Device::Kernel(name) => Arc::new(KernelDoor::to(&name)),
            #[cfg(target_os = "linux")]
            Device::Vfio(address) => Arc::new(VfioDoor::to(&address)),
            #[cfg(not(target_os = "linux"))]
            Device::Kernel(_) | Device::Vfio(_) => Arc::new(NoDoor),
            Device::Card => {
                let bus = CardBus::new(CardConfig::default(), tracer);
                Arc::new(CardDoor::new(bus, BlueFlameSettings::default()))
            }
        };
        Self { doors: vec![door], tracer: tracer.clone() }
    }

    // ANCHOR: program_open
    /// Finds the first device and opens it: how every program with verbs begins.
    pub fn open(&self) -> Result<Arc<Context>, ExampleError> {
        let mut providers = Providers::new();
        providers.register(&Mlx5, &self.tracer);
        let devices = get_device_list(&self.doors, &self.tracer);
        let first = devices.first().ok_or_else(|| ExampleError::NoDevice {
            places: self.doors.iter().map(|door| door.place()).collect::<Vec<_>>().join(", "),
        })?;
        Ok(open_device(first, &providers, &self.tracer)?)
    }
    // ANCHOR_END: program_open
}

//! What a program finds when it starts: doors to devices, and a tracer.

use crate::{Device, ExampleError, Machine, Register, Switches, WiredCard};
use doorbell_card::CardConfig;
use doorbell_card_network::{NetworkError, Traffic, UdpNetwork, config_of};
use doorbell_driver::bus::CardBus;
#[cfg(target_os = "linux")]
use doorbell_driver::control::uverbs::KernelDoor;
#[cfg(target_os = "linux")]
use doorbell_driver::mlx5::VfioDoor;
use doorbell_driver::mlx5::{CardDoor, Mlx5, NoDoor};
use doorbell_driver::verbs::{Context, Door, Providers, get_device_list, open_device};
use doorbell_tracer::Tracer;
use std::sync::Arc;

/// The machine as a program sees it.
pub struct World {
    doors: Vec<Arc<dyn Door>>,
    /// What the software card is plugged into, if it is; or why it cannot be.
    network: Option<Result<Arc<UdpNetwork>, NetworkError>>,
    /// The bus of the software card, if it is one.
    card: Option<Arc<CardBus>>,
    /// The device of this machine.
    pub device: Device,
    /// Where events go.
    pub tracer: Tracer,
    /// What of it is on.
    pub switches: Switches,
}

impl World {
    /// A machine with this device, and nothing said of BlueFlame.
    pub fn new(device: Device, tracer: &Tracer) -> Self {
        Self::with(device, Machine::default(), tracer)
    }

    /// A machine with this device, where environment and slot of the software card are such. What a real
    /// card's provider reads is this process's own environment.
    pub fn with(device: Device, machine: Machine, tracer: &Tracer) -> Self {
        let (mut network, mut card, none) = (None, None, Arc::new(NoDoor));
        let mut card_door = |bus| card_door(card.insert(bus), machine);
        let door: Arc<dyn Door> = match &device {
            Device::None => none,
            #[cfg(target_os = "linux")]
            Device::Kernel(name) => Arc::new(KernelDoor::to(name)),
            #[cfg(target_os = "linux")]
            Device::Vfio(address) => Arc::new(VfioDoor::to(address)),
            #[cfg(not(target_os = "linux"))]
            Device::Kernel(_) | Device::Vfio(_) => none,
            Device::Card => card_door(card_bus(machine, tracer)),
            Device::Wired(wired) => {
                let wire = network.insert(plug(wired)).clone();
                let bus = |wire| CardBus::plugged(config_of(wired.address), wire, tracer);
                wire.map_or(none, |wire| card_door(bus(wire)))
            }
        };
        let (tracer, switches) = (tracer.clone(), Switches::of(tracer));
        Self { doors: vec![door], network, card, device, tracer, switches }
    }

    /// The bus of the software card. An experiment that orders the stores of threads needs it; no other
    /// card's bus can be held.
    pub fn card(&self) -> Result<&Arc<CardBus>, ExampleError> {
        self.card.as_ref().ok_or(ExampleError::SoftwareCardOnly)
    }

    /// The network of a software card that has a wire.
    fn network(&self) -> Option<&Arc<UdpNetwork>> {
        self.network.as_ref()?.as_ref().ok()
    }

    /// What went over the network of a software card that has a wire.
    pub fn traffic(&self) -> Option<Traffic> {
        Some(self.network()?.traffic())
    }

    /// Whether the software card could be plugged in, if it was to be.
    fn plugged(&self) -> Result<(), NetworkError> {
        self.network
            .as_ref()
            .map_or(Ok(()), |network| network.as_ref().map(drop).map_err(Clone::clone))
    }

    // ANCHOR: program_open
    /// Finds the first device and opens it: how every program with verbs begins.
    pub fn open(&self) -> Result<Arc<Context>, ExampleError> {
        self.plugged()?;
        let mut providers = Providers::new();
        providers.register(&Mlx5, &self.tracer);
        let devices = get_device_list(&self.doors, &self.tracer);
        let first = devices.first().ok_or_else(|| ExampleError::NoDevice {
            places: self.doors.iter().map(|door| door.place()).collect::<Vec<_>>().join(", "),
        })?;
        let context = open_device(first, &providers, &self.tracer)?;
        self.switches.add(&context);
        Ok(context)
    }
    // ANCHOR_END: program_open
}

/// The software card, in such a slot.
fn card_bus(machine: Machine, tracer: &Tracer) -> Arc<CardBus> {
    let config = CardConfig { atomics: !machine.without_atomics, ..CardConfig::default() };
    match machine.register {
        Register::Plain => CardBus::uncached(config, tracer),
        Register::Own | Register::Shared => CardBus::new(config, tracer),
    }
}

/// The door to the software card behind this bus.
fn card_door(bus: &Arc<CardBus>, machine: Machine) -> Arc<dyn Door> {
    Arc::new(CardDoor::new(Arc::clone(bus), machine))
}

/// Plugs a card into the network.
fn plug(card: &WiredCard) -> Result<Arc<UdpNetwork>, NetworkError> {
    UdpNetwork::open(card.address, card.impairments).map(Arc::new)
}

//! Providers: who says "this device is mine", and fills the table.

use super::{ContextOps, Device, DeviceInfo, VerbsError};
use doorbell_tracer::{Group, Tracer, probe};
use std::any::Any;

const PROBE_GROUP: Group = Group::Discovery;

/// A user-space driver for a family of devices (`struct verbs_device_ops`).
pub trait Provider: Send + Sync {
    /// Its name, as `mlx5`.
    fn name(&self) -> &'static str;

    /// Whether it drives this device; decided by the PCI ids alone.
    fn matches(&self, device: &DeviceInfo) -> bool;

    /// Opens the device and brings what a context needs.
    fn open(&self, device: &Device, tracer: &Tracer) -> Result<Opened, VerbsError>;
}

/// What a provider brings to a new context.
pub struct Opened {
    /// The table with probes off.
    pub ops: ContextOps,
    /// The table whose functions carry probes.
    pub traced_ops: ContextOps,
    /// The provider's own part of the context (`struct mlx5_context` around `ibv_context`).
    pub provider: Box<dyn Any + Send + Sync>,
}

/// The providers that have been registered, in their order.
#[derive(Default)]
pub struct Providers(Vec<&'static dyn Provider>);

impl Providers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    // ANCHOR: register_provider
    /// Adds a provider (`verbs_register_driver`). In C each provider's shared library has a
    /// constructor that calls this when it is loaded; here the program does.
    pub fn register(&mut self, provider: &'static dyn Provider, tracer: &Tracer) {
        self.0.push(provider);
        probe!(*tracer, note("provider registered", [("provider", provider.name().into())]));
    }
    // ANCHOR_END: register_provider

    // ANCHOR: match_device
    /// Asks each provider in turn whether the device is its own (`match_device`).
    pub fn find(&self, device: &Device, tracer: &Tracer) -> Option<&'static dyn Provider> {
        for provider in &self.0 {
            let found = provider.matches(&device.info);
            let subject = format!("provider {}", provider.name());
            let answer = if found { "is mine" } else { "is not mine" };
            let name = &device.info.name;
            probe!(*tracer, discovery(subject, format!("{name} {answer}"), found));
            if found {
                return Some(*provider);
            }
        }
        None
    }
    // ANCHOR_END: match_device
}

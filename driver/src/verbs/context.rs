//! An opened device: the owner of the ops table.

use super::{
    AddressVector, Buffer, CompletionQueue, ContextOps, Device, DeviceAttributes, Opened,
    PortAttributes, ProtectionDomain, Providers, ThreadDomain, VerbsError,
};
use doorbell_tracer::{Group, Tracer, probe};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

const PROBE_GROUP: Group = Group::Control;

/// An opened device (`struct ibv_context`).
pub struct Context {
    /// The table in use: one of `tables`. A verb reaches its slot by two loads, as in C.
    ops: AtomicPtr<ContextOps>,
    /// Both tables of the provider: the one without probes, and the one with.
    tables: Arc<[ContextOps; 2]>,
    provider: Box<dyn Any + Send + Sync>,
    device: Device,
    tracer: Tracer,
}

impl Context {
    // ANCHOR: context_ops
    /// The ops table in use. Each verb starts here.
    #[inline(always)]
    pub fn ops(&self) -> &ContextOps {
        // SAFETY: `select` alone sets the pointer, to one of `tables`; they are behind an `Arc`,
        // never written, and live as long as `self`.
        unsafe { &*self.ops.load(Ordering::Relaxed) }
    }

    /// Puts the table with probes, or the one without, in use for the next calls: tracing is
    /// switched by the mechanism that it shows.
    pub fn set_tracing(&self, on: bool) {
        self.ops.store(select(&self.tables, on), Ordering::Relaxed);
    }
    // ANCHOR_END: context_ops

    /// The provider's own part, if it is a `T`.
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.downcast_ref()
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Where events of this context go.
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// What the device is and can do (`ibv_query_device`).
    pub fn query_device(&self) -> Result<DeviceAttributes, VerbsError> {
        (self.ops().query_device)(self)
    }

    /// What its port is and how it is (`ibv_query_port` of port 1).
    pub fn query_port(&self) -> Result<PortAttributes, VerbsError> {
        (self.ops().query_port)(self)
    }

    /// An entry of its port's GID table (`ibv_query_gid`).
    pub fn gid(&self, index: u8) -> Result<[u8; 16], VerbsError> {
        (self.ops().gid)(self, index)
    }

    /// The way to this port, for the other side to be told (`ibv_query_gid`).
    pub fn query_gid(&self) -> Result<AddressVector, VerbsError> {
        (self.ops().query_gid)(self)
    }

    /// Allocates a protection domain (`ibv_alloc_pd`).
    pub fn alloc_pd(self: &Arc<Self>) -> Result<Arc<ProtectionDomain>, VerbsError> {
        (self.ops().alloc_pd)(self).map(Arc::new)
    }

    /// Allocates a thread domain (`ibv_alloc_td`).
    pub fn alloc_td(self: &Arc<Self>) -> Result<Arc<ThreadDomain>, VerbsError> {
        (self.ops().alloc_td)(self).map(Arc::new)
    }

    /// Takes `length` zeroed bytes of memory that the card can be let into by registering it.
    pub fn alloc_buffer(self: &Arc<Self>, length: usize, name: &str) -> Result<Buffer, VerbsError> {
        (self.ops().alloc_buffer)(self, length, name)
    }

    /// Creates a completion queue for at least `entries` completions (`ibv_create_cq`).
    pub fn create_cq(self: &Arc<Self>, entries: u32) -> Result<Arc<CompletionQueue>, VerbsError> {
        (self.ops().create_cq)(self, entries, None).map(Arc::new)
    }

    /// What a program does between two polls that found nothing: on a real card a hint to the
    /// CPU, on the software card its turn to work.
    pub fn relax(&self) {
        (self.ops().relax)(self);
    }
}

// ANCHOR: open_device
/// Opens a device: asks who drives it, and takes that provider's table (`ibv_open_device`).
pub fn open_device(
    device: &Device,
    providers: &Providers,
    tracer: &Tracer,
) -> Result<Arc<Context>, VerbsError> {
    let name = device.info.name.clone();
    probe!(*tracer, call("ibv_open_device", [("device", name.into())]));
    let Some(provider) = providers.find(device, tracer) else {
        probe!(*tracer, returned("ibv_open_device", "ENODEV"));
        return Err(VerbsError::NoProvider {
            device: device.info.name.clone(),
            vendor: device.info.vendor,
            id: device.info.device,
        });
    };
    let opened = provider.open(device, tracer)?;
    let context = set_ops(opened, device, tracer);
    probe!(*tracer, returned("ibv_open_device", "context"));
    Ok(Arc::new(context))
}
// ANCHOR_END: open_device

// ANCHOR: set_ops
/// Copies the provider's table into the new context (`verbs_set_ops`). From this moment on
/// `context.ops.post_send` is the provider's function.
fn set_ops(opened: Opened, device: &Device, tracer: &Tracer) -> Context {
    let traced = tracer.is_on();
    let tables = Arc::new([opened.ops, opened.traced_ops]);
    let table = tables[usize::from(traced)].name;
    probe!(
        *tracer,
        note(
            "context.ops filled",
            [("table", table.into()), ("instead of", super::NOT_SUPPORTED.name.into()),]
        )
    );
    Context {
        ops: AtomicPtr::new(select(&tables, traced)),
        tables,
        provider: opened.provider,
        device: device.clone(),
        tracer: tracer.clone(),
    }
}
// ANCHOR_END: set_ops

/// The table with probes, or the one without.
fn select(tables: &Arc<[ContextOps; 2]>, traced: bool) -> *mut ContextOps {
    let first: *const ContextOps = Arc::as_ptr(tables).cast();
    first.wrapping_add(usize::from(traced)).cast_mut()
}

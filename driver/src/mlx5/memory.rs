//! Protection domains, buffers and memory regions, the provider's part.

use super::tables::Mlx5Context;
use crate::bus::{Bus, Purpose};
use crate::control::{Control, MkeyRequest};
use crate::verbs::{
    Access, Buffer, Context, MemoryRegion, MemoryWindow, ProtectionDomain, VerbsError, WindowKind,
};
use doorbell_tracer::{Group, Role, Site, Value, probe, site};
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Control;

/// Gives something back to the control path when dropped.
struct Held<B: Bus> {
    control: Arc<dyn Control<B>>,
    number: u32,
    give_back: fn(&dyn Control<B>, u32),
}

impl<B: Bus> Drop for Held<B> {
    fn drop(&mut self) {
        (self.give_back)(&*self.control, self.number);
    }
}

// ANCHOR: alloc_pd
/// Asks for a protection domain (`mlx5_alloc_pd`).
pub fn alloc_pd<B: Bus>(context: &Arc<Context>) -> Result<ProtectionDomain, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(context);
    probe!(*context.tracer(), call("ibv_alloc_pd", []));
    let number = mlx5.control.alloc_pd()?;
    let held = Held {
        control: Arc::clone(&mlx5.control),
        number,
        give_back: |control, number| control.dealloc_pd(number),
    };
    probe!(*context.tracer(), returned("ibv_alloc_pd", Value::Hex(number.into())));
    Ok(ProtectionDomain::new(context, number, Box::new(held)))
}
// ANCHOR_END: alloc_pd

// ANCHOR: alloc_buffer
/// Takes memory that both sides can name. The card cannot touch it before it has a key.
pub fn alloc_buffer<B: Bus>(
    context: &Arc<Context>,
    length: usize,
    name: &str,
) -> Result<Buffer, VerbsError> {
    static PLACE: Site = site!();
    let memory = Mlx5Context::<B>::of(context).memory.allocate(length)?;
    let purpose = Purpose { role: Role::Buffer, name, stride: 0, object: 0 };
    let region = context.tracer().map(&PLACE, memory.request(0, length, purpose));
    Ok(Buffer::new(context, memory, region))
}
// ANCHOR_END: alloc_buffer

// ANCHOR: reg_mr
/// Asks for a key to a buffer (`mlx5_reg_mr`). One key serves as lkey and as rkey; what it allows
/// is kept with it on the card.
pub fn reg_mr<B: Bus>(
    pd: &Arc<ProtectionDomain>,
    buffer: Buffer,
    access: Access,
) -> Result<MemoryRegion, VerbsError> {
    let remote = access.intersects(Access::REMOTE_WRITE | Access::REMOTE_ATOMIC);
    if remote && !access.contains(Access::LOCAL_WRITE) {
        return Err(VerbsError::Invalid {
            what: "access",
            value: access.bits().into(),
            why: "lets others write where the program itself may not; add LOCAL_WRITE",
        });
    }
    let mlx5 = Mlx5Context::<B>::of(pd.context());
    let tracer = pd.context().tracer();
    probe!(
        *tracer,
        call(
            "ibv_reg_mr",
            [("addr", Value::Hex(buffer.address())), ("length", buffer.length().into())]
        )
    );
    let key = mlx5.control.create_mkey(&MkeyRequest {
        pd: pd.number(),
        address: buffer.address(),
        length: buffer.length() as u64,
        access,
        pages: buffer.memory().pages().collect(),
    })?;
    let held = Held {
        control: Arc::clone(&mlx5.control),
        number: key,
        give_back: |control, key| control.destroy_mkey(key),
    };
    probe!(*tracer, returned("ibv_reg_mr", Value::Hex(key.into())));
    Ok(MemoryRegion::new(pd, buffer, access, (key, key), Box::new(held)))
}
// ANCHOR_END: reg_mr

// ANCHOR: alloc_mw
/// Asks for a memory window (`mlx5_alloc_mw`). Its key opens nothing until a post binds it.
pub fn alloc_mw<B: Bus>(
    pd: &Arc<ProtectionDomain>,
    kind: WindowKind,
) -> Result<MemoryWindow, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(pd.context());
    let tracer = pd.context().tracer();
    probe!(*tracer, call("ibv_alloc_mw", [("type", u32::from(kind as u8).into())]));
    let rkey = mlx5.control.alloc_mw(pd.number(), kind)?;
    let held = Held {
        control: Arc::clone(&mlx5.control),
        number: rkey,
        give_back: |control, rkey| control.dealloc_mw(rkey),
    };
    probe!(*tracer, returned("ibv_alloc_mw", Value::Hex(rkey.into())));
    Ok(MemoryWindow::new(pd, kind, rkey, Box::new(held)))
}
// ANCHOR_END: alloc_mw

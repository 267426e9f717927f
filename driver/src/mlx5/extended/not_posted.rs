//! The slots of what a transport has not. In C they are null pointers, and a call ends the program; here
//! it makes the batch fail.

use super::{NOTHING, open};
use crate::bus::Bus;
use crate::verbs::{Begun, Bind, Locked, Opcode, PostCause, RemoteAddress, SendFlags};
use doorbell_tracer::Probe;

/// What its transport has no request of.
unsafe fn not_posted<B: Bus, P: Probe>(queue: Locked, opcode: Opcode) -> Begun {
    // SAFETY: by the caller's word.
    let (_, queue, _) = unsafe { open::<B, P>(queue) };
    let transport = queue.opcodes.transport;
    queue.refuse(PostCause::Opcode { opcode, transport });
    NOTHING
}

/// The slot of a send that invalidates.
pub unsafe fn send_inv<B: Bus, P: Probe>(queue: Locked, _: u64, _: SendFlags, _: u32) -> Begun {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::SendWithInvalidate) }
}

/// The slot of an RDMA operation without immediate data.
pub unsafe fn rdma<B: Bus, P: Probe, const OPCODE: usize>(
    queue: Locked,
    _: u64,
    _: SendFlags,
    _: RemoteAddress,
) -> Begun {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::ALL[OPCODE]) }
}

/// The slot of one with immediate data.
pub unsafe fn rdma_write_imm<B: Bus, P: Probe>(
    queue: Locked,
    _: u64,
    _: SendFlags,
    _: RemoteAddress,
    _: u32,
) -> Begun {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::RdmaWriteWithImmediate) }
}

/// The slot of the atomic operation that compares.
pub unsafe fn atomic_cmp_swp<B: Bus, P: Probe>(
    queue: Locked,
    _: u64,
    _: SendFlags,
    _: RemoteAddress,
    _: u64,
    _: u64,
) -> Begun {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::AtomicCompareAndSwap) }
}

/// The slot of the one that adds.
pub unsafe fn atomic_fetch_add<B: Bus, P: Probe>(
    queue: Locked,
    _: u64,
    _: SendFlags,
    _: RemoteAddress,
    _: u64,
) -> Begun {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::AtomicFetchAndAdd) }
}

/// The slot of a binding.
pub unsafe fn bind_mw<B: Bus, P: Probe>(queue: Locked, _: u64, _: SendFlags, _: &Bind) {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::BindMemoryWindow) };
}

/// The slot of an invalidation.
pub unsafe fn local_inv<B: Bus, P: Probe>(queue: Locked, _: u64, _: SendFlags, _: u32) {
    // SAFETY: by the caller's word.
    unsafe { not_posted::<B, P>(queue, Opcode::LocalInvalidate) };
}

//! The builders of a connection: each begins a WQE, and writes all of it but the data.

use super::setters::{set_inline_data_list, set_sge, set_sge_list};
use super::{Functions, NOTHING, PROBE_GROUP, abort, begun, complete, not_posted, open, refuse};
use crate::bus::{Bus, UarPage};
use crate::mlx5::atomics::write_operands;
use crate::mlx5::checks::{Refusal, why};
use crate::mlx5::long::{watch, write_any};
use crate::mlx5::opcodes::{Posted, RELIABLE_OPCODES};
use crate::mlx5::segments::{begin_control, write_remote};
use crate::mlx5::send_queue::SendQueue;
use crate::verbs::{
    BatchOps, Begun, Bind, Locked, Opcode, Operands, PostCause, RemoteAddress, SendFlags,
    SendRequest,
};
use doorbell_tracer::{Probe, Relation, probe};
use std::hint::cold_path;
use std::marker::PhantomData;

/// The functions of unreliable connections, on which nothing can be fetched.
pub struct Unreliable<B, P>(PhantomData<(B, P)>);

/// The functions of reliable connections.
pub struct Reliable<B, P>(PhantomData<(B, P)>);

// ANCHOR: fill_wr_pfns
/// `fill_wr_builders_uc`, and `fill_wr_setters_rc_uc`.
impl<B: Bus, P: Probe> Functions for Unreliable<B, P> {
    const OPS: BatchOps = BatchOps {
        complete: complete::<B, P>,
        abort: abort::<B, P>,
        send: send::<B, P>,
        send_imm: send_with::<B, P, { Opcode::SendWithImmediate as usize }>,
        send_inv: send_with::<B, P, { Opcode::SendWithInvalidate as usize }>,
        rdma_write: rdma::<B, P, { Opcode::RdmaWrite as usize }>,
        rdma_write_imm: rdma_write_imm::<B, P>,
        rdma_read: not_posted::rdma::<B, P, { Opcode::RdmaRead as usize }>,
        atomic_cmp_swp: not_posted::atomic_cmp_swp::<B, P>,
        atomic_fetch_add: not_posted::atomic_fetch_add::<B, P>,
        bind_mw: bind_mw::<B, P>,
        local_inv: local_inv::<B, P>,
        set_ud_addr: |_, _, _, _, _| {},
        set_sge: set_sge::<B, P>,
        set_sge_list: set_sge_list::<B, P>,
        set_inline_data_list: set_inline_data_list::<B, P>,
        refuse: refuse::<B, P>,
    };
}

/// `fill_wr_builders_rc_xrc_dc`.
impl<B: Bus, P: Probe> Functions for Reliable<B, P> {
    const OPS: BatchOps = BatchOps {
        rdma_read: rdma::<B, P, { Opcode::RdmaRead as usize }>,
        atomic_cmp_swp: atomic_cmp_swp::<B, P>,
        atomic_fetch_add: atomic_fetch_add::<B, P>,
        ..Unreliable::<B, P>::OPS
    };
}
// ANCHOR_END: fill_wr_pfns

// ANCHOR: wr_begin
/// What a builder is called with; 0 where it has no such argument.
#[derive(Clone, Copy)]
struct Call {
    wr_id: u64,
    flags: SendFlags,
    remote: RemoteAddress,
    immediate: u32,
}

/// Begins the WQE of an opcode: checks that there is room, then writes what lies in front of the data.
/// (`_common_wqe_init`)
///
/// # Safety
/// - As for the functions of [`BatchOps`].
#[inline(always)]
unsafe fn begin<B: Bus, P: Probe, const OPCODE: usize>(queue: Locked, call: Call) -> Begun {
    // SAFETY: by the caller's word.
    let (_, open, probe) = unsafe { open::<B, P>(queue) };
    let head = open.batch.head;
    if head == open.full_at {
        cold_path();
        let Call { wr_id, flags, remote, immediate } = call;
        // SAFETY: by the caller's word; this function is done with the queue.
        return unsafe { begin_closely::<B, P, OPCODE>(queue, wr_id, flags, remote, immediate) };
    }
    open.tell_room(head, true, probe);
    write_front::<_, _, OPCODE>(open, call, head, false, probe)
}

/// The same where the short way does not do: see `SendQueue::look_closer`.
#[cold]
#[inline(never)]
unsafe fn begin_closely<B: Bus, P: Probe, const OPCODE: usize>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    remote: RemoteAddress,
    immediate: u32,
) -> Begun {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    if !may_begin(queue, probe) {
        return NOTHING;
    }
    let (head, small_fence) = (queue.batch.head, queue.opcodes.take_fence());
    let call = Call { wr_id, flags, remote, immediate };
    write_front::<_, _, OPCODE>(queue, call, head, small_fence, probe)
}

/// The batch has not failed, and there is room for one request more.
pub fn may_begin<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, probe: &P) -> bool {
    let failed = u32::from(queue.batch.failed.is_some());
    probe!(
        P: *probe,
        check(
            "nothing of the batch was refused before",
            ("refused", failed),
            Relation::Equal,
            ("needed", 0_u32),
            failed == 0
        )
    );
    if failed != 0 {
        return false;
    }
    let fits = queue.has_room(queue.batch.head, probe);
    if !fits {
        queue.refuse(why(queue, &SendRequest::default(), Refusal::Room));
    }
    fits
}

/// What lies in front of the data, and whose WQE this is.
#[inline(always)]
fn write_front<U: UarPage, P: Probe, const OPCODE: usize>(
    queue: &mut SendQueue<U>,
    call: Call,
    head: u32,
    small_fence: bool,
    probe: &P,
) -> Begun {
    let posted = const { RELIABLE_OPCODES[OPCODE] };
    let wqe = queue.next_wqe();
    if posted.contains(Posted::REMOTE) {
        write_remote(queue, wqe, &call.remote, probe);
    }
    begin_control(queue, wqe, call.flags, posted, small_fence);
    if posted.contains(Posted::IMMEDIATE) {
        wqe.block.store_immediate(call.immediate);
    }
    queue.slots.view().remember(wqe.number, call.wr_id, head);
    begun(queue, wqe, posted.units())
}
// ANCHOR_END: wr_begin

// ANCHOR: wr_rdma
/// Builds nothing but the control segment. (`mlx5_send_wr_send_other`)
unsafe fn send<B: Bus, P: Probe>(queue: Locked, wr_id: u64, flags: SendFlags) -> Begun {
    let call = Call { wr_id, flags, remote: RemoteAddress::default(), immediate: 0 };
    // SAFETY: by the caller's word.
    unsafe { begin::<B, P, { Opcode::Send as usize }>(queue, call) }
}

/// The same with a number in it. (`mlx5_send_wr_send_imm`, `mlx5_send_wr_send_inv`)
unsafe fn send_with<B: Bus, P: Probe, const OPCODE: usize>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    immediate: u32,
) -> Begun {
    let call = Call { wr_id, flags, remote: RemoteAddress::default(), immediate };
    // SAFETY: by the caller's word.
    unsafe { begin::<B, P, OPCODE>(queue, call) }
}

/// Control segment and remote address. (`_mlx5_send_wr_rdma`)
unsafe fn rdma<B: Bus, P: Probe, const OPCODE: usize>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    remote: RemoteAddress,
) -> Begun {
    let call = Call { wr_id, flags, remote, immediate: 0 };
    // SAFETY: by the caller's word.
    unsafe { begin::<B, P, OPCODE>(queue, call) }
}

/// The same with a number. (`mlx5_send_wr_rdma_write_imm`)
unsafe fn rdma_write_imm<B: Bus, P: Probe>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    remote: RemoteAddress,
    immediate: u32,
) -> Begun {
    let call = Call { wr_id, flags, remote, immediate };
    // SAFETY: by the caller's word.
    unsafe { begin::<B, P, { Opcode::RdmaWriteWithImmediate as usize }>(queue, call) }
}
// ANCHOR_END: wr_rdma

// ANCHOR: wr_atomic
/// The operands behind the remote address. On a device without atomic operations the batch fails; C
/// refuses to create a queue pair with these functions there. (`_mlx5_send_wr_atomic`)
unsafe fn atomic<B: Bus, P: Probe, const OPCODE: usize>(
    queue: Locked,
    call: Call,
    compare_add: u64,
    swap: u64,
) -> Begun {
    // SAFETY: by the caller's word.
    let (_, sender, _) = unsafe { open::<B, P>(queue) };
    if !sender.atomics_enabled {
        cold_path();
        sender.refuse(PostCause::NoAtomics);
        return NOTHING;
    }
    // SAFETY: by the caller's word; this function is done with the queue for now.
    let front = unsafe { begin::<B, P, OPCODE>(queue, call) };
    if front.word == 0 {
        return front;
    }
    // SAFETY: by the caller's word; `begin` is done with the queue.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    let (wqe, opcode) = (queue.next_wqe(), Opcode::ALL[OPCODE]);
    let units = write_operands(queue, wqe, opcode, (compare_add, swap), 2, probe);
    watch(queue);
    begun(queue, wqe, units)
}

unsafe fn atomic_cmp_swp<B: Bus, P: Probe>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    remote: RemoteAddress,
    compare: u64,
    swap: u64,
) -> Begun {
    let call = Call { wr_id, flags, remote, immediate: 0 };
    // SAFETY: by the caller's word.
    unsafe { atomic::<B, P, { Opcode::AtomicCompareAndSwap as usize }>(queue, call, compare, swap) }
}

unsafe fn atomic_fetch_add<B: Bus, P: Probe>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    remote: RemoteAddress,
    add: u64,
) -> Begun {
    let call = Call { wr_id, flags, remote, immediate: 0 };
    // SAFETY: by the caller's word.
    unsafe { atomic::<B, P, { Opcode::AtomicFetchAndAdd as usize }>(queue, call, add, 0) }
}
// ANCHOR_END: wr_atomic

// ANCHOR: wr_change_key
/// A change of a memory key, which has no data, so that it is finished at once. The next request takes
/// the small fence. (`_build_umr_wqe`)
unsafe fn change_key<B: Bus, P: Probe>(queue: Locked, request: &SendRequest<'_>) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    if !may_begin(queue, probe) {
        return;
    }
    let posted = RELIABLE_OPCODES[request.opcode as usize];
    match write_any(queue, request, posted, queue.cur_post, queue.batch.head, probe) {
        Ok(units) => {
            queue.advance(queue.ring.block(queue.cur_post), units.get());
            queue.look_closer();
        }
        Err(refusal) => queue.refuse(why(queue, request, refusal)),
    }
}

unsafe fn bind_mw<B: Bus, P: Probe>(queue: Locked, wr_id: u64, send_flags: SendFlags, bind: &Bind) {
    let send_flags = send_flags.difference(SendFlags::INLINE);
    let (opcode, operands) = (Opcode::BindMemoryWindow, Operands::Bind(bind));
    let request = SendRequest { wr_id, send_flags, opcode, operands, ..Default::default() };
    // SAFETY: by the caller's word.
    unsafe { change_key::<B, P>(queue, &request) }
}

unsafe fn local_inv<B: Bus, P: Probe>(queue: Locked, wr_id: u64, send_flags: SendFlags, key: u32) {
    let send_flags = send_flags.difference(SendFlags::INLINE);
    let opcode = Opcode::LocalInvalidate;
    let request = SendRequest { wr_id, send_flags, opcode, immediate: key, ..Default::default() };
    // SAFETY: by the caller's word.
    unsafe { change_key::<B, P>(queue, &request) }
}
// ANCHOR_END: wr_change_key

//! Datagrams in a batch: a WQE is finished when it has data and address, whichever comes last.

use super::builders::may_begin;
use super::setters::{element, finish, wqe, write_bytes, write_list};
use super::{Functions, NOTHING, abort, begun, complete, not_posted, open, refuse};
use crate::bus::{Bus, UarPage};
use crate::mlx5::datagram::{UNITS, write_address};
use crate::mlx5::opcodes::{DATAGRAM_OPCODES, Posted};
use crate::mlx5::segments::{begin_control, write_pointer};
use crate::mlx5::send_queue::{SendQueue, Wqe};
use crate::verbs::{
    AddressHandle, BatchError, BatchOps, Begun, Locked, Opcode, PostCause, ScatterGatherElement,
    SendFlags,
};
use bitflags::bitflags;
use doorbell_tracer::Probe;
use std::marker::PhantomData;

// ANCHOR: batch_datagrams
bitflags! {
    /// What a datagram still waits for. (`WQE_REQ_SETTERS_UD_XRC_DC`)
    #[derive(Clone, Copy)]
    pub struct Missing: u8 {
        /// Its data.
        const DATA = 1;
        /// Its address.
        const ADDRESS = 2;
    }
}

/// A datagram under construction.
#[derive(Clone, Copy)]
pub struct Datagram {
    missing: Missing,
    opcode: Opcode,
    /// Length of its WQE in units, once it has its data.
    units: u32,
}

impl Datagram {
    /// None.
    pub const NONE: Self = Self { missing: Missing::empty(), opcode: Opcode::Send, units: 0 };
}

/// The functions of datagrams. (`fill_wr_builders_ud`, `fill_wr_setters_ud_xrc_dc`)
pub struct Datagrams<B, P>(PhantomData<(B, P)>);

impl<B: Bus, P: Probe> Functions for Datagrams<B, P> {
    const OPS: BatchOps = BatchOps {
        complete: complete::<B, P>,
        abort: abort::<B, P>,
        send: send::<B, P>,
        send_imm: send_imm::<B, P>,
        send_inv: not_posted::send_inv::<B, P>,
        rdma_write: not_posted::rdma::<B, P, { Opcode::RdmaWrite as usize }>,
        rdma_write_imm: not_posted::rdma_write_imm::<B, P>,
        rdma_read: not_posted::rdma::<B, P, { Opcode::RdmaRead as usize }>,
        atomic_cmp_swp: not_posted::atomic_cmp_swp::<B, P>,
        atomic_fetch_add: not_posted::atomic_fetch_add::<B, P>,
        bind_mw: not_posted::bind_mw::<B, P>,
        local_inv: not_posted::local_inv::<B, P>,
        set_ud_addr: set_ud_addr::<B, P>,
        set_sge: set_sge::<B, P>,
        set_sge_list: set_sge_list::<B, P>,
        set_inline_data_list: set_inline_data_list::<B, P>,
        refuse: refuse::<B, P>,
    };
}

/// Begins a datagram. Until its last setter is called, the batch is one that fails for it.
fn begin<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    (wr_id, flags): (u64, SendFlags),
    opcode: Opcode,
    immediate: u32,
    probe: &P,
) -> Begun {
    if !may_begin(queue, probe) {
        return NOTHING;
    }
    let (wqe, posted) = (queue.next_wqe(), DATAGRAM_OPCODES[opcode as usize]);
    begin_control(queue, wqe, flags, posted, false);
    if posted.contains(Posted::IMMEDIATE) {
        wqe.block.store_immediate(immediate);
    }
    queue.slots.view().remember(wqe.number, wr_id, queue.batch.head);
    let index = queue.batch_count();
    queue.batch.failed = Some(BatchError { index, cause: PostCause::Unfinished });
    queue.batch.datagram = Datagram { missing: Missing::all(), opcode, units: 0 };
    begun(queue, wqe, UNITS)
}

/// One of the setters was called: the last finishes the WQE.
fn set<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, wqe: Wqe, what: Missing, probe: &P) {
    queue.batch.datagram.missing.remove(what);
    if queue.batch.datagram.missing.is_empty() {
        queue.batch.failed = None;
        finish(queue, wqe, queue.batch.datagram.units, probe);
    }
}

/// It was the setter of the data, which has made the WQE `units` long or is refused.
fn set_data<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    wqe: Wqe,
    units: Result<u32, PostCause>,
    probe: &P,
) {
    match units {
        Ok(units) => {
            queue.batch.datagram.units = units;
            set(queue, wqe, Missing::DATA, probe);
        }
        Err(cause) => refuse_datagram(queue, cause),
    }
}

/// The batch fails for the datagram under construction, but not for being unfinished.
fn refuse_datagram<U: UarPage>(queue: &mut SendQueue<U>, cause: PostCause) {
    queue.batch.datagram.missing = Missing::empty();
    queue.batch.failed = None;
    queue.refuse(cause);
}

/// The WQE of the datagram under construction, if there is one and it was not refused.
///
/// # Safety
/// - As for `wqe`.
unsafe fn under_construction<U: UarPage>(queue: &SendQueue<U>, begun: Begun) -> Option<Wqe> {
    if queue.batch.datagram.missing.is_empty() {
        return None;
    }
    // SAFETY: by the caller's word.
    unsafe { wqe(queue, begun) }
}
// ANCHOR_END: batch_datagrams

// ANCHOR: batch_datagram_setters
unsafe fn send<B: Bus, P: Probe>(queue: Locked, wr_id: u64, flags: SendFlags) -> Begun {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    begin(queue, (wr_id, flags), Opcode::Send, 0, probe)
}

unsafe fn send_imm<B: Bus, P: Probe>(
    queue: Locked,
    wr_id: u64,
    flags: SendFlags,
    immediate: u32,
) -> Begun {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    begin(queue, (wr_id, flags), Opcode::SendWithImmediate, immediate, probe)
}

/// The datagram segment. (`mlx5_send_wr_set_ud_addr`)
unsafe fn set_ud_addr<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    handle: &AddressHandle,
    remote_qpn: u32,
    remote_qkey: u32,
) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    // SAFETY: by the caller's word.
    let Some(wqe) = (unsafe { under_construction(queue, begun) }) else { return };
    match write_address(queue, wqe, handle, remote_qpn, remote_qkey, probe) {
        Some(_) => set(queue, wqe, Missing::ADDRESS, probe),
        None => refuse_datagram(queue, PostCause::Operands { opcode: queue.batch.datagram.opcode }),
    }
}

/// One pointer. (`mlx5_send_wr_set_sge_ud_xrc_dc`)
unsafe fn set_sge<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    address: u64,
    length_and_key: u64,
) {
    let element = element(address, length_and_key);
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    // SAFETY: by the caller's word.
    let Some(wqe) = (unsafe { under_construction(queue, begun) }) else { return };
    let units = write_pointer(queue, wqe, &element, UNITS, probe);
    set_data(queue, wqe, Ok(units), probe);
}

/// A list of pointers. (`mlx5_send_wr_set_sge_list_ud_xrc_dc`)
unsafe fn set_sge_list<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    elements: &[ScatterGatherElement],
) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    // SAFETY: by the caller's word.
    let Some(wqe) = (unsafe { under_construction(queue, begun) }) else { return };
    let units = write_list(queue, wqe, elements, UNITS, probe);
    set_data(queue, wqe, units, probe);
}

/// The bytes themselves. (`mlx5_send_wr_set_inline_data_list_ud_xrc_dc`)
unsafe fn set_inline_data_list<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    elements: &[ScatterGatherElement],
) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    // SAFETY: by the caller's word.
    let Some(wqe) = (unsafe { under_construction(queue, begun) }) else { return };
    let units = write_bytes(queue, wqe, elements, UNITS, probe);
    set_data(queue, wqe, units, probe);
}
// ANCHOR_END: batch_datagram_setters

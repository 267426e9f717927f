//! The calls of a batch as a trace has them: entered, and left.
//!
//! The functions themselves tell only of what they do. With tracing on, a queue pair's batches have another
//! table, whose functions tell of the call around them.

use super::Functions;
use crate::bus::Bus;
use crate::mlx5::queue_pair::Mlx5QueuePair;
use crate::verbs::{
    AddressHandle, BatchOps, Begun, Bind, Locked, RemoteAddress, ScatterGatherElement, SendFlags,
    batch_sites as sites,
};
use doorbell_tracer::{Probe, Tracer, Value, probe};
use std::marker::PhantomData;

/// The functions `F`, told as calls.
pub struct Told<B, F>(PhantomData<(B, F)>);

// ANCHOR: batch_calls
/// Makes a function for each line: its slot in the table, its name in the verbs, and its arguments as the trace
/// shall have them. None returns anything in C.
macro_rules! told {
    ($($slot:ident $(-> $begun:ident)?, $name:literal, $site:ident:
        |$($argument:ident: $type:ty),*| [$($shown:literal = $value:expr),*];)+) => {
        impl<B: Bus, F: Functions> Told<B, F> {
            $(
                unsafe fn $slot(queue: Locked, $($argument: $type),*) $(-> $begun)? {
                    // SAFETY: by the caller's word, as for the functions of `BatchOps`.
                    let probe = unsafe { tracer::<B>(queue) };
                    probe!(at & sites::$site, Tracer: probe, call($name, [$(($shown, $value)),*]));
                    // SAFETY: by the caller's word.
                    let begun = unsafe { (F::OPS.$slot)(queue, $($argument),*) };
                    probe!(at & sites::$site, Tracer: probe, returned($name, "void"));
                    begun
                }
            )+
        }

        impl<B: Bus, F: Functions> Functions for Told<B, F> {
            const OPS: BatchOps = BatchOps { $($slot: Self::$slot,)+ ..F::OPS };
        }
    };
}

told! {
    send -> Begun, "ibv_wr_send", SEND:
        |wr_id: u64, flags: SendFlags| ["wr_id" = id(wr_id), "wr_flags" = bits(flags)];
    send_imm -> Begun, "ibv_wr_send_imm", SEND_IMM:
        |wr_id: u64, flags: SendFlags, immediate: u32|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "imm_data" = immediate.into()];
    send_inv -> Begun, "ibv_wr_send_inv", SEND_INV:
        |wr_id: u64, flags: SendFlags, rkey: u32|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "invalidate_rkey" = hex(rkey)];
    rdma_write -> Begun, "ibv_wr_rdma_write", RDMA_WRITE:
        |wr_id: u64, flags: SendFlags, to: RemoteAddress|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "rkey" = hex(to.rkey), "remote_addr" = Value::Hex(to.address)];
    rdma_write_imm -> Begun, "ibv_wr_rdma_write_imm", RDMA_WRITE_IMM:
        |wr_id: u64, flags: SendFlags, to: RemoteAddress, immediate: u32|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "rkey" = hex(to.rkey), "remote_addr" = Value::Hex(to.address), "imm_data" = immediate.into()];
    rdma_read -> Begun, "ibv_wr_rdma_read", RDMA_READ:
        |wr_id: u64, flags: SendFlags, from: RemoteAddress|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "rkey" = hex(from.rkey), "remote_addr" = Value::Hex(from.address)];
    atomic_cmp_swp -> Begun, "ibv_wr_atomic_cmp_swp", ATOMIC_CMP_SWP:
        |wr_id: u64, flags: SendFlags, at: RemoteAddress, compare: u64, swap: u64|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "rkey" = hex(at.rkey), "remote_addr" = Value::Hex(at.address), "compare" = compare.into(), "swap" = swap.into()];
    atomic_fetch_add -> Begun, "ibv_wr_atomic_fetch_add", ATOMIC_FETCH_ADD:
        |wr_id: u64, flags: SendFlags, at: RemoteAddress, add: u64|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "rkey" = hex(at.rkey), "remote_addr" = Value::Hex(at.address), "add" = add.into()];
    bind_mw, "ibv_wr_bind_mw", BIND_MW:
        |wr_id: u64, flags: SendFlags, bind: &Bind|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "rkey" = hex(bind.new_key)];
    local_inv, "ibv_wr_local_inv", LOCAL_INV:
        |wr_id: u64, flags: SendFlags, rkey: u32|
        ["wr_id" = id(wr_id), "wr_flags" = bits(flags), "invalidate_rkey" = hex(rkey)];
    set_ud_addr, "ibv_wr_set_ud_addr", SET_UD_ADDR:
        |begun: Begun, handle: &AddressHandle, remote_qpn: u32, remote_qkey: u32|
        ["remote_qpn" = hex(remote_qpn), "remote_qkey" = hex(remote_qkey)];
    set_sge, "ibv_wr_set_sge", SET_SGE:
        |begun: Begun, address: u64, length_and_key: u64|
        ["lkey" = Value::Hex(length_and_key >> 32), "addr" = Value::Hex(address), "length" = (length_and_key as u32).into()];
    set_sge_list, "ibv_wr_set_sge_list", SET_SGE_LIST:
        |begun: Begun, elements: &[ScatterGatherElement]| ["num_sge" = elements.len().into()];
    set_inline_data_list, "ibv_wr_set_inline_data_list", SET_INLINE_DATA_LIST:
        |begun: Begun, elements: &[ScatterGatherElement]| ["num_buf" = elements.len().into()];
}
// ANCHOR_END: batch_calls

/// The tracer of a queue pair.
///
/// # Safety
/// - As for the functions of [`BatchOps`].
unsafe fn tracer<'q, B: Bus>(queue: Locked) -> &'q Tracer {
    // SAFETY: `wr_start` of this `B` made it of a queue pair that is borrowed for the whole batch.
    Tracer::of(unsafe { &queue.0.cast::<Mlx5QueuePair<B>>().as_ref().user })
}

fn id(wr_id: u64) -> Value {
    wr_id.into()
}

fn bits(flags: SendFlags) -> Value {
    Value::Hex(flags.bits().into())
}

fn hex(number: u32) -> Value {
    Value::Hex(number.into())
}

//! Atomic operations: eight bytes on the other side that are read and changed at once.

use super::checks::Refusal;
use super::opcodes::Posted;
use super::ring::UNIT;
use super::segments::write_fixed;
use super::send_queue::{SendQueue, Wqe};
use crate::bus::UarPage;
use crate::verbs::{Opcode, Operands, ScatterGatherElement, SendRequest};
use doorbell_prm::wqe::{AtomicSegment, DataSegment};
use doorbell_tracer::{Group, Probe, Relation, probe};
use zerocopy::{IntoBytes, transmute};

const PROBE_GROUP: Group = Group::PostSend;

/// Bytes that an atomic operation works on. (`MLX5_ATOMIC_SIZE`)
const LENGTH: u32 = 8;

// ANCHOR: atomic_segment
/// The remote address, and the operands behind it. Returns the number of units so far. What is added
/// stands where the new value of a compare-and-swap does. (`set_atomic_seg`)
pub fn write_atomic<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    posted: Posted,
    probe: &P,
) -> Result<u32, Refusal> {
    let enabled = u32::from(queue.atomics_enabled);
    probe!(
        P: *probe,
        check(
            "atomic operations are enabled",
            ("atomics_enabled", enabled),
            Relation::Equal,
            ("needed", 1_u32),
            enabled == 1
        )
    );
    if !queue.atomics_enabled {
        return Err(Refusal::Atomics);
    }
    let Operands::Atomic { compare_add, swap } = request.operands else {
        return Err(Refusal::Operands);
    };
    let units = write_fixed(queue, wqe, request, posted, probe);
    Ok(write_operands(queue, wqe, request.opcode, (compare_add, swap), units, probe))
}

/// The operands of an opcode: what is compared or added, and what is stored.
pub fn write_operands<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    opcode: Opcode,
    (compare_add, swap): (u64, u64),
    units: u32,
    probe: &P,
) -> u32 {
    let (swap_add, compare) = match opcode {
        Opcode::AtomicCompareAndSwap => (swap, compare_add),
        _ => (compare_add, 0),
    };
    let segment = AtomicSegment { swap_add: swap_add.into(), compare: compare.into() };
    let unit = wqe.unit(units);
    queue.ring.store(unit, &transmute!(segment));
    match opcode {
        Opcode::AtomicCompareAndSwap => {
            probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_atomic_segment", segment.as_bytes());
                from "swap_add" = "wr.operands.swap", "compare" = "wr.operands.compare_add");
        }
        _ => {
            probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_atomic_segment", segment.as_bytes());
                from "swap_add" = "wr.operands.compare_add");
        }
    }
    units + 1
}
// ANCHOR_END: atomic_segment

// ANCHOR: atomic_result
/// Where what was there before comes: a pointer for each element that is not empty, to eight bytes
/// whatever its length is. (`set_data_ptr_seg_atomic`)
pub fn write_results<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    elements: &[ScatterGatherElement],
    units: u32,
    probe: &P,
) -> u32 {
    let mut units = units;
    for element in elements.iter().filter(|element| element.length > 0) {
        let unit = wqe.unit(units);
        let bytes: [u8; UNIT] = transmute!(DataSegment::new(LENGTH, element.lkey, element.address));
        queue.ring.store(unit, &bytes);
        probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_data_segment", &bytes);
            from "byte_count" = "MLX5_ATOMIC_SIZE", "lkey" = "wr.sg_list[i].lkey",
                "address" = "wr.sg_list[i].address");
        units += 1;
    }
    units
}
// ANCHOR_END: atomic_result

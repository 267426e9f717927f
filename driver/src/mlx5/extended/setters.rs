//! The setters of a connection: each writes the data, and finishes the WQE.

use super::{PROBE_GROUP, open};
use crate::bus::{Bus, UarPage};
use crate::mlx5::inline::{why_not, write_inline};
use crate::mlx5::ring::Block;
use crate::mlx5::segments::{
    finish_control, pointer_halves, qpn_ds, tell_pointer, write_data_pointers,
};
use crate::mlx5::send_queue::{SendQueue, Wqe, small};
use crate::verbs::{Begun, Locked, PostCause, ScatterGatherElement};
use doorbell_tracer::{Probe, Relation, probe};
use std::hint::cold_path;

// ANCHOR: set_sge
/// One pointer, in the WQE's first block; none if the element is empty. Nobody asks how many elements
/// the queue was created for: there is room for one in any block. (`mlx5_send_wr_set_sge_rc_uc`)
pub unsafe fn set_sge<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    address: u64,
    length_and_key: u64,
) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    if begun.word == 0 {
        cold_path();
        return;
    }
    let mut word = begun.word;
    if length_and_key as u32 != 0 {
        // SAFETY: by the caller's word; a request of a connection begins with less than a block.
        unsafe { Block::store_place(begun.place, pointer_halves(address, length_and_key)) };
        word = word.wrapping_add(ONE_UNIT);
    }
    // SAFETY: by the caller's word.
    let wqe = Wqe { number: queue.cur_post, block: unsafe { Block::of(begun.place) } };
    if P::ON && word != begun.word {
        let units = length(begun);
        tell_pointer(queue, wqe.unit(units), &wqe.block.unit(units as usize), probe);
    }
    finish_control(queue, wqe, word, probe);
    queue.advance_block(wqe.block);
}

/// One unit more, in the word of a control segment that has the length.
const ONE_UNIT: u32 = u32::from_ne_bytes([0, 0, 0, 1]);

/// The element that `set_sge` was called with.
pub fn element(address: u64, length_and_key: u64) -> ScatterGatherElement {
    let (length, lkey) = (length_and_key as u32, (length_and_key >> 32) as u32);
    ScatterGatherElement { address, length, lkey }
}

/// Length so far in units of a WQE that was begun.
#[inline(always)]
fn length(begun: Begun) -> u32 {
    u32::from(begun.word.to_ne_bytes()[3])
}

/// A list of pointers. (`mlx5_send_wr_set_sge_list_rc_uc`)
pub unsafe fn set_sge_list<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    elements: &[ScatterGatherElement],
) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    // SAFETY: by the caller's word.
    let Some(wqe) = (unsafe { wqe(queue, begun) }) else { return };
    match write_list(queue, wqe, elements, length(begun), probe) {
        Ok(units) => finish(queue, wqe, units, probe),
        Err(cause) => queue.refuse(cause),
    }
}

/// The bytes themselves. (`mlx5_send_wr_set_inline_data_list_rc_uc`)
pub unsafe fn set_inline_data_list<B: Bus, P: Probe>(
    queue: Locked,
    begun: Begun,
    elements: &[ScatterGatherElement],
) {
    // SAFETY: by the caller's word.
    let (_, queue, probe) = unsafe { open::<B, P>(queue) };
    // SAFETY: by the caller's word.
    let Some(wqe) = (unsafe { wqe(queue, begun) }) else { return };
    match write_bytes(queue, wqe, elements, length(begun), probe) {
        Ok(units) => finish(queue, wqe, units, probe),
        Err(cause) => queue.refuse(cause),
    }
}

/// The WQE that was begun, if it was.
///
/// # Safety
/// - `begun` is what a builder of this queue returned last.
#[inline(always)]
pub unsafe fn wqe<U: UarPage>(queue: &SendQueue<U>, begun: Begun) -> Option<Wqe> {
    if begun.word == 0 {
        cold_path();
        return None;
    }
    // SAFETY: by the caller's word the place is that of a block of the queue's ring.
    Some(Wqe { number: queue.cur_post, block: unsafe { Block::of(begun.place) } })
}

/// The control segment is whole, and with it the WQE. (`_common_wqe_finalize`)
pub fn finish<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, wqe: Wqe, units: u32, probe: &P) {
    finish_control(queue, wqe, qpn_ds(queue, units), probe);
    queue.advance(wqe.block, units);
}
// ANCHOR_END: set_sge

// ANCHOR: set_sge_list
/// Pointers behind the first `units` of a WQE; how many there are then, if the list is not too long.
pub fn write_list<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    elements: &[ScatterGatherElement],
    units: u32,
    probe: &P,
) -> Result<u32, PostCause> {
    let (given, limit) = (elements.len(), queue.limits.max_sge);
    let fits = given <= limit;
    probe!(
        P: *probe,
        check(
            "elements fit the WQE",
            ("num_sge", given),
            Relation::LessOrEqual,
            ("max_gs", limit),
            fits
        )
    );
    if !fits {
        return Err(PostCause::TooManyElements { limit: small(limit) });
    }
    Ok(write_data_pointers(queue, wqe, elements, units, probe))
}

/// Inline data likewise. An empty list is inline data, too: with it, a batch of one goes to the register
/// by BlueFlame.
pub fn write_bytes<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    wqe: Wqe,
    elements: &[ScatterGatherElement],
    units: u32,
    probe: &P,
) -> Result<u32, PostCause> {
    let Some(units) = write_inline(queue, wqe, elements, units, probe) else {
        return Err(why_not(queue, elements));
    };
    queue.batch.inline = true;
    Ok(units)
}
// ANCHOR_END: set_sge_list

//! Inline data: the bytes themselves in the WQE.
//!
//! For a short message this saves the card a DMA read, and the program may reuse its buffer at
//! once. The price is a longer WQE, and a copy by the CPU. (PRM, "Inline Data Segment")

use super::ring::{Ring, UNIT};
use super::send_queue::SendQueue;
use crate::bus::{Memory, UarPage};
use crate::verbs::{PostCause, ScatterGatherElement};
use doorbell_prm::wqe::InlineHeader;
use doorbell_tracer::{Group, Probe, Relation, probe};
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: inline
/// Copies all elements, one behind the other, after a 4-byte header that tells their sum. Returns
/// the first unit left free; `None` if an element does not fit, see [`why_not`].
/// (`set_data_inl_seg`)
#[inline(always)]
pub fn write_inline<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    elements: &[ScatterGatherElement],
    unit: u32,
    probe: &P,
) -> Option<u32> {
    let ring = queue.ring;
    let mut length = 0_u32;
    for element in elements {
        let sum = u64::from(length) + u64::from(element.length);
        let limit = queue.limits.max_inline;
        probe!(
            *probe,
            check(
                "inline data fits",
                ("length", sum),
                Relation::LessOrEqual,
                ("max_inline_data", limit),
                sum <= u64::from(limit)
            )
        );
        if sum > u64::from(limit) {
            return None;
        }
        copy_element(queue, ring, element, unit, length as usize, probe)?;
        length = sum as u32;
    }
    if length == 0 {
        return Some(unit);
    }
    let header: [u8; 4] = transmute!(InlineHeader::new(length));
    ring.store_4(unit, header);
    probe!(*probe, store(queue.region, ring.offset(unit), "wqe_inline_header", &header);
        from "byte_count" = "sum of wr.sg_list[i].length");
    let units = (InlineHeader::SIZE as u32 + length).div_ceil(UNIT as u32);
    Some(unit.wrapping_add(units))
}
// ANCHOR_END: inline

// ANCHOR: inline_copy
/// Copies one element behind the `done` bytes that are there already. It is the CPU that reads
/// the buffer here: no key is asked for, and the card will never see it.
#[inline(always)]
fn copy_element<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    ring: Ring,
    element: &ScatterGatherElement,
    unit: u32,
    done: usize,
    probe: &P,
) -> Option<()> {
    let length = element.length as usize;
    let memory: &Memory = &queue.settings.memory;
    let from = memory.find(element.address, length)?;
    let skip = InlineHeader::SIZE + done;
    // SAFETY: `find` vouches for the source, which is the program's own buffer and no part of the
    // ring's; `max_inline_data` keeps header and data far below the size of the ring.
    unsafe { ring.copy(unit, skip, from, length) };
    tell_copied(queue, unit, skip, length, probe);
    Some(())
}
// ANCHOR_END: inline_copy

/// Why the elements cannot be inline: the first one that made the sum too large, or that is not in
/// the context's memory.
#[cold]
pub fn why_not<U: UarPage>(queue: &SendQueue<U>, elements: &[ScatterGatherElement]) -> PostCause {
    let limit = queue.limits.max_inline;
    let mut given = 0;
    for element in elements {
        given += u64::from(element.length);
        let found = queue.settings.memory.find(element.address, element.length as usize);
        if given <= u64::from(limit) && found.is_none() {
            return PostCause::InlineOutside { address: element.address };
        }
        if given > u64::from(limit) {
            break;
        }
    }
    PostCause::InlineTooLong { given, limit }
}

// ANCHOR: inline_trace
/// Tells the trace what was copied: two stores where the ring's end lies between.
#[inline(always)]
fn tell_copied<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    unit: u32,
    skip: usize,
    length: usize,
    probe: &P,
) {
    for (part, offset) in queue.ring.parts(unit, skip, length) {
        probe!(*probe, store(queue.region, offset, "", &queue.ring.bytes(offset, part));
            from "data" = "*wr.sg_list[i].address");
    }
}
// ANCHOR_END: inline_trace

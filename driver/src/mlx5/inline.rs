//! Inline data: the bytes themselves in the WQE.
//!
//! For a short message this saves the card a DMA read, and the program may reuse its buffer at
//! once. The price is a longer WQE, and a copy by the CPU. (PRM, "Inline Data Segment")

use super::opcodes::{CONTROL_ONLY, WITH_REMOTE};
use super::ring::{BLOCK, Block, UNIT};
use super::send_queue::{SendQueue, Wqe, small};
use crate::bus::{AtHand, UarPage};
use crate::verbs::{PostCause, ScatterGatherElement};
use doorbell_prm::wqe::InlineHeader;
use doorbell_tracer::{Group, Probe, Relation, probe};
use std::ptr::NonNull;
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: inline
/// Copies all elements, one behind the other, after a 4-byte header that tells their sum. Begins
/// behind the first `units` of the WQE and returns how many there are then; `None` if an element
/// does not fit, see [`why_not`]. (`set_data_inl_seg`)
pub fn write_inline<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    elements: &[ScatterGatherElement],
    units: u32,
    probe: &P,
) -> Option<u32> {
    let unit = wqe.unit(units);
    let mut length = 0_u32;
    for element in elements {
        let sum = length.saturating_add(element.length);
        let fits = sum <= queue.limits.max_inline;
        tell_length(queue, sum, probe);
        if !fits {
            return None;
        }
        // The CPU reads the buffer here: no key is asked for, and the card will never see it.
        let from = queue.settings.memory.find(element.address, element.length as usize)?;
        let skip = HEADER.wrapping_add(length);
        // SAFETY: `find` vouches for the source, which is the program's own buffer and no part of
        // the ring; `max_inline_data` keeps header and data far below the size of the ring.
        unsafe { queue.ring.copy(unit, skip, from, element.length) };
        tell_copied(queue, unit, skip, element.length, probe);
        length = sum;
    }
    if length == 0 {
        return Some(units);
    }
    Some(write_header(queue, wqe, units, length, probe))
}

/// Writes the header of `length` bytes behind the first `units` of a WQE, and returns how many there are with it
/// and the bytes.
#[inline(always)]
fn write_header<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    units: u32,
    length: u32,
    probe: &P,
) -> u32 {
    let (unit, header) = (wqe.unit(units), header(length));
    queue.ring.store_4(unit, header);
    tell_header(queue, unit, header, probe);
    units.wrapping_add(units_of(length))
}

/// Units that `length` bytes take with the header in front of them.
#[inline(always)]
fn units_of(length: u32) -> u32 {
    HEADER.wrapping_add(length).wrapping_sub(1) / UNIT as u32 + 1
}

/// The header of `length` bytes.
#[inline(always)]
fn header(length: u32) -> [u8; 4] {
    transmute!(InlineHeader::new(length))
}

/// Size of the header in bytes.
const HEADER: u32 = InlineHeader::SIZE as u32;
// ANCHOR_END: inline

// ANCHOR: inline_short
/// Which lengths are short: those from [`Block::SHORTEST`] on, so many of them as are noted here, by the
/// units in front of the data. Noted, because three limits meet: what [`Block::copy_short`] copies, what the
/// first block has room for, and the queue's `max_inline_data`.
#[derive(Debug, Clone, Copy)]
pub struct ShortLengths([u32; 3]);

impl ShortLengths {
    /// Those of a queue that takes up to `max_inline` bytes.
    pub fn new(max_inline: u32) -> Self {
        let room = |units| (BLOCK as u32 - HEADER).saturating_sub(units * UNIT as u32);
        let most = |units| room(units).min(max_inline).min(AtHand::SHORT as u32);
        let count = |units| (most(units) + 1).saturating_sub(Block::SHORTEST);
        Self([0, count(CONTROL_ONLY), count(WITH_REMOTE)])
    }

    /// Whether `length` bytes behind the first `units` of a WQE are short.
    #[inline(always)]
    fn contain(&self, units: u32, length: u32) -> bool {
        length.wrapping_sub(Block::SHORTEST) < self.0[units as usize]
    }
}

/// One element that is short: it fits the first block of the WQE, and is copied without a loop.
#[derive(Clone, Copy)]
pub struct Short {
    from: NonNull<u8>,
    length: u32,
}

impl Short {
    /// The element behind the first `units` of a WQE, if it is that short and may be copied.
    #[inline(always)]
    pub fn of<U: UarPage>(
        queue: &SendQueue<U>,
        element: &ScatterGatherElement,
        units: u32,
    ) -> Option<Self> {
        let length = element.length;
        if !queue.limits.short.contain(units, length) {
            return None;
        }
        Some(Self { from: queue.settings.memory.find_short(element.address)?, length })
    }

    /// Copies it behind the header, and returns how many units the WQE has then.
    #[inline(always)]
    pub fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        units: u32,
        probe: &P,
    ) -> u32 {
        tell_length(queue, self.length, probe);
        // SAFETY: `of` has found the source, which is no part of the ring, and asked whether it is short.
        unsafe { wqe.block.copy_short(units, HEADER, self.from, self.length) };
        tell_copied(queue, wqe.unit(units), HEADER, self.length, probe);
        let header = header(self.length);
        wqe.block.store_4(units, header);
        tell_header(queue, wqe.unit(units), header, probe);
        units.wrapping_add(units_of(self.length))
    }
}
// ANCHOR_END: inline_short

// ANCHOR: inline_copied
/// One element of any length that may be inline.
#[derive(Clone, Copy)]
pub struct Copied {
    from: NonNull<u8>,
    length: u32,
}

impl Copied {
    /// The element, if it may be copied.
    #[inline(always)]
    pub fn of<U: UarPage>(queue: &SendQueue<U>, element: &ScatterGatherElement) -> Option<Self> {
        let length = element.length;
        // Without bytes there is no header either.
        if length == 0 || length > queue.limits.max_inline {
            return None;
        }
        let from = queue.settings.memory.find(element.address, length as usize)?;
        Some(Self { from, length })
    }

    /// Copies it behind the header, and returns how many units the WQE has then.
    #[inline(always)]
    pub fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        units: u32,
        probe: &P,
    ) -> u32 {
        let unit = wqe.unit(units);
        tell_length(queue, self.length, probe);
        // SAFETY: as in `write_inline`; `of` has asked for both.
        unsafe { queue.ring.copy(unit, HEADER, self.from, self.length) };
        tell_copied(queue, unit, HEADER, self.length, probe);
        write_header(queue, wqe, units, self.length, probe)
    }
}
// ANCHOR_END: inline_copied

/// Why the elements cannot be inline: the first one that made the sum too large, or that is not in
/// the context's memory.
#[cold]
pub fn why_not<U: UarPage>(queue: &SendQueue<U>, elements: &[ScatterGatherElement]) -> PostCause {
    let limit = queue.limits.max_inline;
    let mut given = 0_u32;
    for (index, element) in elements.iter().enumerate() {
        given = given.saturating_add(element.length);
        if given > limit {
            break;
        }
        if queue.settings.memory.find(element.address, element.length as usize).is_none() {
            return PostCause::InlineOutside { element: index as u16 };
        }
    }
    PostCause::InlineTooLong { limit: small(limit as usize) }
}

// ANCHOR: inline_trace
/// Tells the trace that the length was looked at.
#[inline(always)]
fn tell_length<U: UarPage, P: Probe>(queue: &SendQueue<U>, length: u32, probe: &P) {
    let limit = queue.limits.max_inline;
    probe!(
        P: *probe,
        check(
            "inline data fits",
            ("length", length),
            Relation::LessOrEqual,
            ("max_inline_data", limit),
            length <= limit
        )
    );
}

/// Tells the trace that the header was written.
#[inline(always)]
fn tell_header<U: UarPage, P: Probe>(queue: &SendQueue<U>, unit: u32, header: [u8; 4], probe: &P) {
    probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_inline_header", &header);
        from "byte_count" = "sum of wr.sg_list[i].length");
}

/// Tells the trace what was copied: two stores where the ring's end lies between.
#[inline(always)]
fn tell_copied<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    unit: u32,
    skip: u32,
    length: u32,
    probe: &P,
) {
    for (part, offset) in queue.ring.parts(unit, skip, length) {
        probe!(P: *probe, store(queue.region, offset, "", &queue.ring.bytes(offset, part));
            from "data" = "*wr.sg_list[i].address");
    }
}
// ANCHOR_END: inline_trace

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short_within_each_of_the_three_limits() {
        for max_inline in 0..=80 {
            let short = ShortLengths::new(max_inline);
            for length in (0..100).chain([u32::MAX - 8, u32::MAX - 7, u32::MAX]) {
                let short_by_definition = |units: u32| {
                    let copied = (Block::SHORTEST..=AtHand::SHORT as u32).contains(&length);
                    copied
                        && length <= max_inline
                        && units * UNIT as u32 + HEADER + length <= BLOCK as u32
                };
                for units in [CONTROL_ONLY, WITH_REMOTE] {
                    let is_short = short.contain(units, length);
                    let case = format!("{length} bytes behind {units} units, at most {max_inline}");
                    assert_eq!(is_short, short_by_definition(units), "{case}");
                }
            }
        }
    }

    #[test]
    fn units_hold_header_and_data() {
        for length in 1..200 {
            assert_eq!(units_of(length), (4 + length).div_ceil(16), "{length}");
        }
    }
}

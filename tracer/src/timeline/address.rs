//! Which region answers at a bus address.
//!
//! The map is a set of pieces that do not overlap. A region that is mapped over others covers
//! them; what it covered comes to light again when it is unmapped.

use super::region::RegionState;
use crate::RegionId;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

/// Bus addresses of mapped memory, newest mapping on top.
#[derive(Debug, Clone, Default)]
pub(super) struct AddressMap {
    /// By first address: the last address, and the region that answers there.
    pieces: RedBlackTreeMapSync<u64, (u64, RegionId)>,
    /// Regions of which a later mapping covers, or covered, a part.
    covered: RedBlackTreeSetSync<RegionId>,
}

/// A stretch of bus addresses: first and last.
type Span = (u64, u64);

impl AddressMap {
    /// Puts a region on top at its addresses.
    pub(super) fn map(&mut self, region: RegionId, span: Span) {
        for (_, _, below) in self.cut(span) {
            self.covered.insert_mut(below);
        }
        self.pieces.insert_mut(span.0, (span.1, region));
    }

    /// Takes a region away. `find` gives a region that is still mapped, by its number.
    pub(super) fn unmap<'a>(
        &mut self,
        region: RegionId,
        span: Span,
        find: impl Fn(RegionId) -> Option<&'a RegionState>,
    ) {
        self.covered.remove_mut(&region);
        let mut holes = Vec::new();
        for (first, last, below) in self.cut(span) {
            if below == region {
                holes.push((first, last));
            } else {
                self.pieces.insert_mut(first, (last, below));
            }
        }
        for hole in holes {
            self.uncover(hole, &find);
        }
    }

    /// Fills a hole with what older mappings have there, the newest of them on top.
    fn uncover<'a>(&mut self, hole: Span, find: &impl Fn(RegionId) -> Option<&'a RegionState>) {
        let mut older: Vec<_> = self
            .covered
            .iter()
            .filter_map(|region| find(*region))
            .filter_map(|state| {
                let (first, last) = state.span()?;
                let part = (first.max(hole.0), last.min(hole.1));
                (part.0 <= part.1).then_some((state.laid_at(), state.info().region, part))
            })
            .collect();
        older.sort_by_key(|(laid_at, region, _)| (*laid_at, *region));
        for (_, region, part) in older {
            self.map(region, part);
        }
    }

    /// Removes all pieces from a span and hands back the removed parts: first, last, region.
    fn cut(&mut self, (first, last): Span) -> Vec<(u64, u64, RegionId)> {
        let met: Vec<_> = self
            .pieces
            .range(..=last)
            .rev()
            .take_while(|(_, (end, _))| *end >= first)
            .map(|(start, (end, region))| (*start, *end, *region))
            .collect();
        for (start, end, region) in &met {
            self.pieces.remove_mut(start);
            if *start < first {
                self.pieces.insert_mut(*start, (first - 1, *region));
            }
            if *end > last {
                self.pieces.insert_mut(last + 1, (*end, *region));
            }
        }
        met.into_iter()
            .map(|(start, end, region)| (start.max(first), end.min(last), region))
            .collect()
    }

    /// The piece that holds `address`: its last address and its region.
    pub(super) fn at(&self, address: u64) -> Option<(u64, RegionId)> {
        let (_, (last, region)) = self.pieces.range(..=address).next_back()?;
        (*last >= address).then_some((*last, *region))
    }

    /// The parts of a span that lie in a region, in the order of the addresses.
    pub(super) fn parts(&self, (first, last): Span) -> Vec<(u64, u64, RegionId)> {
        let start = match self.pieces.range(..=first).next_back() {
            Some((start, (end, _))) if *end >= first => *start,
            _ => first,
        };
        self.pieces
            .range(start..=last)
            .map(|(start, (end, region))| ((*start).max(first), (*end).min(last), *region))
            .collect()
    }
}

//! Other addresses in the place of those of the machine, the same for the same.

use super::{Classify, FieldClass, bytes_of, packet};
use crate::{Argument, Bytes, Event, EventSource, Kind, RegionId, Role, Value};
use std::collections::HashMap;

/// Bits of an address that stay: the place in a page of 4 KiB.
const KEPT: u64 = 0xfff;

/// Where the first masked region begins.
const FIRST: u64 = 1 << 40;

/// Masked regions begin at multiples of this, so that they never touch.
const SPACING: u64 = 1 << 30;

/// The page of the first masked address outside all regions.
const FIRST_OTHER: u64 = 0xffff << 48;

/// Smaller values of arguments are taken for keys and numbers, unless they lie in a region.
const SMALLEST: u64 = 1 << 32;

/// Pages that lie together, and where they are moved to.
struct Cluster {
    first: u64,
    last: u64,
    moved: u64,
}

/// The replacement of addresses.
pub(super) struct Addresses<'a> {
    /// In the order of their addresses.
    clusters: Vec<Cluster>,
    /// Pages outside all regions, by number of the page.
    others: HashMap<u64, u64>,
    /// Replacements of register writes that carry half an address, by step.
    halves: HashMap<usize, [u8; 4]>,
    field: Option<Classify<'a>>,
}

impl<'a> Addresses<'a> {
    /// The replacement for a trace: its regions are looked for first.
    pub(super) fn new(events: &(impl EventSource + ?Sized), field: Option<Classify<'a>>) -> Self {
        let mut spans = Vec::new();
        let mut pairs = Vec::new();
        let mut before = None;
        for step in 0..events.len() {
            let Some(event) = events.get(step) else { break };
            if let Kind::Map(region) = &event.kind
                && is_memory(region.role)
                && let Some(more) = region.length.checked_sub(1)
            {
                spans.push((region.address, region.address.saturating_add(more)));
            }
            if let Some(half) = Half::of(step, &event.kind)
                && let Some(high) = before.replace(half)
                && half.follows(&high)
            {
                pairs.push((high, half));
            }
        }
        let mut addresses = Self {
            clusters: clusters(spans),
            others: HashMap::new(),
            halves: HashMap::new(),
            field,
        };
        for (high, low) in pairs {
            addresses.pair(&high, &low);
        }
        addresses
    }

    /// Notes the replacement of an address that is written to two registers of four bytes.
    fn pair(&mut self, high: &Half, low: &Half) {
        let address = u64::from(high.value) << 32 | u64::from(low.value);
        if let Some(moved) = self.in_region(address) {
            let [a, b, c, d, e, f, g, h] = moved.to_be_bytes();
            self.halves.insert(high.step, [a, b, c, d]);
            self.halves.insert(low.step, [e, f, g, h]);
        }
    }

    /// Replaces the addresses in `masked`. `event` is what was recorded.
    pub(super) fn mask(&mut self, step: usize, event: &Event, masked: &mut Event) {
        self.mask_bytes(step, event, masked);
        match &mut masked.kind {
            Kind::Map(region) => region.address = self.replace(region.address),
            Kind::Dma { address, .. } => *address = self.replace(*address),
            Kind::Call { arguments, .. } => self.arguments(arguments),
            Kind::Note { values, .. } => self.arguments(values),
            Kind::Return { result, .. } => self.value(result),
            Kind::Check { left, right, .. } => {
                self.value(&mut left.value);
                self.value(&mut right.value);
            }
            Kind::Completion { wr_id, attributes, .. } => {
                *wr_id = self.large(*wr_id);
                self.arguments(attributes);
            }
            Kind::Command(command) => {
                command.input = self.words(&command.input_layout, 0, 8, &command.input);
                command.output = self.words(&command.output_layout, 0, 8, &command.output);
            }
            Kind::Packet(packet) => {
                let headers = packet::payload(&packet.bytes).start;
                let (head, payload) = packet.bytes.split_at(headers);
                let head = self.words("", 0, 1, &Bytes::new(head));
                packet.bytes = Bytes::new(&[&head, payload].concat());
            }
            _ => {}
        }
    }

    /// Replaces addresses in the bytes of an event.
    fn mask_bytes(&mut self, step: usize, event: &Event, masked: &mut Event) {
        let mut recorded = event.kind.clone();
        let (Some((_, start, _)), Some((layout, _, bytes))) =
            (bytes_of(&mut recorded), bytes_of(&mut masked.kind))
        else {
            return;
        };
        *bytes = match self.halves.get(&step) {
            Some(half) => Bytes::new(half),
            None => {
                let layout = layout.to_owned();
                self.words(&layout, start, 8, bytes)
            }
        };
    }

    /// Replaces the words of eight bytes that are addresses: fields that are said to be, values
    /// that lie in a region, and large values in a page that an address was met in before. `start` is the offset or address of the first byte, and words
    /// begin at multiples of `alignment`.
    fn words(&mut self, layout: &str, start: u64, alignment: u64, bytes: &[u8]) -> Bytes {
        let mut masked = bytes.to_vec();
        let mut at = 0;
        while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let value = u64::from_be_bytes(*word);
            let field = self.field.map(|field| field(layout, at));
            let aligned = start.wrapping_add(at as u64).is_multiple_of(alignment);
            let moved = match field {
                Some(FieldClass::Address) => Some(self.replace(value)),
                _ if aligned && value != 0 => self.in_region(value).or_else(|| self.met(value)),
                _ => None,
            };
            match moved {
                Some(moved) => {
                    masked[at..at + 8].copy_from_slice(&moved.to_be_bytes());
                    at += 8;
                }
                None => at += 1,
            }
        }
        Bytes::new(&masked)
    }

    fn arguments(&mut self, arguments: &mut [Argument]) {
        for argument in arguments {
            self.value(&mut argument.value);
        }
    }

    /// Replaces a value that may be an address: one that is shown in hexadecimal.
    fn value(&mut self, value: &mut Value) {
        if let Value::Hex(number) = value {
            *number = self.large(*number);
        }
    }

    /// Replaces a number that lies in a region, or is too large for a key or a queue's number.
    fn large(&mut self, number: u64) -> u64 {
        match self.in_region(number) {
            Some(moved) => moved,
            None if number >= SMALLEST => self.replace(number),
            None => number,
        }
    }

    /// Replaces what is known to be an address.
    fn replace(&mut self, address: u64) -> u64 {
        if address == 0 {
            return 0;
        }
        if let Some(moved) = self.in_region(address) {
            return moved;
        }
        let next = FIRST_OTHER + (self.others.len() as u64) * (KEPT + 1);
        let page = *self.others.entry(address & !KEPT).or_insert(next);
        page | address & KEPT
    }

    /// The replacement of a large value whose page lies outside all regions, if an address there
    /// was replaced before: the copy of a structure may come without its fields.
    fn met(&self, value: u64) -> Option<u64> {
        let page = self.others.get(&(value & !KEPT)).filter(|_| value >= SMALLEST)?;
        Some(page | value & KEPT)
    }

    /// The replacement of an address in a region.
    fn in_region(&self, address: u64) -> Option<u64> {
        let after = self.clusters.partition_point(|cluster| cluster.first <= address);
        let cluster = self.clusters.get(after.checked_sub(1)?)?;
        (address <= cluster.last).then(|| cluster.moved.wrapping_add(address - cluster.first))
    }
}

/// Whether a region has bus addresses of memory: those of registers are places in a window, often
/// from 0 on, where every small number would be taken for one.
fn is_memory(role: Role) -> bool {
    !matches!(role, Role::UserAccessRegion | Role::InitSegment)
}

/// The pages of all spans, those that touch put together, each moved to a place of its own.
fn clusters(mut spans: Vec<(u64, u64)>) -> Vec<Cluster> {
    spans.sort_unstable();
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut moved = FIRST;
    for (first, last) in spans {
        let (first, last) = (first & !KEPT, last | KEPT);
        match clusters.last_mut() {
            Some(cluster) if first <= cluster.last.saturating_add(1) => {
                cluster.last = cluster.last.max(last);
            }
            _ => clusters.push(Cluster { first, last, moved: 0 }),
        }
    }
    for cluster in &mut clusters {
        cluster.moved = moved;
        let length = (cluster.last - cluster.first) / SPACING + 1;
        moved = moved.wrapping_add(length.wrapping_mul(SPACING));
    }
    clusters
}

/// A register write of four bytes.
#[derive(Clone, Copy)]
struct Half {
    step: usize,
    region: RegionId,
    offset: u64,
    value: u32,
}

impl Half {
    fn of(step: usize, kind: &Kind) -> Option<Self> {
        let Kind::RegisterWrite { region, offset, bytes, .. } = kind else {
            return None;
        };
        Some(Self {
            step,
            region: *region,
            offset: *offset,
            value: u32::from_be_bytes(*bytes.first_chunk().filter(|_| bytes.len() == 4)?),
        })
    }

    /// Whether this is the lower half of the eight bytes that `high` began.
    fn follows(&self, high: &Self) -> bool {
        let place = (high.region, high.offset.checked_add(4));
        place == (self.region, Some(self.offset)) && high.offset.is_multiple_of(8)
    }
}

//! Zeros in the place of the program's data.

use super::{Classify, FieldClass, bytes_of, packet};
use crate::timeline::{State, copied_from};
use crate::{Bytes, Direction, Event, Kind, RegionId, Role};

/// The longest register write that is taken to be a doorbell's number where nothing tells what
/// was copied; a longer one may be a WQE with data in it.
const DOORBELL: usize = 8;

/// Follows the program's data through memory.
pub(super) struct Payload<'a> {
    /// A state whose bytes are 1 where memory holds the program's data, and 0 elsewhere.
    shadow: State,
    field: Option<Classify<'a>>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(field: Option<Classify<'a>>) -> Self {
        Self { shadow: State::default(), field }
    }

    /// Zeros the data in `masked`, a copy of `event`. `state` is the one before the event.
    pub(super) fn mask(&mut self, state: &State, step: usize, event: &Event, masked: &mut Event) {
        let mut marks = self.marks(state, event);
        let mut shadow = event.clone();
        if let Some((layout, _, bytes)) = bytes_of(&mut shadow.kind) {
            self.mark_fields(layout, &mut marks);
            *bytes = Bytes::new(&marks);
        }
        self.shadow.apply(step, &shadow);
        if let Some((_, _, bytes)) = bytes_of(&mut masked.kind) {
            *bytes = without(bytes, &marks);
        } else if let Kind::Packet(packet) = &mut masked.kind {
            let range = packet::payload(&packet.bytes);
            let mut bytes = packet.bytes.to_vec();
            bytes[range].fill(0);
            packet.bytes = Bytes::new(&bytes);
        }
    }

    /// For each byte of the event 1 if it is data, by where it lies or came from.
    fn marks(&self, state: &State, event: &Event) -> Vec<u8> {
        match &event.kind {
            Kind::Store { region, layout, bytes, .. } => {
                let plain = layout.is_empty();
                let data = match role(state, *region) {
                    Some(Role::Buffer) => true,
                    Some(Role::SendQueue) | None => plain,
                    Some(_) => false,
                };
                vec![u8::from(data); bytes.len()]
            }
            Kind::Load { region, offset, layout, bytes } => {
                self.memory(state, *region, *offset, bytes.len(), layout.is_empty())
            }
            Kind::Dma { direction, address, layout, bytes, .. } => {
                self.dma(state, *direction, *address, bytes.len(), layout.is_empty())
            }
            Kind::RegisterWrite { region, bytes, .. }
            | Kind::RegisterRead { region, bytes, .. }
                if role(state, *region) == Some(Role::Buffer) =>
            {
                vec![1; bytes.len()]
            }
            Kind::RegisterWrite { bytes, .. } => self.register(state, bytes),
            Kind::RegisterRead { bytes, .. } => vec![0; bytes.len()],
            _ => Vec::new(),
        }
    }

    /// The marks of memory that is read. `plain` bytes of an unknown region count as data.
    fn memory(
        &self,
        state: &State,
        region: RegionId,
        offset: u64,
        length: usize,
        plain: bool,
    ) -> Vec<u8> {
        match role(state, region) {
            Some(Role::Buffer) => vec![1; length],
            None => vec![u8::from(plain); length],
            Some(_) => {
                let end = offset.saturating_add(length as u64);
                let mut marks = self.shadow.bytes(region, offset..end);
                marks.resize(length, 0);
                marks
            }
        }
    }

    /// The marks of a DMA.
    fn dma(
        &self,
        state: &State,
        direction: Direction,
        address: u64,
        length: usize,
        plain: bool,
    ) -> Vec<u8> {
        let parts = state.resolve_parts(address, length);
        // What runs out of a buffer is data too.
        let of_buffer = parts.iter().any(|(region, ..)| role(state, *region) == Some(Role::Buffer));
        let mut marks = vec![u8::from(plain || of_buffer); length];
        for (region, offset, range) in parts {
            let part = match direction {
                Direction::Read => self.memory(state, region, offset, range.len(), plain),
                Direction::Write => {
                    let buffer = role(state, region) == Some(Role::Buffer);
                    vec![u8::from(buffer); range.len()]
                }
            };
            marks[range].copy_from_slice(&part);
        }
        marks
    }

    /// The marks of what is written to a register: those of the WQE that it copies.
    fn register(&self, state: &State, bytes: &[u8]) -> Vec<u8> {
        let copied = copied_from(state, bytes);
        if copied.is_empty() {
            return vec![u8::from(bytes.len() > DOORBELL); bytes.len()];
        }
        let marks = copied.into_iter().flat_map(|span| self.shadow.bytes(span.region, span.range));
        let mut marks: Vec<_> = marks.collect();
        marks.resize(bytes.len(), 0);
        marks
    }

    /// Adds the marks of the fields that hold data.
    fn mark_fields(&self, layout: &str, marks: &mut [u8]) {
        let Some(field) = self.field else { return };
        for (offset, mark) in marks.iter_mut().enumerate() {
            if field(layout, offset) == FieldClass::Payload {
                *mark = 1;
            }
        }
    }
}

/// What a region is for; `None` if the trace does not say.
fn role(state: &State, region: RegionId) -> Option<Role> {
    state.region(region).map(|region| region.info().role)
}

/// The bytes with zeros where the marks are.
fn without(bytes: &Bytes, marks: &[u8]) -> Bytes {
    let kept = bytes.iter().zip(marks);
    let kept: Vec<_> = kept.map(|(byte, mark)| if *mark == 0 { *byte } else { 0 }).collect();
    Bytes::new(&kept)
}

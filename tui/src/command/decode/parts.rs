//! The bytes of a reading, cut into structures with field tables.

use crate::decode::Section;
use crate::decode::object::segment_sections;
use crate::dump::kinds::number;
use crate::dump::{Dump, Kind, Reading};
use doorbell_prm::Layout;
use doorbell_prm::commands::{
    CommandInputHeader, CommandOutputHeader, CommandQueueEntry, command_shape,
};
use doorbell_prm::cqe::{Cqe, ErrorCqe};
use doorbell_prm::eqe::{Eqe, event_data_layout};
use doorbell_prm::wqe::{
    DataSegment, NextSegment, SEGMENT_UNIT, SEND_BLOCK, ethernet_segments, send_segments,
};

/// WQEs and entries of one dump that are shown.
const MOST: usize = 4;

/// The parts of a reading.
pub fn parts(reading: &Reading, dump: &Dump) -> Vec<Section> {
    let bytes = &reading.bytes;
    match reading.kind {
        Kind::Wqe => wqes(bytes, dump.ethernet),
        Kind::ReceiveWqe => data_segments(bytes, 0),
        Kind::SrqWqe => {
            let mut parts = laid(NextSegment::LAYOUT.name, bytes, 0, NextSegment::SIZE);
            parts.extend(data_segments(bytes, SEGMENT_UNIT));
            parts
        }
        Kind::Cqe => {
            let layout = if reading.failure().is_some() { ErrorCqe::LAYOUT } else { Cqe::LAYOUT };
            laid(layout.name, bytes, 0, layout.size)
        }
        Kind::Eqe => {
            let mut parts = laid(Eqe::LAYOUT.name, bytes, 0, Eqe::SIZE);
            if let Some(layout) = event_data_layout(number(bytes, 1, 1) as u8) {
                parts.extend(laid(layout.name, bytes, 32, layout.size));
            }
            parts
        }
        Kind::CommandIn => command_in(bytes, 0),
        Kind::CommandOut => {
            let shape = dump.command.and_then(command_shape);
            let layout = shape.map_or(CommandOutputHeader::LAYOUT, |shape| shape.output);
            let mut parts = laid(layout.name, bytes, 0, layout.size);
            parts.extend(behind(bytes, layout.size));
            parts
        }
        Kind::CommandEntry => {
            let mut parts = laid(CommandQueueEntry::LAYOUT.name, bytes, 0, CommandQueueEntry::SIZE);
            // The first 16 bytes of the input lie in the slot.
            let end = bytes.len().min(32);
            parts.extend(command_in(bytes.get(..end).unwrap_or(bytes), 16));
            parts
        }
    }
}

/// A part of this layout at `offset`; nothing where the bytes end before.
fn laid(layout: &str, bytes: &[u8], offset: usize, size: usize) -> Vec<Section> {
    let end = bytes.len().min(offset + size);
    let own = bytes.get(offset..end).filter(|own| !own.is_empty());
    own.map(|own| Section::of_layout(layout, offset, own)).into_iter().collect()
}

/// What lies behind.
fn behind(bytes: &[u8], offset: usize) -> Option<Section> {
    let rest = bytes.get(offset..).filter(|rest| !rest.is_empty())?;
    Some(Section::of_data("behind it", offset, rest))
}

/// A command's input.
fn command_in(bytes: &[u8], offset: usize) -> Vec<Section> {
    let shape = command_shape(number(bytes, offset, 2) as u16);
    let layout = shape.map_or(CommandInputHeader::LAYOUT, |shape| shape.input);
    let mut parts = laid(layout.name, bytes, offset, layout.size);
    parts.extend(behind(bytes, offset + layout.size));
    parts
}

/// Data segments up to the end.
fn data_segments(bytes: &[u8], offset: usize) -> Vec<Section> {
    let starts = (offset..bytes.len()).step_by(SEGMENT_UNIT).take(4 * MOST);
    starts.flat_map(|at| laid(DataSegment::LAYOUT.name, bytes, at, SEGMENT_UNIT)).collect()
}

/// Send WQEs that follow on each other.
fn wqes(bytes: &[u8], ethernet: bool) -> Vec<Section> {
    let mut parts = Vec::new();
    let mut at = 0;
    for _ in 0..MOST {
        let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= SEGMENT_UNIT) else { break };
        let ds = number(rest, 7, 1) as usize & 0x3f;
        let length = (ds * SEGMENT_UNIT).next_multiple_of(SEND_BLOCK).max(SEND_BLOCK);
        let own = rest.get(..length.min(rest.len())).unwrap_or(rest);
        if at > 0 && own.iter().all(|byte| *byte == 0) {
            break;
        }
        let segments = if ethernet { ethernet_segments(own) } else { send_segments(own) };
        let mut cut = segment_sections(own, segments);
        cut.iter_mut().for_each(|part| part.offset += at as u64);
        parts.extend(cut);
        at += length;
    }
    parts.extend(behind(bytes, at));
    parts
}

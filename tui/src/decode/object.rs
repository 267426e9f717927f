//! What a step carries, taken apart: a WQE into its segments, a packet into its headers.

use crate::decode::essence::count;
use crate::decode::fields::{FieldLine, fields, size};
use crate::decode::packet::packet_sections;
use doorbell_prm::Layout;
use doorbell_prm::wqe::{ControlSegment, send_segments};
use doorbell_tracer::{Direction, Event, Kind, SiteInfo};

/// Bytes that belong together, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub title: String,
    /// Its parts, in the order in which they lie.
    pub sections: Vec<Section>,
}

/// A part of an object: bytes of one layout, or plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Name of the layout, or what the plain bytes are.
    pub title: String,
    /// Offset of the first byte in the object.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The fields of the layout.
    pub fields: Vec<FieldLine>,
    /// The step that wrote the first byte, where it is known.
    pub writer: Option<u64>,
    /// Which of the bytes the current step wrote; as long as `bytes`.
    pub fresh: Vec<bool>,
}

/// The title of bytes that nobody wrote yet.
pub const NOT_WRITTEN: &str = "not written yet";

impl Section {
    /// A part whose layout is `layout`. Bytes behind the layout's end stay in the part.
    pub fn of_layout(layout: &str, offset: usize, bytes: &[u8]) -> Self {
        Self {
            title: layout.to_owned(),
            offset: offset as u64,
            bytes: bytes.to_vec(),
            fields: fields(layout, bytes),
            writer: None,
            fresh: vec![false; bytes.len()],
        }
    }

    /// A part without fields.
    pub fn of_data(title: &str, offset: usize, bytes: &[u8]) -> Self {
        Self {
            title: title.to_owned(),
            offset: offset as u64,
            bytes: bytes.to_vec(),
            fields: Vec::new(),
            writer: None,
            fresh: vec![false; bytes.len()],
        }
    }

    /// Whether nobody wrote the bytes yet.
    pub fn is_unwritten(&self) -> bool {
        self.title == NOT_WRITTEN
    }

    /// The letter that marks the part of this number: A to Z, and again.
    pub fn letter(number: usize) -> char {
        char::from(b'A' + u8::try_from(number % 26).unwrap_or(0))
    }
}

/// The bytes that an event itself carries, taken apart; `None` if it carries none.
///
/// `site` adds where the fields came from, as far as the place in the source says so.
pub fn carried(event: &Event, site: Option<&SiteInfo>) -> Option<Object> {
    let mut object = match &event.kind {
        Kind::Store { layout, bytes, .. } => one("stored", layout, bytes),
        Kind::Load { layout, bytes, .. } => one("loaded", layout, bytes),
        Kind::RegisterWrite {
            register,
            layout,
            bytes,
            ..
        } => one(register, layout, bytes),
        Kind::RegisterRead {
            register, bytes, ..
        } => one(register, "", bytes),
        Kind::Dma {
            direction,
            why,
            layout,
            bytes,
            ..
        } => {
            let way = match direction {
                Direction::Read => "read by DMA",
                Direction::Write => "written by DMA",
            };
            one(&format!("{why}, {way}"), layout, bytes)
        }
        Kind::Command(command) => Object {
            title: format!("command {}", command.name),
            sections: vec![
                part(&command.input_layout, "input", &command.input),
                part(&command.output_layout, "output", &command.output),
            ],
        },
        Kind::Packet(packet) => Object {
            title: format!("packet {}", packet.name),
            sections: packet_sections(&packet.bytes),
        },
        _ => return None,
    };
    if let Some(site) = site {
        add_origins(&mut object, &site.origins);
    }
    Some(object)
}

/// An object of one layout, or of a whole WQE if the layout is that of its first segment.
fn one(title: &str, layout: &str, bytes: &[u8]) -> Object {
    Object {
        title: format!("{title}, {}", count(bytes.len())),
        sections: sections(layout, bytes),
    }
}

/// The parts of bytes whose layout, or whose first part's layout, has that name.
pub fn sections(layout: &str, bytes: &[u8]) -> Vec<Section> {
    let control = ControlSegment::LAYOUT;
    if layout == control.name && bytes.len() > control.size {
        return wqe_sections(bytes);
    }
    match size(layout) {
        Some(size) if size < bytes.len() => vec![
            Section::of_layout(layout, 0, bytes.get(..size).unwrap_or(bytes)),
            Section::of_data("data", size, bytes.get(size..).unwrap_or(&[])),
        ],
        _ => vec![part(layout, "data", bytes)],
    }
}

/// A part with a layout, or plain data under `otherwise`.
fn part(layout: &str, otherwise: &str, bytes: &[u8]) -> Section {
    if size(layout).is_some() {
        Section::of_layout(layout, 0, bytes)
    } else {
        Section::of_data(otherwise, 0, bytes)
    }
}

/// The segments of a send WQE; what lies behind them is padding.
pub fn wqe_sections(bytes: &[u8]) -> Vec<Section> {
    let mut found = Vec::new();
    let mut end = 0;
    for segment in send_segments(bytes) {
        end = (segment.offset + segment.len).min(bytes.len());
        if let Some(own) = bytes.get(segment.offset..end) {
            found.push(Section::of_layout(segment.layout.name, segment.offset, own));
        }
    }
    match bytes.get(end..) {
        Some(rest) if !rest.is_empty() => found.push(Section::of_data("behind its end", end, rest)),
        _ => {}
    }
    found
}

/// Writes next to each field where it came from.
fn add_origins(object: &mut Object, origins: &[(String, String)]) {
    for section in &mut object.sections {
        set_origins(&mut section.fields, origins);
    }
}

/// The same for a list of fields.
pub fn set_origins(fields: &mut [FieldLine], origins: &[(String, String)]) {
    for field in fields {
        let found = origins.iter().find(|(name, _)| *name == field.name);
        field.origin = found.map(|(_, origin)| origin.clone());
    }
}

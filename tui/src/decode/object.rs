//! What a step carries, taken apart: a WQE into its segments, a packet into its headers.

use crate::decode::fields::{FieldLine, fields, size};
use doorbell_examples::words::{Places, count, entry_layout};
use doorbell_prm::Layout;
use doorbell_prm::roce::{PacketPart, packet_parts};
use doorbell_prm::wqe::{ControlSegment, Segment, send_segments};
use doorbell_tracer::{Direction, Event, Kind, Region, SiteInfo};
use std::ops::Range;

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

/// Parts with more fields show only those that tell something.
const FEW_FIELDS: usize = 16;

/// A row of a part's bytes, or several rows of zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HexRow {
    /// Which of the part's bytes.
    pub range: Range<usize>,
    /// Whether all are zero.
    pub zero: bool,
}

impl HexRow {
    /// Bytes in a row.
    pub const LENGTH: usize = 16;

    /// Whether it stands for several rows.
    pub fn is_long(&self) -> bool {
        self.range.len() > Self::LENGTH
    }
}

/// The most bytes of one part: what a reader can look at, not what a trace can hold.
pub const MOST_BYTES: usize = 1 << 14;

/// The title of bytes that nobody wrote yet.
pub const NOT_WRITTEN: &str = "not written yet";

impl Section {
    /// A part whose layout is `layout`. Bytes behind the layout's end stay in the part.
    pub fn of_layout(layout: &str, offset: usize, bytes: &[u8]) -> Self {
        let mut section = Self::of_data(layout, offset, bytes);
        section.fields = fields(layout, &section.bytes);
        section
    }

    /// A part without fields. Of very many bytes only the first [`MOST_BYTES`] are kept.
    pub fn of_data(title: &str, offset: usize, bytes: &[u8]) -> Self {
        let kept = bytes.get(..MOST_BYTES);
        let more = kept.map_or_else(String::new, |_| format!(", first of {}", count(bytes.len())));
        let bytes = kept.unwrap_or(bytes);
        Self {
            title: format!("{title}{more}"),
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

    /// The bytes in rows. Rows of nothing but zeros become one, if no byte in them is fresh.
    pub fn rows(&self) -> Vec<HexRow> {
        let mut rows = Vec::new();
        for start in (0..self.bytes.len()).step_by(HexRow::LENGTH) {
            let range = start..self.bytes.len().min(start + HexRow::LENGTH);
            let zero = self.bytes[range.clone()].iter().all(|byte| *byte == 0);
            let fresh = self.fresh[range.clone()].contains(&true);
            match rows.last_mut() {
                Some(HexRow { range: last, zero: true }) if zero && !fresh => last.end = range.end,
                _ => rows.push(HexRow { range, zero: zero && !fresh }),
            }
        }
        rows
    }

    /// The fields that are worth a line: all of a few; of many those that are set, and those of
    /// which this step touched a byte while it left others alone.
    pub fn telling_fields(&self) -> impl Iterator<Item = &FieldLine> {
        let few = self.fields.len() <= FEW_FIELDS;
        let piece = self.fresh.contains(&true) && self.fresh.contains(&false);
        let is_fresh = |field: &FieldLine| {
            let own = self.fresh.get(field.bytes.clone());
            own.is_some_and(|fresh| fresh.contains(&true))
        };
        let tells = move |field: &&FieldLine| few || !field.zero || (piece && is_fresh(field));
        self.fields.iter().filter(tells)
    }

    /// The letter that marks the part of this number: A to Z, and again.
    pub fn letter(number: usize) -> char {
        char::from(b'A' + u8::try_from(number % 26).unwrap_or(0))
    }
}

/// The bytes that an event itself carries, taken apart; `None` if it carries none.
///
/// `site` adds where the fields came from, as far as the place in the source says so; `places`
/// tells the layout of a region of which a piece moved.
pub fn carried(event: &Event, site: Option<&SiteInfo>, places: &impl Places) -> Option<Object> {
    let mut object = match &event.kind {
        Kind::Store { region, offset, layout, bytes } => {
            moved("stored", places.region(*region), *offset, layout, bytes)
        }
        Kind::Load { region, offset, layout, bytes } => {
            moved("loaded", places.region(*region), *offset, layout, bytes)
        }
        Kind::RegisterWrite { register, layout, bytes, .. } => one(register, layout, bytes),
        Kind::RegisterRead { register, bytes, .. } => one(register, "", bytes),
        Kind::Dma { direction, address, why, layout, bytes } => {
            let way = match direction {
                Direction::Read => "read by DMA",
                Direction::Write => "written by DMA",
            };
            let title = format!("{why}, {way}");
            match places.resolve(*address, bytes.len() as u64) {
                Some((region, offset)) => {
                    moved(&title, places.region(region), offset, layout, bytes)
                }
                None => one(&title, layout, bytes),
            }
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

/// Bytes that went to or came from a region. A piece of an entry, as the owner bit of a CQE or one
/// counter of a record, is told by the layout of the whole.
fn moved(title: &str, region: Option<&Region>, offset: u64, layout: &str, bytes: &[u8]) -> Object {
    let whole = region.and_then(entry_layout).filter(|_| layout.is_empty());
    let Some(whole) = whole else {
        return one(title, layout, bytes);
    };
    let place = usize::try_from(offset % whole.size as u64).unwrap_or(0);
    let mut padded = vec![0; place];
    padded.extend_from_slice(bytes);
    let mut section = Section::of_data(&format!("in {}", whole.name), place, bytes);
    section.fields = fields(whole.name, &padded);
    section.fields.retain(|field| field.bytes.start >= place);
    Object { title: format!("{title}, {}", count(bytes.len())), sections: vec![section] }
}

/// An object of one layout, or of a whole WQE if the layout is that of its first segment.
fn one(title: &str, layout: &str, bytes: &[u8]) -> Object {
    Object { title: format!("{title}, {}", count(bytes.len())), sections: sections(layout, bytes) }
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
    segment_sections(bytes, send_segments(bytes))
}

/// A WQE cut into these segments; what lies behind them is padding.
pub fn segment_sections(bytes: &[u8], segments: Vec<Segment>) -> Vec<Section> {
    let mut found = Vec::new();
    let mut end = 0;
    for segment in segments {
        end = (segment.offset + segment.len).min(bytes.len());
        if let Some(own) = bytes.get(segment.offset..end) {
            found.push(Section::of_layout(segment.layout.name, segment.offset, own));
        }
    }
    match bytes.get(end..) {
        Some(rest) if !rest.is_empty() => found.push(Section::of_data("behind the WQE", end, rest)),
        _ => {}
    }
    found
}

/// The headers of a packet, its payload and its invariant CRC.
fn packet_sections(packet: &[u8]) -> Vec<Section> {
    let parts = packet_parts(packet).into_iter();
    let section = |part: PacketPart| {
        let own = packet.get(part.offset..part.offset + part.len)?;
        Some(match part.layout {
            Some(layout) => Section::of_layout(layout.name, part.offset, own),
            None => Section::of_data(part.title, part.offset, own),
        })
    };
    parts.filter_map(section).collect()
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

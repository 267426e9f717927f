//! The bytes of an event, decoded by the field tables.

use doorbell_prm::roce::packet_parts;
use doorbell_prm::wqe::ControlSegment;
use doorbell_prm::{DecodedField, Layout, LayoutInfo, Value};
use doorbell_tracer::{Kind, SiteInfo};

/// Bytes of one layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What they are, where an event has more than one part: `input`, `output`.
    pub title: String,
    /// The name of their field table; empty for plain data.
    pub layout: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their fields, in the order in which they lie.
    pub fields: Vec<ShownField>,
}

/// One field with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownField {
    /// Its name, with the names of the structures around it.
    pub path: String,
    /// Where it begins, in bits from the first byte's highest.
    pub bit: u32,
    /// How many bits it has.
    pub width: u32,
    /// What it holds, with the value's name if it has one.
    pub value: String,
    /// What the field means.
    pub meaning: &'static str,
    /// Where the value comes from, in the source's own words.
    pub origin: Option<String>,
}

impl ShownField {
    /// Where the field lies, as `byte 4, bits 7:0`: bits count from the lowest of the word of
    /// bytes that the field touches.
    pub fn place(&self) -> String {
        let first = self.bit / 8;
        let end = (self.bit + self.width).div_ceil(8);
        let whole = self.bit.is_multiple_of(8) && self.width.is_multiple_of(8);
        match (end - first, whole) {
            (1, true) => format!("byte {first}"),
            (_, true) => format!("bytes {first}-{}", end - 1),
            (count, false) => {
                let low = end * 8 - (self.bit + self.width);
                let high = low + self.width - 1;
                let bytes = if count == 1 {
                    format!("byte {first}")
                } else {
                    format!("bytes {first}-{}", end - 1)
                };
                if high == low {
                    format!("{bytes}, bit {low}")
                } else {
                    format!("{bytes}, bits {high}:{low}")
                }
            }
        }
    }
}

/// The parts of an event's bytes.
pub(super) fn parts(kind: &Kind, site: Option<&SiteInfo>) -> Vec<Part> {
    match kind {
        Kind::Store { layout, bytes, .. }
        | Kind::Load { layout, bytes, .. }
        | Kind::RegisterWrite { layout, bytes, .. }
        | Kind::Dma { layout, bytes, .. } => pieces(layout, bytes, site),
        Kind::RegisterRead { bytes, .. } => vec![part("", "", bytes, None)],
        Kind::Command(command) => vec![
            part("input", &command.input_layout, &command.input, None),
            part("output", &command.output_layout, &command.output, None),
        ],
        Kind::Packet(packet) => headers(&packet.bytes),
        _ => Vec::new(),
    }
}

/// The bytes of one layout; a whole WQE comes apart into its segments.
fn pieces(layout: &str, bytes: &[u8], site: Option<&SiteInfo>) -> Vec<Part> {
    let control = ControlSegment::LAYOUT;
    if layout != control.name || bytes.len() <= control.size {
        return vec![part("", layout, bytes, site)];
    }
    let segments = doorbell_prm::wqe::send_segments(bytes).into_iter();
    let mut parts: Vec<Part> = segments
        .filter_map(|segment| {
            let whole = bytes.get(segment.offset..segment.offset + segment.len)?;
            let title = format!("at {:#x}", segment.offset);
            Some(part(&title, segment.layout.name, whole, site))
        })
        .collect();
    let told = parts.iter().map(|part| part.bytes.len()).sum();
    if let Some(rest) = bytes.get(told..).filter(|rest| !rest.is_empty()) {
        parts.push(part("behind the WQE", "", rest, None));
    }
    parts
}

/// The headers of a packet, its payload and its check sum.
fn headers(packet: &[u8]) -> Vec<Part> {
    let parts = packet_parts(packet).into_iter();
    parts
        .filter_map(|found| {
            let own = packet.get(found.offset..found.offset + found.len)?;
            let layout = found.layout.map_or("", |layout| layout.name);
            Some(part(found.title, layout, own, None))
        })
        .collect()
}

/// Bytes and what their field table says of them.
fn part(title: &str, layout: &str, bytes: &[u8], site: Option<&SiteInfo>) -> Part {
    let decoded = doorbell_prm::layout(layout).map(|info| info.decode(bytes));
    Part {
        title: title.to_owned(),
        layout: layout.to_owned(),
        bytes: bytes.to_vec(),
        fields: decoded.unwrap_or_default().into_iter().map(|field| shown(field, site)).collect(),
    }
}

/// The fields of bytes whose layout is known otherwise than from the event.
pub(super) fn fields(layout: &'static LayoutInfo, bytes: &[u8]) -> Vec<ShownField> {
    let decoded = layout.decode(bytes).into_iter();
    decoded.map(|field| shown(field, None)).collect()
}

/// A decoded field as it is shown.
fn shown(decoded: DecodedField, site: Option<&SiteInfo>) -> ShownField {
    let origin = site.and_then(|site| {
        let of_this = site.origins.iter().find(|(field, _)| *field == decoded.path);
        of_this.map(|(_, origin)| origin.clone())
    });
    ShownField {
        value: value(&decoded),
        path: decoded.path,
        bit: decoded.bit,
        width: decoded.field.width,
        meaning: decoded.field.meaning,
        origin,
    }
}

/// Arrays longer than this are not spelled out as a value: the bytes are shown anyway.
const LONG: usize = 16;

/// A value as an engineer reads it: small numbers plain, others in hex, with the name if any.
fn value(decoded: &DecodedField) -> String {
    if let Some(address) = decoded.network_address() {
        return address;
    }
    let number = match &decoded.value {
        Value::Number(number @ 0..10) => number.to_string(),
        Value::Number(number) => format!("{number:#x}"),
        Value::Bytes(bytes) if bytes.len() > LONG && bytes.iter().all(|byte| *byte == 0) => {
            format!("{} bytes of 0", bytes.len())
        }
        Value::Bytes(bytes) if bytes.len() > LONG => format!("{} bytes, see below", bytes.len()),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    match decoded.value_name {
        Some(name) => format!("{number} ({name})"),
        None => number,
    }
}

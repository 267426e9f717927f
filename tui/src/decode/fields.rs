//! Bytes and the name of their layout become named fields.

use doorbell_examples::words;
use doorbell_prm::{DecodedField, Value, layout};
use std::ops::Range;

/// One field as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLine {
    /// Its name, with the names of the structures around it.
    pub name: String,
    /// Where it lies, as the reference manual counts: byte offset of the 32-bit word, then bits.
    pub bits: String,
    /// What it holds.
    pub value: String,
    /// The name of that value, if it has one.
    pub meaning_of_value: Option<&'static str>,
    /// What the field means.
    pub meaning: &'static str,
    /// The bytes that hold a bit of it, counted from the start of the layout.
    pub bytes: Range<usize>,
    /// Whether all its bits are zero.
    pub zero: bool,
    /// Where the value came from, in the words of the source: `wr.rdma.rkey`.
    pub origin: Option<String>,
}

/// Size in bytes of the layout of that name; `None` if there is no such layout.
pub fn size(name: &str) -> Option<usize> {
    layout(name).map(|info| info.size)
}

/// The fields of `bytes` under the layout of that name. Empty if there is no such layout.
pub fn fields(name: &str, bytes: &[u8]) -> Vec<FieldLine> {
    layout(name).map_or_else(Vec::new, |info| info.decode(bytes).into_iter().map(line).collect())
}

/// The number that the named field holds; `None` if layout, field or bytes are missing.
pub fn number(name: &str, field: &str, bytes: &[u8]) -> Option<u64> {
    let decoded = layout(name)?.decode(bytes);
    let found = decoded.into_iter().find(|found| found.path == field)?;
    match found.value {
        Value::Number(number) => Some(number),
        Value::Bytes(_) => None,
    }
}

/// One decoded field as text.
fn line(decoded: DecodedField) -> FieldLine {
    let first = decoded.bit / 8;
    let end = (decoded.bit + decoded.field.width).div_ceil(8);
    FieldLine {
        bits: bits(decoded.bit, decoded.field.width),
        value: decoded.network_address().unwrap_or_else(|| value(&decoded.value)),
        zero: is_zero(&decoded.value),
        name: decoded.path,
        meaning_of_value: decoded.value_name,
        meaning: decoded.field.meaning,
        bytes: first as usize..end as usize,
        origin: None,
    }
}

/// `0x04[23:0]`: word at byte 4, its bits 23 down to 0. Wider fields: first and last byte.
fn bits(bit: u32, width: u32) -> String {
    let word = bit / 32 * 4;
    let high = 31 - bit % 32;
    if width == 1 {
        format!("0x{word:02x}[{high}]")
    } else if width <= high + 1 {
        format!("0x{word:02x}[{high}:{}]", high + 1 - width)
    } else {
        let first = bit / 8;
        let last = (bit + width).div_ceil(8) - 1;
        format!("0x{first:02x}..0x{last:02x}")
    }
}

/// The text of a field's value.
fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => words::number(*number),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Whether nothing is set.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => *number == 0,
        Value::Bytes(bytes) => bytes.iter().all(|byte| *byte == 0),
    }
}

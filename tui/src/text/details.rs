//! The bytes of a step and what they say, indented below its line.

use crate::decode::{FieldLine, Object, Section};
use std::io::{self, Write};

/// Bytes in one line.
const PER_LINE: usize = 16;

/// Parts with more fields show only those that are set.
const FEW_FIELDS: usize = 16;

/// Lines of plain bytes that are printed of one part.
const MOST_LINES: usize = 8;

/// Writes every part of an object: its name if there are several, its bytes, its fields.
pub fn write(object: &Object, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let several = object.sections.len() > 1;
    for section in &object.sections {
        if several {
            writeln!(out, "{indent}{}", section.title)?;
        }
        write_bytes(section, indent, out)?;
        for field in shown_fields(section) {
            writeln!(out, "{indent}  {}", line(field))?;
        }
    }
    Ok(())
}

/// The bytes in hex. A command's input can be long and mostly zero, so what follows the lines
/// that are shown is counted only.
fn write_bytes(section: &Section, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let lines = section.bytes.chunks(PER_LINE);
    for (number, bytes) in lines.take(MOST_LINES).enumerate() {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let offset = section.offset + (number * PER_LINE) as u64;
        writeln!(out, "{indent}{offset:04x}  {}", hex.join(" "))?;
    }
    match section.bytes.len().checked_sub(MOST_LINES * PER_LINE) {
        Some(rest) if rest > 0 => writeln!(out, "{indent}      and {rest} bytes more"),
        _ => Ok(()),
    }
}

/// The fields that are worth a line.
fn shown_fields(section: &Section) -> impl Iterator<Item = &FieldLine> {
    let all = section.fields.len() <= FEW_FIELDS;
    section
        .fields
        .iter()
        .filter(move |field| all || !field.zero)
}

/// A field: name, bits, value, and where it came from.
fn line(field: &FieldLine) -> String {
    let mut text = format!("{} {} = {}", field.name, field.bits, field.value);
    if let Some(name) = field.meaning_of_value {
        text.push_str(&format!(" {name}"));
    }
    if let Some(origin) = &field.origin {
        text.push_str(&format!(" <- {origin}"));
    }
    text
}

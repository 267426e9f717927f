//! The bytes of a step and what they say, indented below its line.

use crate::decode::object::HexRow;
use crate::decode::{FieldLine, Object, Section};
use doorbell_examples::words::count;
use std::io::{self, Write};

/// Rows of bytes that are printed of one part.
const MOST_ROWS: usize = 32;

/// Writes every part of an object: its name if there are several, its bytes, its fields.
pub fn write(object: &Object, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let several = object.sections.len() > 1;
    for section in &object.sections {
        if several {
            writeln!(out, "{indent}{}", section.title)?;
        }
        write_bytes(section, indent, out)?;
        for field in section.telling_fields() {
            writeln!(out, "{indent}  {}", line(field))?;
        }
    }
    Ok(())
}

/// The bytes in hex, rows of zeros in one.
fn write_bytes(section: &Section, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let rows = section.rows();
    for HexRow { range, zero } in rows.iter().take(MOST_ROWS) {
        let offset = section.offset + range.start as u64;
        let bytes = section.bytes.get(range.clone()).unwrap_or(&[]);
        if *zero && bytes.len() > HexRow::LENGTH {
            writeln!(out, "{indent}{offset:04x}  {} of zero", count(bytes.len()))?;
        } else {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{indent}{offset:04x}  {}", hex.join(" "))?;
        }
    }
    match rows.get(MOST_ROWS) {
        Some(next) => {
            let rest = count(section.bytes.len() - next.range.start);
            writeln!(out, "{indent}      and {rest} more")
        }
        None => Ok(()),
    }
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

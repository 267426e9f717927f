//! A finding as text of at most 80 columns.

use super::parts::parts;
use crate::decode::object::HexRow;
use crate::decode::{FieldLine, Section};
use crate::dump::meaning::explain;
use crate::dump::{Found, Reading};
use crate::state::source::printable;
use crate::view::wrap::wrapped;
use doorbell_examples::words::count;
use std::io::{self, Write};

/// Columns of a terminal.
const WIDTH: u16 = 80;

/// Rows of bytes that are printed of one part.
const MOST_ROWS: usize = 32;

/// Writes a finding.
pub fn write(found: &Found, out: &mut dyn Write) -> io::Result<()> {
    title(found, out)?;
    if !found.facts.is_empty() {
        writeln!(out, "  The message says")?;
        for fact in &found.facts {
            indented(out, "    ", &format!("{}: {}", fact.name, printable(&fact.value)))?;
        }
    }
    for note in &found.notes {
        indented(out, "  ", &format!("Note: {note}."))?;
    }
    if let Some(dump) = &found.dump {
        if dump.readings.len() > 1 {
            let names: Vec<_> = dump.readings.iter().map(order).collect();
            let what = format!("The bytes can be {}.", names.join(", or "));
            indented(out, "  ", &what)?;
        }
        for reading in &dump.readings {
            write_reading(reading, found, out)?;
        }
    }
    let told = explain(found);
    section(out, "What happened", std::slice::from_ref(&told.happened))?;
    section(out, "Where", &told.place)?;
    section(out, "The vendor's own number", &told.vendor)?;
    if !told.causes.is_empty() {
        writeln!(out, "  Likely causes, and what to check")?;
    }
    for (number, (why, check)) in (1..).zip(&told.causes) {
        hanging(out, &format!("    {number}. "), "       ", why)?;
        indented(out, "       ", &format!("Check: {check}"))?;
    }
    if let Some(name) = told.scenario {
        writeln!(out, "  A run that shows it: doorbell step {name}")?;
    }
    Ok(())
}

/// The first lines: where it is, and of what.
fn title(found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let lines = if found.first == found.last {
        format!("Line {}", found.first)
    } else {
        format!("Lines {} to {}", found.first, found.last)
    };
    let format = found.mark.map_or_else(
        || "hex without a message".to_owned(),
        |mark| format!("{} ({})", mark.format(), mark.source()),
    );
    hanging(out, "", "  ", &format!("{lines}: {format}"))?;
    if found.repeats > 0 {
        let times =
            if found.repeats == 1 { "once".to_owned() } else { format!("{} times", found.repeats) };
        let again = format!("The same again {times}, up to line {}.", found.repeated_to);
        indented(out, "  ", &again)?;
    }
    Ok(())
}

/// What a reading takes the bytes for.
fn order(reading: &Reading) -> String {
    let turned = if reading.reversed {
        " if the words were printed in the order of a little-endian host"
    } else {
        ""
    };
    format!("{}{turned}", reading.kind.words())
}

/// The bytes and fields of one reading, and the checks that decided.
fn write_reading(reading: &Reading, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let Some(dump) = &found.dump else { return Ok(()) };
    let named = if dump.named && !reading.reversed { ", as it was said to be" } else { "" };
    indented(out, "  ", &format!("Read as {}{named}", order(reading)))?;
    let failed = reading.checks.iter().filter(|check| !check.holds);
    for check in failed {
        indented(out, "    ", &format!("does not hold: {}", check.what))?;
    }
    if !dump.named || reading.reversed {
        let held: Vec<_> = reading.checks.iter().filter(|check| check.holds).collect();
        let words: Vec<_> = held.iter().map(|check| check.what.as_str()).collect();
        hanging(out, "    ", "      ", &format!("holds: {}", words.join("; ")))?;
    }
    for part in parts(reading, dump) {
        writeln!(out, "    {}", part.title)?;
        write_bytes(&part, out)?;
        for field in part.telling_fields() {
            write_field(field, out)?;
        }
    }
    Ok(())
}

/// The bytes in hex, rows of zeros in one.
fn write_bytes(part: &Section, out: &mut dyn Write) -> io::Result<()> {
    let rows = part.rows();
    for HexRow { range, zero } in rows.iter().take(MOST_ROWS) {
        let offset = part.offset + range.start as u64;
        let bytes = part.bytes.get(range.clone()).unwrap_or(&[]);
        if *zero && bytes.len() > HexRow::LENGTH {
            writeln!(out, "      {offset:04x}  {} of zero", count(bytes.len()))?;
        } else {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "      {offset:04x}  {}", hex.join(" "))?;
        }
    }
    match rows.get(MOST_ROWS) {
        Some(next) => {
            writeln!(out, "      and {} more", count(part.bytes.len() - next.range.start))
        }
        None => Ok(()),
    }
}

/// A field: name, bits, value and its name, and what the field means.
fn write_field(field: &FieldLine, out: &mut dyn Write) -> io::Result<()> {
    let value = field
        .meaning_of_value
        .map_or_else(|| field.value.clone(), |name| format!("{} {name}", field.value));
    let line = format!("      {:<22} {:<11} {value}", field.name, field.bits);
    if line.len() + field.meaning.len() + 3 <= usize::from(WIDTH) {
        return writeln!(out, "{line} ; {}", field.meaning);
    }
    hanging(out, "      ", "          ", line.trim_start())?;
    indented(out, "        ; ", field.meaning)
}

/// A heading and paragraphs; nothing if there are none.
fn section(out: &mut dyn Write, heading: &str, paragraphs: &[String]) -> io::Result<()> {
    let told: Vec<_> = paragraphs.iter().filter(|text| !text.is_empty()).collect();
    if told.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {heading}")?;
    told.into_iter().try_for_each(|text| indented(out, "    ", text))
}

/// A paragraph at the margin.
pub fn paragraph(out: &mut dyn Write, text: &str) -> io::Result<()> {
    indented(out, "", text)
}

/// A paragraph behind an indent.
pub fn indented(out: &mut dyn Write, indent: &str, text: &str) -> io::Result<()> {
    hanging(out, indent, indent, text)
}

/// A paragraph whose first line begins otherwise than the rest.
pub fn hanging(out: &mut dyn Write, first: &str, rest: &str, text: &str) -> io::Result<()> {
    let columns = WIDTH - u16::try_from(rest.len().max(first.len())).unwrap_or(0);
    // Columns of a table keep their spaces: only what is too long is wrapped.
    if first.len() + text.len() <= usize::from(WIDTH) {
        return writeln!(out, "{first}{text}");
    }
    for (number, line) in wrapped(text, columns).iter().enumerate() {
        writeln!(out, "{}{line}", if number == 0 { first } else { rest })?;
    }
    Ok(())
}

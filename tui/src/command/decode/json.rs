//! A finding as one line of JSON.

use super::parts::parts;
use crate::decode::{FieldLine, Section};
use crate::dump::meaning::explain;
use crate::dump::{Dump, Found, Reading};
use serde_json::{Value, json};
use std::io::{self, Write};

/// Writes a finding and the end of the line.
pub fn write(found: &Found, out: &mut dyn Write) -> io::Result<()> {
    let told = explain(found);
    let pair = |(why, check): &(String, String)| json!({"cause": why, "check": check});
    let readings = found.dump.as_ref().map_or_else(Vec::new, |dump| {
        dump.readings.iter().map(|reading| reading_value(reading, dump)).collect()
    });
    let value = json!({
        "lines": [found.first, found.last],
        "repeats": found.repeats,
        "format": found.mark.map(|mark| mark.format()),
        "source": found.mark.map(|mark| mark.source()),
        "message": found
            .facts
            .iter()
            .map(|fact| json!({"name": fact.name, "value": fact.value}))
            .collect::<Vec<_>>(),
        "notes": found.notes,
        "named": found.dump.as_ref().is_some_and(|dump| dump.named),
        "readings": readings,
        "happened": told.happened,
        "where": told.place,
        "vendor": told.vendor,
        "causes": told.causes.iter().map(pair).collect::<Vec<_>>(),
        "scenario": told.scenario,
    });
    serde_json::to_writer(&mut *out, &value)?;
    writeln!(out)
}

/// A reading.
fn reading_value(reading: &Reading, dump: &Dump) -> Value {
    let checks = reading.checks.iter();
    json!({
        "kind": reading.kind.name(),
        "words_reversed": reading.reversed,
        "fits": reading.fits(),
        "checks": checks
            .map(|check| json!({"what": check.what, "holds": check.holds}))
            .collect::<Vec<_>>(),
        "bytes": hex(&reading.bytes),
        "parts": parts(reading, dump).iter().map(part_value).collect::<Vec<_>>(),
    })
}

/// A part of a structure.
fn part_value(part: &Section) -> Value {
    json!({
        "layout": part.title,
        "offset": part.offset,
        "fields": part.fields.iter().map(field_value).collect::<Vec<_>>(),
    })
}

/// A field.
fn field_value(field: &FieldLine) -> Value {
    json!({
        "name": field.name,
        "bits": field.bits,
        "value": field.value,
        "value_name": field.meaning_of_value,
        "meaning": field.meaning,
    })
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

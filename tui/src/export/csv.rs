//! One row a step, for a spreadsheet or a table in a program.
//!
//! RFC 4180 with a head. A cell that a spreadsheet would take for a formula has a `'` before it,
//! and so has one that begins with `'`: take the first `'` of a cell away and it is as it was.

use super::{ExportError, told_by};
use doorbell_examples::words::{self, Places, Regions, region_title};
use doorbell_tracer::file::Stream;
use doorbell_tracer::{Event, Header, Kind};
use std::io::Write;

/// The columns.
pub const COLUMNS: [&str; 15] = [
    "step", "time", "actor", "depth", "kind", "file", "line", "function", "text", "region",
    "offset", "address", "layout", "bytes", "event",
];

/// Writes all events of a trace; answers how many.
pub(super) fn write(trace: &mut Stream, out: &mut dyn Write) -> Result<u64, ExportError> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(COLUMNS)?;
    let header = trace.header().clone();
    let mut regions = Regions::default();
    let mut count = 0;
    while let Some(event) = trace.next_event() {
        regions.see(&event);
        rows.write_record(cells(&header, &event, &regions)?.map(harmless))?;
        count += 1;
    }
    rows.flush()?;
    Ok(count)
}

/// The cells of an event, in the order of [`COLUMNS`].
fn cells(header: &Header, event: &Event, regions: &Regions) -> Result<[String; 15], ExportError> {
    let places = regions.at(event.sequence);
    let site = header.sites.get(event.site as usize);
    let (place, address, layout, bytes) = match &event.kind {
        Kind::Store { region, offset, layout, bytes }
        | Kind::Load { region, offset, layout, bytes }
        | Kind::RegisterWrite { region, offset, layout, bytes, .. } => {
            (Some((*region, Some(*offset))), None, layout.as_ref(), Some(bytes))
        }
        Kind::RegisterRead { region, offset, bytes, .. } => {
            (Some((*region, Some(*offset))), None, "", Some(bytes))
        }
        Kind::Dma { address, layout, bytes, .. } => {
            let place = places.resolve(*address, bytes.len() as u64);
            let place = place.map(|(region, offset)| (region, Some(offset)));
            (place, Some(*address), layout.as_ref(), Some(bytes))
        }
        Kind::Map(region) => (Some((region.region, None)), Some(region.address), "", None),
        Kind::Unmap { region } | Kind::Index { region, .. } => {
            (Some((*region, None)), None, "", None)
        }
        Kind::Packet(packet) => (None, None, "", Some(&packet.bytes)),
        _ => (None, None, "", None),
    };
    let region = place.map(|(region, _)| match places.region(region) {
        Some(region) => region_title(region),
        None => format!("region {}", region.0),
    });
    let offset = place.and_then(|(_, offset)| offset);
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    Ok([
        event.sequence.to_string(),
        event.time.to_string(),
        crate::decode::actor(event.actor),
        event.depth.to_string(),
        event.kind.name().to_owned(),
        site.map(|site| site.file.clone()).unwrap_or_default(),
        number(site.map(|site| site.line.into())),
        site.map(|site| site.function.clone()).unwrap_or_default(),
        words::step(&event.kind, &places),
        region.unwrap_or_default(),
        number(offset),
        address.map(|address| format!("{address:#x}")).unwrap_or_default(),
        layout.to_owned(),
        bytes.map(|bytes| bytes.to_hex()).unwrap_or_default(),
        serde_json::to_string(event).map_err(told_by)?,
    ])
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(cell: String) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\'') => format!("'{cell}"),
        _ => cell,
    }
}

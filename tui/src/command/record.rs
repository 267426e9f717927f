//! Writing the trace of a run, with what must not travel left out.

use super::Failure;
use crate::cli::Mask;
use crate::decode::masked;
use doorbell_examples::{Recording, failure};
use doorbell_prm::{Content, layout};
use doorbell_tracer::Masked;
use doorbell_tracer::file::{FieldClass, Options, TraceFileError, write_file};
use std::io::{self, Write};
use std::path::Path;

/// Writes the trace of a run.
pub fn write(recording: &Recording, path: &Path, masks: &[Mask]) -> Result<(), Failure> {
    let options = mask_options(masks);
    write_file(&recording.trace, path, &options).map_err(failed)?;
    let events = recording.trace.events.len();
    let told = masked(Masked { payload: options.mask_payload, addresses: options.mask_addresses });
    let mut out = io::stdout().lock();
    let scenario = recording.trace.header.title();
    writeln!(out, "{}: {events} steps of {scenario}{told}", path.display())?;
    if let Err(why) = &recording.outcome {
        writeln!(out, "the program failed, and the trace shows how: {why}")?;
    } else if let Some(failure) = failure(&recording.trace.header.scenario) {
        writeln!(out, "the program failed as it was to: {}", failure.ends)?;
    }
    Ok(())
}

/// A failure, but for a reader of the file that has gone, as of `-o /dev/stdout | head`.
fn failed(error: TraceFileError) -> Failure {
    match error {
        TraceFileError::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
            Failure::NobodyReads
        }
        other => Failure::File(other),
    }
}

/// How a trace is written that is to be masked so.
pub fn mask_options(masks: &[Mask]) -> Options<'static> {
    let asked = |mask| masks.contains(&mask) || masks.contains(&Mask::All);
    Options {
        mask_payload: asked(Mask::Payload),
        mask_addresses: asked(Mask::Addresses),
        field: Some(&field_class),
    }
}

/// What the byte at `byte` of a layout, or behind it, belongs to, as the field tables say.
pub fn field_class(name: &str, byte: usize) -> FieldClass {
    match layout(name).map(|layout| layout.content_at(byte)) {
        Some(Content::Address) => FieldClass::Address,
        Some(Content::Payload) => FieldClass::Payload,
        Some(Content::Plain | Content::NetworkAddress | Content::Key) | None => FieldClass::Other,
    }
}

//! `doorbell lab trace`: what the card saw and did of any program in the guest.

use super::{Shared, of_run, run_command};
use crate::command::Failure;
use doorbell_examples::{TOOL, source};
use doorbell_lab::{Progress, Stop};
use doorbell_tracer::file::{Options, write_file};
use doorbell_tracer::{Clock, Full, Trace, TraceBuilder, Tracer};
use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

/// Runs the command in a guest whose card is recorded, and writes the recording: also when the
/// command fails, for that is what one looks at it for.
pub(super) fn run(
    options: &Shared,
    command: &[OsString],
    timeout: u64,
    output: &Path,
    stop: &Stop,
) -> Result<u8, Failure> {
    let tracer = Tracer::new(Full::new(), Clock::Nanoseconds(nanoseconds));
    let code = run_command(options, command, timeout, stop, Some(&tracer));
    let trace = recorded(&tracer, command);
    write_file(&trace, output, &Options::default())?;
    let steps = trace.events.len();
    Progress::on_stderr().say(&format!("{}: {steps} steps of the card", output.display()));
    code.map_err(of_run)
}

/// The recording as a trace; its scenario is the command.
fn recorded(tracer: &Tracer, command: &[OsString]) -> Trace {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let mut builder = TraceBuilder::new(TOOL, "lab", &words.join(" "), "nanoseconds", source);
    for record in tracer.take() {
        builder.push(record);
    }
    builder.finish()
}

/// Nanoseconds since the first event.
fn nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

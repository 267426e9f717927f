//! `doorbell lab record`: a scenario that needs the lab, run in the guest that it needs.

use super::{Shared, of_run, run_with};
use crate::command::Failure;
use doorbell_examples::LabScenario;
use doorbell_lab::guest::streams::Streams;
use doorbell_lab::{Progress, Stop};
use doorbell_tracer::file::TraceFileError;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

/// Runs the scenario in a guest with an IOMMU and without drivers, and writes its trace; answers the
/// exit code. A run that fails leaves what was there before.
pub(super) fn run(
    options: &Shared,
    scenario: &LabScenario,
    timeout: u64,
    output: &Path,
    stop: &Stop,
) -> Result<u8, Failure> {
    let guest = Shared { iommu: true, no_drivers: true, guests: 1, ..options.clone() };
    let mut trace = tempfile::tempfile()?;
    let streams =
        Streams { out: Box::new(trace.try_clone()?), err: Box::new(io::stderr()), input: None };
    let code = run_with(&guest, &command(scenario), timeout, stop, streams).map_err(of_run)?;
    if code == 0 {
        let created = |source| TraceFileError::Create { path: output.to_owned(), source };
        let mut file = File::create(output).map_err(created)?;
        trace.rewind()?;
        io::copy(&mut trace, &mut file)?;
        Progress::on_stderr().say(&format!("{}: {}", output.display(), scenario.title));
    }
    Ok(code)
}

/// What the guest runs: the trace is all that it prints.
fn command(scenario: &LabScenario) -> Vec<OsString> {
    let name = scenario.name;
    let script = format!("doorbell record {name} -o /tmp/trace >&2 && cat /tmp/trace");
    ["sh", "-c", &script].map(OsString::from).to_vec()
}

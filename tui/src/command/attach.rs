//! Asking a running program what it has just done.

use super::Failure;
use super::record::mask_options;
use crate::cli::Mask;
use crate::decode::kept;
use crate::state::source::printable;
use clap::Args;
use doorbell_examples::attach::{Attached, Status, place_of};
use doorbell_tracer::file::{TraceFileError, write_file};
use doorbell_tracer::{EventSource, Trace};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is asked of a running program.
#[derive(Debug, Args)]
pub struct AttachOptions {
    /// The program: its socket, or its process number if it was started with --trace-socket alone
    #[arg(value_name = "PATH|PID", value_parser = place_of)]
    program: PathBuf,
    /// Switch groups of probes on: names with commas between them, or "all"
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    enable: Vec<String>,
    /// Switch groups off, before others are switched on
    #[arg(long, value_name = "GROUPS", value_delimiter = ',')]
    disable: Vec<String>,
    /// Write the last events to this file, as a trace; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Leave out the bytes of the program's data, or replace addresses, or both if nothing is said
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        default_missing_value = "all",
        requires = "snapshot"
    )]
    mask: Vec<Mask>,
    /// Forget the events, after the snapshot if one is taken
    #[arg(long)]
    clear: bool,
    /// Say which groups are on and how full the ring is; done anyway if nothing else is asked
    #[arg(long)]
    status: bool,
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
}

/// Does what is asked: switches, then looks, then forgets, then says how things are.
pub fn run(options: &AttachOptions) -> Result<(), Failure> {
    let mut program = Attached::to(&options.program)?;
    let switches = !options.enable.is_empty() || !options.disable.is_empty();
    if switches {
        program.switch(&options.disable, &options.enable)?;
    }
    let mut out = io::stdout().lock();
    if let Some(path) = &options.snapshot {
        snapshot(&mut program, path, &options.mask, &mut out)?;
    }
    if options.clear {
        program.clear()?;
    }
    if options.status || options.json || switches || options.snapshot.is_none() {
        let status = program.status()?;
        match options.json {
            true => writeln!(out, "{}", serde_json::to_string(&status).map_err(io::Error::from)?)?,
            false => print(&program, &status, &mut out)?,
        }
    }
    Ok(out.flush()?)
}

/// Writes the program's last events to a file, and says what it holds.
fn snapshot(
    program: &mut Attached,
    path: &Path,
    masks: &[Mask],
    out: &mut impl Write,
) -> Result<(), Failure> {
    let loaded = program.snapshot()?;
    let unreadable = |step| TraceFileError::Changed {
        path: loaded.path().to_owned(),
        step,
        reason: "the event is not there".to_owned(),
    };
    let events = (0..loaded.len()).map(|step| {
        loaded.get(step).map(|event| event.into_owned()).ok_or_else(|| unreadable(step))
    });
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let mut trace = Trace { header: loaded.header().clone(), events };
    let options = mask_options(masks);
    write_file(&trace, path, &options)?;
    trace.header.masked.payload |= options.mask_payload;
    trace.header.masked.addresses |= options.mask_addresses;
    let (events, scenario) = (trace.events.len(), printable(&trace.header.scenario));
    writeln!(out, "{}: {events} steps of {scenario}{}", path.display(), kept(&trace.header))?;
    Ok(())
}

/// Says which groups are on, and how full the ring is.
fn print(program: &Attached, status: &Status, out: &mut impl Write) -> io::Result<()> {
    let said = program.greeting();
    let (name, device) = (printable(&said.program), printable(&said.device));
    writeln!(out, "{name} on {device}, process {}", said.pid)?;
    let Status { recorded, kept, capacity, .. } = status;
    let lost = recorded.saturating_sub(*kept);
    writeln!(out, "ring: {kept} events of {capacity}; recorded {recorded}, lost {lost}")?;
    let table = if status.probes { "with probes" } else { "without probes" };
    writeln!(out, "ops table: {table}; open contexts: {}", status.contexts)?;
    for group in &status.groups {
        let on = if group.on { "on" } else { "off" };
        let (name, description) = (printable(&group.name), printable(&group.description));
        writeln!(out, "  {on:<3} {name:<10} {description}")?;
    }
    Ok(())
}

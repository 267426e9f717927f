//! What each subcommand does.

mod acts;
#[cfg(target_os = "linux")]
pub mod attach;
mod book;
mod decode;
pub mod diff;
#[cfg(target_os = "linux")]
pub mod doctor;
pub mod export;
pub mod lab;
pub(crate) mod open;
mod record;
mod scenarios;
mod show;

pub use decode::DecodeError;
pub use record::field_class;

use crate::cli::{Cli, Command, DEFAULT_SCENARIO, PrintOptions, RunOptions};
use crate::compare::CompareError;
use crate::export::ExportError;
use crate::state::session::Session;
use crate::state::supply::Supply;
use crate::state::what_if::Again;
use doorbell_book::BookError;
#[cfg(target_os = "linux")]
use doorbell_examples::attach::AttachError;
use doorbell_examples::{
    Device, LiveRun, Named, Recording, SettingsError, UnknownScenario, WhatIf, named, record_with,
};
use doorbell_lab::LabError;
use doorbell_tracer::file::TraceFileError;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A trace file could not be opened or written.
    #[error(transparent)]
    File(#[from] TraceFileError),
    /// There is no such scenario.
    #[error(transparent)]
    Scenario(#[from] UnknownScenario),
    /// The scenario is not run with such settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The program that was shown failed.
    #[error("the program failed: {0}")]
    Program(String),
    /// The scenario cannot be run, or not so.
    #[error(transparent)]
    InLab(#[from] acts::Refused),
    /// A running program could not be asked.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Nothing could be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The book could not be built or served.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The lab could not do what was asked; the command ends with this code.
    #[error("{error}")]
    Lab {
        /// Why not.
        error: LabError,
        /// The exit code.
        code: u8,
    },
    /// A command in the lab's guest ended with this code, and has said why itself.
    #[error("the command in the guest ended with {0}")]
    Ended(u8),
    /// No door leads to a real card; the report has said why.
    #[error("no door leads to a real card")]
    NoDoor,
    /// The machine did not answer the doctor's questions in time.
    #[error(
        "{} gave no answer within {} s: a driver may be waiting for a card that does not answer; \
         `dmesg | tail` may say which", .path.display(), .patience.as_secs()
    )]
    NoAnswer {
        /// The file that was asked for.
        path: PathBuf,
        /// How long was waited.
        patience: Duration,
    },
    /// Two traces could not be compared.
    #[error(transparent)]
    Compare(CompareError),
    /// A trace could not be exported.
    #[error(transparent)]
    Export(ExportError),
    /// The output could not be written.
    #[error("cannot write the output: {0}; check where it goes to")]
    Output(io::Error),
    /// The terminal does not do what is asked of it.
    #[error("cannot use this terminal: {0}; `--text` prints the walk instead")]
    Terminal(io::Error),
    /// The reader of the output has gone, as of `doorbell | head`: no error to tell.
    #[error("nobody reads the output any more")]
    NobodyReads,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::Output(error),
        }
    }
}

/// Does what the command line asks.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let default = || named(DEFAULT_SCENARIO);
    match cli.command {
        None => step(default()?, &cli.run),
        Some(Command::Step { scenario, run }) => step(scenario, &run),
        Some(Command::Record { scenario, output, device, what_if, mask }) => {
            record::write(&recorded(scenario, device, what_if)?, &output, &mask)
        }
        Some(Command::Replay { file, print }) => replay(&file, print),
        Some(Command::Diff(options)) => diff::run(&options),
        Some(Command::Export(options)) => export::run(&options),
        Some(Command::Scenarios { json }) => scenarios::list(json),
        #[cfg(target_os = "linux")]
        Some(Command::Attach(options)) => attach::run(&options),
        #[cfg(target_os = "linux")]
        Some(Command::Doctor(options)) => doctor::run(&options),
        Some(Command::Decode { file, kind, json }) => decode::decode(&file, kind, json),
        Some(Command::Lab(options)) => lab::run(*options),
        Some(Command::Book { serve: true, port, .. }) => book::serve(port),
        Some(Command::Book { output, .. }) => book::build(&output),
    }
}

/// Steps a scenario while it runs; without a terminal prints the walk through it.
fn step(scenario: Named, options: &RunOptions) -> Result<(), Failure> {
    let device = options.device.clone();
    let scenario = match scenario {
        Named::Anywhere(scenario) => scenario,
        Named::InLab(scenario) => return acts::step(scenario, options),
    };
    let device = device.unwrap_or_default();
    let what_if = options.what_if.clone().unwrap_or_default();
    if show::has_terminal(options.print) {
        let again = Again::new(scenario, device, &what_if)?;
        return show::interactive(Session::new(again.start()?), Some(again), None);
    }
    text(&record_with(scenario, &device, &what_if)?, options.print)
}

/// Shows a running scenario that is not run again.
fn live(run: LiveRun) -> Result<(), Failure> {
    let builder = run.builder();
    let supply = Supply::live(Box::new(run), builder);
    show::interactive(Session::new(supply), None, None)
}

/// Prints a run that was recorded just now.
fn text(recording: &Recording, print: PrintOptions) -> Result<(), Failure> {
    let trace = &recording.trace;
    show::print(&trace.header, trace, print, Some(&recording.outcome))?;
    recording.outcome.as_ref().map_or_else(|why| Err(Failure::Program(why.clone())), |_| Ok(()))
}

/// Runs a scenario to its end.
fn recorded(
    scenario: Named,
    device: Option<Device>,
    what_if: Option<WhatIf>,
) -> Result<Recording, Failure> {
    match scenario {
        Named::Anywhere(scenario) => {
            let (device, what_if) = (device.unwrap_or_default(), what_if.unwrap_or_default());
            Ok(record_with(scenario, &device, &what_if)?)
        }
        Named::InLab(scenario) => Ok(acts::record(scenario, device, what_if)?),
    }
}

/// Opens a trace file.
fn replay(path: &Path, print: PrintOptions) -> Result<(), Failure> {
    let (loaded, warnings) = open::open(path)?;
    if show::has_terminal(print) {
        let message = warnings.first().map(ToString::to_string);
        let session = Session::new(Supply::file(loaded));
        show::interactive(session, None, message)?;
    } else {
        show::print(loaded.header(), &loaded, print, None)?;
    }
    for warning in &warnings {
        eprintln!("doorbell: {}: {warning}", path.display());
    }
    Ok(())
}

//! A trace in the formats of other tools: Perfetto, Wireshark, spreadsheets.
//!
//! The events are read one by one and written at once, so that a trace of any length needs little
//! memory. What is wrong with the trace behind its header is told when all before it is written.

mod arrows;
mod csv;
mod output;
mod pcapng;
mod perfetto;

pub use csv::COLUMNS;

use doorbell_tracer::Header;
use doorbell_tracer::file::{Stream, TraceFileError, Warning};
use output::Output;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Trace events in JSON, as ui.perfetto.dev and chrome://tracing open them.
    Perfetto,
    /// A capture file of the packets.
    Pcapng,
    /// Comma-separated values, a row a step.
    Csv,
}

impl Format {
    /// How the name of such a file ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Perfetto => "perfetto.json",
            Self::Pcapng => "pcapng",
            Self::Csv => "csv",
        }
    }
}

/// Where an export goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Events of the trace that were read.
    pub events: u64,
    /// Packets among them, where packets were asked for.
    pub packets: Option<u64>,
    /// The trace's header.
    pub header: Header,
    /// What was wrong behind it.
    pub warnings: Vec<Warning>,
}

/// Why an export failed. If the target is a file, it is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceFileError),
    /// The output is the trace itself.
    #[error("{} is the trace itself; name another file with -o", .0.display())]
    Itself(PathBuf),
    /// The target is a folder.
    #[error("{} is a directory: name a file in it", .0.display())]
    Directory(PathBuf),
    /// The target cannot be created.
    #[error("cannot create {}: {error}; choose a path that you may write to, in a directory that exists", .path.display())]
    Create {
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Writing failed on the way, as on a full disk.
    #[error("writing {} failed: {error}; {kept}; make room or choose another disk", .path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// What became of what was written.
        kept: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// Writing to the output failed.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// A value cannot be told in this format.
    #[error("cannot write this trace: {0}")]
    Format(String),
}

impl From<::csv::Error> for ExportError {
    fn from(error: ::csv::Error) -> Self {
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => Self::Output(error),
            other => told_by(format!("{other:?}")),
        }
    }
}

/// An error of a library that is none of the system's.
fn told_by(error: impl Display) -> ExportError {
    ExportError::Format(error.to_string())
}

/// Writes the trace at `path` in another format. A file that is there is replaced, once the new
/// one is whole.
pub fn export(path: &Path, format: Format, target: &Target) -> Result<Exported, ExportError> {
    let mut trace = Stream::open(path)?;
    let mut output = open(path, target)?;
    let (events, packets) = match format {
        Format::Csv => (csv::write(&mut trace, &mut output), None),
        Format::Perfetto => (perfetto::write(&mut trace, &mut output), None),
        Format::Pcapng => match pcapng::write(&mut trace, &mut output) {
            Ok(written) => (Ok(written.events), Some(written.packets)),
            Err(error) => (Err(error), None),
        },
    };
    let events = events.and_then(|events| {
        output.finish()?;
        Ok(events)
    });
    let events = events.map_err(|error| named(error, target))?;
    let (header, warnings) = trace.finish();
    Ok(Exported { events, packets, header, warnings })
}

/// Opens the target.
fn open(trace: &Path, target: &Target) -> Result<Output, ExportError> {
    let Target::File(path) = target else { return Ok(Output::stdout()) };
    if path.is_dir() {
        return Err(ExportError::Directory(path.clone()));
    }
    let real = |path: &Path| path.canonicalize().ok();
    if real(path).is_some_and(|own| Some(own) == real(trace)) {
        return Err(ExportError::Itself(path.clone()));
    }
    Output::file(path).map_err(|error| ExportError::Create { path: path.clone(), error })
}

/// An error of writing with the path that was written.
fn named(error: ExportError, target: &Target) -> ExportError {
    match (error, target) {
        (ExportError::Output(error), Target::File(path)) => {
            let is_stream = path.metadata().is_ok_and(|data| !data.is_file());
            let kept = match is_stream {
                true => "what went there is not whole",
                false => "what was written is removed",
            };
            ExportError::Write { path: path.clone(), kept, error }
        }
        (error, _) => error,
    }
}

/// What the numbers of a trace's clock are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Steps.
    Steps,
    /// Nanoseconds.
    Nanoseconds,
}

/// What is said where a clock counts steps.
const LOGICAL: &str = "the clock is logical: 1 step = 1 us";

/// What the clock of a trace counts.
fn unit(header: &Header) -> Unit {
    if header.clock == "nanoseconds" { Unit::Nanoseconds } else { Unit::Steps }
}

impl Unit {
    /// A time in nanoseconds.
    fn nanoseconds(self, time: u64) -> u64 {
        match self {
            Self::Steps => time.saturating_mul(1000),
            Self::Nanoseconds => time,
        }
    }

    /// How long an event is shown to last, which itself takes no time: in nanoseconds.
    fn moment(self) -> u64 {
        match self {
            Self::Steps => 1000,
            Self::Nanoseconds => 1,
        }
    }
}

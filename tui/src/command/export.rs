//! `doorbell export`: a trace in the format of another tool.

use super::Failure;
use crate::decode::masked;
use crate::export::{ExportError, Format, Target, export};
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;

/// What `doorbell export` is asked.
#[derive(Debug, Clone, Args)]
pub struct ExportOptions {
    /// The trace file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The format.
    #[command(flatten)]
    pub format: FormatOptions,
    /// The file to write, `-` for the standard output; one that is there is replaced. Without it a
    /// file beside the trace, with another ending
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// The format.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub struct FormatOptions {
    /// A timeline with tracks for CPU, card and packets, for ui.perfetto.dev
    #[arg(long)]
    pub perfetto: bool,
    /// The packets, for Wireshark and tshark
    #[arg(long)]
    pub pcapng: bool,
    /// A row a step, for a spreadsheet
    #[arg(long)]
    pub csv: bool,
}

impl FormatOptions {
    fn format(self) -> Format {
        if self.perfetto {
            Format::Perfetto
        } else if self.pcapng {
            Format::Pcapng
        } else {
            Format::Csv
        }
    }
}

/// Exports a trace.
pub fn run(options: &ExportOptions) -> Result<(), Failure> {
    let format = options.format.format();
    let target = match &options.output {
        Some(path) if path.as_os_str() == "-" => Target::Stdout,
        Some(path) => Target::File(path.clone()),
        None => Target::File(options.file.with_extension(format.extension())),
    };
    let exported = export(&options.file, format, &target).map_err(failed)?;
    let file = options.file.display();
    for warning in &exported.warnings {
        eprintln!("doorbell: {file}: {warning}");
    }
    if exported.packets == Some(0) {
        eprintln!(
            "doorbell: {file}: there is no packet in this trace: only the software card tells of them"
        );
    }
    if exported.packets.is_some() && exported.header.masked.payload {
        eprintln!(
            "doorbell: {file}: payload is masked: zeros stand for it and for the invariant CRC, and \
             each packet's comment says so"
        );
    }
    if let Target::File(path) = &target {
        let told = masked(exported.header.masked);
        let steps = exported.events;
        let packets =
            exported.packets.map_or_else(String::new, |count| format!("{count} packets of "));
        let scenario = crate::state::source::printable(&exported.header.scenario);
        writeln!(io::stdout(), "{}: {packets}{steps} steps of {scenario}{told}", path.display())?;
    }
    Ok(())
}

/// A failure, but for a reader of the output that has gone.
fn failed(error: ExportError) -> Failure {
    match error {
        ExportError::Output(error) => error.into(),
        ExportError::Write { error, .. } if error.kind() == io::ErrorKind::BrokenPipe => {
            Failure::NobodyReads
        }
        other => Failure::Export(other),
    }
}

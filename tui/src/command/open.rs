//! Opening a trace file, with a word about progress where that takes long.

use doorbell_tracer::file::{Limits, Loaded, Progress, TraceFileError, Warning, open_with};
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Files larger than this say how far they are.
const LARGE: u64 = 64 << 20;

/// Opens a trace file.
pub fn open(path: &Path) -> Result<(Loaded, Vec<Warning>), TraceFileError> {
    let mut last = None;
    let tell = io::stderr().is_terminal();
    let mut progress = |progress: Progress| {
        let percent = percent(progress);
        if tell && progress.total > LARGE && last != Some(percent) {
            // A terminal that takes no more words is no reason to stop reading.
            let _ = write!(io::stderr(), "\rreading {}: {percent} %", path.display());
            last = Some(percent);
        }
    };
    let opened = open_with(path, Limits::default(), &mut progress);
    if last.is_some() {
        eprintln!();
    }
    opened
}

/// How far the reader is.
fn percent(progress: Progress) -> u64 {
    (progress.read.saturating_mul(100)).checked_div(progress.total).unwrap_or(100)
}

//! `doorbell decode`: dumps and error messages in a text, explained.

mod json;
mod parts;
pub(super) mod text;

use super::Failure;
use crate::dump::{Found, Kind, ScanError, Seen, scan};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Why nothing was decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The file cannot be opened.
    #[error("cannot open {}: {why}; name a text file, or `-` for standard input", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// It cannot be read, or is no text.
    #[error("{}: {why}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: ScanError,
    },
    /// There is nothing in it that is known.
    #[error("{0}")]
    Nothing(String),
}

/// Room for the text: dumps are short, logs long.
const BUFFER: usize = 1 << 16;

/// Prints what is found in a file.
pub fn decode(path: &Path, kind: Option<Kind>, json: bool) -> Result<(), Failure> {
    let is_input = path.as_os_str() == "-";
    let open = |why| DecodeError::Open { path: path.to_owned(), why };
    let input: Box<dyn io::Read> = if is_input {
        if io::stdin().is_terminal() {
            eprintln!("doorbell: paste the text, then Ctrl-D on an empty line");
        }
        Box::new(io::stdin().lock())
    } else {
        if path.is_dir() {
            return Err(open(io::ErrorKind::IsADirectory.into()).into());
        }
        Box::new(File::open(path).map_err(open)?)
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut first = true;
    let mut give = |found: Found| -> io::Result<()> {
        if json {
            return json::write(&found, &mut out);
        }
        if !first {
            writeln!(out)?;
        }
        first = false;
        text::write(&found, &mut out)
    };
    let seen = scan(BufReader::with_capacity(BUFFER, input), kind, &mut give);
    let seen = seen.map_err(|why| match why {
        ScanError::Output(error) => Failure::from(error),
        why => DecodeError::Read { path: path.to_owned(), why }.into(),
    })?;
    if seen.found == 0 {
        return Err(DecodeError::Nothing(nothing(&seen)).into());
    }
    if !json {
        let rest = left(&seen);
        if !rest.is_empty() {
            writeln!(out)?;
        }
        for line in rest {
            text::paragraph(&mut out, &line)?;
        }
    }
    Ok(out.flush()?)
}

/// What was seen and not decoded.
fn left(seen: &Seen) -> Vec<String> {
    let mut lines = Vec::new();
    if seen.unknown > 0 {
        let places: Vec<_> = seen
            .unknown_at
            .iter()
            .map(|(line, bytes)| format!("line {line} ({bytes} bytes)"))
            .collect();
        lines.push(format!(
            "Hex that fits no structure: {}{}. If it is one, `--as KIND` says which.",
            places.join(", "),
            more(seen.unknown, places.len())
        ));
    }
    if seen.lonely > 0 {
        let places: Vec<_> = seen.lonely_at.iter().map(|line| format!("line {line}")).collect();
        lines.push(format!(
            "Announced, but the bytes do not follow: {}{}. Copy the lines behind it too.",
            places.join(", "),
            more(seen.lonely, places.len())
        ));
    }
    if seen.cut > 0 {
        lines.push(format!(
            "Lines longer than 64 KiB, of which the rest was not read: {}.",
            seen.cut
        ));
    }
    lines
}

/// `and 4 more`.
fn more(all: u64, shown: usize) -> String {
    match all.saturating_sub(shown as u64) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    }
}

/// What is known, for whoever gave something else.
const ACCEPTED: &str = "
known are:
  dmesg of mlx5_ib and mlx5_core: error CQEs, WQE dumps, failed commands, health
  libmlx5: \"got completion with error\" and the four lines behind it
  DPDK: \"Unexpected CQE error syndrome\", and the dumps in its files
  UCX: \"(synd .. vend ..)\" and the line behind it
  perftest and the examples of libibverbs: \"Failed status\"
  hex of a WQE, CQE, EQE or command, of 16 bytes or more; `--as KIND` names it";

/// What to say where nothing was recognised.
fn nothing(seen: &Seen) -> String {
    let mut said = format!("nothing that is known in {} lines", seen.lines);
    if seen.lines == 1 {
        said = "nothing that is known in 1 line".to_owned();
    }
    if seen.lines == 0 {
        said = "there is no text".to_owned();
    }
    if seen.binary {
        said.push_str(
            ", and it does not look like text; for the bytes of one structure use `xxd FILE | \
             doorbell decode`",
        );
    }
    for line in left(seen) {
        said.push_str("\n  ");
        said.push_str(&line);
    }
    said.push_str(ACCEPTED);
    said
}

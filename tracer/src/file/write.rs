//! Writing a trace, with what must not travel masked.

use super::error::TraceFileError;
use super::line::LONGEST;
use super::mask::{Classify, Mask};
use super::parse::HeaderLineRef;
use crate::{EventSource, Header, Masked, Trace};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How a trace is written.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Puts zeros in the place of the program's data: bytes of buffers, inline data in WQEs and
    /// what is copied from them to registers and by DMA, payload and ICRC of packets.
    pub mask_payload: bool,
    /// Puts other addresses in the place of bus addresses, the same for the same: those of
    /// regions and DMA, the hexadecimal values of arguments, work request ids, and eight-byte words
    /// of structures that point into a known region. The last 12 bits of an address stay.
    pub mask_addresses: bool,
    /// Says what a byte of a layout belongs to. Whoever knows the layouts can name addresses and
    /// payload that the values alone do not give away.
    pub field: Option<Classify<'a>>,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("mask_payload", &self.mask_payload)
            .field("mask_addresses", &self.mask_addresses)
            .field("field", &self.field.is_some())
            .finish()
    }
}

/// Writes a trace to a file, which is created or replaced. When the disk is full, what was written
/// stays and can be opened.
pub fn write_file(
    trace: &Trace,
    path: impl AsRef<Path>,
    options: &Options<'_>,
) -> Result<(), TraceFileError> {
    let path = path.as_ref();
    if path.is_dir() {
        return Err(TraceFileError::Directory { path: path.to_owned() });
    }
    let file = File::create(path)
        .map_err(|source| TraceFileError::Create { path: path.to_owned(), source })?;
    write_named(path, &trace.header, trace, file, options)
}

/// Writes a header and events, from wherever they are, to `output`.
pub fn write(
    header: &Header,
    events: &(impl EventSource + ?Sized),
    output: impl Write,
    options: &Options<'_>,
) -> Result<(), TraceFileError> {
    write_named(Path::new("the output"), header, events, output, options)
}

/// Writes to `output`, which messages call `path`.
fn write_named(
    path: &Path,
    header: &Header,
    events: &(impl EventSource + ?Sized),
    output: impl Write,
    options: &Options<'_>,
) -> Result<(), TraceFileError> {
    let mut output = BufWriter::with_capacity(1 << 16, Counted { output, lines: 0 });
    let result = write_lines(path, header, events, &mut output, options);
    result.map_err(|failure| match failure {
        Failure::Typed(error) => error,
        Failure::System(source) => TraceFileError::Write {
            path: path.to_owned(),
            events: output.get_ref().lines.saturating_sub(1),
            source,
        },
    })
}

/// Why writing ended early.
enum Failure {
    Typed(TraceFileError),
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::System(error.into())
    }
}

/// Writes the header and the events.
fn write_lines(
    path: &Path,
    header: &Header,
    events: &(impl EventSource + ?Sized),
    output: &mut impl Write,
    options: &Options<'_>,
) -> Result<(), Failure> {
    let mut header = header.clone();
    header.masked = Masked {
        payload: header.masked.payload || options.mask_payload,
        addresses: header.masked.addresses || options.mask_addresses,
    };
    let first = HeaderLineRef { header: &header, events: events.len() };
    serde_json::to_writer(&mut *output, &first)?;
    output.write_all(b"\n")?;
    let mut mask = Mask::new(events, options);
    let mut line = Vec::new();
    for step in 0..events.len() {
        let Some(event) = events.get(step) else {
            return Err(Failure::System(io::Error::other(format!(
                "event {step} cannot be read from its source"
            ))));
        };
        line.clear();
        match &mut mask {
            Some(mask) => serde_json::to_writer(&mut line, &mask.event(step, &event))?,
            None => serde_json::to_writer(&mut line, &*event)?,
        }
        line.push(b'\n');
        if line.len() > LONGEST {
            output.flush()?;
            return Err(Failure::Typed(TraceFileError::LineTooLong {
                path: path.to_owned(),
                step,
                bytes: line.len(),
                limit: LONGEST,
            }));
        }
        output.write_all(&line)?;
    }
    Ok(output.flush()?)
}

/// Counts the whole lines that the output took.
struct Counted<W> {
    output: W,
    lines: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.output.write(bytes)?;
        self.lines += memchr::memchr_iter(b'\n', &bytes[..taken]).count() as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

//! Lines of bounded length, with their place in the file.

use std::io::{self, BufRead};

/// The most bytes that a line of a trace file may have: the header with its sources, or an event.
pub(super) const LONGEST: usize = 64 << 20;

/// Reads lines one after the other into one buffer.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Number of the line in the buffer, from 1.
    number: u64,
    /// Offset of the line in the buffer.
    start: u64,
    /// Offset behind it.
    end: u64,
    longest: usize,
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a newline.
    Newline,
    /// With the file.
    File,
    /// It did not, within the bound.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `input`, of at most `longest` bytes each.
    pub(super) fn new(input: R, longest: usize) -> Self {
        Self { input, buffer: Vec::new(), number: 0, start: 0, end: 0, longest }
    }

    /// Reads the next line; `None` at the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<End>> {
        self.buffer.clear();
        self.start = self.end;
        self.number += 1;
        loop {
            let available = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if available.is_empty() {
                return Ok((!self.buffer.is_empty()).then_some(End::File));
            }
            let found = memchr::memchr(b'\n', available);
            let taken = found.map_or(available.len(), |at| at + 1);
            self.buffer.extend_from_slice(&available[..taken]);
            self.input.consume(taken);
            self.end += taken as u64;
            if self.buffer.len() > self.longest {
                return Ok(Some(End::TooLong));
            }
            if found.is_some() {
                return Ok(Some(End::Newline));
            }
        }
    }

    /// The line that was read, with its newline.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Number of that line, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Offset of its first byte in the file.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Offset behind its last byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The most bytes that a line may have.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Whether there is nothing but white space in it.
    pub(super) fn is_blank(&self) -> bool {
        self.buffer.iter().all(u8::is_ascii_whitespace)
    }
}

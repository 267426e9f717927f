//! The bytes of one region and who wrote them: sparse chunks, shared until written.
//!
//! A region may be a gigabyte long and hold a few queue entries. Only chunks that were written
//! exist; a copy of a memory shares all chunks with its original, and a write to either copies the
//! chunk that it touches and no other.

use rpds::RedBlackTreeMapSync;
use std::ops::Range;
use std::sync::Arc;

/// Bytes in one chunk.
const CHUNK: u64 = 256;

/// [`CHUNK`] as the length of an array.
const CHUNK_LENGTH: usize = CHUNK as usize;

/// The mark of a byte that no step wrote.
const NEVER: u32 = 0;

/// The mark of a byte whose writer's number does not fit the mark.
const UNKNOWN: u32 = u32::MAX;

/// One chunk: bytes, and for each of them the mark of the step that wrote it (step + 1).
#[derive(Debug, Clone)]
struct Chunk {
    bytes: [u8; CHUNK_LENGTH],
    writers: [u32; CHUNK_LENGTH],
}

/// Sparse bytes with their writers. What was never written reads as zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(RedBlackTreeMapSync<u64, Arc<Chunk>>);

/// A part of a range that lies in one chunk.
struct Part {
    /// Number of the chunk.
    chunk: u64,
    /// The bytes in that chunk.
    within: Range<usize>,
    /// The same bytes, counted from the start of the whole range.
    from_start: Range<usize>,
}

impl Memory {
    /// Writes `bytes` at `offset` as of `step`. What would lie behind offset `u64::MAX` is dropped.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], step: u64) {
        let mark = u32::try_from(step).ok().and_then(|step| step.checked_add(1)).unwrap_or(UNKNOWN);
        for part in parts(offset, bytes.len()) {
            if !self.0.contains_key(&part.chunk) {
                self.0.insert_mut(part.chunk, Arc::new(Chunk::empty()));
            }
            if let Some(chunk) = self.0.get_mut(&part.chunk) {
                let chunk = Arc::make_mut(chunk);
                chunk.bytes[part.within.clone()].copy_from_slice(&bytes[part.from_start]);
                chunk.writers[part.within].fill(mark);
            }
        }
    }

    /// `length` bytes from `offset` on.
    pub(super) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        for part in parts(offset, length) {
            if let Some(chunk) = self.0.get(&part.chunk) {
                bytes[part.from_start].copy_from_slice(&chunk.bytes[part.within]);
            }
        }
        bytes
    }

    /// The steps that last wrote the `length` bytes from `offset` on.
    pub(super) fn writers(&self, offset: u64, length: usize) -> Vec<Option<u64>> {
        let mut writers = vec![None; length];
        for part in parts(offset, length) {
            if let Some(chunk) = self.0.get(&part.chunk) {
                let marks = &chunk.writers[part.within];
                for (writer, mark) in writers[part.from_start].iter_mut().zip(marks) {
                    *writer = step_of(*mark);
                }
            }
        }
        writers
    }

    /// The step that last wrote the byte at `offset`.
    pub(super) fn writer(&self, offset: u64) -> Option<u64> {
        let within = usize::try_from(offset % CHUNK).ok()?;
        step_of(*self.0.get(&(offset / CHUNK))?.writers.get(within)?)
    }
}

impl Chunk {
    /// Zeros that nobody wrote.
    fn empty() -> Self {
        Self { bytes: [0; CHUNK_LENGTH], writers: [NEVER; CHUNK_LENGTH] }
    }
}

/// The step of a mark.
fn step_of(mark: u32) -> Option<u64> {
    match mark {
        NEVER | UNKNOWN => None,
        mark => Some(u64::from(mark) - 1),
    }
}

/// The parts of `length` bytes from `offset` on, chunk by chunk.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let room = usize::try_from(u64::MAX - offset).unwrap_or(usize::MAX);
    let length = length.min(room);
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        // Below CHUNK, so that no conversion can lose anything.
        let start = (at % CHUNK) as usize;
        let count = (CHUNK_LENGTH - start).min(length - done);
        let part = Part {
            chunk: at / CHUNK,
            within: start..start + count,
            from_start: done..done + count,
        };
        done += count;
        Some(part)
    })
}

//! MSI-X: the client gives one eventfd for each vector, and writes to it are interrupts.

use doorbell_card::VECTORS;
use std::fs::File;
use std::io::Write;

/// The eventfds of all vectors.
pub(crate) struct Interrupts {
    vectors: Vec<Option<File>>,
}

impl Interrupts {
    pub(crate) fn new() -> Self {
        Self { vectors: (0..VECTORS).map(|_| None).collect() }
    }

    /// Forgets all eventfds.
    pub(crate) fn clear(&mut self) {
        self.vectors.fill_with(|| None);
    }

    /// Takes eventfds for vectors `first..first + count`; a vector that gets none is silent.
    pub(crate) fn set(&mut self, first: u32, count: u32, files: Vec<File>) {
        let mut files = files.into_iter();
        for slot in self.vectors.iter_mut().skip(first as usize).take(count as usize) {
            *slot = files.next();
        }
    }

    /// Raises an interrupt. A vector without an eventfd, or one whose reader is gone, is silent,
    /// as a masked vector is.
    pub(crate) fn raise(&mut self, vector: u32) {
        if let Some(Some(file)) = self.vectors.get_mut(vector as usize) {
            let _ = file.write_all(&1_u64.to_ne_bytes());
        }
    }
}

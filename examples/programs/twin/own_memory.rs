//! This process' own memory as a file: rings and records can be read and filled without a pointer.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;

/// `/proc/self/mem`.
pub struct OwnMemory(File);

impl OwnMemory {
    pub fn open() -> Result<Self> {
        File::options().read(true).write(true).open("/proc/self/mem").map(Self)
    }

    /// The bytes at an address.
    pub fn read(&self, address: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, address)?;
        Ok(bytes)
    }

    /// Puts bytes there.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<()> {
        self.0.write_all_at(bytes, address)
    }
}

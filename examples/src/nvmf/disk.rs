//! The target's disk: what lies in its blocks.

use super::capsule::BLOCK;

/// Blocks of the disk: 1 MiB.
pub const BLOCKS: u64 = 2048;

/// Bytes of it.
pub const BYTES: usize = BLOCKS as usize * BLOCK as usize;

/// So many bytes from a block on. No two blocks near each other are alike, and no byte is 0, as fresh
/// memory is.
pub fn content(first_block: u64, bytes: usize) -> Vec<u8> {
    let begin = first_block * u64::from(BLOCK);
    let byte = |at: u64| ((begin + at) % 251) as u8 + 1;
    (0..bytes as u64).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_those_of_one_disk() {
        let disk = content(0, BYTES);
        let block = BLOCK as usize;
        assert_eq!(content(3, block * 2), disk[block * 3..block * 5]);
        assert_ne!(content(3, block), content(4, block));
    }
}

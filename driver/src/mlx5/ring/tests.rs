//! The ring against a plain vector: every length at every place, so that each wrap-around occurs.

use super::*;
use crate::bus::Memory;

/// Bytes of the ring: four blocks.
const SIZE: usize = 256;

/// A ring of zeros behind another block, and its memory.
fn ring() -> (DmaRegion, Ring) {
    let region = Memory::new(1, 0).allocate(BLOCK + SIZE + BLOCK).expect("a page has room");
    // SAFETY: the region is returned beside the ring and dropped after the test's last use of it.
    let ring = unsafe { Ring::new(&region, BLOCK, SIZE) };
    (region, ring)
}

/// The ring's bytes; fails if a byte around the ring was touched.
fn content(region: &DmaRegion) -> Vec<u8> {
    let mut all = vec![0; BLOCK + SIZE + BLOCK];
    region.read_bytes(0, &mut all);
    assert!(all[..BLOCK].iter().chain(&all[BLOCK + SIZE..]).all(|byte| *byte == 0));
    all[BLOCK..BLOCK + SIZE].to_vec()
}

#[test]
fn a_copy_of_any_length_lands_at_any_place() {
    let source: Vec<u8> = (0..SIZE).map(|index| index as u8 | 1).collect();
    let from = NonNull::from(source.as_slice()).cast();
    for unit in [0, 3, 14, 15, 16, 31, u32::MAX] {
        for skip in [0, 4, 15, 16, 21] {
            for length in (0..=80).chain([SIZE - skip]) {
                let (region, ring) = ring();
                // SAFETY: the source is longer than `length` and no part of the ring; `skip` and
                // `length` together are at most the ring's size.
                unsafe { ring.copy(unit, skip as u32, from, length as u32) };
                let mut expected = vec![0; SIZE];
                let start = (unit % 16) as usize * UNIT + skip;
                (0..length).for_each(|index| expected[(start + index) % SIZE] = source[index]);
                assert_eq!(content(&region), expected, "unit {unit}, skip {skip}, length {length}");
                let told: usize =
                    ring.parts(unit, skip as u32, length as u32).map(|(part, _)| part).sum();
                assert_eq!(told, length);
            }
        }
    }
}

#[test]
fn units_and_blocks_wrap() {
    for (number, place) in [(0, 0), (3, 3), (4, 0), (7, 3), (u32::MAX, 3)] {
        let (region, ring) = ring();
        let block = ring.block(number);
        block.store::<0>([[1; 8], [2; 8]]);
        block.store::<3>([[3; 8], [4; 8]]);
        block.store_immediate(0x0506_0708);
        ring.store(number.wrapping_mul(4).wrapping_add(1), &[9; UNIT]);
        let bytes = content(&region);
        let wqe = &bytes[place * BLOCK..(place + 1) * BLOCK];
        assert_eq!(wqe[..8], [1; 8]);
        assert_eq!(wqe[8..16], [2, 2, 2, 2, 5, 6, 7, 8]);
        assert_eq!(wqe[16..32], [9; 16]);
        assert_eq!(wqe[48..], [[3; 8], [4; 8]].concat());
        assert_eq!(block.first_word(), [1; 8]);
        assert_eq!(block.unit(1), [9; UNIT]);
        assert_eq!(block.unit(5), [9; UNIT]);
        assert_eq!(ring.block_offset(number), place * BLOCK);
        assert!(bytes.iter().filter(|byte| **byte != 0).count() == 48);
    }
}

#[test]
fn short_copies_end_in_the_block_and_are_exact() {
    let source: Vec<u8> = (0..BLOCK).map(|index| index as u8 | 1).collect();
    let from = NonNull::from(source.as_slice()).cast();
    let mut taken = 0;
    for unit in 0..4 {
        for length in 0..=BLOCK as u32 {
            let ends = unit * UNIT as u32 + 4 + length;
            if !(Block::SHORTEST..=32).contains(&length) || ends > BLOCK as u32 {
                continue;
            }
            taken += 1;
            let (region, ring) = ring();
            // SAFETY: the source is longer than `length` and no part of the ring; the rest was just asked.
            unsafe { ring.block(3).copy_short(unit, 4, from, length) };
            let mut expected = vec![0; SIZE];
            let start = 3 * BLOCK + unit as usize * UNIT + 4;
            expected[start..start + length as usize].copy_from_slice(&source[..length as usize]);
            assert_eq!(content(&region), expected, "unit {unit}, length {length}");
        }
    }
    // 8 to 32 bytes behind units 0 and 1, 8 to 28 behind unit 2, 8 to 12 behind unit 3.
    assert_eq!(taken, 25 + 25 + 21 + 5);
}

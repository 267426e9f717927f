//! The shared memory against a plain picture of it.

use doorbell_driver::bus::{DmaRegion, Memory, PAGE_SIZE};
use proptest::prelude::*;

const PAGES: usize = 32;
const ADDRESS: u64 = 0x5000_0000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Regions never overlap, keep what is written, and come back whole.
    #[test]
    fn regions_are_apart_and_keep_their_bytes(
        steps in prop::collection::vec((any::<bool>(), 1..3 * PAGE_SIZE, any::<u8>()), 1..20),
    ) {
        let memory = Memory::new(PAGES, ADDRESS);
        let mut held: Vec<(DmaRegion, u8)> = Vec::new();
        for (take, length, byte) in steps {
            if take || held.is_empty() {
                if let Ok(region) = memory.allocate(length) {
                    let mut zero = vec![1; length];
                    region.read_bytes(0, &mut zero);
                    prop_assert!(zero.iter().all(|byte| *byte == 0));
                    region.fill(byte);
                    held.push((region, byte));
                }
            } else {
                held.swap_remove(length % held.len());
            }
            for (region, byte) in &held {
                let mut bytes = vec![0; region.length()];
                region.read_bytes(0, &mut bytes);
                prop_assert!(bytes.iter().all(|found| found == byte));
                prop_assert!(memory.find(region.address(), region.length()).is_some());
            }
        }
        held.clear();
        prop_assert!(memory.allocate(PAGES * PAGE_SIZE).is_ok(), "all of it is one stretch again");
    }

    /// No address and length reach outside.
    #[test]
    fn nothing_outside_is_reached(address in any::<u64>(), length in 0_usize..1 << 17) {
        let memory = Memory::new(PAGES, ADDRESS);
        let end = ADDRESS + (PAGES * PAGE_SIZE) as u64;
        let inside = address >= ADDRESS && address <= end && length as u64 <= end - address;
        prop_assert_eq!(memory.find(address, length).is_some(), inside);
        let mut bytes = vec![0; length];
        prop_assert_eq!(memory.read(address, &mut bytes), inside);
        prop_assert_eq!(memory.write(address, &bytes), inside);
    }
}

#[test]
fn the_edges_are_inside_and_the_next_byte_is_not() {
    let memory = Memory::new(1, ADDRESS);
    assert!(memory.find(ADDRESS, PAGE_SIZE).is_some());
    assert!(memory.find(ADDRESS + PAGE_SIZE as u64, 0).is_some());
    assert!(memory.find(ADDRESS, PAGE_SIZE + 1).is_none());
    assert!(memory.find(ADDRESS - 1, 1).is_none());
    assert!(memory.find(ADDRESS + PAGE_SIZE as u64, 1).is_none());
    assert!(memory.find(u64::MAX, 2).is_none());
}

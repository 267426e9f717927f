use super::*;
use proptest::prelude::*;

const ASKER: Asker = Asker { qpn: 7, pd: 3 };
const KEY: u32 = 0x200;

fn key(log_page_size: u8, start: u64, length: u64, entries: Vec<u64>) -> MemoryKeys {
    let mut context = MkeyContext::zeroed();
    context
        .set_access_mode_1_0(MkeyAccessMode::Translated.code())
        .set_lr(true)
        .set_qpn(ANY_QUEUE_PAIR)
        .set_pd(ASKER.pd)
        .set_start_addr(start)
        .set_length(length)
        .set_log_page_size(log_page_size);
    MemoryKeys::from([(KEY, MemoryKey { context, entries, parts: Vec::new(), held: 0 })])
}

fn ask(keys: &MemoryKeys, address: u64, length: u64) -> Result<Vec<(u64, u64)>, KeyFault> {
    translate(keys, ASKER, Span { key: KEY << 8, address, length }, Right::LocalRead)
}

/// Where one byte lies, found by counting pages of the address space from the one with the first byte
/// of the region.
fn place(log_page_size: u8, start: u64, entries: &[u64], address: u64) -> u64 {
    let page = 1 << log_page_size;
    entries[(address / page - start / page) as usize] + address % page
}

proptest! {
    /// Every page size, a region that begins and ends anywhere in pages that lie anywhere, or at
    /// address 0; and a span anywhere in it.
    #[test]
    fn a_span_is_found_whatever_the_page_size(
        log_page_size in 12_u8..=31,
        first_page in prop_oneof![Just(0_u64), 0_u64..1 << 32],
        inside in any::<u64>(),
        frames in prop::collection::vec(0_u64..1 << 20, 1..6),
        cut in any::<u64>(),
        (from, to) in any::<(u64, u64)>(),
    ) {
        let page = 1_u64 << log_page_size;
        let start = first_page * page + inside % page;
        let entries: Vec<u64> = frames.iter().map(|frame| frame * page).collect();
        let most = entries.len() as u64 * page - inside % page;
        let length = most - cut % page.min(most);
        let keys = key(log_page_size, start, length, entries.clone());
        let (from, to) = (from % (length + 1), to % (length + 1));
        let (from, to) = (from.min(to), from.max(to));

        let pieces = ask(&keys, start + from, to - from).expect("it lies in the region");
        let mut address = start + from;
        for (bus, length) in pieces {
            prop_assert!(length > 0);
            // Both ends, and both sides of each page's end.
            let ends = (address / page + 1..=(address + length - 1) / page).map(|number| number * page);
            let looked_at = ends.flat_map(|end| [end - 1, end]).chain([address, address + length - 1]);
            for at in looked_at {
                let expected = place(log_page_size, start, &entries, at);
                prop_assert_eq!(bus + (at - address), expected);
            }
            address += length;
        }
        prop_assert_eq!(address, start + to, "all of it, and no more");
        prop_assert_eq!(ask(&keys, start + from, length - from + 1), Err(KeyFault::OutOfBounds));
        if start > 0 {
            prop_assert_eq!(ask(&keys, start - 1, 1), Err(KeyFault::OutOfBounds));
        }
        prop_assert_eq!(ask(&keys, start + from, u64::MAX), Err(KeyFault::OutOfBounds));
    }
}

//! Memory keys through the command interface, with every page size and every right.

mod support;

use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::wqe::*;
use proptest::prelude::*;
use support::data::{Outcome::*, *};
use support::*;

/// Registers `length` bytes that begin at a bus address, as pages of a size, in one or several
/// pages; the program's addresses begin at `start`.
fn register_range(it: &mut Setup, log_page_size: u8, (bus, length): (u64, u64), start: u64) -> u32 {
    let page = 1_u64 << log_page_size;
    assert_eq!(bus % page, start % page, "the two agree within a page");
    let pages: Vec<u64> = (bus / page..(bus + length).div_ceil(page)).map(|n| n * page).collect();
    let (mut input, list) = key_input(it.pd, &pages);
    input
        .memory_key_mkey_entry_mut()
        .set_log_page_size(log_page_size)
        .set_start_addr(start)
        .set_length(length);
    it.machine.command(&input, &list).mkey_index() << 8 | 0x42
}

/// 64 KiB of memory that begin at a multiple of 64 KiB.
fn aligned(it: &mut Setup) -> u64 {
    let pages: Vec<u64> = (0..32).map(|_| it.machine.page()).collect();
    pages[0].next_multiple_of(0x1_0000)
}

#[test]
fn every_page_size_moves_bytes() {
    for log_page_size in 12..=31 {
        let mut it = Setup::new();
        let bus = aligned(&mut it) + 0x234;
        let page = 1_u64 << log_page_size;
        // The page of the first byte is the third of the address space.
        let start = 2 * page + bus % page;
        let key = register_range(&mut it, log_page_size, (bus, 0x8000), start);
        it.put(VIRTUAL, &pattern(3000));
        let (to, local) = (start + 0x1fff, (VIRTUAL, 3000, it.key));
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (to, key), local)]);
        assert_eq!(it.outcomes(0), [Done(0, 0)], "pages of 2^{log_page_size} bytes");
        assert_eq!(it.machine.memory.get(bus + 0x1fff, 3000), pattern(3000));
        let from = (start + 0x1fff, 3000, key);
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x4000, it.key), from)]);
        assert_eq!(it.get(VIRTUAL + 0x4000, 3000), pattern(3000));
    }
}

/// `IBV_ACCESS_ZERO_BASED`, or `ibv_reg_mr_iova` with an address below that of the memory: addresses
/// count from the beginning of the region, or of the page that it begins in.
#[test]
fn addresses_may_begin_at_zero() {
    for inside in [0, 0x123] {
        let mut it = Setup::new();
        let bus = aligned(&mut it) + inside;
        let key = register_range(&mut it, 12, (bus, 0x3000), inside);
        it.put(VIRTUAL, b"from zero");
        let local = (VIRTUAL, 9, it.key);
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (inside, key), local)]);
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (inside + 0x3000 - 9, key), local)]);
        assert_eq!(it.outcomes(0), [Done(0, 0), Done(0, 1)]);
        assert_eq!(it.machine.memory.get(bus, 9), b"from zero");
        assert_eq!(it.machine.memory.get(bus + 0x3000 - 9, 9), b"from zero");
        it.post(0, &[rdma(SendOpcode::RdmaWrite, (inside + 0x3000 - 8, key), local)]);
        assert_eq!(it.outcomes(0), [Failed(CqeSyndrome::RemoteAccessError, 2)]);
    }
}

proptest! {
    /// Each right is a bit of its own: nothing is done without it, and it is enough. What the card
    /// makes no use of changes nothing: atomics, and the permission to reorder.
    #[test]
    fn every_right_counts_by_itself(
        [local_read, local_write, remote_read, remote_write] in any::<[bool; 4]>(),
        [atomic, reorder_reads, reorder_writes] in any::<[bool; 3]>(),
        act in 0..5,
    ) {
        let mut it = Setup::new();
        let pages = [it.machine.page()];
        let key = register(&mut it.machine, it.pd, &pages, |context| {
            context
                .set_lr(local_read)
                .set_lw(local_write)
                .set_rr(remote_read)
                .set_rw(remote_write)
                .set_a(atomic)
                .set_relaxed_ordering_read(reorder_reads)
                .set_relaxed_ordering_write(reorder_writes);
        });
        let (ours, open) = ((VIRTUAL, 16, key), (VIRTUAL, 16, it.key));
        let (write, read) = (SendOpcode::RdmaWrite, SendOpcode::RdmaRead);
        let (wqe, allowed, refusal) = match act {
            0 => (rdma(write, (VIRTUAL, it.key), ours), local_read, CqeSyndrome::LocalProtectionError),
            1 => (rdma(read, (VIRTUAL, it.key), ours), local_write, CqeSyndrome::LocalProtectionError),
            2 => (rdma(read, (VIRTUAL, key), open), remote_read, CqeSyndrome::RemoteAccessError),
            3 => (atomic_add((VIRTUAL, key), 1, open), atomic, CqeSyndrome::RemoteAccessError),
            _ => (rdma(write, (VIRTUAL, key), open), remote_write, CqeSyndrome::RemoteAccessError),
        };
        it.post(0, &[wqe]);
        let expected = if allowed { Done(0, 0) } else { Failed(refusal, 0) };
        prop_assert_eq!(it.outcomes(0), [expected]);
    }
}

/// The pages of 600 MiB in one command, as `mlx5_ib` lists them where none lies beside another.
#[test]
fn a_large_region_of_small_pages_is_one_command() {
    let mut it = Setup::new();
    let pages: Vec<u64> = (0..600 << 8).map(|page: u64| BASE + page % 4 * PAGE).collect();
    it.machine.make_room(pages.len() * 8 + 512);
    let key = register(&mut it.machine, it.pd, &pages, |_| ());
    let last = VIRTUAL + (600 << 20) - 4;
    it.machine.memory.put(BASE + 4 * PAGE - 4, b"last");
    it.post(0, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL, it.key), (last, 4, key))]);
    assert_eq!(it.outcomes(0), [Done(0, 0)]);
    assert_eq!(it.get(VIRTUAL, 4), b"last");
}

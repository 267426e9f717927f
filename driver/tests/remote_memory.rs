//! Atomic operations and memory windows, from the post to the bytes on the other side.

mod common;

use common::pattern;
use common::sides::{EVERYTHING, Sides, bytes, only, remote};
use doorbell_driver::verbs::*;

use QueuePairState::{Error, ReadyToSend};
use Transport::{ReliableConnection, UnreliableConnection};

/// Side 0 asks, and side 1 has the memory.
const ASKER: usize = 0;
const OWNER: usize = 1;

fn number(region: &MemoryRegion, offset: usize) -> u64 {
    u64::from_ne_bytes(bytes(region, offset, 8).try_into().expect("eight bytes"))
}

fn atomic<'a>(
    opcode: Opcode,
    list: &'a [ScatterGatherElement],
    remote: RemoteAddress,
    [compare_add, swap]: [u64; 2],
) -> SendRequest<'a> {
    let operands = Operands::Atomic { compare_add, swap };
    SendRequest { wr_id: 1, sg_list: list, opcode, remote, operands, ..SendRequest::default() }
}

fn write<'a>(list: &'a [ScatterGatherElement], remote: RemoteAddress) -> SendRequest<'a> {
    SendRequest { wr_id: 2, sg_list: list, remote, ..SendRequest::default() }
}

#[test]
fn atomics_change_eight_bytes_and_bring_what_was_there() {
    use Opcode::{AtomicCompareAndSwap as Compare, AtomicFetchAndAdd as Add};
    let it = Sides::new(ReliableConnection);
    let before = [0x1111_u64.to_ne_bytes(), 40_u64.to_ne_bytes(), 0x3333_u64.to_ne_bytes()];
    let target = it.memory(before.as_flattened());
    let result = it.memory(&[0xee; 24]);
    for (opcode, operands, found, left) in [
        (Add, [2, 0], 40, 42),
        (Add, [u64::MAX, 0], 42, 41),
        (Compare, [41, 7], 41, 7),
        (Compare, [41, 8], 7, 7),
    ] {
        let list = [result.element(8, 8)];
        let done = it.done(&atomic(opcode, &list, remote(&target, 8), operands));
        let completed = match opcode {
            Add => Completed::FetchAndAdd,
            _ => Completed::CompareAndSwap,
        };
        assert_eq!((done.status, done.opcode), (WorkStatus::Success, completed));
        assert_eq!((done.wr_id, done.byte_len), (1, 8));
        assert_eq!((number(&result, 8), number(&target, 8)), (found, left), "{operands:?}");
    }
    assert_eq!((number(&target, 0), number(&target, 16)), (0x1111, 0x3333));
    assert_eq!((bytes(&result, 0, 8), bytes(&result, 16, 8)), (vec![0xee; 8], vec![0xee; 8]));
}

#[test]
fn atomics_of_both_sides_lose_no_count() {
    let it = Sides::new(ReliableConnection);
    let target = it.memory(&[0; 8]);
    let results = it.memory(&[0; 16]);
    let mut found = Vec::new();
    for _ in 0..8 {
        for side in [ASKER, OWNER] {
            let list = [results.element(side * 8, 8)];
            let add = atomic(Opcode::AtomicFetchAndAdd, &list, remote(&target, 0), [1, 0]);
            post_send(&it.qps[side], &[add]).expect("posted");
        }
        for side in [ASKER, OWNER] {
            assert_eq!(only(&it.drain(&it.sent[side])).status, WorkStatus::Success);
            found.push(number(&results, side * 8));
        }
    }
    found.sort_unstable();
    assert_eq!(found, (0..16).collect::<Vec<u64>>());
    assert_eq!(number(&target, 0), 16);
}

#[test]
fn an_atomic_needs_operands_a_place_for_its_result_and_rights() {
    let without = EVERYTHING - Access::REMOTE_ATOMIC;
    for (of_qp, of_memory, offset, elements, wanted, owner) in [
        (EVERYTHING, EVERYTHING, 4, 1, WorkStatus::RemoteInvalidRequest, Error),
        (EVERYTHING, EVERYTHING, 16, 1, WorkStatus::RemoteAccess, Error),
        (EVERYTHING, without, 8, 1, WorkStatus::RemoteAccess, Error),
        (without, EVERYTHING, 8, 1, WorkStatus::RemoteInvalidRequest, Error),
        (EVERYTHING, EVERYTHING, 8, 0, WorkStatus::LocalLength, ReadyToSend),
    ] {
        let it = Sides::allowing(ReliableConnection, of_qp - Access::MW_BIND);
        let target = it.memory_for(&[0; 16], of_memory);
        let result = it.memory(&[0xee; 8]);
        let list = [result.element(0, 8)];
        let to = remote(&target, offset);
        let add = atomic(Opcode::AtomicFetchAndAdd, &list[..elements], to, [1, 0]);
        let none = SendRequest { operands: Operands::None, ..add };
        let opcode = Opcode::AtomicFetchAndAdd;
        assert_eq!(it.refused(&none), PostCause::Operands { opcode });
        assert_eq!(it.done(&add).status, wanted, "offset {offset}");
        assert_eq!(it.states(), [Error, owner], "offset {offset}");
        assert_eq!(
            (bytes(&target, 0, 16), number(&result, 0)),
            (vec![0; 16], 0xeeee_eeee_eeee_eeee)
        );
    }
}

/// Binds a window of type 2 of the owner to a part of its memory, and answers how that ended.
fn bind(it: &Sides, window: &MemoryWindow, part: &WindowPart<'_>) -> WorkCompletion {
    let bind = part.bind(window, window.next_rkey());
    let (opcode, operands) = (Opcode::BindMemoryWindow, Operands::Bind(&bind));
    let done =
        it.done_by(OWNER, &SendRequest { wr_id: 5, opcode, operands, ..SendRequest::default() });
    if done.status == WorkStatus::Success {
        assert_eq!((done.wr_id, done.opcode), (5, Completed::BindMemoryWindow));
        window.bound(bind.new_key);
    }
    done
}

fn part(region: &MemoryRegion, offset: u64, length: u64) -> WindowPart<'_> {
    let address = region.buffer().address() + offset;
    WindowPart { region, address, length, access: EVERYTHING - Access::MW_BIND }
}

/// Where bytes of a region are for one who has a window's key.
fn through(window: &MemoryWindow, region: &MemoryRegion, offset: usize) -> RemoteAddress {
    RemoteAddress { rkey: window.rkey(), ..remote(region, offset) }
}

#[test]
fn a_window_shows_its_part_until_its_owner_invalidates_it() {
    for transport in [ReliableConnection, UnreliableConnection] {
        let it = Sides::new(transport);
        let source = it.memory(&pattern(64, 8));
        // The region itself lets nobody in.
        let target = it.memory_for(&[0; 256], Access::LOCAL_WRITE | Access::MW_BIND);
        let window = it.pd.alloc_mw(WindowKind::Two).expect("a window");
        assert_eq!(bind(&it, &window, &part(&target, 100, 64)).status, WorkStatus::Success);
        let list = [source.element(0, 64)];
        it.done(&write(&list, through(&window, &target, 100)));
        assert_eq!(bytes(&target, 100, 64), pattern(64, 8));
        assert_eq!((bytes(&target, 99, 1), bytes(&target, 164, 1)), (vec![0], vec![0]));

        let immediate = window.rkey();
        let opcode = Opcode::LocalInvalidate;
        let invalidate = SendRequest { wr_id: 6, opcode, immediate, ..SendRequest::default() };
        let done = it.done_by(OWNER, &invalidate);
        assert_eq!((done.status, done.opcode), (WorkStatus::Success, Completed::LocalInvalidate));
        let short = [source.element(1, 8)];
        let late = it.done(&write(&short, through(&window, &target, 100)));
        assert_eq!(bytes(&target, 100, 64), pattern(64, 8));
        let told = match transport {
            ReliableConnection => WorkStatus::RemoteAccess,
            _ => WorkStatus::Success,
        };
        assert_eq!(late.status, told);
    }
}

#[test]
fn the_other_side_gives_a_window_back_with_its_message() {
    let it = Sides::new(ReliableConnection);
    let target = it.memory(&[0; 64]);
    let window = it.pd.alloc_mw(WindowKind::Two).expect("a window");
    assert_eq!(bind(&it, &window, &part(&target, 0, 64)).status, WorkStatus::Success);
    it.receive(10, &[]);
    let (opcode, immediate) = (Opcode::SendWithInvalidate, window.rkey());
    let send = SendRequest { wr_id: 3, opcode, immediate, ..SendRequest::default() };
    assert_eq!(it.done(&send).status, WorkStatus::Success);
    let arrived = only(&it.arrived());
    assert_eq!((arrived.wr_id, arrived.opcode), (10, Completed::Receive));
    assert_eq!(arrived.arrival.invalidated, Some(window.rkey()));
    // It can be bound again, with the next key, and the old key stays closed.
    let old = through(&window, &target, 0);
    assert_eq!(bind(&it, &window, &part(&target, 0, 64)).status, WorkStatus::Success);
    assert_ne!(old.rkey, window.rkey());
    let list = [target.element(32, 8)];
    assert_eq!(it.done(&write(&list, through(&window, &target, 0))).status, WorkStatus::Success);
    assert_eq!(it.done(&write(&list, old)).status, WorkStatus::RemoteAccess);
}

#[test]
fn a_window_of_type_1_gets_a_new_key_with_each_binding() {
    let it = Sides::new(ReliableConnection);
    let source = it.memory(&pattern(8, 9));
    let target = it.memory_for(&[0; 64], Access::LOCAL_WRITE | Access::MW_BIND);
    let window = it.pd.alloc_mw(WindowKind::One).expect("a window");
    let list = [source.element(0, 8)];
    let mut keys = vec![window.rkey()];
    for offset in [0, 8] {
        let signalled = (5, SendFlags::SIGNALED);
        bind_mw(&it.qps[OWNER], &window, signalled, &part(&target, offset, 8)).expect("posted");
        let done = only(&it.drain(&it.sent[OWNER]));
        assert_eq!((done.status, done.opcode), (WorkStatus::Success, Completed::BindMemoryWindow));
        assert!(!keys.contains(&window.rkey()));
        keys.push(window.rkey());
        let done = it.done(&write(&list, through(&window, &target, offset as usize)));
        assert_eq!(done.status, WorkStatus::Success);
    }
    assert_eq!(bytes(&target, 0, 17), [pattern(8, 9), pattern(8, 9), vec![0]].concat());
    // Bound to nothing, it shows nothing.
    let nothing = WindowPart { length: 0, ..part(&target, 0, 8) };
    bind_mw(&it.qps[OWNER], &window, (6, SendFlags::SIGNALED), &nothing).expect("posted");
    assert_eq!(only(&it.drain(&it.sent[OWNER])).status, WorkStatus::Success);
    let late = it.done(&write(&list, through(&window, &target, 8)));
    assert_eq!(late.status, WorkStatus::RemoteAccess);
}

#[test]
fn a_window_gives_no_more_than_its_rights_and_its_part() {
    for (offset, access, wanted) in [
        (8, EVERYTHING - Access::MW_BIND, WorkStatus::Success),
        (9, EVERYTHING - Access::MW_BIND, WorkStatus::RemoteAccess),
        (8, Access::REMOTE_READ, WorkStatus::RemoteAccess),
    ] {
        let it = Sides::new(ReliableConnection);
        let target = it.memory(&pattern(64, 10));
        let window = it.pd.alloc_mw(WindowKind::Two).expect("a window");
        let shown = WindowPart { access, ..part(&target, 8, 8) };
        assert_eq!(bind(&it, &window, &shown).status, WorkStatus::Success);
        let landing = it.memory(&[0; 8]);
        let list = [landing.element(0, 8)];
        let read =
            SendRequest { opcode: Opcode::RdmaRead, ..write(&list, through(&window, &target, 8)) };
        assert_eq!(it.done(&read).status, WorkStatus::Success);
        assert_eq!(bytes(&landing, 0, 8), pattern(64, 10)[8..16]);
        let done = it.done(&write(&list, through(&window, &target, offset)));
        assert_eq!(done.status, wanted, "offset {offset}, {access:?}");
    }
}

#[test]
fn a_window_that_cannot_be_bound_is_told_to_its_owner() {
    let it = Sides::new(ReliableConnection);
    let target = it.memory(&[0; 64]);
    let window = it.pd.alloc_mw(WindowKind::Two).expect("a window");
    let cause = bind_mw(&it.qps[ASKER], &window, (1, SendFlags::empty()), &part(&target, 0, 8));
    assert_eq!(cause.expect_err("of type 2").cause, PostCause::WindowKind);
    let long = part(&target, 0, (1 << 31) + 1).bind(&window, window.next_rkey());
    let bind_long = SendRequest {
        opcode: Opcode::BindMemoryWindow,
        operands: Operands::Bind(&long),
        ..SendRequest::default()
    };
    let cause = it.refused(&bind_long);
    assert_eq!((cause, cause.errno()), (PostCause::WindowTooLong, 95));
    let opcode = Opcode::BindMemoryWindow;
    let without = SendRequest { operands: Operands::None, ..bind_long };
    assert_eq!(it.refused(&without), PostCause::Operands { opcode });

    // More than the region has; the second time while it is bound.
    for (first, second) in [(None, (0, 65)), (Some((0, 8)), (8, 8))] {
        let it = Sides::new(ReliableConnection);
        let target = it.memory(&[0; 64]);
        let window = it.pd.alloc_mw(WindowKind::Two).expect("a window");
        if let Some((offset, length)) = first {
            assert_eq!(
                bind(&it, &window, &part(&target, offset, length)).status,
                WorkStatus::Success
            );
        }
        let failed = bind(&it, &window, &part(&target, second.0, second.1));
        assert_eq!((failed.wr_id, failed.status), (5, WorkStatus::MemoryWindowBind));
        assert_eq!(it.states(), [ReadyToSend, Error]);
    }
}

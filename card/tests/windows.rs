//! Memory windows: allocated as `mlx5_ib` does, bound and invalidated as libmlx5 does, and what of
//! that is refused.

mod support;

use doorbell_prm::commands::*;
use doorbell_prm::cqe::CqeSyndrome::{self, *};
use doorbell_prm::eqe::EventType;
use doorbell_prm::wqe::*;
use doorbell_prm::zerocopy::{IntoBytes, big_endian::U64};
use support::data::{Outcome::*, *};
use support::*;

/// The side that owns the memory, and the one that reaches for it.
const OWNER: usize = 1;
const PEER: usize = 0;
const ANY: u32 = 0xff_ffff;
const BAD_BIND: CqeSyndrome = MemoryWindowBindError;

/// What `mlx5_ib_alloc_mw` asks for.
fn window_input(pd: u32, type_2: bool) -> CreateMkeyIn {
    let mut input = CreateMkeyIn::new();
    input
        .memory_key_mkey_entry_mut()
        .set_free(true)
        .set_translations_octword_size(4)
        .set_pd(pd)
        .set_umr_en(true)
        .set_lr(true)
        .set_access_mode_1_0(MkeyAccessMode::Indirect.code())
        .set_en_rinval(type_2)
        .set_qpn(ANY)
        .set_mkey_7_0(0x10);
    input
}

fn allocate(it: &mut Setup, type_2: bool) -> u32 {
    let input = window_input(it.pd, type_2);
    it.machine.command(&input, &[]).mkey_index() << 8 | 0x10
}

/// What `set_bind_wr` of libmlx5 is given; tests change a field.
#[derive(Debug, Clone)]
struct Bind {
    window: u32,
    type_2: bool,
    new_low_byte: u8,
    qpn: u32,
    /// The region's key, the first address, and the length; without bytes to unbind.
    stretch: (u32, u64, u32),
    reads: bool,
    writes: bool,
}

impl Bind {
    fn new(it: &Setup, window: u32, type_2: bool) -> Self {
        let stretch = (it.key, VIRTUAL + 0x1800, 0x1000);
        let (new_low_byte, qpn) = (window as u8 + 1, it.pairs[OWNER].qpn);
        Self { window, type_2, new_low_byte, qpn, stretch, reads: true, writes: true }
    }

    /// The key that the other side is given.
    fn key(&self) -> u32 {
        self.window & !0xff | u32::from(self.new_low_byte)
    }

    fn segments(&self) -> (UmrControlSegment, MkeyContextSegment, Vec<u8>) {
        let (key, address, length) = self.stretch;
        let mut control = UmrControlSegment::zeroed();
        control.set_is_inline(1);
        control.set_translation_in_octowords(1);
        control.set_changes_free(1);
        control.set_changes_mkey(1);
        control.set_changes_qpn(self.type_2.into());
        let mut context = MkeyContextSegment::zeroed();
        context.set_qpn(if self.type_2 && length > 0 { self.qpn } else { ANY });
        context.set_mkey(self.new_low_byte.into());
        if length == 0 {
            control.set_check_qpn(self.type_2.into());
            context.set_free(1);
            return (control, context, Vec::new());
        }
        control.set_check_free(self.type_2.into());
        changes_place_and_rights(&mut control);
        context.set_remote_read(self.reads.into());
        context.set_remote_write(self.writes.into());
        context.start_address = address.into();
        context.length = u64::from(length).into();
        (control, context, [entry(key, address, length), vec![0; 48]].concat())
    }

    fn wqe(&self) -> Vec<u8> {
        let (control, context, entries) = self.segments();
        umr(self.window, &control, &context, &entries)
    }
}

fn entry(key: u32, address: u64, length: u32) -> Vec<u8> {
    let mut entry = KlmSegment::zeroed();
    entry.byte_count = length.into();
    entry.mkey = key.into();
    entry.address = address.into();
    entry.as_bytes().to_vec()
}

fn umr(
    key: u32,
    control: &UmrControlSegment,
    context: &MkeyContextSegment,
    entries: &[u8],
) -> Vec<u8> {
    let flags = CONTROL_CQ_UPDATE | CONTROL_INITIATOR_SMALL_FENCE;
    wqe(SendOpcode::Umr, flags, key, &[control.as_bytes(), context.as_bytes(), entries])
}

/// `IBV_WR_LOCAL_INV`: the low byte of the key becomes 0.
fn invalidate_locally(it: &Setup, key: u32) -> Vec<u8> {
    let bind = Bind::new(it, key, true);
    Bind { new_low_byte: 0, stretch: (0, 0, 0), ..bind }.wqe()
}

fn send_invalidating(key: u32, bytes: &[u8]) -> Vec<u8> {
    let header = InlineHeader::new(bytes.len() as u32);
    wqe(SendOpcode::SendInvalidate, CONTROL_CQ_UPDATE, key, &[header.as_bytes(), bytes])
}

/// A bound window and its key.
fn bound(type_2: bool) -> (Setup, u32) {
    let mut it = Setup::new();
    let window = allocate(&mut it, type_2);
    let bind = Bind::new(&it, window, type_2);
    it.post(OWNER, &[bind.wqe()]);
    assert_eq!(it.outcomes(OWNER), [Done(0, 0)]);
    (it, bind.key())
}

/// What becomes of a write of 4 bytes by the other side.
fn write(it: &mut Setup, address: u64, key: u32) -> Vec<Outcome> {
    it.put(VIRTUAL, b"mark");
    let local = (VIRTUAL, 4, it.key);
    it.post(PEER, &[rdma(SendOpcode::RdmaWrite, (address, key), local)]);
    it.outcomes(PEER)
}

fn read(it: &mut Setup, address: u64, key: u32) -> Vec<Outcome> {
    let local = (VIRTUAL, 4, it.key);
    it.post(PEER, &[rdma(SendOpcode::RdmaRead, (address, key), local)]);
    it.outcomes(PEER)
}

/// The work request fails, and the queue pair of the owner with it.
fn refuses(it: &mut Setup, bad: &[u8], syndrome: CqeSyndrome) {
    let first = it.pairs[OWNER].posted;
    it.post(OWNER, &[bad.to_vec()]);
    assert_eq!(it.poll(OWNER).map(outcome), Some(Failed(syndrome, first)));
    assert_eq!(it.state(OWNER), QpState::Error);
}

#[test]
fn a_window_opens_a_stretch_of_a_region() {
    for type_2 in [false, true] {
        let (mut it, key) = bound(type_2);
        // Its first and its last bytes; it crosses from one page to another.
        for address in [VIRTUAL + 0x1800, VIRTUAL + 0x1ffe, VIRTUAL + 0x27fc] {
            assert!(matches!(write(&mut it, address, key)[..], [Done(0, _)]));
            assert_eq!(it.get(address, 4), b"mark");
        }
        it.put(VIRTUAL + 0x1900, b"read");
        assert!(matches!(read(&mut it, VIRTUAL + 0x1900, key)[..], [Done(0, _)]));
        assert_eq!(it.get(VIRTUAL, 4), b"read");
        assert_eq!(it.state(OWNER), QpState::ReadyToSend);
    }
}

#[test]
fn the_completion_names_the_opcode_of_umr() {
    let mut it = Setup::new();
    let window = allocate(&mut it, true);
    let bind = Bind::new(&it, window, true).wqe();
    assert_eq!(bind.len(), 12 * 16, "12 units, 3 blocks");
    let quiet = wqe(SendOpcode::Nop, 0, 0, &[]);
    it.receive(PEER, &[(VIRTUAL, 64)]);
    it.post(OWNER, &[quiet, bind, send_inline(b"and on")]);
    let cqe = it.poll(OWNER).expect("a completion");
    assert_eq!((cqe.opcode(), cqe.send_opcode(), cqe.wqe_counter.get()), (0, 0x25, 1));
    // What follows has the sequence number that it would have had without.
    assert_eq!(it.get(VIRTUAL, 6), b"and on");
    assert_eq!(it.outcomes(OWNER), [Done(0, 4)]);
}

#[test]
fn nothing_beside_the_window_is_open() {
    for address in [VIRTUAL + 0x17ff, VIRTUAL + 0x27fd] {
        let (mut it, key) = bound(false);
        assert_eq!(write(&mut it, address, key), [Failed(RemoteAccessError, 0)]);
    }
    // Its key before it was bound, and the right that was not given.
    let (mut it, key) = bound(true);
    assert_eq!(write(&mut it, VIRTUAL + 0x1800, key - 1), [Failed(RemoteAccessError, 0)]);
    for (reads, writes) in [(true, false), (false, true)] {
        let mut it = Setup::new();
        let window = allocate(&mut it, true);
        let bind = Bind { reads, writes, ..Bind::new(&it, window, true) };
        it.post(OWNER, &[bind.wqe()]);
        let refused = Failed(RemoteAccessError, 0);
        let written = write(&mut it, VIRTUAL + 0x1800, bind.key());
        assert_eq!(written, [if writes { Done(0, 0) } else { refused }]);
        if writes {
            assert_eq!(read(&mut it, VIRTUAL + 0x1800, bind.key()), [Failed(RemoteAccessError, 1)]);
        }
    }
}

#[test]
fn a_free_window_opens_nothing() {
    let mut it = Setup::new();
    let window = allocate(&mut it, false);
    assert_eq!(write(&mut it, VIRTUAL, window), [Failed(RemoteAccessError, 0)]);
}

/// The region of a window with remote rights may have none itself; it needs the local ones.
#[test]
fn the_region_lends_its_local_rights() {
    for (local_write, writes, expected) in
        [(true, true, Done(0, 0)), (false, false, Done(0, 0)), (false, true, Failed(BAD_BIND, 0))]
    {
        let mut it = Setup::new();
        let (pd, pages) = (it.pd, it.pages.clone());
        let region = register(&mut it.machine, pd, &pages, |key| {
            key.set_rr(false).set_rw(false).set_lw(local_write);
        });
        let window = allocate(&mut it, true);
        let bind = Bind::new(&it, window, true);
        let bind = Bind { stretch: (region, VIRTUAL, 0x1000), writes, ..bind };
        it.post(OWNER, &[bind.wqe()]);
        assert_eq!(it.outcomes(OWNER), [expected]);
        if expected == Done(0, 0) {
            let address = VIRTUAL + 0x100;
            assert_eq!(read(&mut it, address, bind.key()), [Done(0, 0)]);
        }
    }
}

#[test]
fn a_window_of_type_2_serves_the_queue_pair_that_bound_it() {
    for type_2 in [false, true] {
        let (mut it, key) = bound(type_2);
        let (third, fourth) = (it.create_pair(0), it.create_pair(1));
        it.pairs.extend([third, fourth]);
        it.connect(2, 3, Connection::default());
        it.connect(3, 2, Connection::default());
        it.post(2, &[rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x1800, key), (VIRTUAL, 4, it.key))]);
        let expected = if type_2 { Failed(RemoteAccessError, 0) } else { Done(0, 0) };
        assert_eq!(it.outcomes(2), [expected]);
    }
}

#[test]
fn a_window_of_type_1_is_bound_anew_and_unbound() {
    let (mut it, old) = bound(false);
    let moved = Bind { stretch: (it.key, VIRTUAL + 0x8000, 64), ..Bind::new(&it, old, false) };
    it.post(OWNER, &[moved.wqe()]);
    assert_eq!(it.outcomes(OWNER), [Done(0, 3)]);
    assert_eq!(write(&mut it, VIRTUAL + 0x8000 + 60, moved.key()), [Done(0, 0)]);
    let unbind = Bind { stretch: (0, 0, 0), ..Bind::new(&it, moved.key(), false) };
    it.post(OWNER, &[unbind.wqe()]);
    assert_eq!(it.outcomes(OWNER), [Done(0, 6)]);
    assert_eq!(write(&mut it, VIRTUAL + 0x8000, unbind.key()), [Failed(RemoteAccessError, 1)]);
    // To unbind what is not bound changes nothing.
    let (mut it, _) = bound(false);
    let window = allocate(&mut it, false);
    let unbind = Bind { stretch: (0, 0, 0), ..Bind::new(&it, window, false) };
    it.post(OWNER, &[unbind.wqe()]);
    assert_eq!(it.outcomes(OWNER), [Done(0, 3)]);
}

#[test]
fn a_window_is_invalidated_from_the_own_side() {
    let (mut it, key) = bound(true);
    let invalidate = invalidate_locally(&it, key);
    it.post(OWNER, std::slice::from_ref(&invalidate));
    assert_eq!(it.outcomes(OWNER), [Done(0, 3)]);
    // It can be bound again, by its old name.
    let again = Bind::new(&it, key, true);
    it.post(OWNER, &[again.wqe()]);
    assert_eq!(it.outcomes(OWNER), [Done(0, 5)]);
    assert_eq!(write(&mut it, VIRTUAL + 0x1800, again.key()), [Done(0, 0)]);
    it.post(OWNER, &[invalidate_locally(&it, again.key())]);
    assert_eq!(write(&mut it, VIRTUAL + 0x1800, again.key()), [Failed(RemoteAccessError, 1)]);
}

#[test]
fn what_cannot_be_invalidated_from_the_own_side() {
    // Twice; a window of type 1; a region; a wrong low byte; no key at all.
    let (mut it, key) = bound(true);
    let invalidate = invalidate_locally(&it, key);
    it.post(OWNER, std::slice::from_ref(&invalidate));
    it.outcomes(OWNER);
    refuses(&mut it, &invalidate, BAD_BIND);
    let (mut it, key) = bound(false);
    let invalidate = invalidate_locally(&it, key);
    refuses(&mut it, &invalidate, BAD_BIND);
    for pick in [|it: &Setup, _| it.key, |_: &Setup, key| key + 1, |_: &Setup, _| 0x77_7700] {
        let (mut it, key) = bound(true);
        let key = pick(&it, key);
        let invalidate = invalidate_locally(&it, key);
        refuses(&mut it, &invalidate, BAD_BIND);
    }
    // By another queue pair than its own.
    let (mut it, key) = bound(true);
    it.post(PEER, &[invalidate_locally(&it, key)]);
    assert_eq!(it.outcomes(PEER), [Failed(BAD_BIND, 0)]);
    assert_eq!(it.state(OWNER), QpState::ReadyToSend);
}

#[test]
fn a_window_is_invalidated_from_the_other_side() {
    // In one packet, and in three.
    for length in [5, 600] {
        let (mut it, key) = bound(true);
        it.receive(OWNER, &[(VIRTUAL + 0x4000, 1000)]);
        it.put(VIRTUAL + 0x5000, &pattern(length));
        let data = DataSegment::new(length as u32, it.key, VIRTUAL + 0x5000);
        let flags = CONTROL_CQ_UPDATE | CONTROL_SOLICITED;
        it.post(PEER, &[wqe(SendOpcode::SendInvalidate, flags, key, &[data.as_bytes()])]);
        assert_eq!(it.outcomes(PEER), [Done(0, 0)]);
        let cqe = it.poll(OWNER).expect("a completion");
        assert_eq!((outcome(cqe), cqe.imm_inval_pkey.get()), (Done(4, 0), key));
        assert_eq!((cqe.byte_cnt.get(), cqe.solicited()), (length as u32, 1));
        assert_eq!(it.get(VIRTUAL + 0x4000, length), pattern(length));
        // It is free: to invalidate it again is wrong, to bind it again is right.
        let again = Bind::new(&it, key, true);
        it.post(OWNER, &[again.wqe()]);
        assert_eq!(it.outcomes(OWNER), [Done(0, 3)]);
        assert_eq!(write(&mut it, VIRTUAL + 0x1800, again.key()), [Done(0, 1)]);
        it.receive(OWNER, &[(VIRTUAL + 0x4000, 1000)]);
        it.post(PEER, &[send_invalidating(again.key(), b"")]);
        assert_eq!(it.outcomes(PEER), [Done(0, 2)]);
        assert_eq!(write(&mut it, VIRTUAL + 0x1800, again.key()), [Failed(RemoteAccessError, 3)]);
        let mut it = bound(true).0;
        it.receive(OWNER, &[(VIRTUAL + 0x4000, 1000)]);
        it.post(PEER, &[send_invalidating(key, b"")]);
        let invalidate = invalidate_locally(&it, key);
        it.outcomes(OWNER);
        refuses(&mut it, &invalidate, BAD_BIND);
    }
}

/// The message is there and acknowledged, so the sender knows of nothing (fault class J of the
/// InfiniBand specification). The receive fails, and its queue pair.
#[test]
fn what_cannot_be_invalidated_from_the_other_side() {
    type Pick = fn(&mut Setup, u32) -> u32;
    let picks: [Pick; 5] = [
        |it, _| it.key,
        |_, key| key ^ 1,
        |_, _| 0x77_7700,
        |it, _| allocate(it, true),
        |it, _| {
            let window = allocate(it, false);
            let bind = Bind::new(it, window, false);
            it.post(OWNER, &[bind.wqe()]);
            it.outcomes(OWNER);
            bind.key()
        },
    ];
    for pick in picks {
        let (mut it, key) = bound(true);
        let bad = pick(&mut it, key);
        it.receive(OWNER, &[(VIRTUAL + 0x4000, 64)]);
        it.post(PEER, &[send_invalidating(bad, b"hello")]);
        assert_eq!(it.outcomes(PEER), [Done(0, 0)]);
        assert_eq!(it.outcomes(OWNER), [Failed(RemoteInvalidRequest, 0)]);
        assert_eq!(it.state(OWNER), QpState::Error);
    }
    // A window of another queue pair.
    let (mut it, key) = bound(true);
    it.receive(PEER, &[(VIRTUAL + 0x4000, 64)]);
    it.post(OWNER, &[send_invalidating(key, b"hello")]);
    assert_eq!(it.outcomes(PEER), [Failed(RemoteInvalidRequest, 0)]);
}

#[test]
fn what_cannot_be_bound() {
    let end = VIRTUAL + 16 * PAGE;
    type Change = fn(&mut Setup, &mut Bind);
    let changes: [Change; 7] = [
        |it, bind| bind.stretch = (it.key ^ 1, VIRTUAL, 16),
        |it, bind| bind.stretch = (it.key, VIRTUAL - 1, 16),
        |it, bind| bind.stretch = (it.key, VIRTUAL + 16 * PAGE - 15, 16),
        |it, bind| bind.window = it.key,
        |_, bind| bind.window = 0x77_7700,
        // A region of another domain, and a window of another domain.
        |it, bind| {
            let pd = it.machine.command(&AllocPdIn::new(), &[]).pd();
            let pages = it.pages.clone();
            bind.stretch.0 = register(&mut it.machine, pd, &pages, |_| ());
        },
        |it, bind| {
            let pd = it.machine.command(&AllocPdIn::new(), &[]).pd();
            bind.window = it.machine.command(&window_input(pd, true), &[]).mkey_index() << 8;
        },
    ];
    assert_eq!(end, VIRTUAL + 0x1_0000);
    for change in changes {
        let mut it = Setup::new();
        let window = allocate(&mut it, true);
        let mut bind = Bind::new(&it, window, true);
        change(&mut it, &mut bind);
        refuses(&mut it, &bind.wqe(), BAD_BIND);
    }
    // One of type 2 that is bound; one through another window; one that the kernel closed to UMR.
    let (mut it, key) = bound(true);
    let again = Bind::new(&it, key, true).wqe();
    refuses(&mut it, &again, BAD_BIND);
    let (mut it, key) = bound(false);
    let window = allocate(&mut it, true);
    let stretch = (key, VIRTUAL + 0x1800, 16);
    let bind = Bind { stretch, ..Bind::new(&it, window, true) }.wqe();
    refuses(&mut it, &bind, BAD_BIND);
    let mut it = Setup::new();
    let mut input = window_input(it.pd, true);
    input.memory_key_mkey_entry_mut().set_umr_en(false);
    let window = it.machine.command(&input, &[]).mkey_index() << 8;
    let bind = Bind::new(&it, window, true).wqe();
    refuses(&mut it, &bind, BAD_BIND);
}

#[test]
fn a_key_of_several_parts_and_one_that_is_longer_than_its_parts() {
    let mut it = Setup::new();
    let window = allocate(&mut it, true);
    let (control, mut context, _) = Bind::new(&it, window, true).segments();
    // Addresses from 0 on: 6 bytes here, 6 there.
    context.start_address = 0.into();
    context.length = 12.into();
    let parts = [entry(it.key, VIRTUAL + 0x3000, 6), entry(it.key, VIRTUAL + 0x100, 6)];
    let entries = [parts.concat(), vec![0; 32]].concat();
    it.post(OWNER, &[umr(window, &control, &context, &entries)]);
    assert_eq!(it.outcomes(OWNER), [Done(0, 0)]);
    assert_eq!(write(&mut it, 4, window + 1), [Done(0, 0)]);
    assert_eq!(
        (it.get(VIRTUAL + 0x3004, 2), it.get(VIRTUAL + 0x100, 2)),
        (b"ma".to_vec(), b"rk".to_vec())
    );
    assert_eq!(write(&mut it, 9, window + 1), [Failed(RemoteAccessError, 1)]);
    for length in [0_u64, 13, u64::MAX] {
        let mut it = Setup::new();
        let window = allocate(&mut it, true);
        context.length = length.into();
        context.set_qpn(it.pairs[OWNER].qpn);
        refuses(&mut it, &umr(window, &control, &context, &entries), BAD_BIND);
    }
    let mut it = Setup::new();
    let mut input = window_input(it.pd, true);
    input.memory_key_mkey_entry_mut().set_translations_octword_size(1);
    let window = it.machine.command(&input, &[]).mkey_index() << 8;
    context.length = 12.into();
    refuses(&mut it, &umr(window, &control, &context, &entries), BAD_BIND);
}

#[test]
fn a_wqe_that_this_card_does_not_understand_is_an_operation_error() {
    type Change = fn(&mut UmrControlSegment, &mut Vec<u8>);
    let changes: [Change; 6] = [
        // Entries elsewhere, a condition and a change that are not known, an offset.
        |control, _| control.set_is_inline(0),
        |control, _| control.flags |= 1 << 6,
        |control, _| control.mkey_mask |= U64::new(1 << 1),
        |control, _| control.translation_offset = 4.into(),
        // Fewer entries than are counted.
        |_, entries| entries.truncate(32),
        |control, _| control.klm_octowords = u16::MAX.into(),
    ];
    for change in changes {
        let mut it = Setup::new();
        let window = allocate(&mut it, true);
        let (mut control, context, mut entries) = Bind::new(&it, window, true).segments();
        change(&mut control, &mut entries);
        refuses(&mut it, &umr(window, &control, &context, &entries), LocalQpOperationError);
    }
    let mut it = Setup::new();
    let short = wqe(SendOpcode::Umr, CONTROL_CQ_UPDATE, it.key, &[&[0x80; 48], &[0; 48]]);
    refuses(&mut it, &short, LocalQpOperationError);
}

#[test]
fn keys_that_are_made_of_others_begin_free_and_are_not_pulled_away() {
    let (mut it, key) = bound(true);
    let mut destroy = DestroyMkeyIn::new();
    destroy.set_mkey_index(it.key >> 8);
    assert_eq!(it.machine.refused(&destroy, &[]).0, CommandStatus::BadResourceState);
    it.post(OWNER, &[invalidate_locally(&it, key)]);
    it.machine.command(&destroy, &[]);
    destroy.set_mkey_index(key >> 8);
    it.machine.command(&destroy, &[]);
    let mut input = window_input(it.pd, true);
    input.memory_key_mkey_entry_mut().set_free(false);
    assert_eq!(it.machine.refused(&input, &[]).0, CommandStatus::BadParameter);
    let (mut input, list) = key_input(it.pd, &it.pages);
    input.memory_key_mkey_entry_mut().set_free(true);
    assert_eq!(it.machine.refused(&input, &list).0, CommandStatus::BadParameter);
    let mut query = QueryHcaCapIn::new();
    query.set_op_mod(capability_op_mod(CapabilityGroup::General, true));
    assert!(it.machine.command(&query, &[]).capability().imaicl());
}

/// The refused invalidation is the responder's; the refused write is told as an event there.
#[test]
fn a_region_can_go_when_no_window_reaches_through_it() {
    fn destroying(key: u32) -> DestroyMkeyIn {
        let mut input = DestroyMkeyIn::new();
        input.set_mkey_index(key >> 8);
        input
    }
    // What ends it: the window goes, it is bound to another region, unbound, or invalidated by either side.
    for way in 0..5 {
        let (mut it, key) = bound(way > 2);
        let pages = it.pages.clone();
        let other = register(&mut it.machine, it.pd, &pages, |_| ());
        let held = CommandStatus::BadResourceState;
        assert_eq!(it.machine.refused(&destroying(it.key), &[]).0, held);
        let bind = Bind::new(&it, key, false);
        match way {
            0 => assert_eq!(it.machine.command(&destroying(key), &[]), DestroyMkeyOut::zeroed()),
            1 => it.post(OWNER, &[Bind { stretch: (other, VIRTUAL, 64), ..bind }.wqe()]),
            2 => it.post(OWNER, &[Bind { stretch: (0, 0, 0), ..bind }.wqe()]),
            3 => it.post(OWNER, &[invalidate_locally(&it, key)]),
            _ => {
                it.receive(OWNER, &[(VIRTUAL + 0x4000, 1000)]);
                it.post(PEER, &[send_invalidating(key, b"")]);
            }
        }
        it.machine.command(&destroying(it.key), &[]);
        match way {
            1 => assert_eq!(it.machine.refused(&destroying(other), &[]).0, held),
            _ => assert_eq!(it.machine.command(&destroying(other), &[]), DestroyMkeyOut::zeroed()),
        }
    }
}

#[test]
fn an_event_tells_the_owner_of_a_refused_access() {
    let (mut it, key) = bound(true);
    assert_eq!(write(&mut it, VIRTUAL, key), [Failed(RemoteAccessError, 0)]);
    let event = it.event().expect("an event");
    assert_eq!(event.event_type, EventType::WorkQueueAccessError.code());
}

//! Changes of memory keys by a work request: binding a memory window, and invalidating a key.
//!
//! To the card both are the same operation, UMR: "these properties of that key become those, if it is
//! free (or this queue pair's)". (PRM, "UMR WQE")

use super::checks::Refusal;
use super::ring::UNIT;
use super::send_queue::{SendQueue, Wqe};
use crate::bus::UarPage;
use crate::verbs::{Access, Bind, Opcode, Operands, SendRequest, WindowKind};
use doorbell_prm::wqe::{KlmSegment, MkeyContextSegment, UmrControlSegment};
use doorbell_tracer::{Group, Probe, probe};
use zerocopy::{IntoBytes, transmute};

const PROBE_GROUP: Group = Group::PostSend;

/// The most that a translation entry can span.
const LONGEST: u64 = 1 << 31;

/// Translation entries come in fours: 64 bytes.
const ENTRIES: usize = 4;

/// In the key's context: it belongs to no queue pair.
const ANY_QUEUE_PAIR: u32 = 0xff_ffff;

/// What an invalidation does: it unbinds a key of this queue pair, whatever it was bound to.
const INVALIDATION: Bind = Bind {
    window: WindowKind::Two,
    key: 0,
    new_key: 0,
    lkey: 0,
    address: 0,
    length: 0,
    access: Access::empty(),
    zero_based: false,
};

// ANCHOR: key_change
/// The segments of a change of a memory key. Each lies in one block: the first behind the control
/// segment, the others alone. Returns the number of units so far. (`set_bind_wr`)
#[cold]
pub fn write_key_change<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    wqe: Wqe,
    request: &SendRequest<'_>,
    probe: &P,
) -> Result<u32, Refusal> {
    let bind = match (request.opcode, request.operands) {
        (Opcode::BindMemoryWindow, Operands::Bind(bind)) => bind,
        (Opcode::BindMemoryWindow, _) => return Err(Refusal::Operands),
        _ => &INVALIDATION,
    };
    if bind.length > LONGEST {
        return Err(Refusal::Window);
    }
    write_umr_control(queue, wqe, bind, probe);
    write_key_context(queue, wqe, bind, probe);
    if bind.length == 0 {
        return Ok(8);
    }
    write_translation(queue, wqe, bind, probe);
    Ok(12)
}
// ANCHOR_END: key_change

// ANCHOR: umr_control
/// What changes, and under which condition: a window of type 2 is bound if it is free, and unbound if
/// it is this queue pair's. (`set_umr_control_seg`)
fn write_umr_control<U: UarPage, P: Probe>(queue: &SendQueue<U>, wqe: Wqe, bind: &Bind, probe: &P) {
    let is_bound_here = u8::from(bind.window == WindowKind::Two);
    let mut segment = UmrControlSegment::zeroed();
    segment.set_is_inline(1);
    segment.set_translation_in_octowords(1);
    segment.set_changes_free(1);
    segment.set_changes_mkey(1);
    segment.set_changes_qpn(is_bound_here.into());
    if bind.length > 0 {
        segment.klm_octowords = (ENTRIES as u16).into();
        segment.set_check_free(is_bound_here);
        segment.set_changes_length(1);
        segment.set_changes_start(1);
        segment.set_changes_local_write(1);
        segment.set_changes_remote_read(1);
        segment.set_changes_remote_write(1);
        segment.set_changes_atomic(1);
    } else {
        segment.set_check_qpn(is_bound_here);
    }
    store(queue, wqe, 1, &transmute!(segment) as &[[u8; UNIT]; 3]);
    probe!(P: *probe, store(queue.region, queue.ring.offset(wqe.unit(1)), "wqe_umr_control_segment", segment.as_bytes());
        from "check_free" = "wr.operands.window", "check_qpn" = "wr.operands.window",
            "klm_octowords" = "wr.operands.length > 0");
}
// ANCHOR_END: umr_control

// ANCHOR: mkey_context
/// The new properties. Those that the mask does not name are not looked at, and 0 here; libmlx5
/// leaves in their place what was in the ring. (`set_umr_mkey_seg`)
fn write_key_context<U: UarPage, P: Probe>(queue: &SendQueue<U>, wqe: Wqe, bind: &Bind, probe: &P) {
    let mut segment = MkeyContextSegment::zeroed();
    segment.set_mkey(bind.new_key);
    segment.set_qpn(match bind.window {
        WindowKind::Two if bind.length > 0 => queue.number,
        _ => ANY_QUEUE_PAIR,
    });
    if bind.length > 0 {
        // Local reads are the kernel's to allow: it did when it made the key.
        let allows = |right| u8::from(bind.access.contains(right));
        segment.set_local_write(allows(Access::LOCAL_WRITE));
        segment.set_remote_write(allows(Access::REMOTE_WRITE));
        segment.set_remote_read(allows(Access::REMOTE_READ));
        segment.set_atomic(allows(Access::REMOTE_ATOMIC));
        segment.start_address = if bind.zero_based { 0 } else { bind.address }.into();
        segment.length = bind.length.into();
    } else {
        segment.set_free(1);
    }
    store(queue, wqe, 4, &transmute!(segment) as &[[u8; UNIT]; 4]);
    probe!(P: *probe, store(queue.region, queue.ring.offset(wqe.unit(4)), "wqe_mkey_context_segment", segment.as_bytes());
        from "free" = "wr.operands.length == 0", "mkey" = "wr.operands.new_key",
            "qpn" = "qp.qp_num", "atomic" = "wr.operands.access",
            "remote_write" = "wr.operands.access", "remote_read" = "wr.operands.access",
            "local_write" = "wr.operands.access", "start_address" = "wr.operands.address",
            "length" = "wr.operands.length");
}
// ANCHOR_END: mkey_context

// ANCHOR: window_translation
/// The memory that the window shows: one translation entry, and three that are empty, since entries
/// come in fours. (`set_umr_data_seg`)
fn write_translation<U: UarPage, P: Probe>(queue: &SendQueue<U>, wqe: Wqe, bind: &Bind, probe: &P) {
    let entry = KlmSegment {
        byte_count: (bind.length as u32).into(),
        mkey: bind.lkey.into(),
        address: bind.address.into(),
    };
    let mut units = [[0; UNIT]; ENTRIES];
    units[0] = transmute!(entry);
    store(queue, wqe, 8, &units);
    probe!(P: *probe, store(queue.region, queue.ring.offset(wqe.unit(8)), "wqe_klm_segment", &units[0]);
        from "byte_count" = "wr.operands.length", "mkey" = "wr.operands.lkey",
            "address" = "wr.operands.address");
    probe!(P: *probe, store(queue.region, queue.ring.offset(wqe.unit(9)), "", units[1..].as_flattened()));
}
// ANCHOR_END: window_translation

/// Stores units of a WQE, from number `first` on.
fn store<U: UarPage>(queue: &SendQueue<U>, wqe: Wqe, first: u32, units: &[[u8; UNIT]]) {
    for (index, bytes) in (first..).zip(units) {
        queue.ring.store(wqe.unit(index), bytes);
    }
}

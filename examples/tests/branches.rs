//! The branches of libmlx5's `post_send`, each beside our function that has it and a scenario that takes it:
//! every row is looked for in the trace of that scenario, and the table in `BRANCHES.md` is what was found.
//!
//! `DOORBELL_BLESS=1 cargo test -p doorbell-examples --test branches` writes the table anew.
//!
//! That no branch is missing is held against the original itself: `DOORBELL_UPSTREAM` names a folder with
//! rdma-core's source, whose text is not here (`.ci/upstream` fetches it). Its conditions are found
//! (`branches/extract.rs`), and each must be in `branches/upstream.rs`. Without it that test is skipped;
//! `.ci/run` has a step of its own for it.

#[path = "branches/extract.rs"]
mod extract;
mod runs;
#[path = "branches/upstream.rs"]
mod upstream;

use doorbell_examples::{Device, record, record_with, scenario};
use doorbell_tracer::{Kind, LockAction, Trace, Value};
use extract::{Condition, Functions};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use upstream::{Claim, UPSTREAM};

/// What shows in a trace that a branch was taken.
enum Seen {
    /// A check with these words came to this verdict.
    Check(&'static str, bool),
    /// A structure was stored.
    Store(&'static str),
    /// A control segment was stored whose byte of flags, masked, has this value; and with that opcode.
    Control { mask: u8, flags: u8, opcode: u8 },
    /// A control segment with immediate data, or with a key in its place.
    Immediate { opcode: u8 },
    /// A store with these first bytes.
    Bytes(&'static str, &'static [u8]),
    /// A register of this name was written.
    Register(&'static str),
    /// A register was written so many times between two barriers.
    Burst(usize),
    /// A counter moved.
    Index(&'static str),
    /// A lock was taken.
    Locked(&'static str),
    /// A check compared with these words.
    Limit(&'static str),
    /// The ring ended behind the first structure, and the second was stored at its beginning.
    Wraps(&'static str, &'static str),
    /// The ring ended within a burst of BlueFlame writes.
    BurstWraps,
    /// A WQE has fewer pointers than its request had elements.
    Skips,
    /// A call rang no doorbell.
    RingsNothing,
    /// A structure was stored that has these bytes at this place.
    BytesAt(&'static str, usize, &'static [u8]),
    /// A check with these words held, and no structure of this layout was stored.
    Without(&'static str, &'static str),
    /// In a WQE of a batch the first structure was stored, and then the second.
    Order(&'static str, &'static str),
    /// A batch was given up, and told which of its requests was refused first.
    GivenUp(&'static str),
    /// A call returned with this error number, and no structure of this layout was stored.
    Fails(&'static str, &'static str),
}

/// A branch: libmlx5's function and condition, the function of ours, and where it is taken.
struct Branch {
    upstream: &'static str,
    condition: &'static str,
    ours: &'static str,
    scenario: &'static str,
    settings: &'static str,
    seen: Seen,
}

/// A row.
const fn branch(
    upstream: &'static str,
    condition: &'static str,
    ours: &'static str,
    (scenario, settings): (&'static str, &'static str),
    seen: Seen,
) -> Branch {
    Branch { upstream, condition, ours, scenario, settings, seen }
}

const POST: &str = "_mlx5_post_send";
const CHECK_OPCODE: &str = "the opcode is one that is posted";
const CHECK_ROOM: &str = "room in the queue";
const CHECK_ELEMENTS: &str = "elements fit the WQE";
const CHECK_FIRST: &str = "nothing of the batch was refused before";
const CHECK_INLINE: &str = "inline data fits";

/// In the order of the source.
const BRANCHES: &[Branch] = &[
    branch(
        POST,
        "the opcode is one of the table's",
        "post_send::tell_opcode",
        ("rc-write", ""),
        Seen::Check(CHECK_OPCODE, true),
    ),
    branch(
        POST,
        "it is not: EINVAL",
        "post_send::tell_opcode",
        ("einval-opcode", ""),
        Seen::Check(CHECK_OPCODE, false),
    ),
    branch(
        "mlx5_wq_overflow",
        "fewer outstanding than the queue takes",
        "tell_room",
        ("rc-write", ""),
        Seen::Check(CHECK_ROOM, true),
    ),
    branch(
        "mlx5_wq_overflow",
        "as many, also after another look: ENOMEM",
        "tell_room",
        ("enomem-queue-full", ""),
        Seen::Check(CHECK_ROOM, false),
    ),
    branch(
        POST,
        "more elements than the queue was created for: ENOMEM",
        "tell_elements",
        ("enomem-too-many-sges", ""),
        Seen::Check(CHECK_ELEMENTS, false),
    ),
    branch(
        POST,
        "the queue is before RTS (qp_state_max_gs): ENOMEM",
        "tell_elements",
        ("enomem-before-rts", ""),
        Seen::Limit("-1: not in RTS"),
    ),
    branch(
        POST,
        "IBV_SEND_FENCE",
        "segments",
        ("rc-write", "fence=on"),
        Seen::Control { mask: 0xe0, flags: 0x80, opcode: 0x08 },
    ),
    branch(
        POST,
        "no fence",
        "segments",
        ("rc-write", ""),
        Seen::Control { mask: 0xe0, flags: 0, opcode: 0x08 },
    ),
    branch(
        POST,
        "the small fence that the request before has left (fm_cache)",
        "segments",
        ("rc-window", ""),
        Seen::Control { mask: 0xe0, flags: 0x20, opcode: 0x08 },
    ),
    branch(
        "send_ieth",
        "immediate data of SEND",
        "segments",
        ("rc-send-imm", ""),
        Seen::Immediate { opcode: 0x0b },
    ),
    branch(
        "send_ieth",
        "immediate data of RDMA WRITE",
        "segments",
        ("rc-write-imm", ""),
        Seen::Immediate { opcode: 0x09 },
    ),
    branch(
        "send_ieth",
        "the key of SEND with invalidate",
        "segments",
        ("rc-window", ""),
        Seen::Immediate { opcode: 0x01 },
    ),
    branch(
        POST,
        "IBV_SEND_SIGNALED",
        "segments",
        ("rc-write", ""),
        Seen::Control { mask: 0x0c, flags: 0x08, opcode: 0x08 },
    ),
    branch(
        POST,
        "not signalled",
        "segments",
        ("rc-write-list", ""),
        Seen::Control { mask: 0x0c, flags: 0, opcode: 0x08 },
    ),
    branch(
        POST,
        "sq_sig_all",
        "segments",
        ("rc-write", "signaled=off,signal_all=on"),
        Seen::Control { mask: 0x0c, flags: 0x08, opcode: 0x08 },
    ),
    branch(
        POST,
        "IBV_SEND_SOLICITED",
        "segments",
        ("rc-send-event", ""),
        Seen::Control { mask: 0x02, flags: 0x02, opcode: 0x0a },
    ),
    branch(
        POST,
        "not solicited",
        "segments",
        ("rc-write", ""),
        Seen::Control { mask: 0x02, flags: 0, opcode: 0x08 },
    ),
    branch(
        POST,
        "RC: READ",
        "write_remote",
        ("rc-read", ""),
        Seen::Store("wqe_remote_address_segment"),
    ),
    branch(
        POST,
        "RC: WRITE",
        "write_remote",
        ("rc-write", ""),
        Seen::Store("wqe_remote_address_segment"),
    ),
    branch(
        POST,
        "RC: WRITE with immediate data",
        "write_remote",
        ("rc-write-imm", ""),
        Seen::Store("wqe_remote_address_segment"),
    ),
    branch(
        POST,
        "atomics are not enabled: EOPNOTSUPP",
        "atomics",
        ("eopnotsupp-atomics", ""),
        Seen::Check("atomic operations are enabled", false),
    ),
    branch(
        POST,
        "they are",
        "atomics",
        ("rc-fetch-add", ""),
        Seen::Check("atomic operations are enabled", true),
    ),
    branch(
        "set_atomic_seg",
        "compare-and-swap",
        "atomics",
        ("rc-compare-swap", ""),
        Seen::Bytes("wqe_atomic_segment", &[0, 0, 0, 0, 0, 0, 0x5e, 0xed]),
    ),
    branch(
        "set_atomic_seg",
        "fetch-and-add",
        "atomics",
        ("rc-fetch-add", ""),
        Seen::Bytes("wqe_atomic_segment", &[0, 0, 0, 0, 0, 0, 0, 5]),
    ),
    branch(POST, "RC: BIND_MW", "keys", ("rc-window", ""), Seen::Store("wqe_umr_control_segment")),
    branch(
        "set_bind_wr",
        "longer than 2 GiB: EOPNOTSUPP",
        "keys",
        ("eopnotsupp-window", ""),
        Seen::Fails("95 at request 0", "wqe_umr_control_segment"),
    ),
    branch(
        "set_umr_control_seg",
        "a window of type 2: it must be free",
        "keys",
        ("rc-window", ""),
        Seen::Bytes("wqe_umr_control_segment", &[0xb0]),
    ),
    branch(
        "set_umr_control_seg",
        "a window of type 1",
        "keys",
        ("rc-window-type1", ""),
        Seen::Bytes("wqe_umr_control_segment", &[0x90]),
    ),
    branch(
        "set_umr_control_seg",
        "type 2 without a length: it must be this queue pair's",
        "keys",
        ("rc-window", ""),
        Seen::Bytes("wqe_umr_control_segment", &[0x98]),
    ),
    branch(
        "set_bind_wr",
        "the ring ends behind the UMR control segment",
        "keys",
        ("rc-window", "start=31"),
        Seen::Wraps("wqe_umr_control_segment", "wqe_mkey_context_segment"),
    ),
    branch(
        "set_umr_mkey_seg",
        "with a length: rights, address, length",
        "keys",
        ("rc-window", ""),
        Seen::Store("wqe_mkey_context_segment"),
    ),
    branch(
        "set_umr_mkey_seg",
        "REMOTE_WRITE",
        "keys",
        ("rc-window", ""),
        Seen::BytesAt("wqe_mkey_context_segment", 2, &[0x20]),
    ),
    branch(
        "set_umr_mkey_seg",
        "type 1, or no length: for any queue pair",
        "keys",
        ("rc-window-type1", ""),
        Seen::BytesAt("wqe_mkey_context_segment", 4, &[0xff; 3]),
    ),
    branch(
        "set_umr_mkey_seg",
        "without a length: the key is freed",
        "keys",
        ("rc-window-type1", ""),
        Seen::Bytes("wqe_mkey_context_segment", &[0x40]),
    ),
    branch(
        "set_bind_wr",
        "the ring ends behind the key's context",
        "keys",
        ("rc-window", "start=30"),
        Seen::Wraps("wqe_mkey_context_segment", "wqe_klm_segment"),
    ),
    branch(
        "set_bind_wr",
        "with a length: the translation",
        "keys",
        ("rc-window", ""),
        Seen::Store("wqe_klm_segment"),
    ),
    branch(
        POST,
        "RC: LOCAL_INV: the key alone, freed",
        "keys",
        ("rc-window", ""),
        Seen::Bytes("wqe_mkey_context_segment", &[0x40]),
    ),
    branch(
        POST,
        "RC: SEND, nothing in front of the data",
        "segments",
        ("rc-send", ""),
        Seen::Control { mask: 0, flags: 0, opcode: 0x0a },
    ),
    branch(
        POST,
        "UC: WRITE",
        "write_remote",
        ("uc-write", ""),
        Seen::Store("wqe_remote_address_segment"),
    ),
    branch(
        POST,
        "UC: WRITE with immediate data",
        "segments",
        ("uc-window", ""),
        Seen::Immediate { opcode: 0x09 },
    ),
    branch(
        POST,
        "UC: SEND",
        "segments",
        ("uc-send", ""),
        Seen::Control { mask: 0, flags: 0, opcode: 0x0a },
    ),
    branch(POST, "UC: BIND_MW", "keys", ("uc-window", ""), Seen::Store("wqe_klm_segment")),
    branch(
        POST,
        "UC: LOCAL_INV",
        "keys",
        ("uc-window", ""),
        Seen::Bytes("wqe_mkey_context_segment", &[0x40]),
    ),
    branch(
        POST,
        "UD: the datagram segment",
        "datagram",
        ("ud-send", ""),
        Seen::Store("wqe_datagram_segment"),
    ),
    branch(
        POST,
        "UD: the ring ends behind the datagram segment",
        "datagram",
        ("ud-send", "start=7"),
        Seen::Wraps("wqe_datagram_segment", "wqe_data_segment"),
    ),
    branch(
        POST,
        "IBV_SEND_INLINE",
        "inline",
        ("rc-send-inline", ""),
        Seen::Check(CHECK_INLINE, true),
    ),
    branch(
        "set_data_inl_seg",
        "longer than max_inline_data: ENOMEM",
        "inline",
        ("enomem-inline-too-long", ""),
        Seen::Check(CHECK_INLINE, false),
    ),
    branch(
        "set_data_inl_seg",
        "data: the header with its length",
        "inline",
        ("rc-send-inline", ""),
        Seen::Store("wqe_inline_header"),
    ),
    branch(
        "set_data_inl_seg",
        "no bytes: no header",
        "inline",
        ("rc-send-inline", "length=0"),
        Seen::Without(CHECK_INLINE, "wqe_inline_header"),
    ),
    branch(
        "set_data_inl_seg",
        "the ring ends within inline data",
        "inline",
        ("rc-write", "inline=on,length=100,start=31"),
        Seen::Wraps("", ""),
    ),
    branch(POST, "pointers", "segments", ("rc-write", ""), Seen::Store("wqe_data_segment")),
    branch(
        POST,
        "the ring ends between two pointers",
        "segments",
        ("rc-write", "sges=4,start=15"),
        Seen::Wraps("wqe_data_segment", "wqe_data_segment"),
    ),
    branch(
        POST,
        "an element of no bytes is skipped",
        "segments::write_pointer",
        ("rc-send", "length=0"),
        Seen::Skips,
    ),
    branch(
        "set_data_ptr_seg_atomic",
        "the result of an atomic: eight bytes",
        "atomics",
        ("rc-fetch-add", ""),
        Seen::Bytes("wqe_data_segment", &[0, 0, 0, 8]),
    ),
    branch(
        POST,
        "a signature of each WQE (MLX5_QP_SIGNATURE)",
        "signature",
        ("rc-write", "signature=on"),
        Seen::Store(""),
    ),
    branch(
        "post_send_db",
        "something was posted: head, record, register",
        "ring_doorbell",
        ("rc-write", ""),
        Seen::Index("sq.head"),
    ),
    branch(
        "post_send_db",
        "nothing was posted",
        "post_list::ring_for",
        ("einval-opcode", ""),
        Seen::RingsNothing,
    ),
    branch(
        "post_send_db",
        "a register that is shared: its lock",
        "shared_register",
        ("rc-write", "register=shared"),
        Seen::Locked("bf.lock"),
    ),
    branch(
        "post_send_db",
        "not MLX5_SHUT_UP_BF",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("BlueFlame is not forbidden", true),
    ),
    branch(
        "post_send_db",
        "MLX5_SHUT_UP_BF",
        "tell_conditions",
        ("rc-write", "bf=forbid"),
        Seen::Check("BlueFlame is not forbidden", false),
    ),
    branch(
        "post_send_db",
        "one request",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("one work request in the call", true),
    ),
    branch(
        "post_send_db",
        "more than one",
        "tell_conditions",
        ("rc-write-list", ""),
        Seen::Check("one work request in the call", false),
    ),
    branch(
        "post_send_db",
        "the register takes BlueFlame",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("the register takes BlueFlame", true),
    ),
    branch(
        "post_send_db",
        "it does not",
        "tell_conditions",
        ("rc-write", "register=plain"),
        Seen::Check("the register takes BlueFlame", false),
    ),
    branch(
        "post_send_db",
        "inline, or BlueFlame preferred",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("the data is inline, or BlueFlame preferred", true),
    ),
    branch(
        "post_send_db",
        "neither",
        "tell_conditions",
        ("rc-write", "bf=auto"),
        Seen::Check("the data is inline, or BlueFlame preferred", false),
    ),
    branch(
        "post_send_db",
        "longer than a control segment",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("the WQE is more than a control segment", true),
    ),
    branch(
        "post_send_db",
        "a control segment alone",
        "tell_conditions",
        ("rc-send", "length=0"),
        Seen::Check("the WQE is more than a control segment", false),
    ),
    branch(
        "post_send_db",
        "it fits the buffer",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("the WQE fits the buffer", true),
    ),
    branch(
        "post_send_db",
        "it does not",
        "tell_conditions",
        ("rc-write", "sges=20"),
        Seen::Check("the WQE fits the buffer", false),
    ),
    branch("mlx5_bf_copy", "64 bytes", "doorbell", ("rc-write", ""), Seen::Register("BlueFlame")),
    branch("mlx5_bf_copy", "and 64 more", "doorbell", ("rc-write", "sges=4"), Seen::Burst(2)),
    branch(
        "mlx5_bf_copy",
        "the ring ends within the burst",
        "doorbell",
        ("rc-write", "sges=4,start=15"),
        Seen::BurstWraps,
    ),
    branch(
        "post_send_db",
        "the first 8 bytes instead",
        "doorbell",
        ("rc-write-list", ""),
        Seen::Register("doorbell"),
    ),
    branch(
        "post_send_db",
        "the other buffer next",
        "toggle_buffer",
        ("rc-write", ""),
        Seen::Index("bf.offset"),
    ),
    branch(POST, "the queue's lock", "post_one", ("rc-write", ""), Seen::Locked("sq.lock")),
    branch(
        POST,
        "UC: a bind that is refused",
        "keys",
        ("eopnotsupp-window", "transport=uc"),
        Seen::Fails("95 at request 0", "wqe_umr_control_segment"),
    ),
    branch(
        "set_umr_mkey_seg",
        "LOCAL_WRITE, REMOTE_READ, REMOTE_ATOMIC",
        "keys",
        ("rc-window", ""),
        Seen::BytesAt("wqe_mkey_context_segment", 2, &[0x78]),
    ),
    branch(
        "set_umr_mkey_seg",
        "zero-based",
        "keys",
        ("rc-window", ""),
        Seen::BytesAt(
            "wqe_mkey_context_segment",
            16,
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64],
        ),
    ),
    branch(
        "mlx5_send_wr_start",
        "in a batch: the queue's lock, for the whole batch",
        "extended",
        ("rc-write", "api=batch"),
        Seen::Locked("sq.lock"),
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: room in the queue",
        "tell_room",
        ("rc-write", "api=batch"),
        Seen::Check(CHECK_ROOM, true),
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: none: ENOMEM",
        "tell_room",
        ("enomem-queue-full", "api=batch"),
        Seen::Check(CHECK_ROOM, false),
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: another error came first",
        "extended/builders",
        ("enomem-queue-full", "api=batch,list=3"),
        Seen::Check(CHECK_FIRST, false),
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: a bind",
        "keys",
        ("rc-window", "api=batch"),
        Seen::Store("wqe_klm_segment"),
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: an invalidation",
        "keys",
        ("rc-window", "api=batch"),
        Seen::Bytes("wqe_mkey_context_segment", &[0x40]),
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: the small fence of the request before",
        "segments",
        ("rc-window", "api=batch"),
        Seen::Control { mask: 0xe0, flags: 0x20, opcode: 0x08 },
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: a fence",
        "segments",
        ("rc-write", "api=batch,fence=on"),
        Seen::Control { mask: 0xe0, flags: 0x80, opcode: 0x08 },
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: signalled",
        "segments",
        ("rc-write", "api=batch"),
        Seen::Control { mask: 0x0c, flags: 0x08, opcode: 0x08 },
    ),
    branch(
        "_common_wqe_init_op",
        "in a batch: solicited",
        "segments",
        ("rc-send-event", "api=batch"),
        Seen::Control { mask: 0x02, flags: 0x02, opcode: 0x0a },
    ),
    branch(
        "_build_umr_wqe",
        "in a batch: a bind that is too long",
        "keys",
        ("eopnotsupp-window", "api=batch"),
        Seen::GivenUp("2 GiB"),
    ),
    branch(
        "_build_umr_wqe",
        "in a batch: another error came first",
        "extended/builders",
        ("eopnotsupp-window", "api=batch,list=2"),
        Seen::Check(CHECK_FIRST, false),
    ),
    branch(
        "_mlx5_send_wr_send",
        "in a batch: a datagram",
        "datagram",
        ("ud-send", "api=batch"),
        Seen::Store("wqe_datagram_segment"),
    ),
    branch(
        "_mlx5_send_wr_send",
        "in a batch: the ring ends behind the datagram segment",
        "datagram",
        ("ud-send", "api=batch,start=7"),
        Seen::Wraps("wqe_datagram_segment", "wqe_data_segment"),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data",
        "in a batch: longer than max_inline_data",
        "inline",
        ("enomem-inline-too-long", "api=batch"),
        Seen::Check(CHECK_INLINE, false),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data",
        "in a batch: another error came first",
        "extended/builders",
        ("enomem-inline-too-long", "api=batch,list=2"),
        Seen::Check(CHECK_FIRST, false),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data",
        "in a batch: data",
        "inline",
        ("rc-send-inline", "api=batch"),
        Seen::Store("wqe_inline_header"),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data",
        "in a batch: no bytes",
        "inline",
        ("rc-send-inline", "api=batch,length=0"),
        Seen::Without(CHECK_INLINE, "wqe_inline_header"),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data_list",
        "in a batch: several buffers",
        "inline",
        ("rc-send-inline", "api=batch,sges=2"),
        Seen::Store("wqe_inline_header"),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data_list",
        "in a batch: longer than max_inline_data",
        "inline",
        ("enomem-inline-too-long", "api=batch,sges=2"),
        Seen::Check(CHECK_INLINE, false),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data_list",
        "in a batch: another error came first",
        "extended/builders",
        ("enomem-inline-too-long", "api=batch,sges=2,list=2"),
        Seen::Check(CHECK_FIRST, false),
    ),
    branch(
        "_mlx5_send_wr_set_inline_data_list",
        "in a batch: no bytes",
        "inline",
        ("rc-send-inline", "api=batch,length=0,list=2"),
        Seen::Without(CHECK_INLINE, "wqe_inline_header"),
    ),
    branch(
        "memcpy_to_wqe",
        "in a batch: the ring ends within inline data",
        "inline",
        ("rc-write", "api=batch,inline=on,length=100,start=31"),
        Seen::Wraps("", ""),
    ),
    branch(
        "memcpy_to_wqe_and_update",
        "in a batch: the ring ends within inline data",
        "inline",
        ("rc-write", "api=batch,inline=on,length=100,sges=2,start=31"),
        Seen::Wraps("", ""),
    ),
    branch(
        "_mlx5_send_wr_set_sge",
        "in a batch: a pointer",
        "segments",
        ("rc-write", "api=batch"),
        Seen::Store("wqe_data_segment"),
    ),
    branch(
        "_mlx5_send_wr_set_sge",
        "in a batch: an element of no bytes",
        "tell_room",
        ("rc-send", "api=batch,length=0"),
        Seen::Without(CHECK_ROOM, "wqe_data_segment"),
    ),
    branch(
        "_mlx5_send_wr_set_sge_list",
        "in a batch: more elements than the queue was created for",
        "extended/setters",
        ("enomem-too-many-sges", "api=batch"),
        Seen::Check(CHECK_ELEMENTS, false),
    ),
    branch(
        "_mlx5_send_wr_set_sge_list",
        "in a batch: another error came first",
        "extended/builders",
        ("enomem-too-many-sges", "api=batch,list=2"),
        Seen::Check(CHECK_FIRST, false),
    ),
    branch(
        "_mlx5_send_wr_set_sge_list",
        "in a batch: another element",
        "segments",
        ("rc-write", "api=batch,sges=4"),
        Seen::Store("wqe_data_segment"),
    ),
    branch(
        "_mlx5_send_wr_set_sge_list",
        "in a batch: the ring ends between two pointers",
        "segments",
        ("rc-write", "api=batch,sges=4,start=15"),
        Seen::Wraps("wqe_data_segment", "wqe_data_segment"),
    ),
    branch(
        "_mlx5_send_wr_set_sge_list",
        "in a batch: an element of no bytes",
        "extended/setters",
        ("rc-send", "api=batch,length=0,list=2"),
        Seen::Without(CHECK_ELEMENTS, "wqe_data_segment"),
    ),
    branch(
        "mlx5_send_wr_set_inline_data_ud_xrc_dc",
        "in a batch: the address is there already",
        "extended/datagrams",
        ("ud-send", "api=batch,inline=on"),
        Seen::Order("wqe_datagram_segment", "wqe_inline_header"),
    ),
    branch(
        "mlx5_send_wr_set_inline_data_list_ud_xrc_dc",
        "in a batch: the address is there already",
        "extended/datagrams",
        ("ud-send", "api=batch,inline=on,sges=2"),
        Seen::Order("wqe_datagram_segment", "wqe_inline_header"),
    ),
    branch(
        "mlx5_send_wr_set_sge_ud_xrc_dc",
        "in a batch: the address is there already",
        "extended/datagrams",
        ("ud-send", "api=batch"),
        Seen::Order("wqe_datagram_segment", "wqe_data_segment"),
    ),
    branch(
        "mlx5_send_wr_set_sge_list_ud_xrc_dc",
        "in a batch: the address is there already",
        "extended/datagrams",
        ("ud-send", "api=batch,sges=2"),
        Seen::Order("wqe_datagram_segment", "wqe_data_segment"),
    ),
    branch(
        "mlx5_send_wr_set_ud_addr",
        "in a batch: the data is there already",
        "extended/datagrams",
        ("ud-send", "api=batch,list=2"),
        Seen::Order("wqe_data_segment", "wqe_datagram_segment"),
    ),
    branch(
        "__wqe_finalize",
        "in a batch: a signature of each WQE",
        "signature",
        ("rc-write", "api=batch,signature=on"),
        Seen::Store(""),
    ),
    branch(
        "mlx5_send_wr_complete",
        "in a batch: a call of the batch failed: nothing is posted",
        "extended",
        ("enomem-too-many-sges", "api=batch,list=2"),
        Seen::GivenUp("(request 0)"),
    ),
    branch(
        "mlx5_send_wr_complete",
        "in a batch: none did: one doorbell",
        "ring_doorbell",
        ("rc-write-list", "api=batch"),
        Seen::Index("sq.head"),
    ),
];

/// Branches that no scenario takes, and why.
const NOT_TAKEN: &[(&str, &str, &str)] = &[
    (POST, "XRC", "not covered"),
    (POST, "raw packet, its Ethernet segment, underlay queue pairs", "not covered"),
    (POST, "TSO", "not covered"),
    (
        POST,
        "a kind of queue pair that is none of these",
        "not covered: DC and others that mlx5dv alone creates; libmlx5 writes no segment of a transport for them",
    ),
    (POST, "an invalidation that is refused", "cannot be: it has no length"),
    ("_common_wqe_init_op", "DC, and the work requests of mlx5dv alone, in a batch", "not covered"),
];

/// Where rdma-core's `post_send` begins.
const ROOT: &str = "mlx5_post_send";

/// rdma-core's file, in the folder that the environment names.
fn original() -> Option<String> {
    let Some(folder) = std::env::var_os("DOORBELL_UPSTREAM") else {
        println!(
            "skipped: DOORBELL_UPSTREAM names no folder with rdma-core's source; .ci/upstream fetches one"
        );
        return None;
    };
    let file = PathBuf::from(folder).join("providers/mlx5/qp.c");
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) => panic!("DOORBELL_UPSTREAM: {}: {error}", file.display()),
    }
}

/// The conditions of `post_send` and of a batch: of all functions that the two reach.
fn conditions_of(text: &str) -> Vec<Condition> {
    let functions = Functions::of(text);
    let mut roots = functions.stored_in("ibqp", "wr_");
    roots.insert(ROOT.to_owned());
    functions.conditions(&functions.reached_from(roots))
}

#[test]
fn every_condition_of_the_original_is_claimed_and_no_other() {
    let Some(text) = original() else { return };
    let found = conditions_of(&text);
    let known: BTreeMap<_, _> = UPSTREAM.iter().map(|(mark, ..)| (*mark, ())).collect();
    let missing: Vec<String> = found
        .iter()
        .filter(|condition| !known.contains_key(&*condition.mark))
        .map(|condition| format!("{} {}: {}", condition.mark, condition.function, condition.text))
        .collect();
    assert!(missing.is_empty(), "not in branches/upstream.rs:\n{}", missing.join("\n"));
    let marks: BTreeSet<&str> = found.iter().map(|condition| &*condition.mark).collect();
    for (mark, function, words, _) in UPSTREAM {
        assert!(marks.contains(mark), "the original has no such condition: {function}, {words}");
        assert!(found.iter().any(|one| one.mark == *mark && one.function == *function), "{mark}");
    }
    assert_eq!(marks.len(), UPSTREAM.len(), "each is there once");
    println!("{} conditions of {ROOT} and of a batch, each claimed", found.len());
}

/// A claim names what there is, and each row of the table is somebody's.
#[test]
fn each_claim_names_a_row_or_a_function_and_each_row_is_claimed() {
    let mut unclaimed: BTreeSet<String> =
        BRANCHES.iter().map(|row| format!("{}: {}", row.upstream, row.condition)).collect();
    let all = unclaimed.clone();
    let mut left: BTreeSet<&str> = NOT_TAKEN.iter().map(|(_, condition, _)| *condition).collect();
    let without = left.clone();
    for (_, function, words, claim) in UPSTREAM {
        match claim {
            Claim::Seen(rows) => {
                for row in *rows {
                    assert!(all.contains(*row), "{function}, {words}: there is no row \"{row}\"");
                    unclaimed.remove(*row);
                }
            }
            Claim::NotSeen(condition) => {
                assert!(without.contains(condition), "{function}, {words}: no row \"{condition}\"");
                left.remove(condition);
            }
        }
    }
    // What decides nothing, but is done: it has a row all the same.
    for row in [
        "_mlx5_post_send: the queue's lock",
        "post_send_db: the other buffer next",
        "mlx5_send_wr_start: in a batch: the queue's lock, for the whole batch",
    ] {
        assert!(unclaimed.remove(row), "{row}");
    }
    assert!(unclaimed.is_empty() && left.is_empty(), "nobody's: {unclaimed:#?} {left:#?}");
}

/// What is found in a text, on one that has all kinds of conditions.
#[test]
fn conditions_are_found_in_c() {
    let text = r#"
        #define LOOKS_LIKE(x) if (x) { \
            while (1); }
        static int helper(struct queue *q) { return q->full ? 1 : q->ready && q->some ? 2 : 3; }
        static inline int post(struct queue *qp, int n) ALWAYS_INLINE;
        int post(struct queue *qp, int n)
        {
            /* if (not this) */
        #ifdef MLX5_DEBUG
            if (debugging)
                dump("if (nor this)");
        #endif
            for (i = 0; i < n; ++i) { // while (nor this)
                if (unlikely(helper(qp)))
                    return -1;
                if (unlikely(helper(qp)))
                    return -2;
                switch (qp->kind) {
                case RC:
                    switch (n) { case 1: break; default: break; }
                case UC: break;
                }
            }
            do { n--; } while (n > 0);
            return 0;
        }
        void unreached(void) { if (no) return; }
        void fill(struct qp_ex *ibqp) { if (no) return; ibqp->wr_start = begin; }
        void begin(void) { if (yes) return; }
    "#;
    let functions = Functions::of(text);
    assert_eq!(functions.stored_in("ibqp", "wr_"), BTreeSet::from(["begin".to_owned()]));
    let reached = functions.reached_from(["post".to_owned()]);
    let found = functions.conditions(&reached);
    let texts: Vec<&str> = found.iter().map(|condition| &*condition.text).collect();
    let wanted = [
        "? q->full",
        "? q->ready&&q->some",
        "for i<n",
        "if (helper(qp))",
        "if (helper(qp))",
        "switch qp->kind case RC",
        "switch n case 1",
        "switch n default",
        "switch qp->kind case UC",
        "while n>0",
    ];
    assert_eq!(texts, wanted);
    let marks: BTreeSet<&str> = found.iter().map(|condition| &*condition.mark).collect();
    assert_eq!(marks.len(), found.len(), "two that read alike are two");
}

#[test]
fn every_branch_is_seen_in_the_trace_of_its_scenario() {
    let mut traces = BTreeMap::new();
    let mut missing = Vec::new();
    for row in BRANCHES {
        let trace = traces.entry((row.scenario, row.settings)).or_insert_with(|| trace(row));
        if !found(row, trace) {
            missing.push(format!("{}: {} ({})", row.upstream, row.condition, row.scenario));
        }
    }
    assert!(missing.is_empty(), "not seen:\n{}", missing.join("\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../BRANCHES.md");
    let table = table();
    if std::env::var_os("DOORBELL_BLESS").is_some() {
        std::fs::write(path, &table).expect("the table is written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == table, "BRANCHES.md is not of today: DOORBELL_BLESS=1 writes it anew");
}

/// A branch that is looked for in the wrong place is not found there.
#[test]
fn a_branch_that_is_not_taken_is_not_seen() {
    let wrong = branch(
        "",
        "",
        "tell_conditions",
        ("rc-write", ""),
        Seen::Check("the WQE fits the buffer", false),
    );
    assert!(!found(&wrong, &trace(&wrong)));
    let wrong = branch("", "", "atomics", ("rc-write", ""), Seen::Store("wqe_data_segment"));
    assert!(!found(&wrong, &trace(&wrong)));
    let wrong = branch("", "", "signature", ("rc-write", ""), Seen::Store(""));
    assert!(!found(&wrong, &trace(&wrong)));
    for (name, settings, seen) in [
        ("rc-write", "sges=4,start=14", Seen::Wraps("wqe_data_segment", "wqe_data_segment")),
        ("rc-write", "inline=on,length=100,start=29", Seen::Wraps("", "")),
        ("rc-write", "sges=4,start=14", Seen::BurstWraps),
        ("rc-write", "sges=4", Seen::Skips),
        ("rc-write", "", Seen::RingsNothing),
        (
            "rc-window-type1",
            "",
            Seen::BytesAt(
                "wqe_mkey_context_segment",
                16,
                &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64],
            ),
        ),
        ("ud-send", "api=batch", Seen::Order("wqe_data_segment", "wqe_datagram_segment")),
        ("rc-write-list", "api=batch", Seen::GivenUp("request")),
        ("enomem-too-many-sges", "", Seen::GivenUp("request")),
        ("enomem-too-many-sges", "api=batch", Seen::Check(CHECK_FIRST, false)),
        ("rc-send", "api=batch", Seen::Without(CHECK_ROOM, "wqe_data_segment")),
        ("rc-write", "", Seen::Fails("95 at request 0", "wqe_umr_control_segment")),
        ("enomem-too-many-sges", "", Seen::Limit("-1: not in RTS")),
        ("rc-window", "", Seen::Bytes("wqe_umr_control_segment", &[0x90])),
        ("rc-window", "", Seen::BytesAt("wqe_mkey_context_segment", 2, &[0x10])),
        ("rc-send-inline", "", Seen::Without(CHECK_INLINE, "wqe_inline_header")),
        (
            "rc-window",
            "start=29",
            Seen::Wraps("wqe_umr_control_segment", "wqe_mkey_context_segment"),
        ),
    ] {
        let wrong = branch("", "", "", (name, settings), seen);
        assert!(!found(&wrong, &trace(&wrong)), "{name} {settings}");
    }
}

/// Runs a row's scenario.
fn trace(row: &Branch) -> Trace {
    let scenario = scenario(row.scenario).expect("a scenario of the table");
    if row.settings.is_empty() {
        return record(scenario, &Device::Card).trace;
    }
    let what_if = row.settings.parse().expect("settings of the table");
    record_with(scenario, &Device::Card, &what_if).expect("settings that make sense").trace
}

/// Whether a branch is seen, in a function of that name.
fn found(row: &Branch, trace: &Trace) -> bool {
    let ours = |site: usize| {
        let site = &trace.header.sites[site];
        site.function.starts_with("mlx5::") && site.function.contains(row.ours)
            || site.file.ends_with(&format!("mlx5/{}.rs", row.ours))
    };
    let by_batch = row.settings.contains("api=batch");
    let all = if by_batch { runs::in_batches(trace) } else { trace.events.iter().collect() };
    let events: Vec<_> = all.iter().copied().filter(|event| ours(event.site as usize)).collect();
    match &row.seen {
        Seen::Wraps(first, then) => {
            runs::wraps(trace, first, then, |event| ours(event.site as usize))
        }
        Seen::BurstWraps => runs::burst_wraps(trace),
        Seen::Skips => runs::skips_an_element(trace),
        Seen::RingsNothing => runs::rings_for_nothing(trace),
        Seen::Without(words, layout) => {
            let held = Seen::Check(words, true);
            let stores = all.iter().any(|event| shows(&Seen::Store(layout), &event.kind));
            !stores && events.iter().any(|event| shows(&held, &event.kind))
        }
        Seen::Order(first, then) => runs::in_order(&all, first, then),
        Seen::GivenUp(words) => runs::given_up(trace, words),
        Seen::Fails(error, layout) => {
            let layout = Seen::Store(layout);
            runs::returns(trace, error) && !events.iter().any(|event| shows(&layout, &event.kind))
        }
        Seen::Burst(times) => {
            let registers = trace.events.iter().map(|event| match &event.kind {
                Kind::RegisterWrite { register, .. } => register == "BlueFlame",
                _ => false,
            });
            let registers: Vec<bool> = registers.collect();
            registers.windows(*times).any(|run| run.iter().all(|&is| is))
        }
        seen => events.iter().any(|event| shows(seen, &event.kind)),
    }
}

/// Whether an event shows it.
fn shows(seen: &Seen, kind: &Kind) -> bool {
    match (seen, kind) {
        (Seen::Check(words, verdict), Kind::Check { what, holds, .. }) => {
            what.contains(words) && holds == verdict
        }
        (Seen::Limit(words), Kind::Check { right, .. }) => {
            matches!(&right.value, Value::Text(text) if text == words)
        }
        (Seen::Store(name), Kind::Store { layout, .. }) => layout == name,
        (Seen::Bytes(name, first), Kind::Store { layout, bytes, .. }) => {
            layout == name && bytes.starts_with(first)
        }
        (Seen::BytesAt(name, place, wanted), Kind::Store { layout, bytes, .. }) => {
            layout == name && bytes.get(*place..).is_some_and(|rest| rest.starts_with(wanted))
        }
        (Seen::Control { mask, flags, opcode }, Kind::Store { layout, bytes, .. }) => {
            layout == "wqe_control_segment" && bytes[3] == *opcode && bytes[11] & mask == *flags
        }
        (Seen::Immediate { opcode }, Kind::Store { layout, bytes, .. }) => {
            layout == "wqe_control_segment" && bytes[3] == *opcode && bytes[12..16] != [0; 4]
        }
        (Seen::Register(name), Kind::RegisterWrite { register, .. }) => register == name,
        (Seen::Index(wanted), Kind::Index { name, .. }) => name == wanted,
        (Seen::Locked(name), Kind::Lock { lock, action }) => {
            lock == name && *action == LockAction::Acquired
        }
        _ => false,
    }
}

/// The table as text.
fn table() -> String {
    let mut text = String::from(
        "# The branches of libmlx5's post_send\n\n\
         Written by a test, `examples/tests/branches.rs`, which runs each scenario and looks for the branch in \
         its trace, in that function of ours. Functions and conditions are those of rdma-core's \
         `providers/mlx5/qp.c`, the conditions in our words.\n\n\
         | libmlx5's function | condition | our function | scenario | seen |\n|---|---|---|---|---|\n",
    );
    for row in BRANCHES {
        let settings = match row.settings {
            "" => String::new(),
            settings => format!(" --set {settings}"),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | `mlx5::{}` | `{}{settings}` | yes |",
            row.upstream,
            row.condition,
            row.ours.replace('/', "::"),
            row.scenario
        );
    }
    text.push_str(
        "\n## Not taken by a scenario\n\n| libmlx5's function | condition | |\n|---|---|---|\n",
    );
    for (upstream, condition, why) in NOT_TAKEN {
        let _ = writeln!(text, "| `{upstream}` | {condition} | {why} |");
    }
    text.push_str(
        "\n## Each condition of the original\n\n\
         What `mlx5_post_send` and a batch (`ibv_wr_start` to `ibv_wr_complete`) reach in `qp.c` has these \
         conditions. The digits stand for a function and a condition's text, which is not here; \
         `DOORBELL_UPSTREAM` names a folder with rdma-core's source, and the test compares. Versions 44, 50, \
         56, 60 and 64 have the same. In \
         conditions of a batch `api=batch` makes the difference; the lab compares all bytes of batches with those of \
         libmlx5, too.\n\n\
         Not in the table, since none of these conditions asks for them: masked atomic operations, which neither \
         `ibv_post_send` nor a batch has; the global route header of a datagram and multicast, which are in the address \
         vector that the handle was made with and pass through the same lines as any other address.\n\n\
         | | libmlx5's function | condition | where |\n|---|---|---|---|\n",
    );
    for (mark, function, words, claim) in UPSTREAM {
        let place = match claim {
            Claim::Seen(rows) => {
                let rows =
                    rows.iter().map(|row| row.split_once(": ").map_or(*row, |(_, words)| words));
                rows.collect::<Vec<_>>().join("; ")
            }
            Claim::NotSeen(condition) => format!("not taken: {condition}"),
        };
        let _ = writeln!(text, "| {mark} | `{function}` | {words} | {place} |");
    }
    text
}

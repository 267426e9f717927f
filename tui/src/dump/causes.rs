//! Why completions fail, syndrome by syndrome: what happened, and what to check, likeliest first.
//!
//! The syndromes and their names are those of `mlx5dv.h` (`MLX5_CQE_SYNDROME_*`), the statuses
//! those of `verbs.h` (`enum ibv_wc_status`); `mlx5_handle_error_cqe` of rdma-core's and Linux'
//! `cq.c` maps the one to the other. What each means is said in the InfiniBand Architecture
//! Specification, volume 1, 10.10 "Error handling mechanisms" and 11.6.2 "Completion return status",
//! and in the PRM, "Completion with error". Other sources stand beside what is taken from them.

use doorbell_examples::{Failure, NO_RECEIVE, SILENT_PEER, WRONG_LKEY, WRONG_RKEY};
use doorbell_prm::cqe::CqeSyndrome::{self, *};

/// A likely cause, and how to see whether it is the one.
pub struct Cause {
    /// The cause.
    pub why: &'static str,
    /// What to check.
    pub check: &'static str,
    /// The scenario of the failure gallery that shows it.
    pub scenario: Option<&'static str>,
}

impl Cause {
    /// A cause that no scenario shows.
    const fn new(why: &'static str, check: &'static str) -> Self {
        Self { why, check, scenario: None }
    }

    /// A cause that a scenario of the gallery shows, in its words.
    const fn shown(failure: &'static Failure) -> Self {
        Self { why: failure.why, check: failure.check, scenario: Some(failure.scenario) }
    }
}

/// What a syndrome stands for.
pub struct Meaning {
    /// The verbs' status (`enum ibv_wc_status`).
    pub status: u64,
    /// Its name.
    pub status_name: &'static str,
    /// What happened, for a send.
    pub send: &'static str,
    /// What happened, for a receive.
    pub receive: &'static str,
    /// Likely causes.
    pub causes: &'static [Cause],
}

/// The meaning of a syndrome.
pub const fn meaning(syndrome: CqeSyndrome) -> &'static Meaning {
    match syndrome {
        LocalLengthError => &LOCAL_LENGTH,
        LocalQpOperationError => &LOCAL_QP_OPERATION,
        LocalProtectionError => &LOCAL_PROTECTION,
        WorkRequestFlushed => &FLUSHED,
        MemoryWindowBindError => &BIND,
        BadResponseError => &BAD_RESPONSE,
        LocalAccessError => &LOCAL_ACCESS,
        RemoteInvalidRequest => &REMOTE_INVALID,
        RemoteAccessError => &REMOTE_ACCESS,
        RemoteOperationError => &REMOTE_OPERATION,
        TransportRetryExceeded => &RETRY,
        RnrRetryExceeded => &RNR,
        RemoteAborted => &REMOTE_ABORTED,
    }
}

/// The syndromes, for a look-up by status.
const ALL: [CqeSyndrome; 13] = [
    LocalLengthError,
    LocalQpOperationError,
    LocalProtectionError,
    WorkRequestFlushed,
    MemoryWindowBindError,
    BadResponseError,
    LocalAccessError,
    RemoteInvalidRequest,
    RemoteAccessError,
    RemoteOperationError,
    TransportRetryExceeded,
    RnrRetryExceeded,
    RemoteAborted,
];

/// The syndrome that libmlx5 and mlx5_ib report as this status.
pub fn of_status(status: u64) -> Option<CqeSyndrome> {
    ALL.into_iter().find(|syndrome| meaning(*syndrome).status == status)
}

const LOCAL_LENGTH: Meaning = Meaning {
    status: 1,
    status_name: "IBV_WC_LOC_LEN_ERR",
    send: "The send's length does not suit the queue pair: it is larger than a message may be, or \
           than the port's or the path's limit.",
    receive: "The message that came in is longer than the receive that was posted for it.",
    causes: &[
        Cause::new(
            "The receive is shorter than what the other side sends.",
            "For a receive: compare the sum of its elements with the sender's byte count. \
                    On UD add 40 bytes for the network header.",
        ),
        Cause::new(
            "The message is longer than the queue pair's limit.",
            "log_msg_max of the queue pair and max_msg_sz of the port; on UD the path MTU.",
        ),
        Cause::new(
            "An element has length 0, which the card reads as 2 GiB.",
            "byte_count of each data segment of the WQE.",
        ),
        Cause::new(
            "A network interface's frame has no inline header where the card wants one.",
            "min_inline_mode of the function, and inline_header_size of the WQE.",
        ),
    ],
};

const LOCAL_QP_OPERATION: Meaning = Meaning {
    status: 2,
    status_name: "IBV_WC_LOC_QP_OP_ERR",
    send: "The card found the WQE itself inconsistent, or not allowed on this queue pair.",
    receive: "The card found the receive WQE inconsistent.",
    causes: &[
        Cause::new(
            "The WQE was not whole when the card read it: a stale or overwritten entry.",
            "Compare wqe_index and qpn of the WQE with the CQE's. If they differ, look for a \
                    missing barrier before the doorbell record, a ring that overflowed, or two \
                    threads that post without a lock.",
        ),
        Cause::new(
            "The opcode is not allowed on this kind of queue pair, or ds is wrong.",
            "Opcode against transport (no RDMA READ on UC, nothing but SEND on UD); ds \
                    against the segments that are there.",
        ),
        Cause::new(
            "A memory key operation (UMR, local invalidate) has wrong sizes or a key in use.",
            "For opcode UMR: the octowords of the translation against the key's size.",
        ),
        Cause::new(
            "More RDMA READs or atomics are under way than were agreed.",
            "max_rd_atomic here against max_dest_rd_atomic of the other side.",
        ),
    ],
};

const LOCAL_PROTECTION: Meaning = Meaning {
    status: 4,
    status_name: "IBV_WC_LOC_PROT_ERR",
    send: "The card may not use the memory of this work request: a local key, a range or a right \
           does not fit.",
    receive: "The card may not write into the memory of this receive: a local key, a range or a \
              right does not fit.",
    causes: &[
        Cause::shown(&WRONG_LKEY),
        Cause::new(
            "Address and length leave the region.",
            "address and byte_count of each data segment against start and length of the \
                    region.",
        ),
        Cause::new(
            "The region is of another protection domain than the queue pair.",
            "The pd in ibv_reg_mr and in ibv_create_qp.",
        ),
        Cause::new(
            "The card writes here (receive, RDMA READ, atomic) without IBV_ACCESS_LOCAL_WRITE.",
            "The access flags of the region.",
        ),
        Cause::new(
            "The IOMMU or the PCIe path refuses the card's access.",
            "IO_PAGE_FAULT or DMAR lines in dmesg at the same time; with memory of a GPU, \
                    peer memory support and the PCIe topology.",
        ),
    ],
};

const FLUSHED: Meaning = Meaning {
    status: 5,
    status_name: "IBV_WC_WR_FLUSH_ERR",
    send: "The work request was not carried out: the queue pair was in the error state already.",
    receive: "The receive was given back unused: the queue pair is in the error state.",
    causes: &[
        Cause::new(
            "An earlier completion of this queue pair failed. This one is its consequence.",
            "The first completion with another status on the same queue pair, on either of \
                    its completion queues, and on the other side.",
        ),
        Cause::new(
            "The program, the kernel or the other side closed the connection.",
            "Calls of ibv_modify_qp to IBV_QPS_ERR, rdma_disconnect, events of rdma_cm, and \
                    asynchronous events (IBV_EVENT_QP_FATAL, a port that went down).",
        ),
    ],
};

const BIND: Meaning = Meaning {
    status: 6,
    status_name: "IBV_WC_MW_BIND_ERR",
    send: "Binding a memory window, or another change of a memory key, was refused.",
    receive: "Binding a memory window was refused.",
    causes: &[
        Cause::new(
            "Region, window and queue pair do not belong to one protection domain.",
            "Their pd; and that the region was registered with IBV_ACCESS_MW_BIND.",
        ),
        Cause::new(
            "The range or the rights of the window exceed the region's.",
            "addr, length and mw_access_flags of the bind.",
        ),
        Cause::new(
            "The key is not in the state that the operation needs, or still in use.",
            "In the kernel: whether the key was invalidated before it was registered again.",
        ),
    ],
};

const BAD_RESPONSE: Meaning = Meaning {
    status: 7,
    status_name: "IBV_WC_BAD_RESP_ERR",
    send: "The other side answered with a packet that does not fit what was asked.",
    receive: "An unexpected packet came where a response was due.",
    causes: &[
        Cause::new(
            "The two sides do not agree on their sequence numbers or path MTU.",
            "sq_psn against rq_psn of the other side, and path_mtu of both.",
        ),
        Cause::new(
            "An old connection with the same queue pair number still sends.",
            "Whether the number was used again a moment after it was destroyed; begin with \
                    random sequence numbers.",
        ),
    ],
};

const LOCAL_ACCESS: Meaning = Meaning {
    status: 8,
    status_name: "IBV_WC_LOC_ACCESS_ERR",
    send: "While an answer came in, the card might not write to the memory named for it.",
    receive: "The other side's RDMA WRITE with immediate data met a protection error here.",
    causes: &[
        Cause::new(
            "The region was deregistered, or its rights changed, while work was under way.",
            "When ibv_dereg_mr or a local invalidate was called.",
        ),
        Cause::new(
            "The key, range or right does not fit.",
            "As for a local protection error, on the side that reports this.",
        ),
    ],
};

const REMOTE_INVALID: Meaning = Meaning {
    status: 9,
    status_name: "IBV_WC_REM_INV_REQ_ERR",
    send: "The other side refused the request as invalid (a NAK, \"invalid request\").",
    receive: "A request came that this side holds for invalid.",
    causes: &[
        Cause::new(
            "The message is longer than the receive on the other side.",
            "The receive's elements there against the byte count here. The other side's \
                    completion then says local length error.",
        ),
        Cause::new(
            "The other queue pair does not allow the operation.",
            "Its qp_access_flags (IBV_ACCESS_REMOTE_WRITE, _READ, _ATOMIC) in ibv_modify_qp.",
        ),
        Cause::new(
            "More RDMA READs or atomics are under way than the other side takes.",
            "max_rd_atomic here is at most max_dest_rd_atomic there.",
        ),
        Cause::new(
            "An atomic's address is not aligned to 8 bytes, or the opcode is not supported.",
            "remote_address of the WQE; the device's atomic capabilities.",
        ),
    ],
};

const REMOTE_ACCESS: Meaning = Meaning {
    status: 10,
    status_name: "IBV_WC_REM_ACCESS_ERR",
    send: "The other side refused access to its memory (a NAK, \"remote access error\").",
    receive: "A request named memory here that it may not use.",
    causes: &[
        Cause::shown(&WRONG_RKEY),
        Cause::new(
            "The range leaves the region.",
            "remote_address and length against the region there; byte order of the address \
                    as it was exchanged.",
        ),
        Cause::new(
            "The right is missing.",
            "IBV_ACCESS_REMOTE_WRITE, _READ or _ATOMIC in ibv_reg_mr there.",
        ),
        Cause::new(
            "Region and queue pair of the other side are of different protection domains.",
            "The pd in ibv_reg_mr and ibv_create_qp there.",
        ),
    ],
};

const REMOTE_OPERATION: Meaning = Meaning {
    status: 11,
    status_name: "IBV_WC_REM_OP_ERR",
    send: "The other side could not carry the request out for a reason of its own (a NAK, \"remote \
           operational error\").",
    receive: "This side could not carry the request out.",
    causes: &[
        Cause::new(
            "The receive posted there is broken: a wrong lkey, range or right.",
            "The other side's completion queue: it reports the error with its real name.",
        ),
        Cause::new(
            "The other queue pair went to the error state meanwhile.",
            "Asynchronous events and the kernel's log on the other side.",
        ),
        Cause::new(
            "The other card cannot reach memory, as of a GPU.",
            "IOMMU and PCIe errors in dmesg there; peer memory support.",
        ),
    ],
};

const RETRY: Meaning = Meaning {
    status: 12,
    status_name: "IBV_WC_RETRY_EXC_ERR",
    send: "No answer came: the packet was sent again as often as retry_cnt allows, each time the \
           timeout passed.",
    receive: "No answer came.",
    causes: &[
        Cause::shown(&SILENT_PEER),
        Cause::new(
            "The address is wrong.",
            "RoCE: GID index of both sides (same version, same address family), VLAN, and \
                    whether the addresses ping. InfiniBand: dlid, and the subnet manager.",
        ),
        Cause::new(
            "Packets are lost or blocked on the way.",
            "Path MTU against the interface and switch; a firewall on UDP port 4791; PFC or \
                    ECN; out_of_sequence, packet_seq_err and local_ack_timeout_err in hw_counters.",
        ),
        Cause::new(
            "The timeout is too short for the path or for a paused receiver.",
            "timeout (4.096 us * 2^timeout) and retry_cnt in ibv_modify_qp.",
        ),
        Cause::new("Begin sequence numbers differ.", "sq_psn here against rq_psn there."),
    ],
};

const RNR: Meaning = Meaning {
    status: 13,
    status_name: "IBV_WC_RNR_RETRY_EXC_ERR",
    send: "The other side had no receive posted, and still none after rnr_retry attempts.",
    receive: "No receive was posted.",
    causes: &[
        Cause::shown(&NO_RECEIVE),
        Cause::new(
            "The other side is too slow for the waiting time.",
            "rnr_retry (7 means without end) here, min_rnr_timer there.",
        ),
    ],
};

const REMOTE_ABORTED: Meaning = Meaning {
    status: 16,
    status_name: "IBV_WC_REM_ABORT_ERR",
    send: "The other side gave the operation up.",
    receive: "The message that was coming in was given up; the receive comes back unused.",
    causes: &[
        Cause::new(
            "A page fault of on-demand paging, which the program's library handles.",
            "Whether the vendor syndrome is that of such a fault, and the region was \
                    registered with IBV_ACCESS_ON_DEMAND.",
        ),
        Cause::new(
            "The other side reset its queue pair while the message was under way.",
            "Its log at the same time.",
        ),
    ],
};

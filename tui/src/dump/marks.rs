//! The lines that announce a dump, and those that tell an error in words.
//!
//! Each pattern is of one print statement, whose program, file and function stand beside it. The
//! regular expressions run in time linear in the line, on bytes that need not be UTF-8.

use super::kinds::Kind;
use regex::bytes::{Captures, Regex, RegexSet};
use std::sync::LazyLock;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// `drivers/infiniband/hw/mlx5/cq.c`, `dump_cqe`: words first, rows of bytes later.
    KernelDump,
    /// The same file: at first before that line, today instead of it.
    KernelStatus,
    /// `mlx5_poll_one`: a debug message on which queue it was.
    KernelQueue,
    /// `mlx5_poll_one`: the debug message behind it.
    KernelSyndrome,
    /// `drivers/net/ethernet/mellanox/mlx5/core/en/txrx.h`, `mlx5e_dump_error_cqe`.
    EthernetError,
    /// `mlx5/core/wq.c`, `mlx5_wq_cyc_wqe_dump`.
    EthernetWqe,
    /// `mlx5/core/eq.c`, `cq_err_event_notifier`.
    CqError,
    /// `mlx5/core/cmd.c`, `mlx5_cmd_check`, `cmd_status_print`, `mlx5_cmd_out_err`.
    CommandFailed,
    /// `mlx5/core/cmd.c`, `mlx5_cmd_status_to_err` of the first kernels.
    CommandFailedOld,
    /// `mlx5/core/cmd.c`, `dump_command`.
    CommandDump,
    /// `mlx5/core/health.c`, `print_health_info`.
    Health,
    /// rdma-core `providers/mlx5/cq.c`, `mlx5_parse_cqe`.
    LibraryDump,
    /// rdma-core `providers/mlx5/qp.c`, `dump_wqe`.
    LibraryWqe,
    /// DPDK `lib/eal/common/eal_common_hexdump.c`, `rte_hexdump`.
    DpdkDump,
    /// DPDK `drivers/net/mlx5/mlx5_tx.c` and `mlx5_rx.c`.
    DpdkError,
    /// DPDK up to 19.05, `drivers/net/mlx5/mlx5_rxtx.h`, `check_cqe`.
    DpdkErrorOld,
    /// UCX `src/uct/ib/mlx5/ib_mlx5_log.c`, `uct_ib_mlx5_completion_with_err`: the first line.
    UcxError,
    /// The same: the second line.
    UcxWqe,
    /// UCX `src/uct/ib/rc/verbs/rc_verbs_iface.c`.
    UcxVerbs,
    /// perftest `src/perftest_resources.h`, `NOTIFY_COMP_ERROR_SEND`.
    Perftest,
    /// rdma-core `libibverbs/examples/rc_pingpong.c` and its sisters.
    Pingpong,
}

/// Every mark with its pattern, those that are surer first.
const PATTERNS: [(Mark, &str); 21] = [
    (Mark::KernelDump, r"dump error cqe"),
    (
        Mark::KernelStatus,
        r"WC error: (?P<status>\d+), [Mm]essage: (?P<words>[^\r\n]*?)(?:=0A=)?\s*$",
    ),
    (Mark::KernelQueue, r"(?P<side>Requestor|Responder) error cqe on cqn (?P<cqn>0x[0-9a-fA-F]+)"),
    (
        Mark::EthernetError,
        r"Error cqe on cqn (?P<cqn>0x[0-9a-f]+), ci (?P<ci>0x[0-9a-f]+), (?:(?P<sq>sqn)|qn) (?P<qn>0x[0-9a-f]+), opcode (?P<opcode>0x[0-9a-f]+), syndrome\s+(?P<syndrome>0x[0-9a-f]+), vendor syndrome (?P<vendor>0x[0-9a-f]+)",
    ),
    (
        Mark::KernelSyndrome,
        r"\bsyndrome (?P<syndrome>0x[0-9a-f]+), vendor syndrome (?P<vendor>0x[0-9a-f]+)",
    ),
    (
        Mark::EthernetWqe,
        r"WQE DUMP: WQ size (?P<size>\d+) WQ cur size \d+, WQE index (?P<index>0x[0-9a-f]+), len: (?P<len>\d+)",
    ),
    (
        Mark::CqError,
        r"CQ error on CQN (?P<cqn>0x[0-9a-f]+), syndrome? (?P<cq_syndrome>0x[0-9a-f]+)",
    ),
    (
        Mark::CommandFailed,
        r"(?P<name>\w[\w ]*)\((?P<op>0x[0-9a-f]+)\) op_mod\((?P<op_mod>0x[0-9a-f]+)\)(?: uid\(\d+\))? failed, status (?P<words>[^\r\n]*)\((?P<status>0x[0-9a-f]+)\), syndrome \((?P<syndrome>0x[0-9a-f]+)\)(?:, err\((?P<err>-?\d+)\))?",
    ),
    (
        Mark::CommandFailedOld,
        r"command failed, status (?P<words>[^\r\n]*)\((?P<status>0x[0-9a-f]+)\), syndrome (?P<syndrome>0x[0-9a-f]+)",
    ),
    (
        Mark::CommandDump,
        r"dump command (?P<data>data )?(?P<name>\w[\w ]*)\((?P<op>0x[0-9a-f]+)\) (?P<way>INPUT|OUTPUT)",
    ),
    (
        Mark::Health,
        r"(?:^|[\s:])(?P<name>assert_var\[\d\]|assert_exit_ptr|assert_callra|fw_ver|time|hw_id|rfr|severity|irisc_index|synd|ext_synd|raw fw_ver) (?P<value>(?:0x[0-9a-f]+|\d+)(?:\.\d+)*)(?:: (?P<words>[^\r\n]*?)| \(\w+\))?\s*$",
    ),
    (Mark::LibraryDump, r"mlx5: (?P<host>\S+): got completion with error:"),
    (Mark::LibraryWqe, r"dump wqe at (?:0x)?[0-9a-f]+"),
    (Mark::DpdkDump, r"(?P<title>\S[^\r\n]*?) at \[(?:0x)?[0-9a-fA-F]+\], len=(?P<len>\d+)"),
    (
        Mark::DpdkError,
        r"Unexpected CQE error syndrome (?P<syndrome>0x[0-9a-f]+) CQN = (?P<cqn>\d+) (?P<queue>SQN|RQN) = (?P<qn>\d+) wqe_counter = (?P<counter>\d+) (?:wq_ci|rq_ci) = (?P<wq_ci>\d+) cq_ci = (?P<ci>\d+)",
    ),
    (
        Mark::DpdkErrorOld,
        r"unexpected CQE error \d+ \((?P<opcode>0x[0-9a-f]+)\) syndrome (?P<syndrome>0x[0-9a-f]+)",
    ),
    (
        Mark::UcxError,
        r"(?P<words>[A-Z][^\r\n]*?) (?:on (?P<device>\S+:\d+/\w+) )?\(synd (?P<syndrome>0x[0-9a-f]+) vend (?P<vendor>0x[0-9a-f]+)(?: hw_synd (?P<hw_type>\d+)/(?P<hw>\d+))?\)",
    ),
    (
        Mark::UcxWqe,
        r"\b(?P<transport>RC|UD|DCI|SRQ|unknown) QP (?P<qn>0x[0-9a-f]+) wqe\[(?P<counter>\d+)\]: (?P<words>[^\r\n]*?)\s*$",
    ),
    (
        Mark::UcxVerbs,
        r"[Ss]end completion with error: (?P<words>[^\r\n]*?) \[qpn (?P<qn>0x[0-9a-f]+) wrid (?P<wr_id>0x[0-9a-f]+?) ?vendor_err (?P<vendor>0x[0-9a-f]+)\]",
    ),
    (
        Mark::Perftest,
        r"Failed status[- ](?:(?P<words>[^\r\n]*?) \((?P<status>\d+)\)|(?P<plain>\d+)): wr_id (?P<wr_id>-?\d+) syndrom (?P<vendor>0x[0-9a-f]+)",
    ),
    (
        Mark::Pingpong,
        r"Failed status (?P<words>[^\r\n]*?) \((?P<status>\d+)\) for wr_id (?P<wr_id>\d+)",
    ),
];

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    let bytes = PATTERNS.map(|(_, pattern)| format!("(?-u){pattern}"));
    RegexSet::new(bytes).expect("constant patterns")
});

static EACH: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let compile =
        |(_, pattern)| Regex::new(&format!("(?-u){pattern}")).expect("a constant pattern");
    PATTERNS.into_iter().map(compile).collect()
});

/// What was found in a line.
#[derive(Debug)]
pub struct Marked<'a> {
    /// What the line is.
    pub mark: Mark,
    captures: Captures<'a>,
}

/// The first mark that a line has.
pub fn mark(line: &[u8]) -> Option<Marked<'_>> {
    let number = SET.matches(line).into_iter().next()?;
    let (mark, _) = PATTERNS.get(number)?;
    let captures = EACH.get(number)?.captures(line)?;
    Some(Marked { mark: *mark, captures })
}

impl Marked<'_> {
    /// A captured text.
    pub fn text(&self, name: &str) -> Option<String> {
        let found = self.captures.name(name)?;
        Some(String::from_utf8_lossy(found.as_bytes()).into_owned())
    }

    /// A captured number, decimal or with `0x`.
    pub fn number(&self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        match text.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    /// A captured number that must fit.
    pub fn small<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.number(name)?).ok()
    }
}

impl Mark {
    /// The format, in words for a reader.
    pub const fn format(self) -> &'static str {
        match self {
            Self::KernelDump | Self::KernelStatus => "mlx5_ib of the kernel",
            Self::KernelQueue | Self::KernelSyndrome => "a debug message of mlx5_ib",
            Self::EthernetError => "mlx5_core of the kernel, network interface",
            Self::EthernetWqe => "a WQE as mlx5_core's network interface dumps it",
            Self::CqError => "an event that mlx5_core reports",
            Self::CommandFailed | Self::CommandFailedOld => "a failed command of mlx5_core",
            Self::CommandDump => "mlx5_core's debug dump of a command",
            Self::Health => "mlx5_core's print of the health buffer",
            Self::LibraryDump => "libmlx5: got completion with error",
            Self::LibraryWqe => "a WQE as libmlx5 built with MLX5_DEBUG dumps it",
            Self::DpdkDump => "a hexdump of DPDK",
            Self::DpdkError | Self::DpdkErrorOld => "a message of DPDK's mlx5 driver",
            Self::UcxError | Self::UcxWqe => "a log message of UCX, mlx5 transport",
            Self::UcxVerbs => "a log message of UCX, verbs transport",
            Self::Perftest => "a message of perftest",
            Self::Pingpong => "a message of libibverbs' examples",
        }
    }

    /// Where the format is printed, for whoever wants to look it up.
    pub const fn source(self) -> &'static str {
        match self {
            Self::KernelDump | Self::KernelStatus | Self::KernelQueue | Self::KernelSyndrome => {
                "Linux, drivers/infiniband/hw/mlx5/cq.c"
            }
            Self::EthernetError => "Linux, mlx5/core/en/txrx.h, mlx5e_dump_error_cqe",
            Self::EthernetWqe => "Linux, mlx5/core/wq.c, mlx5_wq_cyc_wqe_dump",
            Self::CqError => "Linux, mlx5/core/eq.c, cq_err_event_notifier",
            Self::CommandFailed | Self::CommandFailedOld => "Linux, mlx5/core/cmd.c",
            Self::CommandDump => "Linux, mlx5/core/cmd.c, dump_command",
            Self::Health => "Linux, mlx5/core/health.c, print_health_info",
            Self::LibraryDump => "rdma-core, providers/mlx5/cq.c, mlx5_parse_cqe",
            Self::LibraryWqe => "rdma-core, providers/mlx5/qp.c, dump_wqe",
            Self::DpdkDump => "DPDK, lib/eal, rte_hexdump",
            Self::DpdkError => "DPDK, drivers/net/mlx5, mlx5_tx.c and mlx5_rx.c",
            Self::DpdkErrorOld => "DPDK up to 19.05, drivers/net/mlx5/mlx5_rxtx.h",
            Self::UcxError | Self::UcxWqe => "UCX, src/uct/ib/mlx5/ib_mlx5_log.c",
            Self::UcxVerbs => "UCX, src/uct/ib/rc/verbs/rc_verbs_iface.c",
            Self::Perftest => "perftest, src/perftest_resources.h",
            Self::Pingpong => "rdma-core, libibverbs/examples",
        }
    }

    /// What the rows behind such a line are; `None` if none follow.
    pub const fn announces(self) -> Option<Kind> {
        match self {
            Self::KernelDump | Self::KernelStatus | Self::EthernetError | Self::LibraryDump => {
                Some(Kind::Cqe)
            }
            Self::EthernetWqe | Self::LibraryWqe => Some(Kind::Wqe),
            _ => None,
        }
    }
}

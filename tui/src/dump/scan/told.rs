//! Lines that announce a dump, or tell of an error.

use super::*;
use crate::dump::found::CommandFailure;
use doorbell_prm::cqe::CqeOpcode;

/// The facts that captures of these names are, in the order in which they are shown.
const FACTS: [(&str, &str); 18] = [
    ("device", "device"),
    ("host", "host"),
    ("words", "message"),
    ("status", "status"),
    ("plain", "status"),
    ("cqn", "CQN"),
    ("ci", "consumer index"),
    ("qn", "queue number"),
    ("counter", "WQE counter"),
    ("wq_ci", "queue counter"),
    ("wr_id", "wr_id"),
    ("size", "ring size"),
    ("index", "WQE index"),
    ("syndrome", "syndrome"),
    ("cq_syndrome", "syndrome"),
    ("vendor", "vendor syndrome"),
    ("err", "errno"),
    ("title", "title"),
];

impl Scanner<'_> {
    /// Whether the line is a mark where it stands: words that only a print of the health buffer
    /// has mean nothing elsewhere.
    pub(super) fn is_mark(&self, marked: &Marked<'_>) -> bool {
        let name = marked.text("name").unwrap_or_default();
        marked.mark != Mark::Health || name == "assert_var[0]" || name == "synd"
    }

    /// Whether the line goes on with the message that waits; then it is taken.
    pub(super) fn belongs(&mut self, marked: &Marked<'_>) -> bool {
        let line = self.seen.lines;
        let (Some(pending), None) = (&mut self.pending, &self.block) else { return false };
        let goes_on = match (pending.mark, marked.mark) {
            (Mark::KernelStatus, Mark::KernelDump) => {
                pending.mark = Mark::KernelDump;
                true
            }
            (Mark::KernelQueue, Mark::KernelSyndrome) | (Mark::UcxError, Mark::UcxWqe) => {
                pending.facts.extend(facts(marked));
                if let What::Completion(failure) = &mut pending.what {
                    add(failure, marked);
                }
                // Nothing more is to come.
                pending.age = MOST_BETWEEN;
                true
            }
            (Mark::Health, Mark::Health) => {
                let name = marked.text("name").unwrap_or_default();
                let again = name == "assert_var[0]";
                if !again {
                    health(pending, marked);
                }
                !again
            }
            _ => false,
        };
        if goes_on {
            pending.last = line;
        }
        goes_on
    }

    /// Takes a mark.
    pub(super) fn mark(&mut self, marked: &Marked<'_>) -> io::Result<()> {
        self.flush()?;
        if marked.mark == Mark::DpdkError {
            self.counter = marked.small("counter");
        }
        let line = self.seen.lines;
        let mut pending = Pending {
            mark: marked.mark,
            line,
            last: line,
            facts: facts(marked),
            what: what(marked),
            expected: expected(marked),
            age: 0,
        };
        if marked.mark == Mark::Health {
            pending.facts.clear();
            health(&mut pending, marked);
        }
        let waits = pending.expected.is_some()
            || matches!(marked.mark, Mark::KernelQueue | Mark::UcxError | Mark::Health);
        self.pending = Some(pending);
        if waits { Ok(()) } else { self.flush() }
    }
}

/// What a line tells by itself.
fn facts(marked: &Marked<'_>) -> Vec<Fact> {
    let fact =
        |(capture, name): (&str, &'static str)| Some(Fact { name, value: marked.text(capture)? });
    FACTS.into_iter().filter_map(fact).collect()
}

/// Adds a line of the health buffer.
fn health(pending: &mut Pending, marked: &Marked<'_>) {
    const NAMES: [&str; 16] = [
        "assert_var[0]",
        "assert_var[1]",
        "assert_var[2]",
        "assert_var[3]",
        "assert_var[4]",
        "assert_var[5]",
        "assert_exit_ptr",
        "assert_callra",
        "fw_ver",
        "time",
        "hw_id",
        "rfr",
        "severity",
        "irisc_index",
        "synd",
        "ext_synd",
    ];
    let own = marked.text("name").unwrap_or_default();
    let name = NAMES.into_iter().find(|name| *name == own).unwrap_or("raw fw_ver");
    let mut value = marked.text("value").unwrap_or_default();
    if let Some(words) = marked.text("words") {
        value = format!("{value}: {words}");
    }
    pending.facts.push(Fact { name, value });
    if name == "synd" {
        pending.what = What::Firmware(marked.small("value"));
    }
}

/// What went wrong.
fn what(marked: &Marked<'_>) -> What {
    match marked.mark {
        Mark::KernelStatus
        | Mark::KernelQueue
        | Mark::KernelSyndrome
        | Mark::EthernetError
        | Mark::DpdkError
        | Mark::DpdkErrorOld
        | Mark::UcxError
        | Mark::UcxWqe
        | Mark::UcxVerbs
        | Mark::Perftest
        | Mark::Pingpong => {
            let mut failure = Failure { queue_is: "QP", ..Failure::default() };
            add(&mut failure, marked);
            What::Completion(failure)
        }
        Mark::CommandFailed | Mark::CommandFailedOld => What::Command(CommandFailure {
            name: marked.text("name"),
            opcode: marked.small("op"),
            status: marked.small("status").unwrap_or(u8::MAX),
            syndrome: marked.small("syndrome").unwrap_or(0),
        }),
        Mark::CqError => What::CompletionQueue(
            marked.small("cqn").unwrap_or(0),
            marked.small("cq_syndrome").unwrap_or(0),
        ),
        Mark::Health => What::Firmware(None),
        _ => What::Structure,
    }
}

/// Adds what a line tells of a failed completion.
fn add(failure: &mut Failure, marked: &Marked<'_>) {
    let put = |name: &str| marked.number(name);
    failure.syndrome = marked.small("syndrome").or(failure.syndrome);
    failure.vendor = marked.small("vendor").or(failure.vendor);
    failure.status = put("status").or_else(|| put("plain")).or(failure.status);
    failure.queue = marked.small("qn").or(failure.queue);
    failure.cqn = marked.small("cqn").or(failure.cqn);
    failure.wqe_counter = marked.small("counter").or(failure.wqe_counter);
    let opcode = marked.small("opcode").and_then(CqeOpcode::from_code);
    let words = |name: &str, wanted: &str| marked.text(name).map(|found| found == wanted);
    let receive = opcode.map(|opcode| opcode == CqeOpcode::ResponderError);
    let receive = receive.or_else(|| words("side", "Responder"));
    let receive = receive.or_else(|| words("queue", "RQN"));
    let receive = receive.or_else(|| words("transport", "SRQ"));
    failure.receive = receive.or(failure.receive);
    let is_queue = matches!(marked.mark, Mark::EthernetError | Mark::DpdkError);
    if is_queue {
        failure.queue_is = if failure.receive == Some(true) { "RQ" } else { "SQ" };
    }
    if marked.mark == Mark::UcxVerbs {
        failure.receive = Some(false);
    }
}

/// What follows behind a title.
fn expected(marked: &Marked<'_>) -> Option<Expected> {
    let length = marked.small("len");
    let titled = Expected { only_title: true, ..Expected::default() };
    Some(match marked.mark {
        Mark::KernelDump | Mark::LibraryDump => {
            Expected { kind: Some(Kind::Cqe), length: Some(64), ..titled }
        }
        Mark::KernelStatus | Mark::EthernetError => {
            Expected { kind: Some(Kind::Cqe), length: Some(64), only_title: false, ..titled }
        }
        Mark::EthernetWqe => Expected { kind: Some(Kind::Wqe), length, ethernet: true, ..titled },
        Mark::LibraryWqe => Expected { kind: Some(Kind::Wqe), ..titled },
        Mark::DpdkDump => {
            let title = marked.text("title").unwrap_or_default();
            let is_mlx5 = title.contains("MLX5");
            let (kind, ring) = match () {
                () if !is_mlx5 => (None, None),
                () if title.contains("CQE") => (Some(Kind::Cqe), None),
                () if title.contains("CQ") => (Some(Kind::Cqe), Some(Ring::Completions)),
                () if title.contains("SQ") => (Some(Kind::Wqe), Some(Ring::Sends)),
                () if title.contains("RQ") => (Some(Kind::ReceiveWqe), Some(Ring::Receives)),
                () => (None, None),
            };
            Expected { kind, ring, length, ethernet: is_mlx5, ..titled }
        }
        Mark::CommandDump => {
            let command = marked.small("op");
            let (kind, length) = match (marked.text("data"), marked.text("way").as_deref()) {
                (None, _) => (Kind::CommandEntry, Some(64)),
                (Some(_), Some("OUTPUT")) => (Kind::CommandOut, None),
                (Some(_), _) => (Kind::CommandIn, None),
            };
            Expected { kind: Some(kind), length, command, ..titled }
        }
        _ => return None,
    })
}

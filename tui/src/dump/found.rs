//! What was found in a text.

use super::kinds::{Check, Kind, checks};
use super::marks::Mark;
use doorbell_prm::cqe::{CqeOpcode, ErrorCqe};
use doorbell_prm::zerocopy::FromBytes;

/// A number or text that a message tells beside the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// Its text.
    pub value: String,
}

/// A completion with an error, as far as a CQE or a message tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The CQE's syndrome.
    pub syndrome: Option<u8>,
    /// The verbs' status (`enum ibv_wc_status`), where only that is told.
    pub status: Option<u64>,
    /// The vendor's syndrome.
    pub vendor: Option<u8>,
    /// Whether a receive failed and not a send.
    pub receive: Option<bool>,
    /// Opcode of the WQE.
    pub opcode: Option<u8>,
    /// The queue pair, or the send or receive queue.
    pub queue: Option<u32>,
    /// What `queue` is: `QP`, `SQ`, `RQ`.
    pub queue_is: &'static str,
    /// The completion queue.
    pub cqn: Option<u32>,
    /// The user index, or the shared receive queue.
    pub user_index: Option<u32>,
    /// The counter that names the WQE.
    pub wqe_counter: Option<u16>,
}

/// A command that the firmware refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFailure {
    /// The command's name, as the message has it.
    pub name: Option<String>,
    /// Its opcode.
    pub opcode: Option<u16>,
    /// The status.
    pub status: u8,
    /// The firmware's own error number.
    pub syndrome: u32,
}

/// What a message or a dump tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum What {
    /// A structure, and nothing that went wrong.
    #[default]
    Structure,
    /// A completion with an error.
    Completion(Failure),
    /// A command that failed.
    Command(CommandFailure),
    /// A completion queue that failed: its number, and why.
    CompletionQueue(u32, u8),
    /// The firmware has stopped, and why.
    Firmware(Option<u8>),
}

/// One way to read the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// As what.
    pub kind: Kind,
    /// Whether the bytes of each word were turned round.
    pub reversed: bool,
    /// The bytes so read.
    pub bytes: Vec<u8>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl Reading {
    /// The bytes read as `kind`.
    pub fn new(kind: Kind, reversed: bool, bytes: Vec<u8>) -> Self {
        Self { kind, reversed, checks: checks(kind, &bytes), bytes }
    }

    /// Whether every check holds.
    pub fn fits(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// The failure that the bytes tell of, if they are an error CQE.
    pub fn failure(&self) -> Option<Failure> {
        if self.kind != Kind::Cqe {
            return None;
        }
        let (cqe, _) = ErrorCqe::read_from_prefix(&self.bytes).ok()?;
        let receive = match CqeOpcode::from_code(cqe.opcode())? {
            CqeOpcode::RequesterError => false,
            CqeOpcode::ResponderError => true,
            _ => return None,
        };
        Some(Failure {
            syndrome: Some(cqe.syndrome),
            status: None,
            vendor: Some(cqe.vendor_err_synd),
            receive: Some(receive),
            opcode: (!receive).then(|| cqe.send_opcode() as u8),
            queue: Some(cqe.qpn()),
            queue_is: "QP",
            cqn: None,
            user_index: Some(cqe.user_index()),
            wqe_counter: Some(cqe.wqe_counter.get()),
        })
    }
}

/// A dump, and what it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Bytes in a token of the text.
    pub unit: usize,
    /// Every reading that fits; the first is the one that the message names, if one does. A
    /// message or `--as` that names what does not fit is believed, with its failed checks.
    pub readings: Vec<Reading>,
    /// Whether a message or `--as` said what it is.
    pub named: bool,
    /// Whether it is of a send queue of Ethernet frames.
    pub ethernet: bool,
    /// The command whose output this is.
    pub command: Option<u16>,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// First line.
    pub first: u64,
    /// Last line.
    pub last: u64,
    /// The print statement it is of; `None` for hex without any.
    pub mark: Option<Mark>,
    /// What the message tells.
    pub facts: Vec<Fact>,
    /// What the whole tells of.
    pub what: What,
    /// The bytes.
    pub dump: Option<Dump>,
    /// What was not as it should be, or needs care.
    pub notes: Vec<String>,
    /// How many more of the same follow.
    pub repeats: u64,
    /// The last line of those.
    pub repeated_to: u64,
}

impl Found {
    /// Whether two findings say the same, wherever they stand.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.mark == other.mark
            && self.facts == other.facts
            && self.what == other.what
            && self.dump == other.dump
            && self.notes == other.notes
    }
}

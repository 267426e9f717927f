//! What the card tells of itself while it is ill-treated: for what it used memory, and how often it
//! did each thing. A run in which everything is refused at the door would show nothing.

use crate::watch::{Grant, What, uses};
use doorbell_prm::Layout;
use doorbell_prm::commands::CommandStatus;
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome, ErrorCqe};
use doorbell_prm::zerocopy::FromBytes;
use doorbell_tracer::{Direction, Kind, Record, Recorder};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How often each thing was seen, by kind and name.
#[derive(Debug, Default, Clone)]
pub struct Counts(pub BTreeMap<&'static str, BTreeMap<String, u64>>);

impl Counts {
    pub fn add(&mut self, kind: &'static str, name: &str) {
        let names = self.0.entry(kind).or_default();
        match names.get_mut(name) {
            Some(count) => *count += 1,
            None => _ = names.insert(name.to_string(), 1),
        }
    }

    pub fn get(&self, kind: &str, name: &str) -> u64 {
        self.0.get(kind).and_then(|names| names.get(name)).copied().unwrap_or(0)
    }

    /// All of a kind.
    pub fn sum(&self, kind: &str) -> u64 {
        self.0.get(kind).map_or(0, |names| names.values().sum())
    }
}

/// A memory access, as the card tells of it.
#[derive(Debug, Clone)]
pub struct Access {
    pub is_write: bool,
    pub address: u64,
    pub length: usize,
    pub why: String,
}

/// What was told and not yet looked at, and the counts.
#[derive(Debug, Default)]
pub struct Told {
    pub accesses: Vec<Access>,
    pub counts: Counts,
}

/// How notes begin that tell of a packet which came to nothing.
const DROPPED: [&str; 7] = [
    "packet dropped",
    "datagram dropped",
    "a message that cannot be carried out",
    "the rest of a message",
    "an atomic is not done twice",
    "a read that was never asked for",
    "a read that comes again",
];

/// A recorder that counts, and keeps no event.
pub struct Ear(pub Arc<Mutex<Told>>);

impl Recorder for Ear {
    fn record(&mut self, record: Record) {
        let mut told = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        match record.kind {
            Kind::Dma { direction, address, why, layout, bytes } => {
                match &why[..] {
                    "CQE without its owner bit" if layout == ErrorCqe::LAYOUT.name => {
                        note_syndrome(&mut told.counts, &bytes);
                    }
                    "CQE owner bit" => {
                        let opcode = CqeOpcode::from_code(bytes[0] >> 4);
                        told.counts.add("completion", opcode.map_or("?", CqeOpcode::label));
                    }
                    _ => {}
                }
                told.counts.add("DMA", &why);
                let is_write = direction == Direction::Write;
                let (length, why) = (bytes.len(), why.into_owned());
                told.accesses.push(Access { is_write, address, length, why });
            }
            Kind::Note { text, .. } => {
                if DROPPED.iter().any(|begin| text.starts_with(begin)) {
                    told.counts.add("dropped", &text);
                }
                told.counts.add("note", &text);
            }
            Kind::Packet(packet) => told.counts.add("packet", &packet.name),
            Kind::Command(command) => {
                let status = CommandStatus::from_code(command.status);
                told.counts.add("command", status.map_or("?", CommandStatus::label));
                if command.status == 0 {
                    told.counts.add("done", &command.name);
                }
            }
            Kind::State { object, from, to, .. } => {
                told.counts.add("state", &format!("{object} {from} -> {to}"));
            }
            _ => {}
        }
    }

    fn take(&mut self) -> Vec<Record> {
        Vec::new()
    }

    fn snapshot(&self) -> Vec<Record> {
        Vec::new()
    }
}

/// Of an error CQE that comes without its last byte, why the work failed.
fn note_syndrome(counts: &mut Counts, body: &[u8]) {
    let whole = [body, &[0]].concat();
    let Ok(cqe) = ErrorCqe::read_from_bytes(&whole[..]) else { return };
    let syndrome = CqeSyndrome::from_code(cqe.syndrome);
    counts.add("syndrome", syndrome.map_or("?", CqeSyndrome::label));
}

/// Whether memory may be used for what the card says it used it for. `through_windows` says that keys
/// made of others exist: they reach through local rights.
pub fn is_for(grant: &Grant, access: &Access, through_windows: bool) -> bool {
    use What::*;
    let data = |right: u8, local: u8| {
        let right = if through_windows { right | local } else { right };
        grant.what == Data && grant.uses & right != 0
    };
    match (&access.why[..], access.is_write) {
        ("command queue entry", false) => grant.what == Slots,
        ("command output, inline part", true) => grant.what == Slots && access.length <= 16,
        ("command delivery status and ownership", true) => {
            grant.what == Slots && access.length == 1
        }
        ("command mailbox", false) | ("command output, mailbox", true) => grant.what == Mailboxes,
        ("doorbell record" | "doorbell record of a failed queue pair", false) => {
            grant.what == Record
        }
        ("receive counter of the doorbell record" | "CQ consumer index", false)
        | ("counter of the shared receive queue's doorbell record", false) => grant.what == Record,
        ("WQE fetch" | "WQE fetch, continued", false) => grant.what == SendRing,
        ("receive WQE fetch", false) => grant.what == ReceiveRing,
        ("shared receive WQE fetch", false) => grant.what == SharedRing,
        ("CQE without its owner bit" | "CQE owner bit", true) => grant.what == CompletionQueue,
        ("EQE without its owner bit" | "EQE owner bit", true) => grant.what == EventQueue,
        ("gather of the message", false) => data(uses::LOCAL_READ, 0),
        ("scatter of the message" | "scatter of the read data", true) => data(uses::LOCAL_WRITE, 0),
        ("RDMA read from memory", false) => data(uses::REMOTE_READ, uses::LOCAL_READ),
        ("RDMA write into memory", true) => data(uses::REMOTE_WRITE, uses::LOCAL_WRITE),
        ("atomic: the value before", false) | ("atomic: the value after", true) => {
            data(uses::ATOMIC, uses::LOCAL_WRITE)
        }
        _ => false,
    }
}

/// All reasons that there are: the rows above.
pub const REASONS: [&str; 25] = [
    "command queue entry",
    "command output, inline part",
    "command delivery status and ownership",
    "command mailbox",
    "command output, mailbox",
    "doorbell record",
    "doorbell record of a failed queue pair",
    "receive counter of the doorbell record",
    "CQ consumer index",
    "counter of the shared receive queue's doorbell record",
    "WQE fetch",
    "WQE fetch, continued",
    "receive WQE fetch",
    "shared receive WQE fetch",
    "CQE without its owner bit",
    "CQE owner bit",
    "EQE without its owner bit",
    "EQE owner bit",
    "gather of the message",
    "scatter of the message",
    "scatter of the read data",
    "RDMA read from memory",
    "RDMA write into memory",
    "atomic: the value before",
    "atomic: the value after",
];

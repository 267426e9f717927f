//! What bytes can be, and which checks say so.

use clap::ValueEnum;
use doorbell_prm::LayoutInfo;
use doorbell_prm::commands::{
    CommandDeliveryStatus, CommandInputHeader, CommandOpcode, CommandQueueEntry, CommandStatus,
    command_shape,
};
use doorbell_prm::cqe::{CqeOpcode, CqeSyndrome};
use doorbell_prm::eqe::{EventType, event_data_layout};
use doorbell_prm::wqe::{INVALID_LKEY, SEGMENT_UNIT, SEND_BLOCK, SendOpcode};

/// A structure that dumps are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Kind {
    /// A WQE of a send queue
    Wqe,
    /// A WQE of a receive queue: data segments only
    ReceiveWqe,
    /// A WQE of a shared receive queue: a next segment, then data segments
    SrqWqe,
    /// An entry of a completion queue, of an error or not
    Cqe,
    /// An entry of an event queue
    Eqe,
    /// The input of a firmware command
    CommandIn,
    /// The output of a firmware command
    CommandOut,
    /// A slot of the command queue
    CommandEntry,
}

impl Kind {
    /// The name that `--as` takes.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it is, for a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Wqe => "a send WQE",
            Self::ReceiveWqe => "a receive WQE",
            Self::SrqWqe => "a WQE of a shared receive queue",
            Self::Cqe => "a CQE",
            Self::Eqe => "an EQE",
            Self::CommandIn => "a command's input",
            Self::CommandOut => "a command's output",
            Self::CommandEntry => "a slot of the command queue",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, with the value found.
    pub what: String,
    /// Whether it is as it should be.
    pub holds: bool,
}

/// Collects checks.
#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn see(&mut self, holds: bool, what: impl Into<String>) {
        self.0.push(Check { what: what.into(), holds });
    }

    /// A code that must have a name.
    fn code(&mut self, what: &str, code: u64, name: Option<&str>) {
        let named = name.map_or_else(|| "no known one".to_owned(), str::to_owned);
        self.see(name.is_some(), format!("{what} {code:#x}: {named}"));
    }
}

/// A big-endian number; 0 where the bytes end before.
pub fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let found = bytes.get(at..at + length).unwrap_or(&[]);
    found.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Whether all bytes of a range are zero.
fn zero(bytes: &[u8], range: std::ops::Range<usize>) -> bool {
    bytes.get(range).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
}

/// What there is to check of bytes, taken for one kind.
pub fn checks(kind: Kind, bytes: &[u8]) -> Vec<Check> {
    let mut checks = Checks::default();
    match kind {
        Kind::Cqe => cqe(bytes, &mut checks),
        Kind::Wqe => wqe(bytes, &mut checks),
        Kind::ReceiveWqe => receive(bytes, &mut checks),
        Kind::SrqWqe => {
            let next = zero(bytes, 0..2) && zero(bytes, 5..16);
            checks.see(next, "the first 16 bytes are a next segment: reserved bytes zero");
            receive(bytes.get(SEGMENT_UNIT..).unwrap_or(&[]), &mut checks);
        }
        Kind::Eqe => eqe(bytes, &mut checks),
        Kind::CommandIn => command_in(bytes, &mut checks),
        Kind::CommandOut => command_out(bytes, &mut checks),
        Kind::CommandEntry => command_entry(bytes, &mut checks),
    }
    checks.0
}

/// `length` is as long as `size`, or several of it.
fn whole(bytes: &[u8], size: usize, checks: &mut Checks) -> bool {
    let holds = !bytes.is_empty() && bytes.len().is_multiple_of(size);
    checks.see(holds, format!("{} bytes: a multiple of {size}", bytes.len()));
    holds
}

fn cqe(bytes: &[u8], checks: &mut Checks) {
    if !whole(bytes, 64, checks) {
        return;
    }
    for entry in bytes.chunks_exact(64).take(4) {
        let opcode = entry[63] >> 4;
        let known = CqeOpcode::from_code(opcode);
        checks.code("opcode in the last byte", opcode.into(), known.map(CqeOpcode::label));
        let sender = SendOpcode::from_code(entry[56]);
        match known {
            Some(CqeOpcode::RequesterError | CqeOpcode::ResponderError) => {
                let name = CqeSyndrome::from_code(entry[55]).map(CqeSyndrome::label);
                checks.code("syndrome", entry[55].into(), name);
                if known == Some(CqeOpcode::RequesterError) {
                    checks.code(
                        "opcode of the WQE",
                        entry[56].into(),
                        sender.map(SendOpcode::label),
                    );
                }
            }
            Some(CqeOpcode::Requester) => {
                checks.code("opcode of the WQE", entry[56].into(), sender.map(SendOpcode::label));
                let qpn = number(entry, 57, 3);
                checks.see(qpn != 0, format!("queue pair number {qpn:#x} is not 0"));
                checks.see(zero(entry, 0..2), "its first two bytes, reserved, are zero");
            }
            Some(CqeOpcode::Invalid) | None => {}
            Some(_) => {
                let told = !zero(entry, 44..56);
                checks.see(told, "byte count and time stamp are not all zero");
                checks.see(zero(entry, 0..2), "its first two bytes, reserved, are zero");
            }
        }
    }
}

fn wqe(bytes: &[u8], checks: &mut Checks) {
    if !whole(bytes, SEGMENT_UNIT, checks) {
        return;
    }
    let mut at = 0;
    for count in 0..4 {
        let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= SEGMENT_UNIT) else { break };
        if count > 0 && rest.iter().all(|byte| *byte == 0) {
            break;
        }
        let opcode = rest[3];
        checks.code(
            "opcode in byte 3",
            opcode.into(),
            SendOpcode::from_code(opcode).map(SendOpcode::label),
        );
        let ds = usize::from(rest[7] & 0x3f);
        checks.see(rest[7] & 0xc0 == 0, "the two bits above ds are zero");
        let fits = ds > 0 && ds * SEGMENT_UNIT <= rest.len();
        checks.see(fits, format!("ds {ds}: {} bytes, of {}", ds * SEGMENT_UNIT, rest.len()));
        let qpn = number(rest, 4, 3);
        checks.see(qpn != 0, format!("queue pair number {qpn:#x} is not 0"));
        if !fits {
            break;
        }
        at += (ds * SEGMENT_UNIT).next_multiple_of(SEND_BLOCK);
    }
}

fn receive(bytes: &[u8], checks: &mut Checks) {
    if !whole(bytes, SEGMENT_UNIT, checks) {
        return;
    }
    for segment in bytes.chunks_exact(SEGMENT_UNIT).take(64) {
        let (count, key) = (number(segment, 0, 4), number(segment, 4, 4));
        let address = number(segment, 8, 8);
        if count == 0 && key == u64::from(INVALID_LKEY) && address == 0 {
            return;
        }
        let sound = count >> 31 == 0 && count != 0 && key != 0 && address != 0;
        if !sound {
            checks.see(
                false,
                format!("a data segment: {count} bytes, lkey {key:#x}, address {address:#x}"),
            );
            return;
        }
    }
    checks.see(true, "every 16 bytes are a data segment: bytes, lkey, address");
}

fn eqe(bytes: &[u8], checks: &mut Checks) {
    if !whole(bytes, 64, checks) {
        return;
    }
    for entry in bytes.chunks_exact(64).take(4) {
        let name = EventType::from_code(entry[1]).map(EventType::label);
        checks.code("event type in byte 1", entry[1].into(), name);
        checks.see(
            entry[0] == 0 && entry[2] == 0 && zero(entry, 4..32),
            "its reserved bytes are zero",
        );
        checks.see(entry[63] <= 1, "the last byte holds an owner bit and nothing else");
        checks.see(!zero(entry, 32..60), "the event data is not all zero");
        if let Some(layout) = event_data_layout(entry[1]) {
            let clean = reserved_are_zero(layout, entry.get(32..60).unwrap_or(&[]));
            checks.see(clean, format!("the event data is {}: reserved bits zero", layout.name));
        }
    }
}

/// Whether every bit that no field of the layout covers is zero.
fn reserved_are_zero(layout: &LayoutInfo, bytes: &[u8]) -> bool {
    let mut rest = bytes.to_vec();
    for field in layout.fields {
        for bit in field.bit..field.bit + field.width {
            if let Some(byte) = rest.get_mut(bit as usize / 8) {
                *byte &= !(0x80 >> (bit % 8));
            }
        }
    }
    rest.iter().all(|byte| *byte == 0)
}

fn command_in(bytes: &[u8], checks: &mut Checks) {
    let least = CommandInputHeader::SIZE;
    checks.see(bytes.len() >= least, format!("{} bytes: at least {least}", bytes.len()));
    let opcode = number(bytes, 0, 2) as u16;
    let name = CommandOpcode::from_code(opcode).map(CommandOpcode::label);
    checks.code("opcode in the first two bytes", opcode.into(), name);
    checks.see(zero(bytes, 4..6), "bytes 4 and 5, reserved, are zero");
    if let Some(shape) = command_shape(opcode) {
        let size = shape.input.size;
        let fits = bytes.len() == SEGMENT_UNIT || bytes.len() >= size;
        checks.see(
            fits,
            format!("{} bytes: its input has {size}, 16 of it in the slot", bytes.len()),
        );
    }
}

fn command_out(bytes: &[u8], checks: &mut Checks) {
    checks.see(bytes.len() >= 8, format!("{} bytes: at least 8", bytes.len()));
    let status = number(bytes, 0, 1) as u8;
    let name = CommandStatus::from_code(status).map(CommandStatus::label);
    checks.code("status in the first byte", status.into(), name);
    checks.see(zero(bytes, 1..4), "bytes 1 to 3, reserved, are zero");
    let failed = status != 0;
    checks.see(
        failed,
        "the status is an error: an output without one cannot be told from other bytes",
    );
}

fn command_entry(bytes: &[u8], checks: &mut Checks) {
    let size = CommandQueueEntry::SIZE;
    if !whole(bytes, size, checks) {
        return;
    }
    checks
        .see(bytes[0] == 7, format!("the first byte is {}: 7 means a command over PCI", bytes[0]));
    checks.see(zero(bytes, 1..4), "bytes 1 to 3, reserved, are zero");
    let opcode = number(bytes, 16, 2) as u16;
    let name = CommandOpcode::from_code(opcode).map(CommandOpcode::label);
    checks.code("opcode of the input", opcode.into(), name);
    let status = bytes[63] >> 1;
    let name = CommandDeliveryStatus::from_code(status).map(CommandDeliveryStatus::label);
    checks.code("delivery status", status.into(), name);
}

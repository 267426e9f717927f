//! What a step says, in one line: the same words in the terminal, in the walk as text and in the
//! book.
//!
//! A line begins with what was done (`store`, `load`, `check`, `DMA read`, ...), then says what it
//! was done to, and where. Who did it, and in which line of the source, is told beside it. Fields
//! of structures are not told here: those have tables in `doorbell_prm`.

mod regions;
mod values;

pub use regions::{Places, PlacesAt, Regions, entry_layout, region_title};
pub use values::{count, list, number};

use doorbell_tracer::{Command, Direction, Kind, LockAction, Packet, Region};
use regions::place;
use values::{is, length, moved, path, side, value};

/// What happened. `places` tells which regions there were at that step.
pub fn step(kind: &Kind, places: &impl Places) -> String {
    match kind {
        Kind::Call { function, arguments } => format!("call {function}({})", list(arguments)),
        Kind::Return { function, result } => format!("{function} returns {}", value(result)),
        Kind::Dispatch { table, slot, target } => {
            format!("call through the table: {table}.{slot} is {}", path(target))
        }
        Kind::Check { what, left, relation, right, holds } => {
            let verdict = if *holds { "yes" } else { "no" };
            format!("check {what}: {} {} {}? {verdict}", side(left), relation.sign(), side(right))
        }
        Kind::Lock { lock, action: LockAction::Acquired } => format!("take the lock {lock}"),
        Kind::Lock { lock, action: LockAction::Released } => format!("release the lock {lock}"),
        Kind::Map(region) => map(region),
        Kind::Unmap { region } => format!("unmap {}", places.name(*region)),
        Kind::Barrier { name, instruction } if instruction.is_empty() => {
            format!("barrier {name}: no instruction here, it holds the compiler only")
        }
        Kind::Barrier { name, instruction } => format!("barrier {name}: {instruction}"),
        Kind::Command(command) => firmware(command),
        Kind::Packet(packet) => travelled(packet),
        Kind::State { object, number, from, to } => state(object, *number, from, to),
        Kind::Index { region, name, value } => {
            format!("{name} is now {value} ({})", places.name(*region))
        }
        Kind::Completion { wr_id, status, attributes } => {
            let more = if attributes.is_empty() { "" } else { ", " };
            format!("completion of wr_id {}: {status}{more}{}", is(*wr_id), list(attributes))
        }
        Kind::Discovery { subject, finding, .. } => format!("{subject}: {finding}"),
        Kind::Note { text, values } if values.is_empty() => text.to_string(),
        Kind::Note { text, values } => format!("{text} ({})", list(values)),
        Kind::Store { .. }
        | Kind::Load { .. }
        | Kind::RegisterWrite { .. }
        | Kind::RegisterRead { .. }
        | Kind::Dma { .. } => bytes_moved(kind, places),
    }
}

/// What an event that moves bytes says.
fn bytes_moved(kind: &Kind, places: &impl Places) -> String {
    match kind {
        Kind::Store { region, offset, layout, bytes } => {
            let to = place(&places.name(*region), *offset);
            format!("store {} to {to}", moved(layout, bytes))
        }
        Kind::Load { region, offset, layout, bytes } => {
            let from = place(&places.name(*region), *offset);
            format!("load {} from {from}", moved(layout, bytes))
        }
        Kind::RegisterWrite { register, offset, bytes, .. } => {
            format!("write {} to register {register} at {offset:#x}", moved("", bytes))
        }
        Kind::RegisterRead { register, offset, bytes, .. } => {
            format!("read {} from register {register} at {offset:#x}", moved("", bytes))
        }
        Kind::Dma { direction, address, why, bytes, .. } => {
            let (verb, word) = match direction {
                Direction::Read => ("read", "from"),
                Direction::Write => ("write", "to"),
            };
            let bus = format!("{address:#x}");
            let place = match places.resolve(*address, bytes.len() as u64) {
                Some((region, offset)) => {
                    format!("{} ({bus})", place(&places.name(region), offset))
                }
                None => bus,
            };
            format!("DMA {verb}, {why}: {} {word} {place}", count(bytes.len()))
        }
        _ => String::new(),
    }
}

/// A region that came to be known.
fn map(region: &Region) -> String {
    let title = region_title(region);
    format!("map {title}: {} at {:#x}", length(region.length), region.address)
}

/// A firmware command and how it ended.
fn firmware(command: &Command) -> String {
    let end = match command.status {
        0 => "ok".to_owned(),
        status => format!("refused, status {status:#x}, syndrome {:#x}", command.syndrome),
    };
    format!("command {} ({:#x}) in slot {}: {end}", command.name, command.opcode, command.slot)
}

/// A packet and its way.
fn travelled(packet: &Packet) -> String {
    format!(
        "packet {}, PSN {}, from QP {:#x} to QP {:#x}, {}",
        packet.name,
        packet.psn,
        packet.from,
        packet.to,
        count(packet.bytes.len())
    )
}

/// An object's change. An object that begins has no state before, one that ends none after.
fn state(object: &str, number: u32, from: &str, to: &str) -> String {
    match (from, to) {
        ("", to) => format!("{object} {number:#x} begins as {to}"),
        (from, "") => format!("{object} {number:#x} ends, and was {from}"),
        (from, to) => format!("{object} {number:#x} goes from {from} to {to}"),
    }
}

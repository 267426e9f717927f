//! A step in one line: what happened, without where and by whom.

use crate::decode::fields::plain_number;
use doorbell_tracer::timeline::{RegionState, State};
use doorbell_tracer::{
    Actor, Argument, Command, Direction, Event, Kind, LockAction, Region, RegionId, Value,
};
use std::collections::BTreeMap;

/// Where the name of a region comes from.
pub trait RegionNames {
    /// The region of that number.
    fn region(&self, region: RegionId) -> Option<&Region>;

    /// What a reader calls the region.
    fn region_name(&self, region: RegionId) -> String {
        self.region(region).map_or_else(|| format!("region {}", region.0), region_title)
    }
}

/// A region's name with the number of its object: two queues differ by nothing else.
pub fn region_title(region: &Region) -> String {
    let number = format!("{:#x}", region.object);
    if region.object == 0 || region.name.contains(&number) {
        region.name.to_string()
    } else {
        format!("{} {number}", region.name)
    }
}

/// Every region that a walk has come by. A region keeps its name after it is unmapped.
#[derive(Debug, Clone, Default)]
pub struct Regions(BTreeMap<RegionId, Region>);

impl Regions {
    /// Takes note of the region that an event maps, if it maps one.
    pub fn see(&mut self, event: &Event) {
        if let Kind::Map(region) = &event.kind {
            self.0.insert(region.region, (**region).clone());
        }
    }
}

impl RegionNames for Regions {
    fn region(&self, region: RegionId) -> Option<&Region> {
        self.0.get(&region)
    }
}

impl RegionNames for State {
    fn region(&self, region: RegionId) -> Option<&Region> {
        Self::region(self, region).map(RegionState::info)
    }
}

/// Who did it, in at most four letters.
pub fn actor(actor: Actor) -> String {
    match actor {
        Actor::Cpu(number) => format!("cpu{number}"),
        Actor::Card => "card".to_owned(),
    }
}

/// What happened.
pub fn essence(kind: &Kind, regions: &impl RegionNames) -> String {
    match kind {
        Kind::Call { function, arguments } => format!("{function}({})", list(arguments)),
        Kind::Return { function, result } => format!("{function} = {}", value(result)),
        Kind::Dispatch { table, slot, target } => {
            format!("{table}.{slot} -> {}", path(target))
        }
        Kind::Check { .. } => check(kind),
        Kind::Lock { lock, action } => match action {
            LockAction::Acquired => format!("{lock} taken"),
            LockAction::Released => format!("{lock} released"),
        },
        Kind::Map(region) => map(region),
        Kind::Unmap { region } => regions.region_name(*region),
        Kind::Store { region, offset, layout, bytes } => {
            moved(layout, bytes.len(), "to", &regions.region_name(*region), *offset)
        }
        Kind::Load { region, offset, layout, bytes } => {
            moved(layout, bytes.len(), "from", &regions.region_name(*region), *offset)
        }
        Kind::Barrier { name, instruction } if instruction.is_empty() => {
            format!("{name}: holds the compiler only, no instruction here")
        }
        Kind::Barrier { name, instruction } => format!("{name}: {instruction}"),
        Kind::RegisterWrite { register, offset, bytes, .. } => {
            format!("{register} at {offset:#x} <- {}", short_hex(bytes))
        }
        Kind::RegisterRead { register, offset, bytes, .. } => {
            format!("{register} at {offset:#x} -> {}", short_hex(bytes))
        }
        Kind::Command(command) => firmware(command),
        Kind::Dma { direction, address, why, bytes, .. } => {
            let verb = match direction {
                Direction::Read => "reads",
                Direction::Write => "writes",
            };
            format!("{why}: {verb} {} at {address:#x}", count(bytes.len()))
        }
        Kind::Packet(packet) => format!(
            "{} PSN {} from QP {:#x} to QP {:#x}, {}",
            packet.name,
            packet.psn,
            packet.from,
            packet.to,
            count(packet.bytes.len())
        ),
        Kind::State { object, number, from, to } => format!("{object} {number:#x}: {from} -> {to}"),
        Kind::Index { region, name, value } => {
            format!("{name} = {value} ({})", regions.region_name(*region))
        }
        Kind::Completion { wr_id, status, attributes } => {
            joined(format!("wr_id {wr_id}: {status}"), &list(attributes))
        }
        Kind::Discovery { subject, finding, .. } => format!("{subject}: {finding}"),
        Kind::Note { text, values } => joined(text.to_string(), &list(values)),
    }
}

/// A path without the crate and without generic arguments, which C's names do not have either.
fn path(full: &str) -> String {
    let plain = full.split('<').next().unwrap_or(full);
    match plain.split_once("::") {
        Some((crate_name, rest)) if crate_name.starts_with("doorbell_") => rest.to_owned(),
        _ => plain.to_owned(),
    }
}

/// Two values, how they were compared, and the verdict.
fn check(kind: &Kind) -> String {
    let Kind::Check { what, left, relation, right, holds } = kind else {
        return String::new();
    };
    format!(
        "{what}: {} {} {}: {}",
        side(left),
        relation.sign(),
        side(right),
        if *holds { "yes" } else { "no" }
    )
}

/// One side of a check: a literal stands for itself, everything else is named.
fn side(argument: &Argument) -> String {
    let value = value(&argument.value);
    if argument.name.is_empty() || argument.name == value {
        value
    } else {
        format!("{} ({value})", argument.name)
    }
}

/// A region that came to be known.
fn map(region: &Region) -> String {
    let length = count64(region.length);
    format!("{}: {length} at {:#x}", region_title(region), region.address)
}

/// Bytes that went to or came from a region.
fn moved(layout: &str, length: usize, way: &str, region: &str, offset: u64) -> String {
    let what = if layout.is_empty() { "data" } else { layout };
    format!("{what}, {}, {way} {region} + {offset:#x}", count(length))
}

/// A firmware command and how it ended.
fn firmware(command: &Command) -> String {
    let end = if command.status == 0 {
        "ok".to_owned()
    } else {
        format!("status {:#x}, syndrome {:#x}", command.status, command.syndrome)
    };
    format!("{} ({:#x}) in slot {}: {end}", command.name, command.opcode, command.slot)
}

/// Named values, separated by commas.
pub fn list(arguments: &[Argument]) -> String {
    let named =
        arguments.iter().map(|argument| format!("{} = {}", argument.name, value(&argument.value)));
    named.collect::<Vec<_>>().join(", ")
}

/// A value; numbers in hex stay in hex.
fn value(value: &Value) -> String {
    match value {
        Value::Number(number) if *number > 0xffff => plain_number(*number),
        other => other.to_string(),
    }
}

/// `first`, and `rest` after a comma unless it is empty.
fn joined(first: String, rest: &str) -> String {
    if rest.is_empty() { first } else { format!("{first}, {rest}") }
}

/// Up to eight bytes in hex; of more only how many.
fn short_hex(bytes: &[u8]) -> String {
    if bytes.len() <= 8 {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    } else {
        count(bytes.len())
    }
}

/// `1 byte`, `16 bytes`.
pub fn count(length: usize) -> String {
    count64(length as u64)
}

/// The same for lengths that a file gives.
fn count64(length: u64) -> String {
    if length == 1 { "1 byte".to_owned() } else { format!("{length} bytes") }
}

//! What an event says, in one line of words.

use super::places::{Places, label};
use doorbell_tracer::{Argument, Arguments, Direction, Kind, LockAction};

/// What happened, in one line.
pub(super) fn what(kind: &Kind, places: &Places) -> String {
    match kind {
        Kind::Call { function, arguments } => format!("call {function}({})", list(arguments)),
        Kind::Return { function, result } => format!("{function} returns {result}"),
        Kind::Dispatch { table, slot, target } => {
            format!("call through the table: {table}.{slot} is {target}")
        }
        Kind::Check { what, left, relation, right, holds } => {
            let verdict = if *holds { "yes" } else { "no" };
            format!("{what}: {} {} {}? {verdict}", side(left), relation.sign(), side(right))
        }
        Kind::Lock { lock, action: LockAction::Acquired } => format!("take the lock {lock}"),
        Kind::Lock { lock, action: LockAction::Released } => format!("give back the lock {lock}"),
        Kind::Map(region) => {
            format!("{} is at {:#x}, {} bytes long", label(region), region.address, region.length)
        }
        Kind::Unmap { region } => match places.region(*region) {
            Some(region) => format!("{} goes away", label(region)),
            None => "a region goes away".to_owned(),
        },
        Kind::Barrier { name, instruction } if instruction.is_empty() => {
            format!("barrier {name}: no instruction here, it holds the compiler only")
        }
        Kind::Barrier { name, instruction } => format!("barrier {name}: {instruction}"),
        Kind::State { object, number, from, to } => {
            format!("{object} {number:#x} goes from {from} to {to}")
        }
        Kind::Index { name, value, .. } => format!("{name} is now {value}"),
        Kind::Completion { wr_id, status, attributes } => {
            let more = if attributes.is_empty() { "" } else { ", " };
            format!("completion of wr_id {wr_id:#x}: {status}{more}{}", list(attributes))
        }
        Kind::Discovery { subject, finding, .. } => format!("{subject}: {finding}"),
        Kind::Note { text, values } if values.is_empty() => text.to_string(),
        Kind::Note { text, values } => format!("{text} ({})", list(values)),
        _ => moved(kind, places),
    }
}

/// What an event that moves bytes says.
fn moved(kind: &Kind, places: &Places) -> String {
    match kind {
        Kind::Store { layout, bytes, .. } => {
            format!("store {}{}", amount(layout, bytes.len()), at(kind, "to", places))
        }
        Kind::Load { layout, bytes, .. } => {
            format!("load {}{}", amount(layout, bytes.len()), at(kind, "from", places))
        }
        Kind::RegisterWrite { register, bytes, .. } => {
            format!("write {} to the register {register}", count(bytes.len()))
        }
        Kind::RegisterRead { register, bytes, .. } => {
            format!("read {} from the register {register}", count(bytes.len()))
        }
        Kind::Command(command) if command.status == 0 => {
            format!("the card executes {} from slot {}", command.name, command.slot)
        }
        Kind::Command(command) => format!(
            "the card refuses {}: status {:#x}, syndrome {:#x}",
            command.name, command.status, command.syndrome
        ),
        Kind::Dma { direction, address, why, bytes, .. } => {
            let (verb, word) = match direction {
                Direction::Read => ("reads", "from"),
                Direction::Write => ("writes", "to"),
            };
            let mut place = at(kind, word, places);
            if place.is_empty() {
                place = format!(" {word} {address:#x}");
            }
            format!("the card {verb} {}{place}: {why}", count(bytes.len()))
        }
        Kind::Packet(packet) => format!(
            "packet from QP {:#x} to QP {:#x}: {}, PSN {}, {}",
            packet.from,
            packet.to,
            packet.name,
            packet.psn,
            count(packet.bytes.len())
        ),
        _ => String::new(),
    }
}

/// `16 bytes (layout)`.
fn amount(layout: &str, length: usize) -> String {
    if layout.is_empty() { count(length) } else { format!("{} ({layout})", count(length)) }
}

/// `1 byte`, `2 bytes`.
fn count(length: usize) -> String {
    match length {
        1 => "1 byte".to_owned(),
        _ => format!("{length} bytes"),
    }
}

/// ` to NAME + OFFSET`, or nothing where the region is not known.
fn at(kind: &Kind, word: &str, places: &Places) -> String {
    let place = places.of(kind);
    let named = place.and_then(|(number, offset)| Some((places.region(number)?, offset)));
    match named {
        Some((region, 0)) => format!(" {word} {}", label(region)),
        Some((region, offset)) => format!(" {word} {} + {offset:#x}", label(region)),
        None => String::new(),
    }
}

/// One side of a comparison: `name VALUE`, or the name alone where it is the value.
fn side(argument: &Argument) -> String {
    let value = argument.value.to_string();
    if argument.name.is_empty() || argument.name == value {
        value
    } else {
        format!("{} {value}", argument.name)
    }
}

/// `name = value, name = value`.
fn list(arguments: &Arguments) -> String {
    let each = arguments.iter().map(|argument| format!("{} = {}", argument.name, argument.value));
    each.collect::<Vec<_>>().join(", ")
}

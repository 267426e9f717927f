//! An event in a fixed size: how recorders keep it.
//!
//! A [`Fact`] is a [`Kind`] without anything that has no fixed size: numbers, static names, and the
//! first bytes. What has no room in it stands beside it: further bytes, and named values as
//! [`Pair`]s. An event that this cannot hold (a region, a command, a packet) is kept as the [`Kind`]
//! that it is, and has no fact.

use super::{Text, Value};
use crate::{Argument, Bytes, Direction, Kind, LockAction, RegionId, Relation};
use std::borrow::Cow;

/// Bytes that a fact has room for: one segment of a WQE. More stand beside it, all together.
pub(crate) const ROOM: usize = 16;

/// The length of an event's bytes as its fact has it: this stands for itself and all that is
/// longer, and then the length stands beside the fact.
pub(crate) const LONG: u16 = u16::MAX;

/// What happened, in 48 bytes. The variants and their fields are those of [`Kind`].
#[derive(Debug, Clone, Copy)]
pub enum Fact {
    /// With `count` pairs.
    Call {
        function: &'static str,
        count: u16,
    },
    /// With one pair: the result.
    Return {
        function: &'static str,
    },
    /// With one pair: the slot and its target.
    Dispatch {
        table: &'static str,
    },
    /// With two pairs: left and right.
    Check {
        what: &'static str,
        relation: Relation,
        holds: bool,
    },
    Lock {
        lock: &'static str,
        action: LockAction,
    },
    Store {
        region: RegionId,
        length: u16,
        offset: u64,
        layout: &'static str,
        first: [u8; ROOM],
    },
    Load {
        region: RegionId,
        length: u16,
        offset: u64,
        layout: &'static str,
        first: [u8; ROOM],
    },
    Barrier {
        name: &'static str,
        instruction: &'static str,
    },
    /// With all bytes beside it.
    RegisterWrite {
        region: RegionId,
        length: u16,
        offset: u64,
        register: &'static str,
        layout: &'static str,
    },
    RegisterRead {
        region: RegionId,
        length: u16,
        offset: u64,
        register: &'static str,
        first: [u8; ROOM],
    },
    /// With all bytes beside it.
    Dma {
        direction: Direction,
        length: u16,
        address: u64,
        why: &'static str,
        layout: &'static str,
    },
    /// With one pair: the states before and after.
    State {
        object: &'static str,
        number: u32,
    },
    Index {
        region: RegionId,
        name: &'static str,
        value: u64,
    },
    /// With `count` pairs.
    Completion {
        wr_id: u64,
        status: &'static str,
        count: u16,
    },
}

const _: () = assert!(size_of::<Option<Fact>>() == 48);

/// A static name and a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    name: &'static str,
    value: Short,
}

/// A [`Value`] in a fixed size.
#[derive(Debug, Clone, Copy)]
enum Short {
    Number(u64),
    Hex(u64),
    Text(&'static str),
    /// A text made at run time, which stands beside.
    Made,
}

impl Pair {
    /// One that says nothing.
    pub(crate) const BLANK: Self = Self { name: "", value: Short::Made };

    /// A pair of these. A text made at run time goes to `made`.
    #[inline(always)]
    pub(crate) fn of(name: &'static str, value: Value, made: &mut Vec<String>) -> Self {
        let value = match value {
            Value::Number(number) => Short::Number(number),
            Value::Hex(number) => Short::Hex(number),
            Value::Text(Cow::Borrowed(text)) => Short::Text(text),
            Value::Text(Cow::Owned(text)) => {
                push(made, text);
                Short::Made
            }
        };
        Self { name, value }
    }

    /// The named value. A text made at run time is the next of `made`.
    pub(crate) fn argument(self, made: &mut impl Iterator<Item = String>) -> Argument {
        let value = match self.value {
            Short::Number(number) => Value::Number(number),
            Short::Hex(number) => Value::Hex(number),
            Short::Text(text) => Value::Text(text.into()),
            Short::Made => Value::Text(made.next().unwrap_or_default().into()),
        };
        Argument { name: self.name.into(), value }
    }
}

/// Keeps a text made at run time.
#[cold]
#[inline(never)]
fn push(made: &mut Vec<String>, text: String) {
    made.push(text);
}

impl Fact {
    /// Number of bytes that stand beside it; [`LONG`] if that number stands beside it too.
    pub(crate) fn beside(&self) -> u16 {
        match *self {
            Self::Store { length, .. }
            | Self::Load { length, .. }
            | Self::RegisterRead { length, .. } => match usize::from(length) {
                ..=ROOM => 0,
                _ => length,
            },
            Self::RegisterWrite { length, .. } | Self::Dma { length, .. } => length,
            _ => 0,
        }
    }

    /// The event, with what stands beside it.
    pub(crate) fn kind(
        &self,
        beside: &[u8],
        arguments: &mut impl Iterator<Item = Argument>,
    ) -> Kind {
        match *self {
            Self::Call { function, count } => Kind::Call {
                function: function.into(),
                arguments: arguments.take(count.into()).collect(),
            },
            Self::Return { function } => {
                Kind::Return { function: function.into(), result: next(arguments).value }
            }
            Self::Dispatch { table } => {
                let (slot, target) = names(next(arguments));
                Kind::Dispatch { table: table.into(), slot, target }
            }
            Self::Check { what, relation, holds } => Kind::Check {
                what: what.into(),
                left: next(arguments),
                relation,
                right: next(arguments),
                holds,
            },
            Self::Lock { lock, action } => Kind::Lock { lock: lock.into(), action },
            Self::Store { region, length, offset, layout, ref first } => {
                let bytes = bytes(length, first, beside);
                Kind::Store { region, offset, layout: layout.into(), bytes }
            }
            Self::Load { region, length, offset, layout, ref first } => {
                let bytes = bytes(length, first, beside);
                Kind::Load { region, offset, layout: layout.into(), bytes }
            }
            Self::Barrier { name, instruction } => {
                Kind::Barrier { name: name.into(), instruction: instruction.into() }
            }
            Self::RegisterWrite { region, offset, register, layout, .. } => Kind::RegisterWrite {
                region,
                offset,
                register: register.into(),
                layout: layout.into(),
                bytes: Bytes::new(beside),
            },
            Self::RegisterRead { region, length, offset, register, ref first } => {
                let bytes = bytes(length, first, beside);
                Kind::RegisterRead { region, offset, register: register.into(), bytes }
            }
            Self::Dma { direction, address, why, layout, .. } => Kind::Dma {
                direction,
                address,
                why: why.into(),
                layout: layout.into(),
                bytes: Bytes::new(beside),
            },
            Self::State { object, number } => {
                let (from, to) = names(next(arguments));
                Kind::State { object: object.into(), number, from, to }
            }
            Self::Index { region, name, value } => Kind::Index { region, name: name.into(), value },
            Self::Completion { wr_id, status, count } => Kind::Completion {
                wr_id,
                status: status.into(),
                attributes: arguments.take(count.into()).collect(),
            },
        }
    }
}

/// The bytes of an event: in its fact if they have room there, else beside it.
fn bytes(length: u16, first: &[u8; ROOM], beside: &[u8]) -> Bytes {
    Bytes::new(first.get(..length.into()).unwrap_or(beside))
}

/// The next argument. There is one: a fact is written together with what belongs to it.
fn next(arguments: &mut impl Iterator<Item = Argument>) -> Argument {
    let none = || Argument { name: Text::default(), value: Value::Number(0) };
    arguments.next().unwrap_or_else(none)
}

/// Two names that were written as a pair.
fn names(argument: Argument) -> (Text, Text) {
    match argument.value {
        Value::Text(text) => (argument.name, text),
        _ => (argument.name, Text::default()),
    }
}

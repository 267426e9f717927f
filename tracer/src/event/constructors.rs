//! One typed constructor for each kind.

use super::{
    Argument, Arguments, Command, Direction, Kind, LockAction, Packet, Relation, Text, Value,
};
use crate::{Bytes, RegionId};
use std::borrow::Cow;

/// An [`Argument`] of this name and value.
fn argument(name: &'static str, value: impl Into<Value>) -> Argument {
    Argument { name: Cow::Borrowed(name), value: value.into() }
}

/// The [`Arguments`] of these names and values.
fn arguments<const N: usize>(values: [(&'static str, Value); N]) -> Arguments {
    values.into_iter().map(|(name, value)| argument(name, value)).collect()
}

impl Kind {
    /// A function was entered.
    #[inline]
    pub fn call<const N: usize>(
        function: &'static str,
        values: [(&'static str, Value); N],
    ) -> Self {
        Self::Call { function: Cow::Borrowed(function), arguments: arguments(values) }
    }

    /// A function is about to be left with this result.
    #[inline]
    pub fn returned(function: &'static str, result: impl Into<Value>) -> Self {
        Self::Return { function: Cow::Borrowed(function), result: result.into() }
    }

    /// A call went through `table.slot` to `target`.
    #[inline]
    pub fn dispatch(table: &'static str, slot: &'static str, target: &'static str) -> Self {
        Self::Dispatch {
            table: Cow::Borrowed(table),
            slot: Cow::Borrowed(slot),
            target: Cow::Borrowed(target),
        }
    }

    /// `left` was compared with `right`.
    #[inline]
    pub fn check(
        what: &'static str,
        left: (&'static str, impl Into<Value>),
        relation: Relation,
        right: (&'static str, impl Into<Value>),
        holds: bool,
    ) -> Self {
        Self::Check {
            what: Cow::Borrowed(what),
            left: argument(left.0, left.1),
            relation,
            right: argument(right.0, right.1),
            holds,
        }
    }

    /// A lock was taken.
    #[inline]
    pub fn locked(lock: &'static str) -> Self {
        Self::Lock { lock: Cow::Borrowed(lock), action: LockAction::Acquired }
    }

    /// A lock was given back.
    #[inline]
    pub fn unlocked(lock: &'static str) -> Self {
        Self::Lock { lock: Cow::Borrowed(lock), action: LockAction::Released }
    }

    /// A region went away.
    #[inline]
    pub fn unmap(region: RegionId) -> Self {
        Self::Unmap { region }
    }

    /// Bytes were stored at `offset` of `region`.
    #[inline]
    pub fn store(region: RegionId, offset: usize, layout: &'static str, bytes: &[u8]) -> Self {
        Self::Store {
            region,
            offset: offset as u64,
            layout: Cow::Borrowed(layout),
            bytes: Bytes::new(bytes),
        }
    }

    /// Bytes were loaded from `offset` of `region`.
    #[inline]
    pub fn load(region: RegionId, offset: usize, layout: &'static str, bytes: &[u8]) -> Self {
        Self::Load {
            region,
            offset: offset as u64,
            layout: Cow::Borrowed(layout),
            bytes: Bytes::new(bytes),
        }
    }

    /// A barrier was passed; `instruction` is empty where it only holds the compiler.
    #[inline]
    pub fn barrier(name: &'static str, instruction: &'static str) -> Self {
        Self::Barrier { name: Cow::Borrowed(name), instruction: Cow::Borrowed(instruction) }
    }

    /// A register was written.
    #[inline]
    pub fn register_write(
        region: RegionId,
        offset: usize,
        register: &'static str,
        layout: &'static str,
        bytes: &[u8],
    ) -> Self {
        Self::RegisterWrite {
            region,
            offset: offset as u64,
            register: Cow::Borrowed(register),
            layout: Cow::Borrowed(layout),
            bytes: Bytes::new(bytes),
        }
    }

    /// A register was read.
    #[inline]
    pub fn register_read(
        region: RegionId,
        offset: usize,
        register: &'static str,
        bytes: &[u8],
    ) -> Self {
        Self::RegisterRead {
            region,
            offset: offset as u64,
            register: Cow::Borrowed(register),
            bytes: Bytes::new(bytes),
        }
    }

    /// The card executed a command.
    #[inline]
    pub fn command(command: Command) -> Self {
        Self::Command(Box::new(command))
    }

    /// The card moved bytes.
    #[inline]
    pub fn dma(
        direction: Direction,
        address: u64,
        why: &'static str,
        layout: &'static str,
        bytes: &[u8],
    ) -> Self {
        Self::Dma {
            direction,
            address,
            why: Cow::Borrowed(why),
            layout: Cow::Borrowed(layout),
            bytes: Bytes::new(bytes),
        }
    }

    /// A packet left a queue pair.
    #[inline]
    pub fn packet(from: u32, to: u32, name: &'static str, psn: u32, bytes: &[u8]) -> Self {
        Self::Packet(Box::new(Packet {
            from,
            to,
            name: Cow::Borrowed(name),
            psn,
            bytes: Bytes::new(bytes),
        }))
    }

    /// An object changed its state.
    #[inline]
    pub fn state(object: &'static str, number: u32, from: &'static str, to: &'static str) -> Self {
        Self::State {
            object: Cow::Borrowed(object),
            number,
            from: Cow::Borrowed(from),
            to: Cow::Borrowed(to),
        }
    }

    /// A counter moved.
    #[inline]
    pub fn index(region: RegionId, name: &'static str, value: u32) -> Self {
        Self::Index { region, name: Cow::Borrowed(name), value: u64::from(value) }
    }

    /// A completion reached the program.
    #[inline]
    pub fn completion<const N: usize>(
        wr_id: u64,
        status: &'static str,
        attributes: [(&'static str, Value); N],
    ) -> Self {
        Self::Completion { wr_id, status: Cow::Borrowed(status), attributes: arguments(attributes) }
    }

    /// A place was looked at, a device found, a provider asked.
    #[inline]
    pub fn discovery(subject: impl Into<Text>, finding: impl Into<Text>, found: bool) -> Self {
        Self::Discovery { subject: subject.into(), finding: finding.into(), found }
    }

    /// Something that no other kind tells.
    #[inline]
    pub fn note<const N: usize>(text: impl Into<Text>, values: [(&'static str, Value); N]) -> Self {
        Self::Note { text: text.into(), values: arguments(values) }
    }
}

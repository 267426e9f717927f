//! One typed constructor for each kind, with the arguments that a probe's line has.

use super::{
    Argument, Arguments, Command, Direction, Kind, LockAction, Packet, Relation, Text, Value,
};
use crate::{Bytes, RegionId};

/// Named values.
fn arguments<const N: usize>(values: [(&'static str, Value); N]) -> Arguments {
    values.into_iter().map(argument).collect()
}

/// A named value.
fn argument((name, value): (&'static str, impl Into<Value>)) -> Argument {
    Argument { name: name.into(), value: value.into() }
}

impl Kind {
    /// A function was entered.
    pub fn call<const N: usize>(
        function: &'static str,
        values: [(&'static str, Value); N],
    ) -> Self {
        Self::Call { function: function.into(), arguments: arguments(values) }
    }

    /// A function is about to be left with this result.
    pub fn returned(function: &'static str, result: impl Into<Value>) -> Self {
        Self::Return { function: function.into(), result: result.into() }
    }

    /// A call went through `table.slot` to `target`.
    pub fn dispatch(table: &'static str, slot: &'static str, target: &'static str) -> Self {
        Self::Dispatch { table: table.into(), slot: slot.into(), target: target.into() }
    }

    /// `left` was compared with `right`.
    pub fn check(
        what: &'static str,
        left: (&'static str, impl Into<Value>),
        relation: Relation,
        right: (&'static str, impl Into<Value>),
        holds: bool,
    ) -> Self {
        let (left, right) = (argument(left), argument(right));
        Self::Check { what: what.into(), left, relation, right, holds }
    }

    /// A lock was taken.
    pub fn locked(lock: &'static str) -> Self {
        Self::Lock { lock: lock.into(), action: LockAction::Acquired }
    }

    /// A lock was given back.
    pub fn unlocked(lock: &'static str) -> Self {
        Self::Lock { lock: lock.into(), action: LockAction::Released }
    }

    /// A region went away.
    pub fn unmap(region: RegionId) -> Self {
        Self::Unmap { region }
    }

    /// Bytes were stored at `offset` of `region`.
    pub fn store(region: RegionId, offset: usize, layout: &'static str, bytes: &[u8]) -> Self {
        let (offset, layout) = (offset as u64, layout.into());
        Self::Store { region, offset, layout, bytes: Bytes::new(bytes) }
    }

    /// Bytes were loaded from `offset` of `region`.
    pub fn load(region: RegionId, offset: usize, layout: &'static str, bytes: &[u8]) -> Self {
        let (offset, layout) = (offset as u64, layout.into());
        Self::Load { region, offset, layout, bytes: Bytes::new(bytes) }
    }

    /// A barrier was passed; `instruction` is empty where it only holds the compiler.
    pub fn barrier(name: &'static str, instruction: &'static str) -> Self {
        Self::Barrier { name: name.into(), instruction: instruction.into() }
    }

    /// A register was written.
    pub fn register_write(
        region: RegionId,
        offset: usize,
        register: &'static str,
        layout: &'static str,
        bytes: &[u8],
    ) -> Self {
        let (offset, register, layout) = (offset as u64, register.into(), layout.into());
        Self::RegisterWrite { region, offset, register, layout, bytes: Bytes::new(bytes) }
    }

    /// A register was read.
    pub fn register_read(
        region: RegionId,
        offset: usize,
        register: &'static str,
        bytes: &[u8],
    ) -> Self {
        let (offset, register) = (offset as u64, register.into());
        Self::RegisterRead { region, offset, register, bytes: Bytes::new(bytes) }
    }

    /// The card executed a command.
    pub fn command(command: Command) -> Self {
        Self::Command(Box::new(command))
    }

    /// The card moved bytes.
    pub fn dma(
        direction: Direction,
        address: u64,
        why: &'static str,
        layout: &'static str,
        bytes: &[u8],
    ) -> Self {
        let (why, layout) = (why.into(), layout.into());
        Self::Dma { direction, address, why, layout, bytes: Bytes::new(bytes) }
    }

    /// A packet left a queue pair.
    pub fn packet(from: u32, to: u32, name: &'static str, psn: u32, bytes: &[u8]) -> Self {
        let (name, bytes) = (name.into(), Bytes::new(bytes));
        Self::Packet(Box::new(Packet { from, to, name, psn, bytes }))
    }

    /// An object changed its state.
    pub fn state(object: &'static str, number: u32, from: &'static str, to: &'static str) -> Self {
        let (object, from, to) = (object.into(), from.into(), to.into());
        Self::State { object, number, from, to }
    }

    /// A counter moved.
    pub fn index(region: RegionId, name: &'static str, value: u32) -> Self {
        Self::Index { region, name: name.into(), value: value.into() }
    }

    /// A completion reached the program.
    pub fn completion<const N: usize>(
        wr_id: u64,
        status: &'static str,
        attributes: [(&'static str, Value); N],
    ) -> Self {
        let attributes = arguments(attributes);
        Self::Completion { wr_id, status: status.into(), attributes }
    }

    /// A place was looked at, a device found, a provider asked.
    pub fn discovery(subject: impl Into<Text>, finding: impl Into<Text>, found: bool) -> Self {
        Self::Discovery { subject: subject.into(), finding: finding.into(), found }
    }

    /// Something that no other kind tells.
    pub fn note<const N: usize>(text: impl Into<Text>, values: [(&'static str, Value); N]) -> Self {
        Self::Note { text: text.into(), values: arguments(values) }
    }
}

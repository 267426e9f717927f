//! One typed constructor for each kind: what a probe's [report](crate::report) says, as the event
//! that it stands for.

use super::{Command, Direction, Kind, Relation, Text, Value};
use crate::RegionId;
use crate::report::{self, Report};

impl Kind {
    /// A function was entered.
    pub fn call<const N: usize>(
        function: &'static str,
        values: [(&'static str, Value); N],
    ) -> Self {
        report::call(function, values).into_kind()
    }

    /// A function is about to be left with this result.
    pub fn returned(function: &'static str, result: impl Into<Value>) -> Self {
        report::returned(function, result).into_kind()
    }

    /// A call went through `table.slot` to `target`.
    pub fn dispatch(table: &'static str, slot: &'static str, target: &'static str) -> Self {
        report::dispatch(table, slot, target).into_kind()
    }

    /// `left` was compared with `right`.
    pub fn check(
        what: &'static str,
        left: (&'static str, impl Into<Value>),
        relation: Relation,
        right: (&'static str, impl Into<Value>),
        holds: bool,
    ) -> Self {
        report::check(what, left, relation, right, holds).into_kind()
    }

    /// A lock was taken.
    pub fn locked(lock: &'static str) -> Self {
        report::locked(lock).into_kind()
    }

    /// A lock was given back.
    pub fn unlocked(lock: &'static str) -> Self {
        report::unlocked(lock).into_kind()
    }

    /// A region went away.
    pub fn unmap(region: RegionId) -> Self {
        report::unmap(region)
    }

    /// Bytes were stored at `offset` of `region`.
    pub fn store(region: RegionId, offset: usize, layout: &'static str, bytes: &[u8]) -> Self {
        report::store(region, offset, layout, bytes).into_kind()
    }

    /// Bytes were loaded from `offset` of `region`.
    pub fn load(region: RegionId, offset: usize, layout: &'static str, bytes: &[u8]) -> Self {
        report::load(region, offset, layout, bytes).into_kind()
    }

    /// A barrier was passed; `instruction` is empty where it only holds the compiler.
    pub fn barrier(name: &'static str, instruction: &'static str) -> Self {
        report::barrier(name, instruction).into_kind()
    }

    /// A register was written.
    pub fn register_write(
        region: RegionId,
        offset: usize,
        register: &'static str,
        layout: &'static str,
        bytes: &[u8],
    ) -> Self {
        report::register_write(region, offset, register, layout, bytes).into_kind()
    }

    /// A register was read.
    pub fn register_read(
        region: RegionId,
        offset: usize,
        register: &'static str,
        bytes: &[u8],
    ) -> Self {
        report::register_read(region, offset, register, bytes).into_kind()
    }

    /// The card executed a command.
    pub fn command(command: Command) -> Self {
        report::command(command)
    }

    /// The card moved bytes.
    pub fn dma(
        direction: Direction,
        address: u64,
        why: &'static str,
        layout: &'static str,
        bytes: &[u8],
    ) -> Self {
        report::dma(direction, address, why, layout, bytes).into_kind()
    }

    /// A packet left a queue pair.
    pub fn packet(from: u32, to: u32, name: &'static str, psn: u32, bytes: &[u8]) -> Self {
        report::packet(from, to, name, psn, bytes)
    }

    /// An object changed its state.
    pub fn state(object: &'static str, number: u32, from: &'static str, to: &'static str) -> Self {
        report::state(object, number, from, to).into_kind()
    }

    /// A counter moved.
    pub fn index(region: RegionId, name: &'static str, value: u32) -> Self {
        report::index(region, name, value).into_kind()
    }

    /// A completion reached the program.
    pub fn completion<const N: usize>(
        wr_id: u64,
        status: &'static str,
        attributes: [(&'static str, Value); N],
    ) -> Self {
        report::completion(wr_id, status, attributes).into_kind()
    }

    /// A place was looked at, a device found, a provider asked.
    pub fn discovery(subject: impl Into<Text>, finding: impl Into<Text>, found: bool) -> Self {
        report::discovery(subject, finding, found)
    }

    /// Something that no other kind tells.
    pub fn note<const N: usize>(text: impl Into<Text>, values: [(&'static str, Value); N]) -> Self {
        report::note(text, values)
    }
}

//! One typed constructor for each kind: what a probe's line names.
//!
//! Those that return a [`Kind`] tell of what is rare, or has texts that are made at run time.

use super::Draft;
use super::values::{List, Values};
use crate::event::{Fact, LONG, ROOM, Text};
use crate::probe::Nesting;
use crate::{Command, Direction, Kind, LockAction, Packet, RegionId, Relation, Value};

/// A draft that is all said with its fact.
#[inline(always)]
fn draft<F: FnOnce() -> Fact>(fact: F) -> Draft<'static, F, ()> {
    with_bytes(fact, &[])
}

/// A draft with bytes beside its fact.
#[inline(always)]
fn with_bytes<F: FnOnce() -> Fact>(fact: F, bytes: &[u8]) -> Draft<'_, F, ()> {
    Draft { fact, nesting: Nesting::Stays, bytes, values: () }
}

/// A draft with values beside its fact.
#[inline(always)]
fn with<F: FnOnce() -> Fact, V: Values>(fact: F, values: V) -> Draft<'static, F, V> {
    Draft { fact, nesting: Nesting::Stays, bytes: &[], values }
}

/// A length as facts have it.
#[inline(always)]
fn length(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(LONG)
}

/// The bytes that have room in a fact, and those that stand beside it: one of them is empty.
#[inline(always)]
fn split(bytes: &[u8]) -> ([u8; ROOM], &[u8]) {
    if let Ok(first) = <[u8; ROOM]>::try_from(bytes) {
        return (first, &[]);
    }
    let mut first = [0; ROOM];
    match bytes.len() {
        4 => first[..4].copy_from_slice(bytes),
        8 => first[..8].copy_from_slice(bytes),
        ..ROOM => first[..bytes.len()].copy_from_slice(bytes),
        _ => return (first, bytes),
    }
    (first, &[])
}

/// A function was entered.
#[inline(always)]
pub fn call<const N: usize>(
    function: &'static str,
    values: [(&'static str, Value); N],
) -> Draft<'static, impl FnOnce() -> Fact, List<N>> {
    let count = const { count::<N>() };
    Draft {
        nesting: Nesting::Enters,
        ..with(move || Fact::Call { function, count }, List::of(values))
    }
}

/// N as facts have it: a probe with more values does not compile.
const fn count<const N: usize>() -> u16 {
    assert!(N <= u16::MAX as usize, "too many values");
    N as u16
}

/// A function is about to be left with this result.
#[inline(always)]
pub fn returned(
    function: &'static str,
    result: impl Into<Value>,
) -> Draft<'static, impl FnOnce() -> Fact, impl Values> {
    let values = ("", result);
    Draft { nesting: Nesting::Leaves, ..with(move || Fact::Return { function }, values) }
}

/// A call went through `table.slot` to `target`.
#[inline(always)]
pub fn dispatch(
    table: &'static str,
    slot: &'static str,
    target: &'static str,
) -> Draft<'static, impl FnOnce() -> Fact, impl Values> {
    with(move || Fact::Dispatch { table }, (slot, target))
}

/// `left` was compared with `right`.
#[inline(always)]
pub fn check(
    what: &'static str,
    left: (&'static str, impl Into<Value>),
    relation: Relation,
    right: (&'static str, impl Into<Value>),
    holds: bool,
) -> Draft<'static, impl FnOnce() -> Fact, impl Values> {
    with(move || Fact::Check { what, relation, holds }, (left, right))
}

/// A lock was taken.
#[inline(always)]
pub fn locked(lock: &'static str) -> Draft<'static, impl FnOnce() -> Fact, ()> {
    draft(move || Fact::Lock { lock, action: LockAction::Acquired })
}

/// A lock was given back.
#[inline(always)]
pub fn unlocked(lock: &'static str) -> Draft<'static, impl FnOnce() -> Fact, ()> {
    draft(move || Fact::Lock { lock, action: LockAction::Released })
}

/// A region went away.
pub fn unmap(region: RegionId) -> Kind {
    Kind::Unmap { region }
}

/// Bytes were stored at `offset` of `region`.
#[inline(always)]
pub fn store<'a>(
    region: RegionId,
    offset: usize,
    layout: &'static str,
    bytes: &'a [u8],
) -> Draft<'a, impl FnOnce() -> Fact, ()> {
    let (offset, length, (first, bytes)) = (offset as u64, length(bytes), split(bytes));
    with_bytes(move || Fact::Store { region, length, offset, layout, first }, bytes)
}

/// Bytes were loaded from `offset` of `region`.
#[inline(always)]
pub fn load<'a>(
    region: RegionId,
    offset: usize,
    layout: &'static str,
    bytes: &'a [u8],
) -> Draft<'a, impl FnOnce() -> Fact, ()> {
    let (offset, length, (first, bytes)) = (offset as u64, length(bytes), split(bytes));
    with_bytes(move || Fact::Load { region, length, offset, layout, first }, bytes)
}

/// A barrier was passed; `instruction` is empty where it only holds the compiler.
#[inline(always)]
pub fn barrier(
    name: &'static str,
    instruction: &'static str,
) -> Draft<'static, impl FnOnce() -> Fact, ()> {
    draft(move || Fact::Barrier { name, instruction })
}

/// A register was written.
#[inline(always)]
pub fn register_write<'a>(
    region: RegionId,
    offset: usize,
    register: &'static str,
    layout: &'static str,
    bytes: &'a [u8],
) -> Draft<'a, impl FnOnce() -> Fact, ()> {
    let (offset, length) = (offset as u64, length(bytes));
    with_bytes(move || Fact::RegisterWrite { region, length, offset, register, layout }, bytes)
}

/// A register was read.
#[inline(always)]
pub fn register_read<'a>(
    region: RegionId,
    offset: usize,
    register: &'static str,
    bytes: &'a [u8],
) -> Draft<'a, impl FnOnce() -> Fact, ()> {
    let (offset, length, (first, bytes)) = (offset as u64, length(bytes), split(bytes));
    with_bytes(move || Fact::RegisterRead { region, length, offset, register, first }, bytes)
}

/// The card executed a command.
pub fn command(command: Command) -> Kind {
    Kind::Command(Box::new(command))
}

/// The card moved bytes.
#[inline(always)]
pub fn dma<'a>(
    direction: Direction,
    address: u64,
    why: &'static str,
    layout: &'static str,
    bytes: &'a [u8],
) -> Draft<'a, impl FnOnce() -> Fact, ()> {
    let length = length(bytes);
    with_bytes(move || Fact::Dma { direction, length, address, why, layout }, bytes)
}

/// A packet left a queue pair.
pub fn packet(from: u32, to: u32, name: &'static str, psn: u32, bytes: &[u8]) -> Kind {
    let (name, bytes) = (name.into(), crate::Bytes::new(bytes));
    Kind::Packet(Box::new(Packet { from, to, name, psn, bytes }))
}

/// An object changed its state.
#[inline(always)]
pub fn state(
    object: &'static str,
    number: u32,
    from: &'static str,
    to: &'static str,
) -> Draft<'static, impl FnOnce() -> Fact, impl Values> {
    with(move || Fact::State { object, number }, (from, to))
}

/// A counter moved.
#[inline(always)]
pub fn index(
    region: RegionId,
    name: &'static str,
    value: u32,
) -> Draft<'static, impl FnOnce() -> Fact, ()> {
    draft(move || Fact::Index { region, name, value: value.into() })
}

/// A completion reached the program.
#[inline(always)]
pub fn completion<const N: usize>(
    wr_id: u64,
    status: &'static str,
    attributes: [(&'static str, Value); N],
) -> Draft<'static, impl FnOnce() -> Fact, List<N>> {
    let count = const { count::<N>() };
    with(move || Fact::Completion { wr_id, status, count }, List::of(attributes))
}

/// A place was looked at, a device found, a provider asked.
pub fn discovery(subject: impl Into<Text>, finding: impl Into<Text>, found: bool) -> Kind {
    Kind::Discovery { subject: subject.into(), finding: finding.into(), found }
}

/// Something that no other kind tells.
pub fn note<const N: usize>(text: impl Into<Text>, values: [(&'static str, Value); N]) -> Kind {
    let argument = |(name, value): (&'static str, _)| crate::Argument { name: name.into(), value };
    Kind::Note { text: text.into(), values: values.into_iter().map(argument).collect() }
}

//! One typed constructor for each kind: what a probe's line names. A name is [`Fixed`] where the
//! probe's point has it.
//!
//! Those that return a [`Kind`] tell of what is rare, or has texts that are made at run time.

use super::parts::{Names, Numbers};
use super::values::{List, One, Two, Values};
use super::{Draft, Nesting, Report};
use crate::{Command, Kind, RegionId, Relation, Text, Value};

/// A draft of these.
#[inline(always)]
fn draft<M: Numbers, N: Names, V: Values>(
    numbers: M,
    names: N,
    values: V,
) -> Draft<'static, M, N, V> {
    Draft { nesting: Nesting::Stays, flag: false, numbers, names, values, bytes: &[] }
}

/// A draft of an access to a region.
#[inline(always)]
fn access<N: Names>(region: RegionId, offset: usize, names: N, bytes: &[u8]) -> impl Report {
    let numbers = (region.0, offset as u64, length(bytes));
    Draft { bytes, ..draft(numbers, names, ()) }
}

/// A length as it is written. Nothing that a probe can see is 4 GiB long.
#[inline(always)]
fn length(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}

/// A function was entered.
#[inline(always)]
pub fn call<const N: usize>(
    function: &'static str,
    arguments: [(&'static str, Value); N],
) -> impl Report {
    let (names, values) = unzip(arguments);
    let values = List::<N, true>::of(values);
    Draft { nesting: Nesting::Enters, ..draft((), (function, names), values) }
}

/// The same where the point has the names.
#[inline(always)]
#[doc(hidden)]
pub fn call_of<const N: usize>(values: [Value; N]) -> impl Report {
    Draft { nesting: Nesting::Enters, ..draft((), (), List::<N, false>::of(values)) }
}

/// Names and values.
#[inline(always)]
fn unzip<const N: usize>(arguments: [(&'static str, Value); N]) -> ([&'static str; N], [Value; N]) {
    let names = std::array::from_fn(|at| arguments[at].0);
    (names, arguments.map(|(_, value)| value))
}

/// A function is about to be left with this result.
#[inline(always)]
pub fn returned(function: impl Names, result: impl Into<Value>) -> impl Report {
    Draft { nesting: Nesting::Leaves, ..draft((), function, One::of(result)) }
}

/// A call went through `table.slot` to `target`.
#[inline(always)]
pub fn dispatch(table: impl Names, slot: impl Names, target: &'static str) -> impl Report {
    draft((), (table, slot, target), ())
}

/// `left` was compared with `right`. The relation is always the point's.
#[inline(always)]
pub fn check(
    what: impl Names,
    left: (impl Names, impl Into<Value>),
    _: Relation,
    right: (impl Names, impl Into<Value>),
    holds: bool,
) -> impl Report {
    let values = Two::of(left.1, right.1);
    Draft { flag: holds, ..draft((), (what, left.0, right.0), values) }
}

/// A lock was taken.
#[inline(always)]
pub fn locked(lock: impl Names) -> impl Report {
    draft((), lock, ())
}

/// A lock was given back.
#[inline(always)]
pub fn unlocked(lock: impl Names) -> impl Report {
    draft((), lock, ())
}

/// A region went away.
pub fn unmap(region: RegionId) -> Kind {
    Kind::unmap(region)
}

/// Bytes were stored at `offset` of `region`.
#[inline(always)]
pub fn store(region: RegionId, offset: usize, layout: impl Names, bytes: &[u8]) -> impl Report {
    access(region, offset, layout, bytes)
}

/// Bytes were loaded from `offset` of `region`.
#[inline(always)]
pub fn load(region: RegionId, offset: usize, layout: impl Names, bytes: &[u8]) -> impl Report {
    access(region, offset, layout, bytes)
}

/// A barrier was passed. Its names are always the point's: `barrier(name, instruction)`, with an
/// empty instruction where it only holds the compiler.
#[inline(always)]
pub fn barrier() -> impl Report {
    draft((), (), ())
}

/// A register was written.
#[inline(always)]
pub fn register_write(
    region: RegionId,
    offset: usize,
    register: impl Names,
    layout: impl Names,
    bytes: &[u8],
) -> impl Report {
    access(region, offset, (register, layout), bytes)
}

/// A register was read.
#[inline(always)]
pub fn register_read(
    region: RegionId,
    offset: usize,
    register: impl Names,
    bytes: &[u8],
) -> impl Report {
    access(region, offset, register, bytes)
}

/// The card executed a command.
pub fn command(command: Command) -> Kind {
    Kind::command(command)
}

/// The card moved bytes. The direction is always the point's: `dma(direction, address, why, layout,
/// bytes)`.
#[inline(always)]
pub fn dma(address: u64, why: &'static str, layout: &'static str, bytes: &[u8]) -> impl Report {
    Draft { bytes, ..draft((address, length(bytes)), (why, layout), ()) }
}

/// A packet left a queue pair.
pub fn packet(from: u32, to: u32, name: &'static str, psn: u32, bytes: &[u8]) -> Kind {
    Kind::packet(from, to, name, psn, bytes)
}

/// An object changed its state.
#[inline(always)]
pub fn state(object: impl Names, number: u32, from: &'static str, to: &'static str) -> impl Report {
    draft(number, (object, from, to), ())
}

/// A counter moved.
#[inline(always)]
pub fn index(region: RegionId, name: impl Names, value: u32) -> impl Report {
    draft((region.0, value), name, ())
}

/// A completion reached the program.
#[inline(always)]
pub fn completion<const N: usize>(
    wr_id: u64,
    status: &'static str,
    attributes: [(&'static str, Value); N],
) -> impl Report {
    let (names, values) = unzip(attributes);
    draft(wr_id, (status, names), List::<N, true>::of(values))
}

/// The same where the point has the names.
#[inline(always)]
#[doc(hidden)]
pub fn completion_of<const N: usize>(
    wr_id: u64,
    status: &'static str,
    values: [Value; N],
) -> impl Report {
    draft(wr_id, status, List::<N, false>::of(values))
}

/// A place was looked at, a device found, a provider asked.
pub fn discovery(subject: impl Into<Text>, finding: impl Into<Text>, found: bool) -> Kind {
    Kind::discovery(subject, finding, found)
}

/// Something that no other kind tells.
pub fn note<const N: usize>(text: impl Into<Text>, values: [(&'static str, Value); N]) -> Kind {
    Kind::note(text, values)
}

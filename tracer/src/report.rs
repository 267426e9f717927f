//! What a probe hands on: an event as it is at hand where it happens, not copied yet.
//!
//! A [`Kind`] owns what it tells of, and is as large as the largest event. Making one and moving it
//! would cost more than all else that a recorder does. So a probe makes a [`Report`]: a few numbers,
//! static names, and a view of the bytes. A recorder that keeps events writes it straight into its
//! place; any other is given the [`Kind`] that it stands for.

mod constructors;
mod values;

pub use constructors::*;

use crate::event::Fact;
use crate::probe::{Nesting, Numbered};
use crate::{Actor, Argument, Kind, Site};
use values::Values;

/// What a probe hands on: made by the constructors of this module, which are those of [`Kind`].
pub trait Report: Keep {
    /// The event as readers of a trace know it.
    fn into_kind(self) -> Kind;
}

/// How a report is kept: known to this crate only.
pub trait Keep: Sized {
    /// What it does to the depth of calls.
    fn nesting(&self) -> Nesting;

    /// Writes it down.
    fn keep(self, to: &mut Numbered, actor: Actor, site: &'static Site);
}

/// A report of numbers, static names, bytes that are still where the program has them, and values.
///
/// The fact is a function, so that it comes to be where it is kept: made here and moved there, it
/// would be read as a whole just after it was written in parts, which processors wait for.
pub struct Draft<'a, F, V> {
    fact: F,
    nesting: Nesting,
    /// The bytes that have no room in the fact.
    bytes: &'a [u8],
    values: V,
}

impl<F: FnOnce() -> Fact, V: Values> Report for Draft<'_, F, V> {
    #[inline(never)]
    fn into_kind(self) -> Kind {
        let mut arguments = Vec::with_capacity(V::COUNT);
        self.values.give(&mut |name, value| arguments.push(Argument { name: name.into(), value }));
        (self.fact)().kind(self.bytes, &mut arguments.into_iter())
    }
}

impl<F: FnOnce() -> Fact, V: Values> Keep for Draft<'_, F, V> {
    #[inline(always)]
    fn nesting(&self) -> Nesting {
        self.nesting
    }

    #[inline(always)]
    fn keep(self, to: &mut Numbered, actor: Actor, site: &'static Site) {
        let (fact, beside) = to.line(actor, site, self.nesting, self.bytes.len(), V::COUNT);
        *fact = Some((self.fact)());
        if !self.bytes.is_empty() {
            beside.push_bytes(self.bytes);
        }
        self.values.give(&mut |name, value| beside.push_pair(name, value));
    }
}

impl Report for Kind {
    fn into_kind(self) -> Kind {
        self
    }
}

impl Keep for Kind {
    fn nesting(&self) -> Nesting {
        match self {
            Self::Call { .. } => Nesting::Enters,
            Self::Return { .. } => Nesting::Leaves,
            _ => Nesting::Stays,
        }
    }

    #[inline(never)]
    fn keep(self, to: &mut Numbered, actor: Actor, site: &'static Site) {
        let (_, beside) = to.line(actor, site, self.nesting(), 0, 0);
        beside.push_whole(self);
    }
}

//! The named values of a report, as the probe has them: turned into [`Value`]s where they are kept.

use crate::Value;
use std::mem::ManuallyDrop;

/// A number of named values.
pub trait Values {
    /// How many.
    const COUNT: usize;

    /// Gives each to `take`, in their order.
    fn give(self, take: &mut impl FnMut(&'static str, Value));
}

impl Values for () {
    const COUNT: usize = 0;

    #[inline(always)]
    fn give(self, _: &mut impl FnMut(&'static str, Value)) {}
}

impl<V: Into<Value>> Values for (&'static str, V) {
    const COUNT: usize = 1;

    #[inline(always)]
    fn give(self, take: &mut impl FnMut(&'static str, Value)) {
        take(self.0, self.1.into());
    }
}

impl<L: Into<Value>, R: Into<Value>> Values for ((&'static str, L), (&'static str, R)) {
    const COUNT: usize = 2;

    #[inline(always)]
    fn give(self, take: &mut impl FnMut(&'static str, Value)) {
        self.0.give(take);
        self.1.give(take);
    }
}

/// Any number of them. A text made at run time would be lost, not freed, if a panic came between
/// the making of the report and its keeping: without that care the compiler can keep them in
/// registers.
pub struct List<const N: usize>(ManuallyDrop<[(&'static str, Value); N]>);

impl<const N: usize> List<N> {
    /// These values.
    #[inline(always)]
    pub(super) fn of(values: [(&'static str, Value); N]) -> Self {
        Self(ManuallyDrop::new(values))
    }
}

impl<const N: usize> Values for List<N> {
    const COUNT: usize = N;

    #[inline(always)]
    fn give(self, take: &mut impl FnMut(&'static str, Value)) {
        for (name, value) in ManuallyDrop::into_inner(self.0) {
            take(name, value);
        }
    }
}

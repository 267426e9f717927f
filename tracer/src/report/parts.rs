//! The numbers and names of a report.

use crate::recorder::{Beside, Room};

/// Numbers that are written one after the other.
pub trait Numbers {
    /// Their size in bytes.
    const SIZE: usize;

    /// Writes them.
    fn put(self, room: &mut Room<'_>);
}

impl Numbers for () {
    const SIZE: usize = 0;

    #[inline(always)]
    fn put(self, _: &mut Room<'_>) {}
}

impl Numbers for u32 {
    const SIZE: usize = 4;

    #[inline(always)]
    fn put(self, room: &mut Room<'_>) {
        room.put(self.to_ne_bytes());
    }
}

impl Numbers for u64 {
    const SIZE: usize = 8;

    #[inline(always)]
    fn put(self, room: &mut Room<'_>) {
        room.put(self.to_ne_bytes());
    }
}

impl<A: Numbers, B: Numbers> Numbers for (A, B) {
    const SIZE: usize = A::SIZE + B::SIZE;

    #[inline(always)]
    fn put(self, room: &mut Room<'_>) {
        self.0.put(room);
        self.1.put(room);
    }
}

impl<A: Numbers, B: Numbers, C: Numbers> Numbers for (A, B, C) {
    const SIZE: usize = A::SIZE + B::SIZE + C::SIZE;

    #[inline(always)]
    fn put(self, room: &mut Room<'_>) {
        self.0.put(room);
        self.1.put(room);
        self.2.put(room);
    }
}

/// Names that an event may have to tell.
pub trait Names {
    /// Tells those that are not fixed.
    fn tell(self, beside: &mut Beside);
}

/// A name that the point has.
#[derive(Debug, Clone, Copy)]
pub struct Fixed;

impl Names for Fixed {
    #[inline(always)]
    fn tell(self, _: &mut Beside) {}
}

impl Names for &'static str {
    #[inline(always)]
    fn tell(self, beside: &mut Beside) {
        beside.push_text(self);
    }
}

impl Names for () {
    #[inline(always)]
    fn tell(self, _: &mut Beside) {}
}

impl<A: Names, B: Names> Names for (A, B) {
    #[inline(always)]
    fn tell(self, beside: &mut Beside) {
        self.0.tell(beside);
        self.1.tell(beside);
    }
}

impl<A: Names, B: Names, C: Names> Names for (A, B, C) {
    #[inline(always)]
    fn tell(self, beside: &mut Beside) {
        self.0.tell(beside);
        self.1.tell(beside);
        self.2.tell(beside);
    }
}

impl<const N: usize> Names for [&'static str; N] {
    #[inline(always)]
    fn tell(self, beside: &mut Beside) {
        self.into_iter().for_each(|name| beside.push_text(name));
    }
}

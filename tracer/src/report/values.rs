//! The values of a report, as the probe has them: turned into [`Value`]s where they are kept.

use crate::Value;
use crate::recorder::{Beside, Room, values};
use std::borrow::Cow;
use std::mem::ManuallyDrop;

/// A number of values.
pub trait Values: Sized {
    /// How many.
    const COUNT: usize;

    /// Whether a word in front of them says how many, even if there are none.
    const COUNTED: bool;

    /// Writes each with `to`, in their order.
    fn give(self, to: &mut Writer<'_, '_>);

    /// Their size in bytes.
    const SIZE: usize = {
        assert!(Self::COUNT <= values::MOST, "too many values");
        if Self::COUNTED || Self::COUNT > 0 { size_of::<u32>() + Self::COUNT * 8 } else { 0 }
    };

    /// Writes them, behind a word that says of what kind each is.
    #[inline(always)]
    fn put(self, room: &mut Room<'_>, beside: &mut Beside) {
        if Self::SIZE == 0 {
            return;
        }
        let Some(place) = room.next() else { return };
        let mut writer = Writer { kinds: Self::COUNT as u32, shift: values::COUNT, room, beside };
        self.give(&mut writer);
        *place = writer.kinds.to_ne_bytes();
    }
}

/// Writes values, one after the other. No closure: the compiler would not always put it where it is
/// called, and then all that it knows would be in memory.
pub struct Writer<'a, 'b> {
    /// How many there are, and of what kind each is that was written.
    kinds: u32,
    /// Where the next one's kind goes.
    shift: u32,
    room: &'a mut Room<'b>,
    beside: &'a mut Beside,
}

impl Writer<'_, '_> {
    #[inline(always)]
    fn take(&mut self, value: Value) {
        let (kind, number) = short(value, self.beside);
        self.kinds |= kind << self.shift;
        self.shift += values::KIND;
        self.room.put(number.to_ne_bytes());
    }
}

/// A value's kind and its number; a text stands beside.
#[inline(always)]
fn short(value: Value, beside: &mut Beside) -> (u32, u64) {
    match value {
        Value::Number(number) => (values::NUMBER, number),
        Value::Hex(number) => (values::HEX, number),
        Value::Text(Cow::Borrowed(text)) => {
            beside.push_text(text);
            (values::TEXT, 0)
        }
        Value::Text(Cow::Owned(text)) => {
            beside.push_made(text);
            (values::MADE, 0)
        }
    }
}

impl Values for () {
    const COUNT: usize = 0;
    const COUNTED: bool = false;

    #[inline(always)]
    fn give(self, _: &mut Writer<'_, '_>) {}
}

/// One value.
pub struct One(ManuallyDrop<Value>);

impl One {
    /// This value.
    #[inline(always)]
    pub(super) fn of(value: impl Into<Value>) -> Self {
        Self(ManuallyDrop::new(value.into()))
    }
}

impl Values for One {
    const COUNT: usize = 1;
    const COUNTED: bool = false;

    #[inline(always)]
    fn give(self, to: &mut Writer<'_, '_>) {
        to.take(ManuallyDrop::into_inner(self.0));
    }
}

/// Two values.
pub struct Two(ManuallyDrop<Value>, ManuallyDrop<Value>);

impl Two {
    /// These values.
    #[inline(always)]
    pub(super) fn of(left: impl Into<Value>, right: impl Into<Value>) -> Self {
        Self(ManuallyDrop::new(left.into()), ManuallyDrop::new(right.into()))
    }
}

impl Values for Two {
    const COUNT: usize = 2;
    const COUNTED: bool = false;

    #[inline(always)]
    fn give(self, to: &mut Writer<'_, '_>) {
        to.take(ManuallyDrop::into_inner(self.0));
        to.take(ManuallyDrop::into_inner(self.1));
    }
}

/// Any number of them. A text made at run time would be lost, not freed, if a panic came between
/// the making of the report and its keeping: without that care the compiler can keep them in
/// registers.
pub struct List<const N: usize, const COUNTED: bool>(ManuallyDrop<[Value; N]>);

impl<const N: usize, const COUNTED: bool> List<N, COUNTED> {
    /// These values.
    #[inline(always)]
    pub(super) fn of(values: [Value; N]) -> Self {
        Self(ManuallyDrop::new(values))
    }
}

impl<const N: usize, const COUNTED: bool> Values for List<N, COUNTED> {
    const COUNT: usize = N;
    const COUNTED: bool = COUNTED;

    #[inline(always)]
    fn give(self, to: &mut Writer<'_, '_>) {
        let mut values = self.0;
        for value in values.iter_mut() {
            to.take(std::mem::replace(value, Value::Number(0)));
        }
    }
}

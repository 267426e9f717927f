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

    /// Gives each to `take`, in their order.
    fn give(self, take: &mut impl FnMut(Value));

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
        let (mut kinds, mut shift) = (Self::COUNT as u32, values::COUNT);
        let Some(place) = room.next() else { return };
        self.give(&mut |value| {
            let (kind, number) = short(value, beside);
            kinds |= kind << shift;
            shift += values::KIND;
            room.put(number.to_ne_bytes());
        });
        *place = kinds.to_ne_bytes();
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
    fn give(self, _: &mut impl FnMut(Value)) {}
}

/// One value.
pub struct One<V>(pub(super) V);

impl<V: Into<Value>> Values for One<V> {
    const COUNT: usize = 1;
    const COUNTED: bool = false;

    #[inline(always)]
    fn give(self, take: &mut impl FnMut(Value)) {
        take(self.0.into());
    }
}

/// Two values.
pub struct Two<L, R>(pub(super) L, pub(super) R);

impl<L: Into<Value>, R: Into<Value>> Values for Two<L, R> {
    const COUNT: usize = 2;
    const COUNTED: bool = false;

    #[inline(always)]
    fn give(self, take: &mut impl FnMut(Value)) {
        take(self.0.into());
        take(self.1.into());
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
    fn give(self, take: &mut impl FnMut(Value)) {
        let mut values = self.0;
        for value in values.iter_mut() {
            take(std::mem::replace(value, Value::Number(0)));
        }
    }
}

//! The macros that define layouts, and the helpers that their expansion calls.
//!
//! Structures of the data path are `wire!` types: plain members with the byte order in the type,
//! so that building a segment compiles to shifts and byte swaps. Structures of the command
//! interface are `firmware!` types: there are many odd-sized fields in them and no hurry.

mod codes;
mod firmware;
mod wire;

pub(crate) use codes::codes;
pub(crate) use firmware::{command, firmware};
pub(crate) use wire::wire;

/// The content that a definition gives a field; plain where it gives none.
macro_rules! content {
    () => {
        $crate::layout::Content::Plain
    };
    ($content:ident) => {
        $crate::layout::Content::$content
    };
}
pub(crate) use content;

/// The element that follows behind a structure over and over, if a definition gives one.
macro_rules! tail {
    () => {
        None
    };
    ($name:ident, $width:literal, $content:ident, $meaning:literal) => {
        Some(&$crate::layout::Field {
            name: stringify!($name),
            bit: 0,
            width: $width,
            meaning: $meaning,
            content: $crate::layout::Content::$content,
            values: &[],
        })
    };
}
pub(crate) use tail;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Reads a field that a compile-time check has found to lie inside.
pub(crate) const fn read(bytes: &[u8], bit: u32, width: u32) -> u64 {
    match crate::bits::get_bits(bytes, bit, width) {
        Some(value) => value,
        None => 0,
    }
}

/// The structure at byte `at`, which a compile-time check has found to lie inside.
pub(crate) fn window<T>(bytes: &[u8], at: usize) -> &T
where
    T: FromBytes + Immutable + KnownLayout + Unaligned,
{
    match T::ref_from_prefix(&bytes[at..]) {
        Ok((inner, _)) => inner,
        Err(_) => unreachable!("the inner structure was checked to lie inside"),
    }
}

/// The structure at byte `at`, which a compile-time check has found to lie inside.
pub(crate) fn window_mut<T>(bytes: &mut [u8], at: usize) -> &mut T
where
    T: FromBytes + IntoBytes + KnownLayout + Unaligned,
{
    match T::mut_from_prefix(&mut bytes[at..]) {
        Ok((inner, _)) => inner,
        Err(_) => unreachable!("the inner structure was checked to lie inside"),
    }
}

//! The field table that every layout carries, and the decoder that works from it.
//!
//! A table says for each field where it lies, how wide it is and what it means. Whoever shows
//! bytes to a reader (terminal, book, command decoder) asks the table and nothing else, so that a
//! field has one description in the whole project.

use crate::bits::get_bits;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What sort of thing a field holds: who takes addresses or data out of bytes must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// A number, a flag, a code.
    #[default]
    Plain,
    /// A bus or virtual address: eight bytes, in one field or in two halves side by side. What is
    /// left of the eight bytes below the last half are low bits that an aligned address has not.
    Address,
    /// An address of the network: MAC, IPv4, or GID and IPv6.
    NetworkAddress,
    /// A memory key.
    Key,
    /// Data of the program.
    Payload,
}

/// One field of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The field's name; the same as that of its getter.
    pub name: &'static str,
    /// Where the field begins, in bits; bit 0 is the most significant bit of byte 0.
    pub bit: u32,
    /// How many bits it has. Wider than 64 means an array of bytes.
    pub width: u32,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// What sort of thing it holds.
    pub content: Content,
    /// The names of values that have one; empty when the field is a plain number.
    pub values: &'static [(u64, &'static str)],
}

impl Field {
    /// The first byte that holds a bit of the field.
    pub const fn first_byte(&self) -> usize {
        self.bit as usize / 8
    }

    /// The first byte behind the field.
    pub const fn end_byte(&self) -> usize {
        (self.bit as usize + self.width as usize).div_ceil(8)
    }

    /// The name of `value`, if the field's values have names and this one does.
    pub fn value_name(&self, value: u64) -> Option<&'static str> {
        let named = self.values.iter().find(|(number, _)| *number == value);
        named.map(|(_, name)| *name)
    }
}

/// A structure that lies inside another one.
#[derive(Debug, Clone, Copy)]
pub struct Nested {
    /// The name of the member.
    pub name: &'static str,
    /// Where it begins in the outer structure, in bits. Always a whole byte.
    pub bit: u32,
    /// What lies there.
    pub layout: &'static LayoutInfo,
}

/// Everything there is to know about the shape of one structure.
#[derive(Debug, Clone, Copy)]
pub struct LayoutInfo {
    /// Its name, unique in [`crate::layouts`]. Firmware structures have the name that
    /// `mlx5_ifc.h` gives them, without `mlx5_ifc_` and `_bits`.
    pub name: &'static str,
    /// Its size in bytes, without a variable part at the end.
    pub size: usize,
    /// Where the layout is written down.
    pub source: &'static str,
    /// Its fields, without reserved ones.
    pub fields: &'static [Field],
    /// The structures that lie inside this one.
    pub nested: &'static [Nested],
    /// What follows behind the structure, over and over, where something does: its `bit` is 0, its
    /// `width` that of one element.
    pub tail: Option<&'static Field>,
}

/// A type whose bytes have a field table.
pub trait Layout {
    /// The table.
    const LAYOUT: &'static LayoutInfo;
}

/// What a field held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number of at most 64 bits.
    Number(u64),
    /// An array of bytes.
    Bytes(Vec<u8>),
}

/// One field as found in some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedField {
    /// The field's name, with the names of the structures around it: `qpc.primary_address_path.grh`.
    pub path: String,
    /// Where the field begins in the bytes that were decoded, in bits.
    pub bit: u32,
    /// The field's own table row. Its `bit` counts from the innermost structure.
    pub field: &'static Field,
    /// What it held.
    pub value: Value,
    /// The name of that value, if it has one.
    pub value_name: Option<&'static str>,
}

impl DecodedField {
    /// The address of the network that the field holds, as such addresses are written; `None` for
    /// any other field.
    pub fn network_address(&self) -> Option<String> {
        if self.field.content != Content::NetworkAddress {
            return None;
        }
        match (&self.value, self.field.width) {
            (Value::Number(number), 48) => {
                let [_, _, bytes @ ..] = number.to_be_bytes();
                Some(bytes.map(|byte| format!("{byte:02x}")).join(":"))
            }
            (Value::Number(number), 32) => {
                Some(Ipv4Addr::from_bits(u32::try_from(*number).ok()?).to_string())
            }
            (Value::Bytes(bytes), 128) => {
                Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).to_string())
            }
            _ => None,
        }
    }
}

impl LayoutInfo {
    /// Reads every field that lies wholly inside `bytes`, in the order in which they lie there.
    ///
    /// Bytes behind the structure are ignored; of a structure that was cut short the fields that
    /// are whole are answered.
    pub fn decode(&'static self, bytes: &[u8]) -> Vec<DecodedField> {
        let mut found = Vec::new();
        self.decode_into(bytes, "", 0, &mut found);
        found.sort_by_key(|decoded| decoded.bit);
        found
    }

    fn decode_into(
        &'static self,
        bytes: &[u8],
        path: &str,
        base: u32,
        out: &mut Vec<DecodedField>,
    ) {
        for field in self.fields {
            if let Some(value) = field.read(bytes, base) {
                let value_name = match value {
                    Value::Number(number) => field.value_name(number),
                    Value::Bytes(_) => None,
                };
                out.push(DecodedField {
                    path: format!("{path}{}", field.name),
                    bit: base + field.bit,
                    field,
                    value,
                    value_name,
                });
            }
        }
        for inner in self.nested {
            let path = format!("{path}{}.", inner.name);
            inner.layout.decode_into(bytes, &path, base + inner.bit, out);
        }
    }

    /// The field with this name; inner structures are reached with dots.
    pub fn field(&self, path: &str) -> Option<&'static Field> {
        if let Some(field) = self.fields.iter().find(|field| field.name == path) {
            return Some(field);
        }
        let (outer, rest) = path.split_once('.')?;
        let inner = self.nested.iter().find(|inner| inner.name == outer)?;
        inner.layout.field(rest)
    }

    /// The first field that has a bit in byte `byte`, inner structures included.
    pub fn field_at(&self, byte: usize) -> Option<&'static Field> {
        let holds = |field: &&Field| field.first_byte() <= byte && byte < field.end_byte();
        self.fields.iter().find(holds).or_else(|| {
            let inner = self.nested.iter().find(|inner| inner.holds(byte))?;
            inner.layout.field_at(byte - inner.bit as usize / 8)
        })
    }

    /// What sort of thing the byte at `byte` belongs to, be it in the structure or behind it. A byte
    /// that no field has a bit of is plain.
    pub fn content_at(&self, byte: usize) -> Content {
        let field = if byte < self.size { self.field_at(byte) } else { self.tail };
        field.map_or(Content::Plain, |field| field.content)
    }
}

impl Nested {
    fn holds(&self, byte: usize) -> bool {
        let first = self.bit as usize / 8;
        first <= byte && byte < first + self.layout.size
    }
}

impl Field {
    /// What the field holds in `bytes`, the structure of which begins at bit `base`.
    fn read(&self, bytes: &[u8], base: u32) -> Option<Value> {
        let bit = base + self.bit;
        if self.width <= 64 {
            return get_bits(bytes, bit, self.width).map(Value::Number);
        }
        let first = bit as usize / 8;
        let end = first + self.width as usize / 8;
        bytes.get(first..end).map(|found| Value::Bytes(found.to_vec()))
    }
}

/// Compile-time proof that a table is sound: every field lies inside the structure, none overlaps
/// another, and arrays are whole bytes. Used by the macros that define layouts.
pub(crate) const fn assert_sound(fields: &[Field], nested: &[Nested], size: usize) {
    let mut i = 0;
    while i < fields.len() {
        let (bit, width) = (fields[i].bit, fields[i].width);
        assert!(width > 0 && (bit + width) as usize <= size * 8, "a field lies outside");
        assert!(width <= 64 || (bit % 8 == 0 && width % 8 == 0), "an array is not whole bytes");
        let mut j = i + 1;
        while j < fields.len() {
            assert!(apart(bit, width, fields[j].bit, fields[j].width), "two fields overlap");
            j += 1;
        }
        let mut j = 0;
        while j < nested.len() {
            let inner = nested[j].layout.size as u32 * 8;
            assert!(apart(bit, width, nested[j].bit, inner), "a field overlaps an inner structure");
            j += 1;
        }
        i += 1;
    }
    let mut i = 0;
    while i < nested.len() {
        let (bit, width) = (nested[i].bit, nested[i].layout.size as u32 * 8);
        assert!(
            bit % 8 == 0 && (bit + width) as usize <= size * 8,
            "an inner structure lies outside"
        );
        let mut j = i + 1;
        while j < nested.len() {
            let other = nested[j].layout.size as u32 * 8;
            assert!(apart(bit, width, nested[j].bit, other), "two inner structures overlap");
            j += 1;
        }
        i += 1;
    }
}

const fn apart(bit: u32, width: u32, other_bit: u32, other_width: u32) -> bool {
    bit + width <= other_bit || other_bit + other_width <= bit
}

/// Shows the fields that are not zero; what `Debug` of every layout type prints.
pub(crate) fn debug(
    info: &'static LayoutInfo,
    bytes: &[u8],
    to: &mut std::fmt::Formatter<'_>,
) -> std::fmt::Result {
    let mut shown = to.debug_struct(info.name);
    for decoded in info.decode(bytes) {
        match (&decoded.value, decoded.value_name) {
            (Value::Number(0), None) => {}
            (Value::Number(_), Some(name)) => drop(shown.field(&decoded.path, &name)),
            (Value::Number(number), None) => {
                shown.field(&decoded.path, &format_args!("{number:#x}"));
            }
            (Value::Bytes(found), _) => drop(shown.field(&decoded.path, found)),
        }
    }
    shown.finish_non_exhaustive()
}

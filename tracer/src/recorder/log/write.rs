//! The kinds of events as words and names.

use super::Log;
use crate::event::Text;
use crate::{Argument, Kind, RegionId, Value};
use std::borrow::Cow;

impl Log {
    /// Writes an event's kind; false if it is one that is kept as it is, and then what was written
    /// must be taken back. [`Reader`](super::Reader) reads the same in the same order.
    #[inline]
    pub(super) fn push_body(&mut self, kind: &Kind) -> bool {
        match kind {
            Kind::Store { region, offset, layout, bytes }
            | Kind::Load { region, offset, layout, bytes } => {
                self.place(*region, *offset, bytes) && self.name(layout)
            }
            Kind::Check { what, left, relation, right, holds } => {
                self.words.push(*relation as u64 | u64::from(*holds) << 8);
                self.name(what) && self.argument(left) && self.argument(right)
            }
            Kind::Call { function, arguments } => self.name(function) && self.arguments(arguments),
            Kind::Return { function, result } => self.name(function) && self.value(result),
            Kind::Dispatch { table, slot, target } => {
                self.name(table) && self.name(slot) && self.name(target)
            }
            Kind::Lock { lock, action } => {
                self.words.push(*action as u64);
                self.name(lock)
            }
            Kind::Barrier { name, instruction } => self.name(name) && self.name(instruction),
            Kind::RegisterWrite { region, offset, register, layout, bytes } => {
                self.place(*region, *offset, bytes) && self.name(register) && self.name(layout)
            }
            Kind::RegisterRead { region, offset, register, bytes } => {
                self.place(*region, *offset, bytes) && self.name(register)
            }
            Kind::Dma { direction, address, why, layout, bytes } => {
                let direction = RegionId(*direction as u32);
                self.place(direction, *address, bytes) && self.name(why) && self.name(layout)
            }
            Kind::Index { region, name, value } => {
                self.words.extend([u64::from(region.0), *value]);
                self.name(name)
            }
            Kind::Completion { wr_id, status, attributes } => {
                self.words.push(*wr_id);
                self.name(status) && self.arguments(attributes)
            }
            _ => false,
        }
    }

    /// A place and the bytes there: one word of region and length, one of the offset, and the bytes
    /// in words, the last one filled up with zeros.
    #[inline]
    fn place(&mut self, region: RegionId, offset: u64, bytes: &[u8]) -> bool {
        let Ok(length) = u32::try_from(bytes.len()) else {
            return false;
        };
        let first = u64::from(region.0) | u64::from(length) << 32;
        let (whole, rest) = bytes.as_chunks::<8>();
        self.words.extend([first, offset]);
        self.words.extend(whole.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.words.push(u64::from_le_bytes(last));
        }
        true
    }

    /// A name; false if it was made at run time.
    #[inline]
    fn name(&mut self, text: &Text) -> bool {
        match text {
            Cow::Borrowed(name) => {
                self.names.push(name);
                true
            }
            Cow::Owned(_) => false,
        }
    }

    /// A value: what it is, and its number or name.
    #[inline]
    fn value(&mut self, value: &Value) -> bool {
        match value {
            Value::Number(number) => self.words.extend([0, *number]),
            Value::Hex(number) => self.words.extend([1, *number]),
            Value::Text(text) => {
                self.words.push(2);
                return self.name(text);
            }
        }
        true
    }

    #[inline]
    fn argument(&mut self, argument: &Argument) -> bool {
        self.name(&argument.name) && self.value(&argument.value)
    }

    #[inline]
    fn arguments(&mut self, arguments: &[Argument]) -> bool {
        self.words.push(arguments.len() as u64);
        arguments.iter().all(|argument| self.argument(argument))
    }
}

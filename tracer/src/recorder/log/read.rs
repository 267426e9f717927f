//! What is written in a chunk, and what stands beside it, as events again.

use super::beside::Owned;
use super::{Log, Record};
use crate::point::{Name, Names};
use crate::recorder::head::{Depths, Head};
use crate::{Argument, Arguments, Bytes, Form, Kind, Point, RegionId, Site, Text, Value};
use std::iter::Copied;
use std::slice::Iter;
use std::vec::IntoIter;

/// Reads a log from its beginning.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    texts: Copied<Iter<'a, &'static str>>,
    sites: Copied<Iter<'a, &'static Site>>,
    whole: IntoIter<Kind>,
    records: IntoIter<Record>,
    made: IntoIter<String>,
    timed: bool,
    depths: Depths,
    /// The number of the next event.
    next: u64,
    /// Events that are left.
    left: usize,
}

/// How the values of an event are written: a word says how many they are and of what kind each is,
/// then each has eight bytes.
pub(crate) mod values {
    /// Bits of the number of values.
    pub(crate) const COUNT: u32 = 4;
    /// Bits of a value's kind.
    pub(crate) const KIND: u32 = 2;
    /// The most values that an event has.
    pub(crate) const MOST: usize = 14;
    pub(crate) const NUMBER: u32 = 0;
    pub(crate) const HEX: u32 = 1;
    /// The next of the texts beside.
    pub(crate) const TEXT: u32 = 2;
    /// The next of the texts made at run time.
    pub(crate) const MADE: u32 = 3;
}

impl<'a> Reader<'a> {
    /// A reader of the log and of what was owned by it, or is a copy of that.
    pub(super) fn new(log: &'a Log, owned: Owned) -> Self {
        Self {
            bytes: log.bytes.get(..log.at).unwrap_or_default(),
            texts: log.beside.texts.iter().copied(),
            sites: log.beside.sites.iter().copied(),
            whole: owned.whole.into_iter(),
            records: owned.records.into_iter(),
            made: owned.made.into_iter(),
            timed: log.timed,
            depths: log.depths,
            next: log.first,
            left: log.events,
        }
    }

    /// The next bytes.
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn double(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }

    /// As many bytes as the next word says.
    fn counted_bytes(&mut self, length: u32) -> Option<Bytes> {
        let (bytes, rest) = self.bytes.split_at_checked(length as usize)?;
        self.bytes = rest;
        Some(Bytes::new(bytes))
    }

    /// A name: that of the point, or the next that was told.
    fn name(&mut self, name: Name) -> Option<Text> {
        name.or_else(|| self.texts.next()).map(Text::from)
    }

    /// Values, with their names.
    fn arguments(&mut self, names: &[&'static str]) -> Option<Arguments> {
        let word = self.word()?;
        let told = if names.is_empty() { word & ((1 << values::COUNT) - 1) } else { 0 };
        let told: Vec<_> = self.texts.by_ref().take(told as usize).collect();
        let names = if names.is_empty() { &told } else { names };
        let argument = |(at, name): (usize, &&'static str)| {
            let kind = word >> (values::COUNT + values::KIND * at as u32);
            let name = Text::from(*name);
            self.value(kind).map(|value| Argument { name, value })
        };
        names.iter().enumerate().map(argument).collect()
    }

    /// One value of that kind.
    fn value(&mut self, kind: u32) -> Option<Value> {
        let number = self.double()?;
        Some(match kind & ((1 << values::KIND) - 1) {
            values::NUMBER => Value::Number(number),
            values::HEX => Value::Hex(number),
            values::TEXT => Value::Text(self.texts.next()?.into()),
            _ => Value::Text(self.made.next()?.into()),
        })
    }

    /// Region, offset, and bytes.
    fn access(&mut self) -> Option<(RegionId, u64, Bytes)> {
        let (region, offset, length) = (RegionId(self.word()?), self.double()?, self.word()?);
        Some((region, offset, self.counted_bytes(length)?))
    }

    /// What an event of this form is.
    fn kind(&mut self, form: Form, flag: bool) -> Option<Kind> {
        Some(match form {
            Form::Call { function, names } => {
                let function = self.name(function)?;
                Kind::Call { function, arguments: self.named(names)? }
            }
            Form::Return { function } => {
                let function = self.name(function)?;
                Kind::Return { function, result: self.arguments(&[""])?.pop()?.value }
            }
            Form::Dispatch { table, slot } => Kind::Dispatch {
                table: self.name(table)?,
                slot: self.name(slot)?,
                target: self.name(None)?,
            },
            Form::Check { what, left, relation, right } => {
                let names = [self.name(what)?, self.name(left)?, self.name(right)?];
                let [what, left, right] = names;
                let mut values = self.arguments(&["", ""])?;
                let (other, one) = (values.pop()?.value, values.pop()?.value);
                Kind::Check {
                    what,
                    left: Argument { name: left, value: one },
                    relation,
                    right: Argument { name: right, value: other },
                    holds: flag,
                }
            }
            Form::Lock { lock, action } => Kind::Lock { lock: self.name(lock)?, action },
            Form::Store { layout } => {
                let (layout, (region, offset, bytes)) = (self.name(layout)?, self.access()?);
                Kind::Store { region, offset, layout, bytes }
            }
            Form::Load { layout } => {
                let (layout, (region, offset, bytes)) = (self.name(layout)?, self.access()?);
                Kind::Load { region, offset, layout, bytes }
            }
            Form::Barrier { name, instruction } => {
                Kind::Barrier { name: self.name(name)?, instruction: self.name(instruction)? }
            }
            Form::RegisterWrite { register, layout } => {
                let (register, layout) = (self.name(register)?, self.name(layout)?);
                let (region, offset, bytes) = self.access()?;
                Kind::RegisterWrite { region, offset, register, layout, bytes }
            }
            Form::RegisterRead { register } => {
                let (register, (region, offset, bytes)) = (self.name(register)?, self.access()?);
                Kind::RegisterRead { region, offset, register, bytes }
            }
            Form::Dma { direction, why, layout } => {
                let (why, layout) = (self.name(why)?, self.name(layout)?);
                let (address, length) = (self.double()?, self.word()?);
                let bytes = self.counted_bytes(length)?;
                Kind::Dma { direction, address, why, layout, bytes }
            }
            Form::State { object } => Kind::State {
                object: self.name(object)?,
                from: self.name(None)?,
                to: self.name(None)?,
                number: self.word()?,
            },
            Form::Index { name } => Kind::Index {
                name: self.name(name)?,
                region: RegionId(self.word()?),
                value: self.word()?.into(),
            },
            Form::Completion { names } => {
                let (wr_id, status) = (self.double()?, self.name(None)?);
                Kind::Completion { wr_id, status, attributes: self.named(names)? }
            }
            Form::Whole | Form::Recorded | Form::Forgotten => self.whole.next()?,
        })
    }

    /// Values of a list: there is nothing at all where the point says that it is empty.
    fn named(&mut self, names: Names) -> Option<Arguments> {
        match names {
            Some([]) => Some(Arguments::new()),
            names => self.arguments(names.unwrap_or_default()),
        }
    }

    /// The next event, if there is one.
    fn read(&mut self) -> Option<Record> {
        let number = self.next;
        self.next = number.wrapping_add(1);
        loop {
            let time = if self.timed { self.double()? } else { number };
            let head = Head::of_bytes(self.take()?);
            let point = Point::numbered(head.point())?;
            let site = match point.form {
                Form::Forgotten => {
                    self.depths = Depths::default();
                    continue;
                }
                Form::Recorded => return self.records.next(),
                _ => point.site.or_else(|| self.sites.next())?,
            };
            let kind = self.kind(point.form, head.flag())?;
            let depth = match kind {
                Kind::Call { .. } => self.depths.enter(head.actor()),
                Kind::Return { .. } => self.depths.leave(head.actor()),
                _ => *self.depths.of(head.actor()),
            };
            let actor = head.actor().actor();
            return Some(Record { sequence: number, time, actor, depth, site, kind });
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.left = self.left.checked_sub(1)?;
        self.read()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

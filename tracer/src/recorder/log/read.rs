//! Words and names as events again.

use super::{CARD, Head, Log, REST, Record, SEQUENCE, TIME};
use crate::event::Text;
use crate::{
    Actor, Argument, Arguments, Bytes, Direction, Kind, LockAction, RegionId, Relation, Site, Value,
};
use std::borrow::Cow;
use std::iter::Copied;
use std::slice::Iter;

/// The relations, by their number.
const RELATIONS: [Relation; 6] = [
    Relation::Equal,
    Relation::NotEqual,
    Relation::Less,
    Relation::LessOrEqual,
    Relation::Greater,
    Relation::GreaterOrEqual,
];

/// Reads a log from its beginning.
pub(super) struct Reader<'a, R> {
    words: Copied<Iter<'a, u64>>,
    names: Copied<Iter<'a, &'static str>>,
    sites: Copied<Iter<'a, &'static Site>>,
    rest: R,
    next: u64,
}

impl<'a, R: Iterator<Item = Kind>> Reader<'a, R> {
    /// A reader of the log, whose events that were kept as they are come from `rest`.
    pub(super) fn new(log: &'a Log, rest: R) -> Self {
        Self {
            words: log.words.iter().copied(),
            names: log.names.iter().copied(),
            sites: log.sites.iter().copied(),
            rest,
            next: log.first,
        }
    }

    /// Reads a kind of this code, as it was written.
    fn body(&mut self, code: u64) -> Option<Kind> {
        if code == REST {
            return self.rest.next();
        }
        Some(match *Kind::NAMES.get(usize::try_from(code).ok()?)? {
            "store" => {
                let (region, offset, bytes) = self.place()?;
                Kind::Store { region: RegionId(region), offset, layout: self.name()?, bytes }
            }
            "load" => {
                let (region, offset, bytes) = self.place()?;
                Kind::Load { region: RegionId(region), offset, layout: self.name()?, bytes }
            }
            "check" => self.check()?,
            "call" => Kind::Call { function: self.name()?, arguments: self.arguments()? },
            "return" => Kind::Return { function: self.name()?, result: self.value()? },
            "dispatch" => {
                Kind::Dispatch { table: self.name()?, slot: self.name()?, target: self.name()? }
            }
            "lock" => {
                let taken = self.words.next()? == LockAction::Acquired as u64;
                let (yes, no) = (LockAction::Acquired, LockAction::Released);
                Kind::Lock { lock: self.name()?, action: if taken { yes } else { no } }
            }
            "barrier" => Kind::Barrier { name: self.name()?, instruction: self.name()? },
            "register_write" => {
                let (region, offset, bytes) = self.place()?;
                Kind::RegisterWrite {
                    region: RegionId(region),
                    offset,
                    register: self.name()?,
                    layout: self.name()?,
                    bytes,
                }
            }
            "register_read" => {
                let (region, offset, bytes) = self.place()?;
                Kind::RegisterRead {
                    region: RegionId(region),
                    offset,
                    register: self.name()?,
                    bytes,
                }
            }
            "dma" => self.dma()?,
            "index" => Kind::Index {
                region: RegionId(u32::try_from(self.words.next()?).ok()?),
                value: self.words.next()?,
                name: self.name()?,
            },
            "completion" => Kind::Completion {
                wr_id: self.words.next()?,
                status: self.name()?,
                attributes: self.arguments()?,
            },
            _ => return None,
        })
    }

    fn check(&mut self) -> Option<Kind> {
        let word = self.words.next()?;
        Some(Kind::Check {
            what: self.name()?,
            left: self.argument()?,
            relation: *RELATIONS.get(usize::from(word as u8))?,
            right: self.argument()?,
            holds: word >> 8 != 0,
        })
    }

    fn dma(&mut self) -> Option<Kind> {
        let (direction, address, bytes) = self.place()?;
        Some(Kind::Dma {
            direction: match direction == Direction::Read as u32 {
                true => Direction::Read,
                false => Direction::Write,
            },
            address,
            why: self.name()?,
            layout: self.name()?,
            bytes,
        })
    }

    /// A region's number, an offset in it, and the bytes there.
    fn place(&mut self) -> Option<(u32, u64, Bytes)> {
        let first = self.words.next()?;
        let offset = self.words.next()?;
        let length = usize::try_from(first >> 32).ok()?;
        let words = self.words.by_ref().take(length.div_ceil(8));
        let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        bytes.truncate(length);
        Some((first as u32, offset, Bytes::new(&bytes)))
    }

    fn name(&mut self) -> Option<Text> {
        self.names.next().map(Cow::Borrowed)
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.words.next()? {
            0 => Value::Number(self.words.next()?),
            1 => Value::Hex(self.words.next()?),
            _ => Value::Text(self.name()?),
        })
    }

    fn argument(&mut self) -> Option<Argument> {
        Some(Argument { name: self.name()?, value: self.value()? })
    }

    fn arguments(&mut self) -> Option<Arguments> {
        let count = self.words.next()?;
        (0..count).map(|_| self.argument()).collect()
    }
}

impl<R: Iterator<Item = Kind>> Iterator for Reader<'_, R> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let word = self.words.next()?;
        let sequence = match word & SEQUENCE {
            0 => self.next,
            _ => self.words.next()?,
        };
        let time = match word & TIME {
            0 => sequence,
            _ => self.words.next()?,
        };
        self.next = sequence.wrapping_add(1);
        let head = Head {
            sequence,
            time,
            actor: match word & CARD {
                0 => Actor::Cpu((word >> 8) as u8),
                _ => Actor::Card,
            },
            depth: (word >> 16) as u16,
            site: self.sites.next()?,
        };
        Some(head.with(self.body(word & REST)?))
    }
}

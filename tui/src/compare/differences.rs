//! What differs between two steps that belong together.

use super::class::{Class, Classes, Mark};
use super::rename::Renames;
use super::step::Step;
use super::values::{Content, Item, values};
use doorbell_examples::words::{Places, region_title};
use doorbell_tracer::{Kind, RegionId};
use std::collections::HashMap;

/// A value that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, as `control_segment.fence_mode`.
    pub name: String,
    /// What it is in A; nothing if A's step has no such value.
    pub a: Option<String>,
    /// What it is in B.
    pub b: Option<String>,
    /// What sort of value it is.
    pub class: Option<Class>,
    /// Why it counts although its class is ignored.
    pub why: Option<String>,
}

/// Bytes of data that a difference shows.
const SHOWN: usize = 8;

/// Compares steps that belong together, in their order.
#[derive(Debug)]
pub(super) struct Judge {
    ignored: Classes,
    renames: Renames,
    /// Whether both traces have a clock that tells times.
    times: bool,
}

impl Judge {
    pub(super) fn new(ignored: Classes, times: bool) -> Self {
        Self { ignored, renames: Renames::default(), times }
    }

    /// The differences that count.
    pub(super) fn differences(&mut self, a: Step<'_>, b: Step<'_>) -> Vec<Difference> {
        let mut found = Vec::new();
        if self.times && a.event.time != b.event.time && !self.ignored.contains(Class::Times) {
            found.push(time(a.event.time, b.event.time));
        }
        let commands = matches!(a.event.kind, Kind::Command(_) | Kind::Map(_));
        if !self.learns(&a.event.kind) && same_at_a_glance(a, b) {
            return found;
        }
        let mut others = by_name(values(b));
        let ones = values(a);
        let mut gone = Vec::new();
        for one in ones {
            let other = others.remove(&one.name).map(|(_, item)| item);
            let Some(other) = other else {
                found.extend(self.alone(one, Side::A));
                continue;
            };
            if commands && is_name(&one) {
                gone.push((one.clone(), other.clone()));
            }
            found.extend(self.pair(one, other, (a, b)));
        }
        let mut rest: Vec<_> = others.into_values().collect();
        rest.sort_by_key(|(place, _)| *place);
        found.extend(rest.into_iter().filter_map(|(_, item)| self.alone(item, Side::B)));
        if let Kind::Command(command) = &a.event.kind
            && gives_back(&command.name)
        {
            self.forget(gone);
        }
        found
    }

    /// Whether names must be taken note of also where all is the same.
    fn learns(&self, kind: &Kind) -> bool {
        let names = [Class::Qpn, Class::Keys, Class::Addresses];
        names.iter().any(|class| self.ignored.contains(*class))
            && matches!(
                kind,
                Kind::Call { .. } | Kind::Return { .. } | Kind::Command(_) | Kind::Map(_)
            )
    }

    /// A value that one side has alone.
    fn alone(&self, item: Item, side: Side) -> Option<Difference> {
        let class = item.mark.map(|mark| mark.class);
        if class.is_some_and(|class| self.ignored.contains(class)) {
            return None;
        }
        let text = Some(text(&item.held));
        let (a, b) = if side == Side::A { (text, None) } else { (None, text) };
        Some(Difference { name: item.name, a, b, class, why: None })
    }

    /// A value that both have.
    fn pair(&mut self, one: Item, other: Item, at: (Step<'_>, Step<'_>)) -> Option<Difference> {
        let ignored = one.mark.filter(|mark| self.ignored.contains(mark.class));
        let why = match ignored {
            Some(mark) => match self.stands_for(mark, &one.held, &other.held, at) {
                Ok(()) => return None,
                Err(why) => Some(why),
            },
            None if one.held == other.held => return None,
            None => None,
        };
        let (a, b) = texts(&one.held, &other.held);
        let class = one.mark.map(|mark| mark.class);
        Some(Difference { name: one.name, a: Some(a), b: Some(b), class, why })
    }

    /// Whether two values of a class that is ignored can stand for each other.
    fn stands_for(
        &mut self,
        mark: Mark,
        one: &Content,
        other: &Content,
        at: (Step<'_>, Step<'_>),
    ) -> Result<(), String> {
        let Some(space) = mark.space else { return Ok(()) };
        if let (Content::Address(one), Content::Address(other)) = (one, other)
            && let (Some(one), Some(other)) = (place(at.0, *one), place(at.1, *other))
        {
            return if one == other { Ok(()) } else { Err(format!("{one} and {other}")) };
        }
        let (one, other) = (text(one), text(other));
        // Zero stands for nothing, and all ones for anything: neither is a name.
        if one == other && is_no_name(&one) {
            return Ok(());
        }
        self.renames.match_up(space, &one, &other, (at.0.number(), at.1.number()))
    }

    /// Forgets the names of what a command gave back.
    fn forget(&mut self, gone: Vec<(Item, Item)>) {
        for (one, other) in gone {
            if let Some(space) = one.mark.and_then(|mark| mark.space) {
                self.renames.forget(space, &text(&one.held), &text(&other.held));
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    A,
    B,
}

/// Items by their names, with their order. Of several of one name the last is kept.
fn by_name(items: Vec<Item>) -> HashMap<String, (usize, Item)> {
    let numbered = items.into_iter().enumerate();
    numbered.map(|(place, item)| (item.name.clone(), (place, item))).collect()
}

fn is_name(item: &Item) -> bool {
    item.mark.is_some_and(|mark| mark.space.is_some())
}

/// Whether a command's name says that an object ends.
fn gives_back(name: &str) -> bool {
    ["DESTROY_", "DEALLOC_"].iter().any(|start| name.starts_with(start))
}

fn is_no_name(text: &str) -> bool {
    text == "0" || text == "0xffffff" || text == "0xffffffff"
}

/// Whether two steps are the same down to the numbers of their regions, which costs little to see.
fn same_at_a_glance(a: Step<'_>, b: Step<'_>) -> bool {
    let same_region = |region: RegionId| {
        let (one, other) = (a.places(), b.places());
        one.region(region) == other.region(region)
    };
    a.event.kind == b.event.kind
        && match &a.event.kind {
            Kind::Store { region, .. }
            | Kind::Load { region, .. }
            | Kind::Index { region, .. }
            | Kind::Unmap { region }
            | Kind::RegisterRead { region, .. }
            | Kind::RegisterWrite { region, .. } => same_region(*region),
            _ => true,
        }
}

/// The place that an address lies at: the region without its number, and the offset in it.
fn place(step: Step<'_>, address: u64) -> Option<String> {
    let places = step.places();
    let (region, offset) = places.resolve(address, 1)?;
    let region = places.region(region)?;
    let number = format!("{:#x}", region.object);
    let title = region_title(region).replace(&number, "");
    Some(format!("{} + {offset:#x}", title.trim_end()))
}

fn time(a: u64, b: u64) -> Difference {
    Difference {
        name: "time".to_owned(),
        a: Some(format!("{a} ns")),
        b: Some(format!("{b} ns")),
        class: Some(Class::Times),
        why: None,
    }
}

/// A value as text.
fn text(held: &Content) -> String {
    match held {
        Content::Text(text) => text.clone(),
        Content::Address(address) => format!("{address:#x}"),
        Content::Data(bytes) => hex(bytes, 0),
    }
}

/// Two values as text. Of data the first bytes that differ.
fn texts(one: &Content, other: &Content) -> (String, String) {
    let (Content::Data(a), Content::Data(b)) = (one, other) else {
        return (text(one), text(other));
    };
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let sized = |bytes: &[u8]| match a.len() == b.len() {
        true => hex(bytes, same),
        false => format!("{} ({} bytes)", hex(bytes, same), bytes.len()),
    };
    (sized(a), sized(b))
}

/// Some bytes from a place on, in hex.
fn hex(bytes: &[u8], from: usize) -> String {
    let shown = &bytes[from.min(bytes.len())..bytes.len().min(from + SHOWN)];
    let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let before = if from > 0 { format!("from byte {from}: ") } else { String::new() };
    let more = if bytes.len() > from + SHOWN { "..." } else { "" };
    if digits.is_empty() { "no bytes".to_owned() } else { format!("{before}{digits}{more}") }
}

//! Which step of one trace belongs to which of the other.
//!
//! Each step has a signature: who did what, in which function, with which names; not its values
//! and not its number. The two sequences of signatures are aligned as `diff` aligns lines.

use super::step::Step;
use doorbell_tracer::{Actor, Direction, Kind, LockAction};
use imara_diff::{Algorithm, Diff, Token};
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

/// Gives each signature a number.
#[derive(Default)]
pub(super) struct Signatures {
    known: HashMap<Box<str>, u32>,
    text: String,
}

/// The signatures of a trace, by step, and how deep each step is nested.
#[derive(Default)]
pub(super) struct Sequence {
    tokens: Vec<Token>,
    nesting: Vec<u16>,
}

impl Sequence {
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }
}

impl Signatures {
    /// Appends a step. `lines` says whether its line in the source counts.
    pub(super) fn push(&mut self, step: Step<'_>, lines: bool, to: &mut Sequence) {
        self.text.clear();
        // Writing to a string cannot fail.
        let _ = sign(&mut self.text, step, lines);
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let token = match self.known.get(self.text.as_str()) {
            Some(token) => *token,
            None => {
                self.known.insert(self.text.as_str().into(), next);
                next
            }
        };
        to.tokens.push(Token(token));
        let call = matches!(step.event.kind, Kind::Call { .. });
        // A step of the card has no calls around it, and lies within what the program is doing.
        let depth = match step.event.actor {
            Actor::Cpu(_) => step.event.depth.saturating_mul(2),
            Actor::Card => u16::MAX / 2,
        };
        to.nesting.push(depth.saturating_add(u16::from(!call)));
    }
}

/// Writes a step's signature.
fn sign(to: &mut String, step: Step<'_>, lines: bool) -> std::fmt::Result {
    let kind = &step.event.kind;
    match step.event.actor {
        Actor::Cpu(number) => write!(to, "cpu{number}")?,
        Actor::Card => to.push_str("card"),
    }
    write!(to, " {}", kind.name())?;
    if let Some(site) = step.site() {
        write!(to, " {} {}", site.file, site.function)?;
        if lines {
            write!(to, ":{}", site.line)?;
        }
    }
    match kind {
        Kind::Call { function, arguments } => {
            write!(to, " {function}")?;
            arguments.iter().try_for_each(|argument| write!(to, " {}", argument.name))
        }
        Kind::Return { function, .. } => write!(to, " {function}"),
        Kind::Dispatch { table, slot, .. } => write!(to, " {table}.{slot}"),
        Kind::Check { what, left, relation, right, .. } => {
            write!(to, " {what} {} {} {}", left.name, relation.sign(), right.name)
        }
        Kind::Lock { lock, action } => {
            let action = if *action == LockAction::Acquired { "take" } else { "release" };
            write!(to, " {lock} {action}")
        }
        Kind::Map(region) => write!(to, " {:?}", region.role),
        Kind::Unmap { region } | Kind::Index { region, .. } => {
            if let Kind::Index { name, .. } = kind {
                write!(to, " {name}")?;
            }
            role(to, step, *region)
        }
        Kind::Store { region, layout, .. } | Kind::Load { region, layout, .. } => {
            write!(to, " {layout}")?;
            role(to, step, *region)
        }
        Kind::Barrier { name, .. } => write!(to, " {name}"),
        Kind::RegisterWrite { register, layout, .. } => write!(to, " {register} {layout}"),
        Kind::RegisterRead { register, .. } => write!(to, " {register}"),
        Kind::Command(command) => write!(to, " {}", command.name),
        Kind::Dma { direction, why, layout, .. } => {
            let way = if *direction == Direction::Read { "read" } else { "write" };
            write!(to, " {way} {why} {layout}")
        }
        Kind::Packet(packet) => write!(to, " {}", packet.name),
        Kind::State { object, from, .. } => write!(to, " {object} {from}"),
        Kind::Completion { .. } | Kind::Discovery { .. } => Ok(()),
        Kind::Note { text, values } => {
            write!(to, " {text}")?;
            values.iter().try_for_each(|value| write!(to, " {}", value.name))
        }
    }
}

/// What a region is for.
fn role(to: &mut String, step: Step<'_>, region: doorbell_tracer::RegionId) -> std::fmt::Result {
    use doorbell_examples::words::Places;
    let places = step.places();
    match places.region(region) {
        Some(region) => write!(to, " {:?}", region.role),
        None => Ok(()),
    }
}

/// Steps of A that have no counterpart, and steps of B that stand in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    pub(super) a: Range<usize>,
    pub(super) b: Range<usize>,
}

/// Up to so many steps on one side, those left out that both traces begin and end with, the
/// shortest alignment is looked for: its cost grows with the steps times the differences.
pub(super) const MOST_SHORTEST: usize = 10_000;

/// How steps were matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// With as few steps without a counterpart as can be.
    Shortest,
    /// A stretch at a time: some more steps may be without a counterpart.
    Quick,
}

/// Aligns two traces. Between two hunks the steps belong together one by one.
pub(super) fn align(a: &Sequence, b: &Sequence) -> (Vec<Hunk>, Alignment) {
    let how = match middle(&a.tokens, &b.tokens) {
        ..=MOST_SHORTEST => Alignment::Shortest,
        _ => Alignment::Quick,
    };
    let mut hunks = match how {
        Alignment::Shortest => hunks(Algorithm::MyersMinimal, &a.tokens, &b.tokens),
        Alignment::Quick => in_windows(&a.tokens, &b.tokens),
    };
    for at in 0..hunks.len() {
        let before = at.checked_sub(1).map_or((0, 0), |at| (hunks[at].a.end, hunks[at].b.end));
        let next = hunks.get(at + 1);
        let behind = next.map_or((a.len(), b.len()), |next| (next.a.start, next.b.start));
        slide(&mut hunks[at], before, behind, a, b);
    }
    (hunks, how)
}

/// The hunks of an algorithm.
fn hunks(algorithm: Algorithm, a: &[Token], b: &[Token]) -> Vec<Hunk> {
    let mut diff = Diff::default();
    // The number of distinct tokens is for another algorithm.
    diff.compute_with(algorithm, a, b, 0);
    let range = |range: Range<u32>| range.start as usize..range.end as usize;
    diff.hunks().map(|hunk| Hunk { a: range(hunk.before), b: range(hunk.after) }).collect()
}

/// Steps of a window, and of the largest one.
const WINDOW: usize = 1 << 12;
const LARGEST: usize = 1 << 15;

/// So many steps in a row that are the same say that two traces are in step again.
const IN_STEP: usize = 64;

/// Aligns long traces a window at a time. Behind each difference a window is aligned up to where
/// both are in step again, and one that has no such place is made larger, up to a bound.
fn in_windows(a: &[Token], b: &[Token]) -> Vec<Hunk> {
    let mut found: Vec<Hunk> = Vec::new();
    let (mut at_a, mut at_b, mut size) = (0, 0, WINDOW);
    while at_a < a.len() || at_b < b.len() {
        let same = a[at_a..].iter().zip(&b[at_b..]).take_while(|(one, other)| one == other).count();
        (at_a, at_b) = (at_a + same, at_b + same);
        let (end_a, end_b) = (a.len().min(at_a + size), b.len().min(at_b + size));
        let (own, other) = (&a[at_a..end_a], &b[at_b..end_b]);
        let algorithm = if size == WINDOW { Algorithm::MyersMinimal } else { Algorithm::Myers };
        let hunks = hunks(algorithm, own, other);
        let is_last = end_a == a.len() && end_b == b.len();
        let cut = hunks.windows(2).position(|pair| pair[1].a.start - pair[0].a.end >= IN_STEP);
        let taken = match cut {
            _ if is_last => hunks.len(),
            Some(cut) => cut + 1,
            None if size < LARGEST => {
                size *= 2;
                continue;
            }
            None => hunks.len(),
        };
        let next = match hunks.get(taken) {
            Some(next) => (next.a.start, next.b.start),
            None => (own.len(), other.len()),
        };
        for hunk in &hunks[..taken] {
            let moved = |range: &Range<usize>, by| range.start + by..range.end + by;
            push(&mut found, Hunk { a: moved(&hunk.a, at_a), b: moved(&hunk.b, at_b) });
        }
        (at_a, at_b, size) = (at_a + next.0, at_b + next.1, WINDOW);
    }
    found
}

/// Appends a hunk, to the one before if they touch.
fn push(hunks: &mut Vec<Hunk>, hunk: Hunk) {
    match hunks.last_mut() {
        Some(last) if (last.a.end, last.b.end) == (hunk.a.start, hunk.b.start) => {
            (last.a.end, last.b.end) = (hunk.a.end, hunk.b.end);
        }
        _ => hunks.push(hunk),
    }
}

/// Steps of the longer side between the common beginning and the common end.
fn middle(a: &[Token], b: &[Token]) -> usize {
    let same = |(one, other): &(&Token, &Token)| one == other;
    let first = a.iter().zip(b).take_while(same).count();
    let last = a[first..].iter().rev().zip(b[first..].iter().rev()).take_while(same).count();
    a.len().max(b.len()) - first - last
}

/// Moves a hunk of one side, where it can lie in several places, to the one where it is whole: an
/// inserted poll begins at its call, not in the middle of the poll before.
fn slide(
    hunk: &mut Hunk,
    before: (usize, usize),
    behind: (usize, usize),
    a: &Sequence,
    b: &Sequence,
) {
    let (side, own, other, low, high) = match (hunk.a.is_empty(), hunk.b.is_empty()) {
        (false, true) => (a, &hunk.a, &hunk.b, before.0, behind.0),
        (true, false) => (b, &hunk.b, &hunk.a, before.1, behind.1),
        _ => return,
    };
    // A hunk that touches its neighbour would be one with it.
    let up = own.start - low;
    let down = high - own.end;
    let tokens = &side.tokens;
    let up =
        (0..up).take_while(|by| tokens[own.start - by - 1] == tokens[own.end - by - 1]).count();
    let down = (0..down).take_while(|by| tokens[own.start + by] == tokens[own.end + by]).count();
    let first = own.start - up;
    let nesting = |start: &usize| side.nesting[*start];
    let Some(best) = (first..=own.start + down).min_by_key(nesting) else { return };
    let (length, other) = (own.len(), other.start + best - own.start);
    let (own, other) = (best..best + length, other..other);
    *hunk = if hunk.b.is_empty() { Hunk { a: own, b: other } } else { Hunk { a: other, b: own } };
}

#[cfg(test)]
mod tests;

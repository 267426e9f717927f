//! Which steps of a walk are told, and the lines that stand for the others: those before the call
//! of `ibv_post_send`, and the teardown behind the last completion.

use crate::state::opening::{Finder, OPENING};
use doorbell_tracer::{Actor, Event, EventSource, Kind};
use std::io::{self, Write};
use std::ops::Range;

/// How functions are called that give back what was made, in verbs and in firmware commands.
const GIVING_BACK: [&str; 7] =
    ["destroy", "dereg", "dealloc", "close", "free", "teardown", "disable"];

/// The steps from the call of `ibv_post_send` that the run is about to the teardown; without such a call
/// all.
pub fn told(events: &(impl EventSource + ?Sized)) -> Range<usize> {
    let mut finder = Finder::default();
    let opens = |step: &usize| events.get(*step).is_some_and(|event| finder.meets(&event));
    match (0..events.len()).find(opens) {
        Some(first) => first..teardown(events, first),
        None => 0..events.len(),
    }
}

/// The index of the step at which the program begins to give back what it made: the first such
/// call, as deep as the opening one, of those that no completion follows. The number of steps if
/// there is none, or no completion before it.
fn teardown(events: &(impl EventSource + ?Sized), first: usize) -> usize {
    let depth = events.get(first).map_or(0, |event| event.depth);
    let mut begin = events.len();
    for step in (first..events.len()).rev() {
        let Some(event) = events.get(step) else { continue };
        if matches!(event.kind, Kind::Completion { .. }) {
            return begin;
        }
        if gives_back(&event) && event.depth <= depth {
            begin = step;
        }
    }
    events.len()
}

/// Whether an event is a call of the program that gives something back.
fn gives_back(event: &Event) -> bool {
    let Kind::Call { function, .. } = &event.kind else {
        return false;
    };
    let name = function.to_lowercase();
    event.actor != Actor::Card && GIVING_BACK.iter().any(|word| name.contains(word))
}

/// One line for the steps before `first`.
pub fn write_before(
    events: &(impl EventSource + ?Sized),
    first: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let opening = match events.get(first).as_deref().map(|event| &event.kind) {
        Some(Kind::Call { function, .. }) => function.rsplit("::").next().map(str::to_owned),
        _ => None,
    };
    let opening = opening.as_deref().unwrap_or(OPENING);
    writeln!(
        out,
        "{}: {} before the call of {opening} (--all shows them)",
        numbers(events, 0..first),
        steps(first)
    )
}

/// One line for the steps from `begin` on.
pub fn write_after(
    events: &(impl EventSource + ?Sized),
    begin: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all = events.len();
    writeln!(
        out,
        "{}: {} of teardown, which gives back what was made (--all shows them)",
        numbers(events, begin..all),
        steps(all - begin)
    )
}

/// `1 step`, `562 steps`.
fn steps(count: usize) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

/// The numbers of the first and the last step of a range that is not empty.
fn numbers(events: &(impl EventSource + ?Sized), range: Range<usize>) -> String {
    let number = |step: usize| events.get(step).map_or(0, |event| event.sequence);
    format!("{:>5} to {}", number(range.start), number(range.end.saturating_sub(1)))
}

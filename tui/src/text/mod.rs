//! The walk as text: one line a step, its details indented below.

mod details;

use crate::decode::{RegionNames, Regions, actor, carried, essence};
use crate::state::facts::Levels;
use crate::state::session::{OPENING, is_opening};
use crate::state::source::printable;
use doorbell_tracer::file::Brief;
use doorbell_tracer::{Event, EventSource, Header};
use std::io::{self, Write};

/// What is printed of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The steps before the call of `ibv_post_send` too, instead of one line for all of them.
    pub all: bool,
}

/// Prints the walk through `events`.
pub fn print(
    header: &Header,
    events: &(impl EventSource + ?Sized),
    options: Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{} on {}", printable(&header.scenario), printable(&header.device))?;
    let first = if options.all { 0 } else { opening(events) };
    let mut levels = Levels::default();
    let mut regions = Regions::default();
    for step in 0..events.len() {
        let Some(event) = events.get(step) else { break };
        regions.see(&event);
        let level = levels.next(Brief::of(&event)).level;
        if step == first && first > 0 {
            write_folded(events, first, out)?;
        }
        if step >= first {
            write_step(header, &event, level, &regions, out)?;
        }
    }
    Ok(())
}

/// The index of the first call of `ibv_post_send`; 0 if there is none.
fn opening(events: &(impl EventSource + ?Sized)) -> usize {
    let calls = |step: &usize| events.get(*step).is_some_and(|event| is_opening(&event));
    (0..events.len()).find(calls).unwrap_or(0)
}

/// One line for the steps before the opening one.
fn write_folded(
    events: &(impl EventSource + ?Sized),
    first: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let number = |step: usize| events.get(step).map_or(0, |event| event.sequence);
    writeln!(
        out,
        "{:>5} to {}: {first} steps before the call of {OPENING} (--all shows them)",
        number(0),
        number(first - 1)
    )
}

/// A step and its details.
fn write_step(
    header: &Header,
    event: &Event,
    level: u16,
    regions: &impl RegionNames,
    out: &mut dyn Write,
) -> io::Result<()> {
    let site = header.sites.get(event.site as usize);
    let indent = "  ".repeat(usize::from(level.min(12)));
    let place =
        site.map_or_else(String::new, |site| format!("  {}:{}", printable(&site.file), site.line));
    writeln!(
        out,
        "{:>5} {} {indent}{} {}{place}",
        event.sequence,
        actor(event.actor),
        event.kind.name(),
        printable(&essence(&event.kind, regions)),
    )?;
    match carried(event, site, regions) {
        Some(object) => details::write(&object, &format!("{:12}{indent}", ""), out),
        None => Ok(()),
    }
}

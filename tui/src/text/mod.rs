//! The walk as text: one line a step, its details indented below.

mod acts;
mod details;
mod folds;

use crate::decode::{actor, carried, kept};
use crate::state::acts::has_acts;
use crate::state::facts::Levels;
use crate::state::source::printable;
use doorbell_examples::words::{self, Places, Regions};
use doorbell_tracer::file::Brief;
use doorbell_tracer::{Event, EventSource, Header};
use std::io::{self, Write};

/// What is printed of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The steps before the call of `ibv_post_send` and the teardown too, instead of one line for
    /// each of them; of a run in acts every step, instead of its calls.
    pub all: bool,
}

/// Prints the walk through `events`.
pub fn print(
    header: &Header,
    events: &(impl EventSource + ?Sized),
    options: Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let kept = kept(header);
    writeln!(out, "{} on {}{kept}", printable(&header.title()), printable(&header.device))?;
    let first = events.get(0);
    if !options.all && first.is_some_and(|first| has_acts(&first)) {
        return acts::write(events, out);
    }
    let told = if options.all { 0..events.len() } else { folds::told(events) };
    let mut levels = Levels::default();
    let mut regions = Regions::default();
    for step in 0..told.end {
        let Some(event) = events.get(step) else { break };
        regions.see(&event);
        let level = levels.next(Brief::of(&event)).level;
        if step == told.start && step > 0 {
            folds::write_before(events, step, out)?;
        }
        if step >= told.start {
            write_step(header, &event, level, &regions.at(event.sequence), out)?;
        }
    }
    if told.end < events.len() {
        folds::write_after(events, told.end, out)?;
    }
    Ok(())
}

/// A step and its details.
fn write_step(
    header: &Header,
    event: &Event,
    level: u16,
    places: &impl Places,
    out: &mut dyn Write,
) -> io::Result<()> {
    let site = header.sites.get(event.site as usize);
    let indent = "  ".repeat(usize::from(level.min(12)));
    let place =
        site.map_or_else(String::new, |site| format!("  {}:{}", printable(&site.file), site.line));
    writeln!(
        out,
        "{:>5} {} {indent}{}{place}",
        event.sequence,
        actor(event.actor),
        printable(&words::step(&event.kind, places)),
    )?;
    match carried(event, site, places) {
        Some(object) => details::write(&object, &format!("{:12}{indent}", ""), out),
        None => Ok(()),
    }
}

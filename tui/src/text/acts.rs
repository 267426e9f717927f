//! A run in acts, as text: its calls, each on one line with what came of it.

use crate::decode::actor;
use crate::state::source::printable;
use doorbell_examples::words::{self, Regions};
use doorbell_tracer::{Actor, Event, EventSource, Kind, Value};
use std::collections::HashMap;
use std::io::{self, Write};

/// How a call ended: the index of its return, and the result.
type Ends = HashMap<usize, (usize, Value)>;

/// Writes the calls, what was discovered, and the program's notes; a call that has none of these in
/// it says how many steps it hides.
pub fn write(events: &(impl EventSource + ?Sized), out: &mut dyn Write) -> io::Result<()> {
    let (ends, told) = (ends(events), told(events));
    let mut regions = Regions::default();
    for step in 0..events.len() {
        let Some(event) = events.get(step) else { break };
        regions.see(&event);
        if told.binary_search(&step).is_err() {
            continue;
        }
        let indent = "  ".repeat(usize::from(event.depth.min(12)));
        let words = words::step(&event.kind, &regions.at(event.sequence));
        let result = ends.get(&step).map_or_else(String::new, |(_, result)| format!(" = {result}"));
        let hidden = hidden(step, &ends, &told);
        let more = if hidden == 0 { String::new() } else { format!(" (+{hidden} steps)") };
        let line = printable(&format!("{words}{result}{more}"));
        writeln!(out, "{:>5} {} {indent}{line}", event.sequence, actor(event.actor))?;
    }
    writeln!(out, "{} steps in all (--all shows them, with their bytes)", events.len())
}

/// The steps that have a line of their own.
fn told(events: &(impl EventSource + ?Sized)) -> Vec<usize> {
    let is_told = |event: &Event| {
        event.actor != Actor::Card
            && matches!(
                event.kind,
                Kind::Call { .. }
                    | Kind::Discovery { .. }
                    | Kind::Note { .. }
                    | Kind::Completion { .. }
            )
    };
    (0..events.len())
        .filter(|step| events.get(*step).is_some_and(|event| is_told(&event)))
        .collect()
}

/// How each call ended, by its index.
fn ends(events: &(impl EventSource + ?Sized)) -> Ends {
    let (mut open, mut ends) = (Vec::new(), Ends::new());
    for step in 0..events.len() {
        let Some(event) = events.get(step) else { break };
        match &event.kind {
            _ if event.actor == Actor::Card => {}
            Kind::Call { .. } => open.push(step),
            Kind::Return { result, .. } => {
                if let Some(call) = open.pop() {
                    ends.insert(call, (step, result.clone()));
                }
            }
            _ => {}
        }
    }
    ends
}

/// The number of steps within a call, if none of them has a line of its own.
fn hidden(call: usize, ends: &Ends, told: &[usize]) -> usize {
    let Some((end, _)) = ends.get(&call) else { return 0 };
    let next = told.get(told.partition_point(|step| *step <= call));
    if next.is_some_and(|next| next < end) { 0 } else { end - call - 1 }
}

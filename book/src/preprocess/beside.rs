//! `{{#beside SCENARIO left="SELECTOR" right="SELECTOR" head="A, B, C"}}`: what two calls asked for.
//!
//! The two calls have run the same program, and so they called the same verbs in the same order. What
//! differs is what each verb asked for in turn: calls of group `control` that call nothing more.
//! The table has a row for each verb, with what it asked for on either side, each a link to its
//! step. Rows that say the same stand there once. What was asked for outside of verbs, when the
//! program gave back what it had, is the last row.

use crate::error::DirectiveError;
use crate::player;
use crate::walk::{Selector, Walk};
use doorbell_tracer::{Actor, Argument, Event, Group, Kind, Value};
use std::ops::Range;

/// What stands for no request.
const NONE: &str = "nothing";

/// What the last row is called.
const GIVING_BACK: &str = "giving back";

/// One verb of a side and what it asked for.
#[derive(Debug, Clone)]
struct Verb<'w> {
    name: String,
    /// Arguments that are names.
    words: Vec<&'w str>,
    asked: Vec<Request<'w>>,
}

/// One request.
#[derive(Debug, Clone)]
struct Request<'w> {
    place: usize,
    function: &'w str,
    /// The result, if it is a word: an error.
    error: Option<&'w str>,
}

impl Request<'_> {
    /// Whether two requests read the same.
    fn same(&self, other: &Self) -> bool {
        self.function == other.function && self.error == other.error
    }
}

/// The table, and the places of the steps that it links to.
pub(super) fn table(walk: &Walk, words: &[String]) -> Result<(String, Vec<usize>), DirectiveError> {
    let usage = || {
        let how = "write `{{#beside SCENARIO left=\"...\" right=\"...\" head=\"A, B, C\"}}`";
        DirectiveError::Usage(how.to_owned())
    };
    let word = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)).ok_or_else(usage);
    let side = |name| Ok(verbs(walk, call(walk, Selector::parse(word(name)?)?.find(walk)?)));
    let (left, right): (Vec<Verb>, Vec<Verb>) = (side("left=")?, side("right=")?);
    let titles: Vec<&str> = word("head=")?.split(',').map(str::trim).collect();
    if titles.len() != 3 || words.len() != 3 {
        return Err(usage());
    }
    let mut table = format!("\n| {} |\n|---|---|---|\n", titles.join(" | "));
    let (mut rows, mut places): (Vec<[String; 3]>, Vec<usize>) = (Vec::new(), Vec::new());
    for (left, right) in pairs(walk, &left, &right)? {
        // Names that both sides have: the device's, for one, is another.
        let both: Vec<&str> =
            left.words.iter().copied().filter(|word| right.words.contains(word)).collect();
        let label = match both.as_slice() {
            [] => left.name.clone(),
            words => format!("{} ({})", left.name, words.join(", ")),
        };
        let row = [label, functions(&left.asked), functions(&right.asked)];
        if rows.contains(&row) {
            continue;
        }
        let cells = [cell(walk, &left.asked), cell(walk, &right.asked)];
        table.push_str(&format!("| {} | {} | {} |\n", row[0], cells[0], cells[1]));
        places.extend(left.asked.iter().chain(&right.asked).map(|request| request.place));
        rows.push(row);
    }
    table.push('\n');
    Ok((table, places))
}

/// The verbs of both sides, one beside the other.
fn pairs<'a, 'w>(
    walk: &Walk,
    left: &'a [Verb<'w>],
    right: &'a [Verb<'w>],
) -> Result<Vec<(&'a Verb<'w>, &'a Verb<'w>)>, DirectiveError> {
    let name = |verb: Option<&Verb>| verb.map_or_else(|| "the end".to_owned(), |v| v.name.clone());
    let longest = left.len().max(right.len());
    let pair = |place: usize| match (left.get(place), right.get(place)) {
        (Some(left), Some(right)) if left.name == right.name => Ok((left, right)),
        (left, right) => Err(DirectiveError::Apart {
            scenario: walk.trace.header.scenario.clone(),
            left: name(left),
            right: name(right),
        }),
    };
    (0..longest).map(pair).collect()
}

/// The steps within the call at `place`.
fn call(walk: &Walk, place: usize) -> Range<usize> {
    let events = &walk.trace.events;
    let depth = events.get(place).map_or(0, |event| event.depth);
    let ends = |event: &Event| {
        event.actor != Actor::Card
            && event.depth == depth
            && matches!(event.kind, Kind::Return { .. })
    };
    let length = events.iter().skip(place + 1).position(ends).unwrap_or_default();
    place + 1..place + 1 + length
}

/// What a call did: its verbs, and last what it asked for outside of them. A verb that did the same
/// as the one before it is left out: how often a program polls is a matter of time.
fn verbs(walk: &Walk, range: Range<usize>) -> Vec<Verb<'_>> {
    let (mut verbs, mut outside): (Vec<Verb>, Vec<Request>) = (Vec::new(), Vec::new());
    let mut place = range.start;
    while place < range.end {
        let event = &walk.trace.events[place];
        let Kind::Call { function, arguments } = &event.kind else {
            place += 1;
            continue;
        };
        let inside = call(walk, place);
        if function.starts_with("ibv_") {
            let asked = requests(walk, inside.clone());
            let words = arguments.iter().filter_map(word).collect();
            let verb = Verb { name: format!("`{function}`"), words, asked };
            if verbs.last().is_none_or(|last| !repeats(last, &verb)) {
                verbs.push(verb);
            }
        } else {
            outside.extend(requests(walk, place..inside.end));
        }
        place = inside.end + 1;
    }
    if !outside.is_empty() {
        let name = GIVING_BACK.to_owned();
        verbs.push(Verb { name, words: Vec::new(), asked: outside });
    }
    verbs
}

/// Whether a verb did what the one before it did.
fn repeats(last: &Verb<'_>, verb: &Verb<'_>) -> bool {
    let asked = last.asked.iter().zip(&verb.asked);
    last.name == verb.name
        && last.words == verb.words
        && last.asked.len() == verb.asked.len()
        && asked.into_iter().all(|(last, this)| last.same(this))
}

/// An argument that is a name.
fn word(argument: &Argument) -> Option<&str> {
    match &argument.value {
        Value::Text(text) => Some(text),
        Value::Number(_) | Value::Hex(_) => None,
    }
}

/// The requests among some steps: calls of the control path that call nothing more.
fn requests(walk: &Walk, range: Range<usize>) -> Vec<Request<'_>> {
    let request = |place: usize| {
        let event = walk.trace.events.get(place)?;
        let Kind::Call { function, .. } = &event.kind else { return None };
        let is_control = walk.trace.site(event).is_some_and(|site| site.group == Group::Control);
        let inside = call(walk, place);
        let mut steps = inside.clone().filter_map(|step| walk.trace.events.get(step));
        let calls_more = steps.any(|event| matches!(event.kind, Kind::Call { .. }));
        let error = match walk.trace.events.get(inside.end).map(|event| &event.kind) {
            Some(Kind::Return { result: Value::Text(text), .. }) => Some(text.as_ref()),
            _ => None,
        };
        (is_control && !calls_more).then_some(Request { place, function, error })
    };
    range.filter_map(request).collect()
}

/// Requests as a cell: each a link to its step.
fn cell(walk: &Walk, requests: &[Request<'_>]) -> String {
    joined(requests, |request| {
        let step = walk.steps.get(request.place).map_or(0, |step| step.number);
        let id = player::step_id(&walk.trace.header.scenario, step);
        format!("[`{}`](#{id})", request.function)
    })
}

/// Requests without their places.
fn functions(requests: &[Request<'_>]) -> String {
    joined(requests, |request| request.function.to_owned())
}

/// Requests one behind the other, the same one several times as one.
fn joined(requests: &[Request<'_>], write: impl Fn(&Request<'_>) -> String) -> String {
    let runs = requests.chunk_by(Request::same).filter_map(|run| {
        let first = run.first()?;
        let error = first.error.map_or_else(String::new, |error| format!(" ({error})"));
        let times = if run.len() == 1 { String::new() } else { format!(" ×{}", run.len()) };
        Some(write(first) + &error + &times)
    });
    let all: Vec<String> = runs.collect();
    if all.is_empty() { NONE.to_owned() } else { all.join(", ") }
}

//! Finding steps by what they are: how a chapter names a step without typing its number.
//!
//! A selector is a kind of event and any number of conditions: `dma direction=read why~=WQE`.
//! `=` asks for the whole value, `~=` for a part of it. Keys are the members of the event as the
//! trace file spells them (`function`, `layout`, `register`, `name`, ...), and: `arg.NAME` for an
//! argument, `before` and `after` for the states of a change, `sender` and `receiver` for the queue
//! pairs of a packet, `role` and `region.name` for the region, `file`, `line`, `in` (function) and
//! `anchor` for the place in the source, `actor`, `depth`. `nth=2` and `nth=last` choose among
//! the matches; `from="SELECTOR"`, `to="SELECTOR"` (that step included) and `until="SELECTOR"`
//! (that step not included) bound the search.

use super::{Step, Walk};
use crate::error::DirectiveError;
use crate::preprocess::words;
use doorbell_examples::words::region_title;
use doorbell_tracer::{Event, Region, RegionId};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// One event as selectors see it: names and values, all as text.
#[derive(Debug, Clone)]
pub struct View(BTreeMap<String, String>);

impl View {
    /// What selectors see of an event.
    pub(super) fn new(event: &Event, step: &Step, regions: &HashMap<RegionId, Region>) -> Self {
        let mut members = BTreeMap::new();
        if let Ok(serde_json::Value::Object(object)) = serde_json::to_value(event) {
            for (name, value) in object {
                insert(&mut members, &name, &value);
            }
        }
        for (name, shown_as) in
            RENAMED.iter().filter(|row| row.0 == event.kind.name()).map(|row| row.1)
        {
            if let Some(value) = members.remove(name) {
                members.insert(shown_as.to_owned(), value);
            }
        }
        if let Some((number, offset)) = step.place {
            members.insert("offset".to_owned(), offset.to_string());
            if let Some(region) = regions.get(&number) {
                members.insert("region.name".to_owned(), region_title(region));
                if let Ok(serde_json::Value::String(role)) = serde_json::to_value(region.role) {
                    members.insert("role".to_owned(), role);
                }
            }
        }
        members.insert("file".to_owned(), step.file.clone());
        members.insert("line".to_owned(), step.line.to_string());
        members.insert("in".to_owned(), step.function.clone());
        members.insert("what".to_owned(), step.what.clone());
        if let Some(anchor) = &step.anchor {
            members.insert("anchor".to_owned(), anchor.clone());
        }
        if let Some(length) = members.get("bytes").map(|hex| hex.len() / 2) {
            members.insert("length".to_owned(), length.to_string());
        }
        Self(members)
    }

    /// A member's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Members whose names are words of selectors: kind, and name in the event and here.
const RENAMED: [(&str, (&str, &str)); 4] = [
    ("state", ("from", "before")),
    ("state", ("to", "after")),
    ("packet", ("from", "sender")),
    ("packet", ("to", "receiver")),
];

/// Adds one member of the event's JSON; named values become `arg.NAME`.
fn insert(members: &mut BTreeMap<String, String>, name: &str, value: &serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => drop(members.insert(name.to_owned(), text.clone())),
        Value::Number(number) => drop(members.insert(name.to_owned(), number.to_string())),
        Value::Bool(truth) => drop(members.insert(name.to_owned(), truth.to_string())),
        Value::Array(items) => items.iter().for_each(|item| named(members, item)),
        Value::Object(_) if value.get("name").is_some() => named(members, value),
        Value::Object(object) => {
            // A tagged value, as `{"hex": 65}` or the actor's `{"cpu": 0}`.
            if let Some((tag, inner)) = object.iter().next() {
                members.insert(name.to_owned(), tagged(tag, inner));
            }
        }
        Value::Null => {}
    }
}

/// Adds a named value.
fn named(members: &mut BTreeMap<String, String>, item: &serde_json::Value) {
    let name = item.get("name").and_then(serde_json::Value::as_str);
    let value = item.get("value").and_then(serde_json::Value::as_object);
    if let (Some(name), Some((tag, inner))) = (name, value.and_then(|value| value.iter().next())) {
        members.insert(format!("arg.{name}"), tagged(tag, inner));
    }
}

/// A tagged value as text.
fn tagged(tag: &str, inner: &serde_json::Value) -> String {
    match (tag, inner) {
        ("hex", serde_json::Value::Number(number)) => {
            number.as_u64().map_or_else(String::new, |number| format!("{number:#x}"))
        }
        (_, serde_json::Value::String(text)) => text.clone(),
        ("number" | "hex", other) => other.to_string(),
        (tag, other) => format!("{tag} {other}"),
    }
}

/// What a chapter looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    text: String,
    conditions: Vec<Condition>,
    nth: Nth,
    from: Option<Box<Selector>>,
    end: Option<(Box<Selector>, End)>,
}

/// Whether the step that ends a stretch belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Included,
    Excluded,
}

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    key: String,
    value: String,
    part: bool,
}

/// Which match is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nth {
    Number(usize),
    Last,
}

impl Selector {
    /// Reads a selector from words.
    pub fn new<S: AsRef<str>>(words_given: &[S]) -> Result<Self, DirectiveError> {
        let text = words_given.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
        let mut selector =
            Self { text, conditions: Vec::new(), nth: Nth::Number(1), from: None, end: None };
        for word in words_given {
            selector.take(word.as_ref())?;
        }
        Ok(selector)
    }

    /// Reads a selector from one text.
    pub fn parse(text: &str) -> Result<Self, DirectiveError> {
        Self::new(&words(text)?)
    }

    /// Adds what one word says.
    fn take(&mut self, word: &str) -> Result<(), DirectiveError> {
        let (key, value) = word.split_once('=').unwrap_or(("kind", word));
        let (key, part) = key.strip_suffix('~').map_or((key, false), |key| (key, true));
        match key {
            "nth" if value == "last" => self.nth = Nth::Last,
            "nth" => {
                let number = value.parse().ok().filter(|number| *number > 0);
                self.nth = Nth::Number(number.ok_or_else(|| {
                    DirectiveError::Usage(format!("`nth={value}`: write a number from 1, or last"))
                })?);
            }
            "from" => self.from = Some(Box::new(Self::parse(value)?)),
            "to" => self.end = Some((Box::new(Self::parse(value)?), End::Included)),
            "until" => self.end = Some((Box::new(Self::parse(value)?), End::Excluded)),
            _ => self.conditions.push(Condition {
                key: key.to_owned(),
                value: value.to_owned(),
                part,
            }),
        }
        Ok(())
    }

    /// Whether an event is like that.
    fn matches(&self, view: &View) -> bool {
        self.conditions.iter().all(|condition| {
            view.get(&condition.key).is_some_and(|value| {
                if condition.part {
                    value.contains(&condition.value)
                } else {
                    value == condition.value
                }
            })
        })
    }

    /// The steps that the search is bound to, by their place in the walk.
    pub fn range(&self, walk: &Walk) -> Result<Range<usize>, DirectiveError> {
        let first = match &self.from {
            Some(from) => from.find(walk)?,
            None => 0,
        };
        self.range_from(walk, first)
    }

    /// The steps from the one at `first` to where the selector ends its search.
    pub fn range_from(&self, walk: &Walk, first: usize) -> Result<Range<usize>, DirectiveError> {
        let end = match &self.end {
            Some((end, End::Included)) => end.find_in(walk, first..walk.steps.len())? + 1,
            Some((end, End::Excluded)) => end.find_in(walk, first..walk.steps.len())?,
            None => walk.steps.len(),
        };
        Ok(first..end)
    }

    /// The places of all steps that are like that.
    pub fn all(&self, walk: &Walk) -> Result<Vec<usize>, DirectiveError> {
        Ok(self.all_in(walk, self.range(walk)?))
    }

    fn all_in(&self, walk: &Walk, range: Range<usize>) -> Vec<usize> {
        let views = (0..).zip(walk.views());
        views
            .take(range.end)
            .skip(range.start)
            .filter(|(_, view)| self.matches(view))
            .map(|(place, _)| place)
            .collect()
    }

    /// The place of the one step that is meant.
    pub fn find(&self, walk: &Walk) -> Result<usize, DirectiveError> {
        self.find_in(walk, self.range(walk)?)
    }

    fn find_in(&self, walk: &Walk, range: Range<usize>) -> Result<usize, DirectiveError> {
        let found = self.all_in(walk, range);
        let chosen = match self.nth {
            Nth::Last => found.last(),
            Nth::Number(number) => found.get(number - 1),
        };
        chosen.copied().ok_or_else(|| DirectiveError::NoStep {
            scenario: walk.trace.header.scenario.clone(),
            selector: self.text.clone(),
            hint: self.hint(walk, found.len()),
        })
    }

    /// What there is instead, for an error.
    fn hint(&self, walk: &Walk, found: usize) -> String {
        if found > 0 {
            return format!("only {found} are");
        }
        let Some(kind) = self.conditions.iter().find(|condition| condition.key == "kind") else {
            return "begin with a kind of event, as `store` or `dma`".to_owned();
        };
        let of_kind: Vec<&View> = walk
            .views()
            .iter()
            .filter(|view| view.get("kind") == Some(kind.value.as_str()))
            .collect();
        let mut kinds: Vec<&str> =
            walk.views().iter().filter_map(|view| view.get("kind")).collect();
        kinds.sort_unstable();
        kinds.dedup();
        match of_kind.first() {
            None => format!("kinds in this run: {}", kinds.join(", ")),
            Some(view) => format!(
                "of kind {} there are {}, the first of them: {}",
                kind.value,
                of_kind.len(),
                view.get("what").unwrap_or_default()
            ),
        }
    }
}

//! One page: its players, its links to steps, and the data that the players work from.

use super::beside;
use crate::error::DirectiveError;
use crate::player;
use crate::walk::{Selector, Walk};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

/// What a page has shown and promised so far.
#[derive(Default)]
pub(super) struct Page {
    /// Runs on this page, in the order in which they were met.
    shown: Vec<Shown>,
    links: Vec<Link>,
    /// The step that showed an anchor's note in full, by scenario and anchor.
    notes: HashMap<String, String>,
}

/// A run and the stretches of it that this page shows.
struct Shown {
    walk: Rc<Walk>,
    stretches: Vec<Range<usize>>,
}

/// A link to a step.
struct Link {
    line: usize,
    scenario: String,
    place: usize,
    step: u64,
}

impl Page {
    /// A player of the steps between a selector's bounds; with `from=next`, from where the page's
    /// last player of the run ended.
    pub(super) fn player(
        &mut self,
        walk: Rc<Walk>,
        words: &[String],
    ) -> Result<String, DirectiveError> {
        let (next, words): (Vec<&String>, Vec<&String>) =
            words.iter().partition(|word| *word == "from=next");
        let bounds = Selector::new(&words)?;
        let stretch = if next.is_empty() {
            bounds.range(&walk)?
        } else {
            bounds.range_from(&walk, self.end_of_last(&walk))?
        };
        let scenario = &walk.trace.header.scenario;
        let shown = match self.shown.iter_mut().find(|shown| Rc::ptr_eq(&shown.walk, &walk)) {
            Some(shown) => shown,
            None => self.shown.push_mut(Shown { walk: Rc::clone(&walk), stretches: Vec::new() }),
        };
        let overlaps =
            |other: &Range<usize>| other.start < stretch.end && stretch.start < other.end;
        if shown.stretches.iter().any(overlaps) {
            let number = |place: usize| walk.steps.get(place).map_or(0, |step| step.number);
            return Err(DirectiveError::Overlap {
                scenario: scenario.clone(),
                first: number(stretch.start),
                last: number(stretch.end.saturating_sub(1)),
            });
        }
        shown.stretches.push(stretch.clone());
        Ok(player::print(&walk, stretch, &mut self.notes))
    }

    /// The step behind the last one that the page shows of a run.
    fn end_of_last(&self, walk: &Rc<Walk>) -> usize {
        let shown = self.shown.iter().find(|shown| Rc::ptr_eq(&shown.walk, walk));
        let stretches = shown.map(|shown| shown.stretches.as_slice()).unwrap_or_default();
        stretches.iter().map(|stretch| stretch.end).max().unwrap_or_default()
    }

    /// A link to the step that a selector finds.
    pub(super) fn link(
        &mut self,
        walk: &Walk,
        words: &[String],
        line: usize,
    ) -> Result<String, DirectiveError> {
        let (labels, rest): (Vec<&String>, Vec<&String>) =
            words.iter().partition(|word| word.starts_with("label="));
        let place = Selector::new(&rest)?.find(walk)?;
        let step = walk.steps.get(place).map_or(0, |step| step.number);
        let scenario = walk.trace.header.scenario.clone();
        let label = match labels.first().and_then(|word| word.strip_prefix("label=")) {
            Some(label) => label.to_owned(),
            None => format!("step {step}"),
        };
        let link = format!("[{label}](#{})", player::step_id(&scenario, step));
        self.links.push(Link { line, scenario, place, step });
        Ok(link)
    }

    /// A table of what two calls of a run asked for.
    pub(super) fn beside(
        &mut self,
        walk: &Walk,
        words: &[String],
        line: usize,
    ) -> Result<String, DirectiveError> {
        let (table, named) = beside::table(walk, words)?;
        let scenario = &walk.trace.header.scenario;
        self.links.extend(named.into_iter().map(|place| Link {
            line,
            scenario: scenario.clone(),
            place,
            step: walk.steps.get(place).map_or(0, |step| step.number),
        }));
        Ok(table)
    }

    /// What the page ends with: the data of its players. Fails on a link that leads nowhere.
    pub(super) fn finish(self) -> Result<String, (usize, DirectiveError)> {
        for link in &self.links {
            let held = self.shown.iter().any(|shown| {
                shown.walk.trace.header.scenario == link.scenario
                    && shown.stretches.iter().any(|stretch| stretch.contains(&link.place))
            });
            if !held {
                return Err((
                    link.line,
                    DirectiveError::NotShown { scenario: link.scenario.clone(), step: link.step },
                ));
            }
        }
        let data = self.shown.iter().map(|shown| player::data(&shown.walk, &shown.stretches));
        Ok(data.collect())
    }
}

//! The steps as a tree with folds.
//!
//! A step's children are the steps of its thread after it that lie deeper; a call's last child is its return.
//! What came before the call of `ibv_post_send` is one fold of its own, the prologue.

use crate::state::facts::Fact;
use std::collections::BTreeSet;

/// The steps seen so far and which of them are hidden.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    facts: Vec<Fact>,
    /// Steps whose children are hidden.
    folded: BTreeSet<usize>,
    /// Number of steps before the opening one.
    prologue: usize,
    prologue_folded: bool,
    /// Whether outermost calls come folded.
    acts: bool,
    /// The steps that are shown, ascending. The prologue's fold is not among them.
    rows: Vec<usize>,
    /// The folds that may go on: one for each thread at most.
    open_folds: Vec<OpenFold>,
}

/// A fold that hides the next steps of its thread.
#[derive(Debug, Clone, Copy)]
struct OpenFold {
    top: Fact,
    /// Whether the return of the call has been seen.
    returned: bool,
}

impl OpenFold {
    /// Whether it hides the next step of its thread.
    fn hides(&mut self, fact: Fact) -> bool {
        let hides = !self.returned && (fact.level > self.top.level || closes(self.top, fact));
        self.returned |= closes(self.top, fact);
        hides
    }
}

/// One line of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// All steps before the opening one, folded; their number.
    Prologue(usize),
    /// A step.
    Step(usize),
}

impl Tree {
    /// Takes in the next step.
    pub fn push(&mut self, fact: Fact) {
        let step = self.facts.len();
        self.facts.push(fact);
        if self.acts && is_act(fact) {
            self.folded.insert(step);
        }
        self.show(step);
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// What is kept of a step.
    pub fn fact(&self, step: usize) -> Option<Fact> {
        self.facts.get(step).copied()
    }

    /// Adds `step` to the rows, unless it is hidden.
    fn show(&mut self, step: usize) {
        let Some(fact) = self.fact(step) else { return };
        let own = |fold: &OpenFold| fold.top.thread == fact.thread;
        if let Some(place) = self.open_folds.iter().position(own) {
            if self.open_folds[place].hides(fact) {
                return;
            }
            self.open_folds.swap_remove(place);
        }
        if self.prologue_folded && step < self.prologue {
            return;
        }
        self.rows.push(step);
        if self.folded.contains(&step) {
            self.open_folds.push(OpenFold { top: fact, returned: false });
        }
    }

    /// Makes the rows anew.
    fn rebuild(&mut self) {
        self.rows.clear();
        self.open_folds.clear();
        let first = if self.prologue_folded { self.prologue } else { 0 };
        for step in first..self.facts.len() {
            self.show(step);
        }
    }

    /// Folds the steps before `opening`, and in them every call as deep as the opening one.
    pub fn open_at(&mut self, opening: usize) {
        self.prologue = opening;
        self.prologue_folded = opening > 0;
        let level = self.fact(opening).map_or(0, |fact| fact.level);
        let calls = (0..opening).filter(|step| {
            self.fact(*step).is_some_and(|fact| fact.is_call() && fact.level == level)
        });
        self.folded = calls.collect();
        self.rebuild();
    }

    /// Folds every outermost call, and those to come.
    pub fn fold_acts(&mut self) {
        self.acts = true;
        let facts = self.facts.iter().enumerate();
        self.folded.extend(facts.filter(|(_, fact)| is_act(**fact)).map(|(step, _)| step));
        self.rebuild();
    }

    /// Whether outermost calls come folded.
    pub fn is_in_acts(&self) -> bool {
        self.acts
    }

    /// Number of lines.
    pub fn row_count(&self) -> usize {
        self.rows.len() + usize::from(self.prologue_folded)
    }

    /// The line of that number, from 0.
    pub fn row(&self, number: usize) -> Option<Row> {
        let Some(after) = number.checked_sub(usize::from(self.prologue_folded)) else {
            return Some(Row::Prologue(self.prologue));
        };
        self.rows.get(after).copied().map(Row::Step)
    }

    /// The number of the line that shows `step`, or the fold that hides it.
    pub fn row_of(&self, step: usize) -> usize {
        let shown = self.rows.partition_point(|row| *row <= step);
        (shown + usize::from(self.prologue_folded)).saturating_sub(1)
    }

    /// Whether the children of `step` are hidden.
    pub fn is_folded(&self, step: usize) -> bool {
        self.folded.contains(&step)
    }

    /// Whether `step` has children.
    pub fn has_children(&self, step: usize) -> bool {
        let Some(top) = self.fact(step) else { return false };
        let next = self.facts[step + 1..].iter().find(|fact| fact.thread == top.thread);
        next.is_some_and(|next| next.level > top.level || closes(top, *next))
    }

    /// The last step among the children of `step`, and their number; `step` itself if it has none.
    pub fn children(&self, step: usize) -> (usize, usize) {
        let (mut last, mut count) = (step, 0);
        let Some(top) = self.fact(step) else {
            return (last, count);
        };
        let behind = self.facts.iter().enumerate().skip(step + 1);
        for (number, fact) in behind.filter(|(_, fact)| fact.thread == top.thread) {
            let closes = closes(top, *fact);
            if !closes && fact.level <= top.level {
                break;
            }
            (last, count) = (number, count + 1);
            if closes {
                break;
            }
        }
        (last, count)
    }

    /// The innermost step that `step` is a child of.
    pub fn parent(&self, step: usize) -> Option<usize> {
        let fact = self.fact(step)?;
        let before = self.facts.get(..step)?.iter().enumerate().rev();
        for (number, other) in before.filter(|(_, other)| other.thread == fact.thread) {
            if other.level < fact.level || closes(*other, fact) {
                return Some(number);
            }
        }
        None
    }

    /// Folds `step` if it has children, else what it is a child of; unfolds what is folded.
    /// The step that is left to stand on.
    pub fn toggle(&mut self, step: usize) -> usize {
        if self.folded.remove(&step) {
            self.rebuild();
            return step;
        }
        let target = if self.has_children(step) { Some(step) } else { self.parent(step) };
        match target {
            Some(target) => {
                self.folded.insert(target);
                self.rebuild();
                target
            }
            None if step < self.prologue => {
                self.toggle_prologue();
                self.prologue
            }
            None => step,
        }
    }

    /// Folds or unfolds what came before the opening step.
    pub fn toggle_prologue(&mut self) {
        self.prologue_folded = !self.prologue_folded && self.prologue > 0;
        self.rebuild();
    }

    /// Number of steps before the opening one.
    pub fn prologue(&self) -> usize {
        self.prologue
    }

    /// Whether they are folded.
    pub fn prologue_is_folded(&self) -> bool {
        self.prologue_folded
    }

    /// Unfolds everything that hides `step`.
    pub fn reveal(&mut self, step: usize) {
        let mut changed = false;
        if self.prologue_folded && step < self.prologue {
            self.prologue_folded = false;
            changed = true;
        }
        let mut child = step;
        while !self.folded.is_empty() {
            let Some(parent) = self.parent(child) else {
                break;
            };
            changed |= self.folded.remove(&parent);
            child = parent;
        }
        if changed {
            self.rebuild();
        }
    }
}

/// Whether a step is an act, or what is done between two.
fn is_act(fact: Fact) -> bool {
    fact.is_call() && fact.level == 0
}

/// Whether `fact` can be the return of the call `top`.
fn closes(top: Fact, fact: Fact) -> bool {
    top.is_call() && fact.is_return() && fact.level == top.level
}

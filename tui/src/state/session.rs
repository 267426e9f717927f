//! One walk through one run: where the reader stands and how they get elsewhere.
//!
//! Moves among steps that are known are made at once, here; those that look for a step, and may
//! have to let a live program run on, are [`Goal`]s.

mod seek;

pub use seek::{Goal, Progress};

use crate::state::facts::Levels;
use crate::state::opening::Finder;
use crate::state::supply::{Ending, Supply};
use crate::state::tree::{Row, Tree};
use doorbell_examples::words::{self, Regions};
use doorbell_tracer::timeline::{Cursor, State};
use doorbell_tracer::{Event, SiteInfo};
use std::borrow::Cow;

/// One walk through one run.
pub struct Session {
    supply: Supply,
    tree: Tree,
    levels: Levels,
    regions: Regions,
    cursor: Cursor,
    current: usize,
    finder: Finder,
    opening: Option<usize>,
    ending: Option<Ending>,
    /// The move under way, and the last step that it looked at.
    goal: Option<(Goal, usize)>,
}

impl Session {
    /// A walk through these steps, before the first.
    pub fn new(supply: Supply) -> Self {
        let mut session = Self {
            supply,
            tree: Tree::default(),
            levels: Levels::default(),
            regions: Regions::default(),
            cursor: Cursor::new(),
            current: 0,
            finder: Finder::default(),
            opening: None,
            ending: None,
            goal: None,
        };
        session.take_in();
        session
    }

    /// Makes facts of the events that came since the last time, and takes note of their regions.
    fn take_in(&mut self) {
        while let Some(brief) = self.supply.brief(self.tree.len()) {
            let fact = self.levels.next(brief);
            if fact.tells_region()
                && let Some(event) = self.supply.events().get(self.tree.len())
            {
                self.regions.see(&event);
            }
            self.tree.push(fact);
        }
    }

    /// Where the steps come from.
    pub fn supply(&self) -> &Supply {
        &self.supply
    }

    /// Lets a program that still runs go on to its end, unwatched: another is to follow it.
    pub fn leave(&mut self) {
        self.supply.leave();
    }

    /// The steps as a tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Number of steps that are known.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether no step is known.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Index of the step at which the reader stands.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Index of the call of `ibv_post_send` that the run is about, if it has come to it.
    pub fn opening(&self) -> Option<usize> {
        self.opening
    }

    /// Whether the run is one in acts, which the reader chooses from.
    pub fn is_in_acts(&self) -> bool {
        self.tree.is_in_acts()
    }

    /// How the program ended, if it has and was live.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// The event at a step.
    pub fn event(&self, step: usize) -> Option<Cow<'_, Event>> {
        self.supply.events().get(step)
    }

    /// The place in the source of an event.
    pub fn site(&self, event: &Event) -> Option<&SiteInfo> {
        self.supply.header().sites.get(event.site as usize)
    }

    /// The state after the current step.
    pub fn state(&self) -> &State {
        self.cursor.state()
    }

    /// A step's number, as its event has it.
    pub fn number(&self, step: usize) -> Option<u64> {
        self.event(step).map(|event| event.sequence)
    }

    /// Stands at `step`; a step behind the last one is the last.
    pub fn go(&mut self, step: usize) {
        self.current = step.min(self.tree.len().saturating_sub(1));
        let (timeline, events) = (self.supply.timeline(), self.supply.events());
        self.cursor.go(Some(self.current), timeline, events);
    }

    /// Stands at `step` and unfolds what hides it.
    fn show(&mut self, step: usize) {
        self.go(step);
        self.tree.reveal(self.current);
    }

    /// The level that a step over the current one must come back to.
    pub fn level(&self) -> u16 {
        self.tree.fact(self.current).map_or(0, |fact| fact.level)
    }

    /// Whether a move is under way.
    pub fn is_seeking(&self) -> bool {
        self.goal.is_some()
    }

    /// Drops the move under way.
    pub fn stop(&mut self) {
        self.goal = None;
    }

    /// A step in one line.
    pub fn words(&self, event: &Event) -> String {
        words::step(&event.kind, &self.regions.at(event.sequence))
    }

    /// One step back. Whether there is one.
    pub fn back(&mut self) -> bool {
        let before = self.current.checked_sub(1);
        if let Some(step) = before {
            self.show(step);
        }
        before.is_some()
    }

    /// The call of `ibv_post_send`; from there, or without one, the first step.
    pub fn home(&mut self) {
        let target = self.opening.filter(|opening| self.current > *opening);
        self.show(target.unwrap_or(0));
    }

    /// Up or down the lines of the tree. Down from the last line steps over.
    pub fn move_row(&mut self, rows: isize) {
        let row = self.tree.row_of(self.current);
        let target = row.saturating_add_signed(rows);
        if target >= self.tree.row_count() {
            let level = self.level();
            self.seek(Goal::Level(level));
            return;
        }
        self.select_row(target);
    }

    /// Stands at the step of that line; the prologue's line unfolds it.
    pub fn select_row(&mut self, row: usize) {
        match self.tree.row(row) {
            Some(Row::Step(step)) => self.go(step),
            Some(Row::Prologue(_)) => {
                self.tree.toggle_prologue();
                let last = self.tree.prologue().saturating_sub(1);
                if let Some(Row::Step(step)) = self.tree.row(self.tree.row_of(last)) {
                    self.go(step);
                }
            }
            None => {}
        }
    }

    /// Folds or unfolds at the current step.
    pub fn toggle_fold(&mut self) {
        let step = self.tree.toggle(self.current);
        self.go(step);
    }

    /// Folds or unfolds what came before the opening.
    pub fn toggle_prologue(&mut self) {
        self.tree.toggle_prologue();
        if self.tree.prologue_is_folded() && self.current < self.tree.prologue() {
            self.go(self.tree.prologue());
        }
    }
}

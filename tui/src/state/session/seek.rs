//! Moves that look for a step, known or still to come.
//!
//! Going forward beyond the last step that is known lets a live program run on. That can take as
//! long as the program likes, so a move is a [`Goal`] that is pursued in small portions; between
//! two of them the terminal draws and listens.

use super::Session;
use crate::state::acts::has_acts;
use crate::state::opening::OPENING;
use crate::state::supply::More;
use std::time::Duration;

/// How long one portion of a move waits for the program.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a move looks for among the steps that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// The call of [`OPENING`] that the run is about; in a run in acts, the first step.
    Opening,
    /// The next step.
    Next,
    /// The next step that lies no deeper than this level.
    Level(u16),
    /// The next step of this kind.
    Kind(&'static str),
    /// The next step whose line contains this text, in lower case.
    Text(String),
    /// The step of this number.
    Number(u64),
    /// The last step.
    End,
}

/// How a move stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is over: the reader stands at the goal.
    Reached,
    /// It is over: there is no such step; why.
    Missed(String),
    /// It goes on.
    Pending,
}

impl Session {
    /// Begins a move; what was under way is dropped.
    pub fn seek(&mut self, goal: Goal) {
        let from = match (&goal, self.is_at_start()) {
            (Goal::Opening, true) => usize::MAX,
            (Goal::End, _) => self.len().wrapping_sub(1),
            _ => self.current,
        };
        self.goal = match goal {
            Goal::Number(number) if self.seek_known(number) => None,
            Goal::Number(_) => Some((goal, self.len().wrapping_sub(1))),
            goal => Some((goal, from)),
        };
    }

    /// Whether nobody has moved yet.
    fn is_at_start(&self) -> bool {
        self.current == 0 && self.opening.is_none()
    }

    /// Stands at the step of that number if it is known.
    fn seek_known(&mut self, number: u64) -> bool {
        let (mut place, mut end) = (0, self.len());
        while place < end {
            let middle = place.midpoint(end);
            if self.number(middle).is_some_and(|sequence| sequence < number) {
                place = middle + 1;
            } else {
                end = middle;
            }
        }
        let found = self.number(place).is_some_and(|sequence| sequence == number);
        if found {
            self.show(place);
        }
        found
    }

    /// Goes on with the move under way, by `portion` steps at most.
    pub fn pursue(&mut self, portion: usize) -> Progress {
        let Some((goal, mut at)) = self.goal.take() else {
            return Progress::Reached;
        };
        for _ in 0..portion {
            let next = at.wrapping_add(1);
            if next >= self.len() {
                match self.supply.more(PATIENCE) {
                    More::Step => self.take_in(),
                    More::Running => break,
                    More::Ended(ending) => {
                        self.ending = self.ending.take().or(ending);
                        return self.miss(&goal);
                    }
                }
                if next >= self.len() {
                    return self.miss(&goal);
                }
            }
            at = next;
            if self.is_goal(&goal, at) {
                self.arrive(&goal, at);
                return Progress::Reached;
            }
        }
        self.goal = Some((goal, at));
        Progress::Pending
    }

    /// Whether `step` is what the move looks for.
    fn is_goal(&mut self, goal: &Goal, step: usize) -> bool {
        let fact = self.tree.fact(step);
        match goal {
            Goal::Next => true,
            Goal::End => false,
            Goal::Level(level) => fact.is_some_and(|fact| fact.level <= *level),
            Goal::Kind(kind) => fact.is_some_and(|fact| fact.kind() == *kind),
            Goal::Number(number) => self.number(step) == Some(*number),
            Goal::Text(text) => self.contains(step, text),
            Goal::Opening if self.begins_acts(step) => true,
            Goal::Opening => {
                let calls = fact.is_some_and(|fact| fact.is_call() || fact.is_return());
                let event = self.supply.events().get(step).filter(|_| calls);
                event.is_some_and(|event| self.finder.meets(&event))
            }
        }
    }

    /// Whether a run in acts begins with this step.
    fn begins_acts(&self, step: usize) -> bool {
        step == 0 && self.event(step).is_some_and(|event| has_acts(&event))
    }

    /// Stands at the goal.
    fn arrive(&mut self, goal: &Goal, step: usize) {
        if *goal == Goal::Opening {
            self.opening = Some(step);
            self.tree.open_at(step);
            if self.begins_acts(step) {
                self.tree.fold_acts();
            }
        }
        self.show(step);
    }

    /// The run has no such step.
    fn miss(&mut self, goal: &Goal) -> Progress {
        let last = self.len().saturating_sub(1);
        let why = match goal {
            Goal::Opening => {
                self.show(0);
                format!("this run never calls {OPENING}; its first step is shown")
            }
            Goal::Next | Goal::Level(_) | Goal::End => {
                let stood = self.current == last;
                self.show(last);
                if !stood || *goal == Goal::End {
                    return Progress::Reached;
                }
                "this is the last step".to_owned()
            }
            Goal::Kind(kind) => format!("no further step of kind {kind}"),
            Goal::Text(text) => format!("no further step contains `{text}`"),
            Goal::Number(number) => match self.number(last) {
                Some(number_of_last) => {
                    format!("no step {number}; the last one is {number_of_last}")
                }
                None => format!("no step {number}"),
            },
        };
        Progress::Missed(why)
    }

    /// Whether the line of a step contains `text`, which is in lower case.
    fn contains(&self, step: usize, text: &str) -> bool {
        let Some(event) = self.event(step) else {
            return false;
        };
        let line = format!("{} {}", event.kind.name(), self.words(&event)).to_lowercase();
        let place = self.site(&event).map(|site| format!("{} {}", site.function, site.file));
        line.contains(text) || place.is_some_and(|place| place.to_lowercase().contains(text))
    }

    /// Goes to the last step before this one whose line contains `text`. Whether there is one.
    pub fn search_back(&mut self, text: &str) -> bool {
        let found = (0..self.current).rev().find(|step| self.contains(*step, text));
        if let Some(step) = found {
            self.show(step);
        }
        found.is_some()
    }
}

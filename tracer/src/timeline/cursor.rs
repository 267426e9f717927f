//! A place in a trace that moves cheaply, forward and back.

use super::{State, Timeline};
use crate::EventSource;
use std::collections::BTreeMap;

/// Steps between two marks.
const SPACING: usize = 32;

/// The most marks that a cursor keeps.
const MOST_MARKS: usize = 512;

/// A place in a trace with the state there. One step forward applies one event. Going anywhere
/// else starts at the nearest state that is known before it: one of the timeline's snapshots, or
/// one of the marks that the cursor left on its own way.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    state: State,
    /// Number of events in `state`.
    events: usize,
    /// By number of events: the state after so many.
    marks: BTreeMap<usize, State>,
}

impl Cursor {
    /// A cursor before the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// The step that the cursor stands at; `None` before the first.
    pub fn step(&self) -> Option<usize> {
        self.events.checked_sub(1)
    }

    /// The state after that step.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Goes to the state after `step`; `None` is before the first event, and a step behind the
    /// end of the timeline is its last. Stops short where `events` has no event to give.
    pub fn go(
        &mut self,
        step: Option<usize>,
        timeline: &Timeline,
        events: &(impl EventSource + ?Sized),
    ) -> &State {
        let target = step.map_or(0, |step| step.saturating_add(1));
        let target = target.min(timeline.len());
        self.start(target, timeline);
        while self.events < target {
            let Some(event) = events.get(self.events) else {
                break;
            };
            self.state.apply(self.events, &event);
            self.events += 1;
            if self.events.is_multiple_of(SPACING) {
                self.mark();
            }
        }
        &self.state
    }

    /// Takes the known state that is nearest before `target`, if it is nearer than this one.
    fn start(&mut self, target: usize, timeline: &Timeline) {
        let here = (self.events <= target).then_some(self.events);
        let mark = self.marks.range(..=target).next_back();
        let (snapshot, state) = timeline.nearest(target);
        let best = here.max(mark.map(|(events, _)| *events));
        if best.is_none_or(|best| best < snapshot) {
            self.state = state;
            self.events = snapshot;
        } else if best != here
            && let Some((events, state)) = mark
        {
            self.events = *events;
            self.state = state.clone();
        }
    }

    /// Keeps this state, and forgets the farthest if there are too many.
    fn mark(&mut self) {
        self.marks.insert(self.events, self.state.clone());
        if self.marks.len() > MOST_MARKS {
            let first = self.marks.keys().next().copied().unwrap_or(0);
            let last = self.marks.keys().next_back().copied().unwrap_or(0);
            let far =
                if self.events.abs_diff(first) > self.events.abs_diff(last) { first } else { last };
            self.marks.remove(&far);
        }
    }
}

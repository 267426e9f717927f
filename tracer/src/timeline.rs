//! The state of every region, queue and object at any step, forward and back.
//!
//! A [`State`] is the fold of events: stores, DMA writes and register writes change bytes, and each
//! byte remembers the step that wrote it. Folding ten million events again for every key that a
//! reader presses would be too slow, so a [`Timeline`] keeps a snapshot every so many events and
//! folds from the nearest one. Snapshots share all that did not change between them, and as
//! a trace grows the timeline keeps every second one only, so that their number stays bounded.
//!
//! A [`Cursor`] is a place in the trace that moves; [`provenance`] leads from a byte to the line and
//! the field that it came from, and [`readers`] leads from a store to those who read it.

mod address;
mod cursor;
mod memory;
mod provenance;
mod region;
mod state;

pub use cursor::Cursor;
pub use provenance::{
    FieldName, Provenance, Read, Span, copied_from, provenance, readers, reads, writes,
};
pub use region::{MOST_BYTES, RegionState};
pub use state::{Frame, HeldLock, State};

use crate::{Event, EventSource};

/// Events between two snapshots at first.
const FIRST_SPACING: usize = 256;

/// The number of snapshots at which every second one is forgotten.
const MOST_SNAPSHOTS: usize = 1024;

/// The snapshots of a trace. It grows event by event, so that it serves a live run too.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The state after the last event.
    last: State,
    events: usize,
    spacing: usize,
    /// The states after `spacing`, 2 · `spacing`, ... events.
    snapshots: Vec<State>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Timeline {
    /// A timeline without events.
    pub fn new() -> Self {
        Self { last: State::default(), events: 0, spacing: FIRST_SPACING, snapshots: Vec::new() }
    }

    /// The timeline of all events of `events`.
    pub fn of(events: &(impl EventSource + ?Sized)) -> Self {
        let mut timeline = Self::new();
        for event in (0..events.len()).map_while(|index| events.get(index)) {
            timeline.push(&event);
        }
        timeline
    }

    /// Takes in the next event.
    pub fn push(&mut self, event: &Event) {
        self.last.apply(self.events, event);
        self.events += 1;
        if self.events.is_multiple_of(self.spacing) {
            self.snapshots.push(self.last.clone());
        }
        if self.snapshots.len() == MOST_SNAPSHOTS {
            self.thin_out();
        }
    }

    /// Forgets every second snapshot.
    fn thin_out(&mut self) {
        let mut number = 0;
        self.snapshots.retain(|_| {
            number += 1;
            number % 2 == 0
        });
        self.spacing *= 2;
    }

    /// Number of events taken in.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether no event was taken in.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// The state after the last event.
    pub fn last(&self) -> &State {
        &self.last
    }

    /// The state after the event at index `step`, from 0. `events` must hold the events that were
    /// pushed; a step behind the end is the last one. Where `events` cannot give an event, the
    /// state stops before it: [`State::step`] tells.
    pub fn state_at(&self, step: usize, events: &(impl EventSource + ?Sized)) -> State {
        let target = step.saturating_add(1).min(self.events);
        let (start, mut state) = self.nearest(target);
        for index in start..target {
            let Some(event) = events.get(index) else {
                break;
            };
            state.apply(index, &event);
        }
        state
    }

    /// The nearest state that is known after at most `target` events, and after how many it is.
    fn nearest(&self, target: usize) -> (usize, State) {
        if target == self.events {
            return (self.events, self.last.clone());
        }
        let number = (target / self.spacing).min(self.snapshots.len());
        match number.checked_sub(1).and_then(|at| self.snapshots.get(at)) {
            Some(state) => (number * self.spacing, state.clone()),
            None => (0, State::default()),
        }
    }
}

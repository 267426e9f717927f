//! Where events are read from: a vector in memory, a trace, an opened file.

use crate::{Event, Trace};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A sequence of events that can be read in any order. The index of an event is its step.
pub trait EventSource {
    /// Number of events.
    fn len(&self) -> usize;

    /// The event at `index`, from 0; `None` behind the end, or where a file that was opened before
    /// cannot be read any more.
    fn get(&self, index: usize) -> Option<Cow<'_, Event>>;

    /// The step of the event with that sequence number. The two are the same unless the trace's
    /// beginning is gone, as in a ring's.
    fn step_of(&self, sequence: u64) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)?.sequence.cmp(&sequence) {
                Ordering::Equal => return Some(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Whether there is no event.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl EventSource for [Event] {
    fn len(&self) -> usize {
        <[Event]>::len(self)
    }

    fn get(&self, index: usize) -> Option<Cow<'_, Event>> {
        <[Event]>::get(self, index).map(Cow::Borrowed)
    }
}

impl EventSource for Vec<Event> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn get(&self, index: usize) -> Option<Cow<'_, Event>> {
        EventSource::get(self.as_slice(), index)
    }
}

impl EventSource for Trace {
    fn len(&self) -> usize {
        self.events.len()
    }

    fn get(&self, index: usize) -> Option<Cow<'_, Event>> {
        EventSource::get(self.events.as_slice(), index)
    }
}

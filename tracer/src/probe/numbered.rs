//! The one place where the events of all threads get their number, their time and their depth.

use crate::event::Fact;
use crate::recorder::{Beside, Chunks, Clock, Contents, Counts, Head, Held, Recorder};
use crate::{Actor, Site};

/// What an event does to the depth of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// Events after it are one deeper.
    Enters,
    /// It and events after it are one less deep.
    Leaves,
    /// Nothing.
    Stays,
}

/// Actors with a call depth of their own; further threads share the last place before the card's.
const ACTORS: usize = 18;

/// Where events are written, and what the next event's head is made of.
pub struct Numbered {
    chunks: Chunks,
    /// A recorder that is given each event as soon as it is written.
    other: Option<Box<dyn Recorder>>,
    clock: Clock,
    /// Number of the next event.
    sequence: u64,
    /// Number of the first event since the recorder was emptied.
    first: u64,
    /// Call depth by actor: the card last, threads by their number.
    depth: [u16; ACTORS],
}

impl Numbered {
    /// Before the first event.
    pub(super) fn new(held: Held, clock: Clock) -> Self {
        let Held { chunks, other } = held;
        Self { chunks, other, clock, sequence: 0, first: 0, depth: [0; ACTORS] }
    }

    /// Whether events are handed on.
    pub(super) fn hands_on(&self) -> bool {
        self.other.is_some()
    }

    /// Hands on the event that was just written.
    #[cold]
    #[inline(never)]
    pub(super) fn hand_on(&mut self) {
        if let Some(other) = &mut self.other {
            self.chunks.drain().into_iter().for_each(|record| other.record(record));
        }
    }

    /// Takes out what the recorder holds.
    pub(super) fn take(&mut self) -> Contents {
        self.first = self.sequence;
        match &mut self.other {
            Some(other) => Contents::of(other.take()),
            None => self.chunks.take(),
        }
    }

    /// Empties the recorder.
    pub(super) fn clear(&mut self) {
        self.first = self.sequence;
        match &mut self.other {
            Some(other) => drop(other.take()),
            None => self.chunks.clear(),
        }
    }

    /// How many events came, and are kept. A recorder of another crate does not say.
    pub(super) fn counts(&self) -> Counts {
        if self.other.is_some() {
            return Counts::default();
        }
        Counts {
            recorded: self.sequence - self.first,
            kept: self.chunks.kept() as u64,
            capacity: self.chunks.capacity().map(|events| events as u64),
        }
    }

    /// Nobody is inside of any call: with all probes off, nobody tells that a call has ended.
    pub(super) fn forget_calls(&mut self) {
        self.depth = [0; ACTORS];
    }

    /// Copies what the recorder holds.
    pub(super) fn copy(&self) -> Contents {
        match &self.other {
            Some(other) => Contents::of(other.snapshot()),
            None => self.chunks.copy(),
        }
    }

    /// The next event's line: a place for its fact, and for what stands beside it, with room for so
    /// many bytes and pairs. A function of its own, so that a probe is short where it stands; the
    /// fact goes from there right into its place.
    #[inline(never)]
    pub(crate) fn line(
        &mut self,
        actor: Actor,
        site: &'static Site,
        nesting: Nesting,
        bytes: usize,
        pairs: usize,
    ) -> (&mut Option<Fact>, &mut Beside) {
        let usual = matches!(self.clock, Clock::Logical)
            && self.chunks.has_room(self.sequence, bytes, pairs);
        if !usual {
            return self.unusual_line(actor, site, nesting, bytes, pairs);
        }
        let head = self.head(actor, site, nesting);
        self.chunks.push(&head)
    }

    /// The same where another function must be called: the clock, or for memory.
    #[cold]
    #[inline(never)]
    fn unusual_line(
        &mut self,
        actor: Actor,
        site: &'static Site,
        nesting: Nesting,
        bytes: usize,
        pairs: usize,
    ) -> (&mut Option<Fact>, &mut Beside) {
        let head = self.head(actor, site, nesting);
        self.chunks.line(&head, bytes, pairs)
    }

    /// Numbers and stamps one event.
    #[inline]
    fn head(&mut self, actor: Actor, site: &'static Site, nesting: Nesting) -> Head {
        let sequence = self.sequence;
        self.sequence += 1;
        let current = &mut self.depth[place(actor)];
        let depth = match nesting {
            Nesting::Enters => {
                let outside = *current;
                *current = current.saturating_add(1);
                outside
            }
            Nesting::Leaves => {
                *current = current.saturating_sub(1);
                *current
            }
            Nesting::Stays => *current,
        };
        Head { sequence, time: self.clock.now(sequence), actor, depth, site }
    }
}

/// The place of an actor's call depth.
#[inline]
fn place(actor: Actor) -> usize {
    match actor {
        Actor::Card => ACTORS - 1,
        Actor::Cpu(number) => usize::from(number).min(ACTORS - 2),
    }
}

//! Two threads that take turns, so that a race goes the same way each time.

use doorbell_driver::bus::Interposer;
use doorbell_prm::wqe::SEND_BLOCK;
use doorbell_tracer::{Actor, Group, Tracer, Value, probe};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

const PROBE_GROUP: Group = Group::Program;

/// Two threads of which one runs at a time. Each stops behind every block of 64 bytes that it stores to a
/// doorbell register, and the other goes on.
pub struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    /// Where each tells of itself.
    tracers: [Tracer; 2],
}

/// Who takes part, and who is next.
#[derive(Default)]
struct State {
    /// The threads that have come, in their places.
    threads: [Option<ThreadId>; 2],
    /// The place whose turn it is.
    next: usize,
    /// Who is through.
    done: [bool; 2],
}

impl Turns {
    /// The thread at place 0 begins.
    pub fn new(tracer: &Tracer) -> Self {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let tracers = [0, 1].map(|place| tracer.acting_as(Self::actor(place)));
        Self { state, changed, tracers }
    }

    /// Whom a trace names for what the thread at place 0 or 1 does.
    pub fn actor(place: u8) -> Actor {
        Actor::Cpu(place)
    }

    /// Takes part on the calling thread, at place 0 or 1; waits for its first turn. Its turns end when what
    /// is returned is dropped.
    pub fn take_part(&self, place: usize) -> Part<'_> {
        let mut state = self.state();
        state.threads[place] = Some(thread::current().id());
        drop(self.wait_for(place, state));
        Part { turns: self, place }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is this place's turn.
    fn wait_for<'a>(&'a self, place: usize, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let not_yet = |state: &mut State| state.next != place;
        self.changed.wait_while(state, not_yet).unwrap_or_else(PoisonError::into_inner)
    }
}

// ANCHOR: turns
impl Interposer for Turns {
    /// A block is stored: the other thread goes on, if it is not through, up to its own next block.
    fn stored(&self, _: u64, length: usize) {
        let mut state = self.state();
        let own = Some(thread::current().id());
        let Some(place) = state.threads.iter().position(|thread| *thread == own) else { return };
        let other = 1 - place;
        if length < SEND_BLOCK || state.done[other] {
            return;
        }
        let from_to = [("stopped", place), ("goes on", other)];
        let from_to = from_to.map(|(what, place)| (what, Value::from(format!("cpu{place}"))));
        probe!(
            self.tracers[place],
            note("a block is in the register; the other thread's turn", from_to)
        );
        state.next = other;
        self.changed.notify_all();
        drop(self.wait_for(place, state));
    }
}
// ANCHOR_END: turns

/// A thread's part in it.
pub struct Part<'a> {
    turns: &'a Turns,
    place: usize,
}

impl Drop for Part<'_> {
    /// It is the other's turn for good.
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.done[self.place] = true;
        state.next = 1 - self.place;
        self.turns.changed.notify_all();
    }
}

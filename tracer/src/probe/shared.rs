//! What the clones of a tracer share.

use super::numbered::Numbered;
use crate::recorder::{ActorCode, BriefLock, Clock, Counts, Guard, Head, Record, Recorder};
use crate::report::Report;
use crate::{Group, Point, Site};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Switches, counters and the recorder.
pub(super) struct Shared {
    /// Whether the recorder holds events. If not, it must not be asked: it may stand in an event,
    /// and whoever asks may be the one that it waits for.
    keeps: bool,
    pub(super) groups: AtomicU32,
    pub(super) next_region: AtomicU32,
    /// For a recorder that may take long over an event: whoever has the turn may wait there. The
    /// live one stands in an event until its reader steps on.
    turn: Option<Mutex<()>>,
    pub(super) numbered: BriefLock<Numbered>,
}

impl Shared {
    /// With all groups on.
    pub(super) fn new(recorder: impl Recorder + 'static, clock: Clock) -> Self {
        let keeps = recorder.keeps_events();
        let numbered = Numbered::new(recorder.into_held(), clock);
        let in_turns = numbered.hands_on();
        Self {
            keeps,
            groups: AtomicU32::new(Group::EVERY_BIT),
            next_region: AtomicU32::new(1),
            turn: in_turns.then(Mutex::default),
            // An event that needs a turn is not recorded at once.
            numbered: BriefLock::new(numbered, !in_turns),
        }
    }

    /// Records one event; `site` if the point has none.
    #[inline(always)]
    pub(super) fn record(
        &self,
        actor: ActorCode,
        site: Option<&'static Site>,
        point: &'static Point,
        report: impl Report,
    ) {
        let head = Head::of(point.number(), actor);
        if let Some(mut numbered) = self.numbered.lock_at_once() {
            numbered.written().write(head, site, report);
        } else {
            self.record_in_turn(head, site, report);
        }
    }

    /// The same for who could not have the recorder at once.
    #[inline(always)]
    pub(super) fn record_in_turn(
        &self,
        head: Head,
        site: Option<&'static Site>,
        report: impl Report,
    ) {
        let mut numbered = self.wait();
        numbered.guard.written().write(head, site, report);
        numbered.end();
    }

    /// Waits for the turn, if there are turns, and for the recorder.
    #[cold]
    #[inline(never)]
    fn wait(&self) -> Turn<'_> {
        let turn = self.turn.as_ref().map(wait_for);
        Turn { guard: self.numbered.lock(), turn }
    }

    /// Takes out what the recorder holds. Records are made of it when the lock is free again.
    pub(super) fn take(&self) -> Vec<Record> {
        if !self.keeps {
            return Vec::new();
        }
        let _turn = self.turn.as_ref().map(wait_for);
        let contents = self.numbered.lock().take();
        contents.into_records()
    }

    /// Copies what the recorder holds, and counts it.
    pub(super) fn snapshot(&self) -> (Vec<Record>, Counts) {
        if !self.keeps {
            return Default::default();
        }
        let _turn = self.turn.as_ref().map(wait_for);
        let numbered = self.numbered.lock();
        let (contents, counts) = (numbered.copy(), numbered.counts());
        drop(numbered);
        (contents.into_records(), counts)
    }

    /// Empties the recorder.
    pub(super) fn clear(&self) {
        if self.keeps {
            let _turn = self.turn.as_ref().map(wait_for);
            self.numbered.lock().clear();
        }
    }

    /// Counts what the recorder holds.
    pub(super) fn counts(&self) -> Counts {
        if !self.keeps {
            return Counts::default();
        }
        let _turn = self.turn.as_ref().map(wait_for);
        self.numbered.lock().counts()
    }

    /// Switches every group: those in `on` on, the others off.
    pub(super) fn set_groups(&self, on: u32) {
        self.groups.store(on, Ordering::Relaxed);
        if on == 0 && self.keeps {
            self.numbered.lock().forget_calls();
        }
    }
}

/// The turn, also after a panic elsewhere: what was recorded stays readable.
fn wait_for(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to record an event that was waited for. The recorder is given back before the turn.
struct Turn<'a> {
    guard: Guard<'a, Numbered>,
    turn: Option<MutexGuard<'a, ()>>,
}

impl Turn<'_> {
    /// Hands on the event that was just written, if there are turns, and ends this one.
    #[cold]
    #[inline(never)]
    fn end(mut self) {
        if self.turn.is_some() {
            self.guard.hand_on();
        }
    }
}

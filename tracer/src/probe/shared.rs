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
    numbered: BriefLock<Numbered>,
}

impl Shared {
    /// With all groups on.
    pub(super) fn new(recorder: impl Recorder + 'static, clock: Clock) -> Self {
        let keeps = recorder.keeps_events();
        let numbered = Numbered::new(recorder.into_held(), clock);
        Self {
            keeps,
            groups: AtomicU32::new(Group::EVERY_BIT),
            next_region: AtomicU32::new(1),
            turn: numbered.hands_on().then(Mutex::default),
            numbered: BriefLock::new(numbered),
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
        let turn = self.turn.as_ref().map(wait_for);
        let mut numbered = self.numbered.lock();
        report.keep(&mut numbered, head, site);
        if let Some(turn) = turn {
            hand_on(numbered, turn);
        }
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
#[cold]
#[inline(never)]
fn wait_for(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands on the event that was just written, and ends the turn.
#[cold]
#[inline(never)]
fn hand_on(mut numbered: Guard<'_, Numbered>, turn: MutexGuard<'_, ()>) {
    numbered.hand_on();
    drop(numbered);
    drop(turn);
}

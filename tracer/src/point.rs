//! What a probe says each time in the same words, kept once: its place, its kind, its names.
//!
//! The source is fixed when the program is built, so an event need not repeat it. Each probe has a
//! [`Point`], which is static; a recorder writes the point's number and the operands, and whoever
//! takes the records out reads the rest here.

use crate::{Direction, LockAction, Relation, Site};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

/// A name that an event has: the same each time, or, if none, told with each event.
pub type Name = Option<&'static str>;

/// Names of values, likewise.
pub type Names = Option<&'static [&'static str]>;

/// What a probe's events are, with all that is the same in each.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the variants and their fields are those of `Kind`")]
pub enum Form {
    /// The event is kept as the [`Kind`](crate::Kind) that it is.
    Whole,
    /// The event is kept as the [`Record`](crate::Record) that it is.
    Recorded,
    /// No event: nobody is inside of any call any more.
    Forgotten,
    /// With values.
    Call {
        function: Name,
        names: Names,
    },
    /// With one value.
    Return {
        function: Name,
    },
    /// With the target, which is always told.
    Dispatch {
        table: Name,
        slot: Name,
    },
    /// With two values; the head's flag says whether it holds.
    Check {
        what: Name,
        left: Name,
        relation: Relation,
        right: Name,
    },
    Lock {
        lock: Name,
        action: LockAction,
    },
    /// With region, offset, length, and bytes.
    Store {
        layout: Name,
    },
    /// Likewise.
    Load {
        layout: Name,
    },
    Barrier {
        name: Name,
        instruction: Name,
    },
    /// With region, offset, length, and bytes.
    RegisterWrite {
        register: Name,
        layout: Name,
    },
    /// Likewise.
    RegisterRead {
        register: Name,
    },
    /// With address, length, and bytes.
    Dma {
        direction: Direction,
        why: Name,
        layout: Name,
    },
    /// With a number, and the states before and after, which are always told.
    State {
        object: Name,
    },
    /// With region and value.
    Index {
        name: Name,
    },
    /// With wr_id and values; the status is always told.
    Completion {
        names: Names,
    },
}

/// A probe, as all of its events have it. Made by [`probe!`](crate::probe) only.
#[derive(Debug)]
pub struct Point {
    /// The place; nothing if it is told with each event.
    pub(crate) site: Option<&'static Site>,
    pub(crate) form: Form,
    /// Which one it is of all points that told of something, from 1; 0 before it does.
    number: AtomicU32,
}

/// Points that told of something, by their number.
static POINTS: RwLock<Vec<&'static Point>> = RwLock::new(Vec::new());

impl Point {
    /// A point that told of nothing yet.
    pub const fn new(site: Option<&'static Site>, form: Form) -> Self {
        Self { site, form, number: AtomicU32::new(0) }
    }

    /// The point's number.
    #[inline(always)]
    pub(crate) fn number(&'static self) -> u32 {
        match self.number.load(Ordering::Acquire) {
            0 => self.begin(),
            number => number,
        }
    }

    /// Gives the point its number, unless another thread just did.
    #[cold]
    #[inline(never)]
    fn begin(&'static self) -> u32 {
        let mut points = POINTS.write().unwrap_or_else(PoisonError::into_inner);
        if self.number.load(Ordering::Acquire) == 0 {
            points.push(self);
            self.number.store(points.len() as u32, Ordering::Release);
        }
        self.number.load(Ordering::Acquire)
    }

    /// The point of this number.
    pub(crate) fn numbered(number: u32) -> Option<&'static Self> {
        let points = POINTS.read().unwrap_or_else(PoisonError::into_inner);
        points.get((number as usize).checked_sub(1)?).copied()
    }
}

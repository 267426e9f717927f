//! What is outstanding in a queue: shared by the posts, which fill it in, and the polls, which read it.
//!
//! Neither holds the other's lock. A model of the two is tried out in all its orders by a test of this
//! crate, which gives this file other atomics.

use super::notes::{Notes, View};
use super::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Which work request each block of a queue belongs to, and how far completions have come.
///
/// Written by posts under the queue's lock, read by polls under the completion queue's. A block is
/// not written again before its completion has moved `tail` past it, so the two never meet on one: the
/// poll moves `tail` when it has read all that it wants to know, and the post looks there first.
pub struct Outstanding {
    slots: KeptSlots,
    /// Work requests known to be done.
    tail: AtomicU32,
}

/// One block's work request (`wrid` and `wqe_head` of `struct mlx5_wq`).
#[derive(Default)]
struct Slot {
    wr_id: AtomicU64,
    /// Work requests that are done once this one is: its number, and one.
    done: AtomicU32,
    /// Of a change of a memory key: it binds a window. (`wr_data`)
    binds: AtomicBool,
}

impl Outstanding {
    /// For a queue of `entries` blocks or WQEs, a power of two.
    pub fn new(entries: u32) -> Self {
        Self { slots: KeptSlots(Notes::new(entries)), tail: AtomicU32::new(0) }
    }

    /// Remembers the work request whose WQE begins at `counter`: number `head` of the queue's.
    #[inline(always)]
    pub fn remember(&self, counter: u32, wr_id: u64, head: u32) {
        self.slots().remember(counter, wr_id, head);
    }

    /// Remembers of a change of a memory key whether it binds a window.
    pub fn remember_bind(&self, counter: u32, binds: bool) {
        self.slots.0.at(counter).binds.store(binds, Ordering::Relaxed);
    }

    /// Whether the change of a memory key whose WQE began at `counter` has bound a window.
    pub fn is_bind(&self, counter: u32) -> bool {
        self.slots.0.at(counter).binds.load(Ordering::Relaxed)
    }

    /// The work request whose WQE began at `counter` is done, and with it all before it: that is
    /// how unsignalled requests are retired. Returns its `wr_id`. From here on a post may fill its place
    /// again, so whatever else is to be known of it is asked for before.
    #[inline(always)]
    pub fn retire(&self, counter: u32) -> u64 {
        let (wr_id, done) = self.slots().look_up(counter);
        self.retire_all(done);
        wr_id
    }

    /// Where they are, for a call that posts or polls many one behind the other.
    #[inline(always)]
    pub fn slots(&self) -> Slots<'_> {
        self.slots.view()
    }

    /// The same for a queue, which so finds them without a look here.
    pub fn kept_slots(&self) -> KeptSlots {
        self.slots.clone()
    }

    /// So many are done. A poll calls it once for all completions that it takes one behind the other.
    #[inline(always)]
    pub fn retire_all(&self, done: u32) {
        // Not before what was looked up: whoever sees the new tail may overwrite it.
        self.tail.store(done, Ordering::Release);
    }

    /// Counts from the beginning again: nothing is outstanding.
    pub fn forget_work(&self) {
        self.tail.store(0, Ordering::Relaxed);
    }

    /// Work requests outstanding when `head` have been posted. What is filled in after this is after what
    /// the poll has read.
    #[inline(always)]
    pub fn count(&self, head: u32) -> u32 {
        head.wrapping_sub(self.tail.load(Ordering::Acquire))
    }
}

/// The slots themselves, which everybody keeps who has use for them.
#[derive(Clone)]
pub struct KeptSlots(Notes<Slot>);

impl KeptSlots {
    /// Where they are.
    #[inline(always)]
    pub fn view(&self) -> Slots<'_> {
        Slots(self.0.view())
    }
}

/// The work requests of a queue by block: remembered by a post, and looked up by a poll.
#[derive(Clone, Copy)]
pub struct Slots<'s>(View<'s, Slot>);

impl Slots<'_> {
    /// As [`Outstanding::remember`].
    #[inline(always)]
    pub fn remember(self, counter: u32, wr_id: u64, head: u32) {
        let slot = self.0.at(counter);
        slot.wr_id.store(wr_id, Ordering::Relaxed);
        slot.done.store(head.wrapping_add(1), Ordering::Relaxed);
    }

    /// The `wr_id` of the work request whose WQE began at `counter`, and how many are done with it: for
    /// [`Outstanding::retire_all`].
    #[inline(always)]
    pub fn look_up(self, counter: u32) -> (u64, u32) {
        let slot = self.0.at(counter);
        (slot.wr_id.load(Ordering::Relaxed), slot.done.load(Ordering::Relaxed))
    }
}

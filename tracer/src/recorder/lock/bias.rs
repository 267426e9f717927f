//! Who may come in: the protocol of [`BriefLock`](super::BriefLock), without what it guards.
//!
//! A lock that any thread may take needs an atomic exchange, and that is more than all else that an
//! event costs: the processor first finishes what it has begun. As a rule one thread records, so
//! the lock leans towards one: its **owner** says that it is inside by a plain store, and looks
//! whether it still is the owner. Whoever else comes takes the ownership away, makes every other
//! thread of the process pass a full fence, and waits until the former owner is not inside:
//!
//! ```text
//! owner                              newcomer
//! inside = true                      owner = nobody's for now
//! (order of the program only)        fence in all threads
//! owner still me? else inside = false  wait until not inside
//! ```
//!
//! In whichever order these meet, either the owner sees that it no longer is, or the newcomer sees
//! that it is inside. Each ownership has a flag of its own, so that a former owner cannot take back
//! what its successor said. After a few moves the lock leans no more, and everyone exchanges.

use super::sync::{AtomicBool, AtomicU64, Ordering, heavy_fence, light_fence, wait};

/// Ownerships: flags that say "inside".
pub(super) const OWNERSHIPS: usize = 8;

/// In the word that says who owns: the bits of the ownership's number, below the thread's.
const BITS: u32 = OWNERSHIPS.trailing_zeros();

/// Nobody has come yet.
const NOBODY: u64 = 0;

/// Somebody is taking the ownership away.
const MOVING: u64 = 1;

/// The lock leans no more.
const EVERYBODY: u64 = 2;

/// The lowest number that a thread can have: no word of its is one of those above.
pub(super) const FIRST_THREAD: u64 = 1;

/// A thread as the word has it: its number, above the bits of the ownership's, which are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thread(u64);

impl Thread {
    /// One that has no number yet. It owns nothing: no number is that high.
    pub(super) const UNKNOWN: Self = Self(u64::MAX << BITS);

    /// The thread of this number, which no other has or had.
    pub(super) const fn numbered(number: u64) -> Self {
        Self(number << BITS)
    }

    /// Which ownership the word says that this thread has, if it is the owner.
    #[inline(always)]
    fn ownership(self, word: u64) -> Option<usize> {
        usize::try_from(word ^ self.0).ok().filter(|ownership| *ownership < OWNERSHIPS)
    }
}

/// A lock that leans towards one thread.
#[derive(Debug)]
pub(super) struct Bias {
    /// [`NOBODY`], [`MOVING`], [`EVERYBODY`], or a thread's number and its ownership's.
    /// Written by whoever moves the ownership.
    owner: AtomicU64,
    /// Whether the owner is inside, by ownership. Written by that owner only.
    inside: [AtomicBool; OWNERSHIPS],
    /// Whether anyone is inside when the lock leans no more.
    held: AtomicBool,
    /// The ownership that the first who comes gets.
    first: usize,
}

impl Bias {
    /// A free lock that leans towards `most` threads, one after the other, before it leans no more:
    /// [`OWNERSHIPS`] at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            owner: AtomicU64::new(if most == 0 { EVERYBODY } else { NOBODY }),
            first: OWNERSHIPS.saturating_sub(most),
            inside: std::array::from_fn(|_| AtomicBool::new(false)),
            held: AtomicBool::new(false),
        }
    }

    /// Lets the owner in, if this thread is it and is not inside already. To leave, it stores false
    /// in what is returned, with release ordering.
    #[inline(always)]
    pub(super) fn enter_at_once(&self, thread: Thread) -> Option<&AtomicBool> {
        let word = self.owner.load(Ordering::Relaxed);
        let inside = &self.inside[thread.ownership(word)?];
        if inside.load(Ordering::Relaxed) {
            return None;
        }
        inside.store(true, Ordering::Relaxed);
        light_fence();
        if self.owner.load(Ordering::Acquire) != word {
            inside.store(false, Ordering::Release);
            return None;
        }
        Some(inside)
    }

    /// Waits until this thread is the only one inside. It leaves in the same way.
    #[cold]
    #[inline(never)]
    pub(super) fn enter(&self, thread: Thread) -> &AtomicBool {
        let mut times = 0;
        loop {
            match self.owner.load(Ordering::Acquire) {
                EVERYBODY => {
                    let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
                    if self.held.compare_exchange(false, true, acquire, relaxed).is_ok() {
                        return &self.held;
                    }
                }
                // Whoever moves the ownership is soon done; an owner that comes here is inside
                // already, and waits for itself, as with any lock.
                word if word == MOVING || thread.ownership(word).is_some() => {}
                word => {
                    let (all, relaxed) = (Ordering::SeqCst, Ordering::Relaxed);
                    let moving = self.owner.compare_exchange(word, MOVING, all, relaxed);
                    if moving.is_ok()
                        && let Some(inside) = self.take_over(word, thread)
                    {
                        return inside;
                    }
                }
            }
            wait(&mut times);
        }
    }

    /// Makes `thread` the next owner, and inside; or nobody, if the lock is to lean no more.
    /// `word` is what said who was the owner.
    fn take_over(&self, word: u64, thread: Thread) -> Option<&AtomicBool> {
        let next = match word {
            NOBODY => self.first,
            word => {
                heavy_fence();
                let mut times = 0;
                while self.inside[ownership(word)].load(Ordering::Acquire) {
                    wait(&mut times);
                }
                ownership(word) + 1
            }
        };
        let inside = self.inside.get(next);
        let owner = match inside {
            Some(inside) => {
                inside.store(true, Ordering::Relaxed);
                thread.0 | next as u64
            }
            None => EVERYBODY,
        };
        self.owner.store(owner, Ordering::Release);
        inside
    }
}

/// The number of an ownership.
fn ownership(word: u64) -> usize {
    word as usize % OWNERSHIPS
}

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

    /// Waits until the thread of this number is the only one inside. To leave, it stores false in
    /// what is returned, with release ordering.
    #[inline(always)]
    pub(super) fn enter(&self, thread: u64) -> &AtomicBool {
        let word = self.owner.load(Ordering::Relaxed);
        if word >> BITS == thread {
            let inside = &self.inside[ownership(word)];
            if !inside.load(Ordering::Relaxed) {
                inside.store(true, Ordering::Relaxed);
                light_fence();
                if self.owner.load(Ordering::Acquire) == word {
                    return inside;
                }
                inside.store(false, Ordering::Release);
            }
        }
        self.enter_slowly(thread)
    }

    /// The same for all but the owner.
    #[cold]
    #[inline(never)]
    fn enter_slowly(&self, thread: u64) -> &AtomicBool {
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
                word if word == MOVING || word >> BITS == thread => {}
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
    fn take_over(&self, word: u64, thread: u64) -> Option<&AtomicBool> {
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
                thread << BITS | next as u64
            }
            None => EVERYBODY,
        };
        self.owner.store(owner, Ordering::Release);
        inside
    }
}

/// The number of an ownership.
#[inline(always)]
fn ownership(word: u64) -> usize {
    word as usize % OWNERSHIPS
}

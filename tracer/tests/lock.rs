//! The protocol of the recorder's lock, tried in all orders that threads and memory allow.
//!
//! The file of the protocol is taken as it is; what it needs of the machine comes from `loom`. The
//! fence that one thread makes all others pass is modelled as what it is as good as: a full fence
//! in both.

#[path = "../src/recorder/lock/bias.rs"]
mod bias;

/// What the protocol needs, from `loom`.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    pub(super) fn light_fence() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }

    pub(super) fn heavy_fence() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }

    pub(super) fn wait(_: &mut u32) {
        loom::thread::yield_now();
    }
}

use bias::{Bias, FIRST_THREAD, OWNERSHIPS, Thread};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use sync::Ordering;

/// The lock, and what it guards: `loom` fails when two are at it at a time, or when one does not
/// see what the one before did.
struct Guarded {
    bias: Bias,
    count: UnsafeCell<u32>,
}

impl Guarded {
    fn count(&self, thread: u64) -> u32 {
        let thread = Thread::numbered(FIRST_THREAD + thread);
        let at_once = self.bias.enter_at_once(thread);
        let inside = at_once.unwrap_or_else(|| self.bias.enter(thread));
        let count = self.count.with_mut(|count| {
            // SAFETY: the lock is held; `loom` fails the test if that does not mean to be alone.
            let count = unsafe { &mut *count };
            *count += 1;
            *count
        });
        inside.store(false, Ordering::Release);
        count
    }
}

/// Two that run at the same time, each as the threads of these numbers, one after the other, and
/// count once as each. The lock leans towards so many.
fn model(most: usize, here: &'static [u64], there: &'static [u64]) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let guarded = Arc::new(Guarded { bias: Bias::new(most), count: UnsafeCell::new(0) });
        let other = Arc::clone(&guarded);
        let thread = loom::thread::spawn(move || {
            for thread in there {
                other.count(*thread);
            }
        });
        for thread in here {
            guarded.count(*thread);
        }
        assert!(thread.join().is_ok());
        let counts = here.len() + there.len();
        assert_eq!(guarded.count(9) as usize, counts + 1);
    });
}

#[test]
fn the_owner_and_a_newcomer_are_never_inside_together() {
    model(1, &[0, 0], &[1]);
    model(1, &[0], &[1, 1]);
}

#[test]
fn a_former_owner_does_not_let_anyone_in() {
    model(2, &[0, 0], &[1, 1]);
    model(2, &[0, 0], &[1, 2]);
    model(OWNERSHIPS, &[0, 0], &[1, 2]);
}

#[test]
fn a_thread_without_a_number_owns_nothing() {
    loom::model(|| {
        let bias = Bias::new(OWNERSHIPS);
        assert!(bias.enter_at_once(Thread::UNKNOWN).is_none(), "before anyone came");
        bias.enter(Thread::numbered(FIRST_THREAD)).store(false, Ordering::Release);
        assert!(bias.enter_at_once(Thread::UNKNOWN).is_none(), "when another is the owner");
    });
}

#[test]
fn nobody_leans() {
    model(0, &[0, 0], &[1, 1]);
}

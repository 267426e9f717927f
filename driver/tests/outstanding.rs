//! What posts and polls share without a common lock, tried in all orders that threads and memory allow.
//!
//! The file is taken as it is; the atomics that it uses come from `loom`. One thing `loom` does not try: a
//! load that is done after a store behind it. That `retire` keeps the two in order is in its text alone.

#[path = "../src/mlx5/outstanding.rs"]
#[allow(dead_code, reason = "a reset is not part of the model")]
mod outstanding;

/// The atomics, from `loom`.
mod sync {
    pub use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
}

/// The notes to a ring's entries.
mod notes {
    use loom::sync::Arc;

    pub struct Notes<T>(Arc<Vec<T>>);

    impl<T> Clone for Notes<T> {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }

    impl<T: Default> Notes<T> {
        pub fn new(entries: u32) -> Self {
            Self(Arc::new((0..entries).map(|_| T::default()).collect()))
        }

        pub fn view(&self) -> View<'_, T> {
            View(&self.0)
        }

        pub fn at(&self, counter: u32) -> &T {
            self.view().at(counter)
        }
    }

    /// Where they are.
    pub struct View<'n, T>(&'n [T]);

    impl<T> Clone for View<'_, T> {
        fn clone(&self) -> Self {
            *self
        }
    }

    impl<T> Copy for View<'_, T> {}

    impl<'n, T> View<'n, T> {
        pub fn at(self, counter: u32) -> &'n T {
            &self.0[counter as usize % self.0.len()]
        }
    }
}

use loom::sync::Arc;
use loom::thread;
use outstanding::Outstanding;
use sync::{AtomicU32, Ordering};

/// A queue, and how many of its work requests the card has completed. That one word stands for the way from
/// the post to the poll: doorbell, card, and the owner bit of the completion, with their barriers.
struct Queue {
    outstanding: Outstanding,
    completed: AtomicU32,
}

fn wr_id(number: u32) -> u64 {
    100 + u64::from(number)
}

fn binds(number: u32) -> bool {
    number.is_multiple_of(2)
}

/// One thread posts so many work requests to a queue with these entries, as there is room, and another
/// polls them. Each is told of what it was.
fn model(entries: u32, posts: u32) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let outstanding = Outstanding::new(entries);
        let queue = Arc::new(Queue { outstanding, completed: AtomicU32::new(0) });
        let polled = Arc::clone(&queue);
        let poll = thread::spawn(move || {
            for number in 0..posts {
                while polled.completed.load(Ordering::Acquire) <= number {
                    thread::yield_now();
                }
                assert_eq!(polled.outstanding.is_bind(number), binds(number));
                assert_eq!(polled.outstanding.retire(number), wr_id(number));
            }
        });
        for number in 0..posts {
            while queue.outstanding.count(number) >= entries {
                thread::yield_now();
            }
            queue.outstanding.remember(number, wr_id(number), number);
            queue.outstanding.remember_bind(number, binds(number));
            queue.completed.store(number + 1, Ordering::Release);
        }
        assert!(poll.join().is_ok());
        assert_eq!(queue.outstanding.count(posts), 0);
    });
}

#[test]
fn a_full_queue_is_filled_again_only_behind_the_poll() {
    model(1, 3);
}

#[test]
fn posts_and_polls_may_be_some_requests_apart() {
    model(2, 3);
}

/// Requests that were not signalled are done with the one behind them that was.
#[test]
fn one_completion_retires_all_before_it() {
    loom::model(|| {
        let queue = Arc::new(Outstanding::new(2));
        queue.remember(0, wr_id(0), 0);
        queue.remember(1, wr_id(1), 1);
        let polled = Arc::clone(&queue);
        let poll = thread::spawn(move || assert_eq!(polled.retire(1), wr_id(1)));
        let seen = queue.count(2);
        assert!(seen == 0 || seen == 2, "{seen} outstanding");
        assert!(poll.join().is_ok());
        assert_eq!(queue.count(2), 0);
    });
}

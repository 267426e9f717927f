//! The lock with real threads and the system's fence. All orders are tried in `tests/lock.rs`.

use super::bias::OWNERSHIPS;
use super::{Bias, BriefLock, sync};
use std::cell::UnsafeCell;
use std::sync::Barrier;
use std::time::Duration;

/// A lock that leans towards so many threads before it leans no more.
fn lock_of(most: usize) -> BriefLock<[u64; 2]> {
    let most = if sync::has_heavy_fence() { most } else { 0 };
    BriefLock { bias: Bias::new(most), value: UnsafeCell::new([0; 2]) }
}

/// Counts twice; both counts are the same whenever one looks.
fn count(lock: &BriefLock<[u64; 2]>) {
    let mut counts = lock.lock();
    assert_eq!(counts[0], counts[1]);
    counts[0] += 1;
    std::hint::black_box(&mut *counts);
    counts[1] += 1;
}

#[test]
fn threads_are_inside_one_after_the_other() {
    const TIMES: u64 = 20_000;
    for most in [0, 1, 2, OWNERSHIPS] {
        for _ in 0..20 {
            let lock = lock_of(most);
            let start = Barrier::new(3);
            std::thread::scope(|scope| {
                for thread in 0..3 {
                    let (lock, start) = (&lock, &start);
                    scope.spawn(move || {
                        start.wait();
                        for time in 0..TIMES {
                            count(lock);
                            // Now and then alone for a while, so that the lock leans again.
                            if time % 5000 == thread * 1000 {
                                std::thread::sleep(Duration::from_micros(200));
                            }
                        }
                    });
                }
            });
            assert_eq!(*lock.lock(), [3 * TIMES; 2], "leaning {most} times");
        }
    }
}

#[test]
fn a_lock_that_must_not_lean_is_never_taken_at_once() {
    for (leans, at_once) in [(false, false), (true, sync::has_heavy_fence())] {
        let lock = BriefLock::new([0; 2], leans);
        assert!(lock.lock_at_once().is_none(), "nobody came before");
        count(&lock);
        assert_eq!(lock.lock_at_once().is_some(), at_once, "leans: {leans}");
        let held = lock.lock();
        assert!(lock.lock_at_once().is_none(), "it is held by this very thread");
        drop(held);
    }
}

#[test]
fn the_ownership_moves_from_thread_to_thread() {
    let lock = lock_of(OWNERSHIPS);
    for _ in 0..2 * OWNERSHIPS as u64 {
        count(&lock);
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|_| count(&lock)));
        });
    }
    assert_eq!(*lock.lock(), [2 * OWNERSHIPS as u64 * 101; 2]);
}

#[test]
fn after_a_panic_the_lock_is_free() {
    for most in [0, OWNERSHIPS] {
        let lock = lock_of(most);
        let panic = std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _counts = lock.lock();
                panic!("a panic of the holder, on purpose");
            });
            holder.join().is_err()
        });
        assert!(panic);
        count(&lock);
        assert_eq!(*lock.lock(), [1; 2]);
    }
}

#[test]
fn who_waits_for_long_goes_on() {
    let lock = lock_of(OWNERSHIPS);
    std::thread::scope(|scope| {
        let held = lock.lock();
        let other = scope.spawn(|| count(&lock));
        std::thread::sleep(Duration::from_millis(20));
        assert!(!other.is_finished());
        drop(held);
    });
    assert_eq!(*lock.lock(), [1; 2]);
}

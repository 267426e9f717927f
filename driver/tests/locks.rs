//! A queue's lock, and that of a doorbell register which several queues ring, tried in all orders that threads
//! and memory allow.
//!
//! The files are taken as they are; the lock's atomic, and what it guards, come from `loom`: it fails when two
//! are at it at a time, or when one does not see what the one before did.

#[path = "../src/mlx5/lock.rs"]
mod lock;
#[path = "../src/mlx5/shared_register.rs"]
mod shared_register;

/// The lock: what `spin::mutex::SpinMutex` does, in its order of memory.
mod sync {
    use loom::cell::{MutPtr, UnsafeCell};
    use loom::sync::atomic::{AtomicBool, Ordering};
    use std::ops::{Deref, DerefMut};

    pub use loom::hint::spin_loop;

    pub struct SpinMutex<T> {
        locked: AtomicBool,
        data: UnsafeCell<T>,
    }

    // SAFETY: as for spin's, who has the lock is alone with the data.
    unsafe impl<T: Send> Sync for SpinMutex<T> {}

    impl<T> SpinMutex<T> {
        pub fn new(data: T) -> Self {
            Self { locked: AtomicBool::new(false), data: UnsafeCell::new(data) }
        }

        pub fn try_lock(&self) -> Option<SpinMutexGuard<'_, T>> {
            let taken = (Ordering::Acquire, Ordering::Relaxed);
            self.locked.compare_exchange(false, true, taken.0, taken.1).ok()?;
            Some(SpinMutexGuard { lock: self, data: Some(self.data.get_mut()) })
        }

        pub fn is_locked(&self) -> bool {
            self.locked.load(Ordering::Relaxed)
        }

        /// The data, by the word of who holds the lock: `as_mut_ptr`.
        pub fn held<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
            // SAFETY: `loom` fails the test if somebody else is at it.
            self.data.with_mut(|data| use_it(unsafe { &mut *data }))
        }

        /// Gives the lock back by the word of who holds it.
        pub fn force_unlock(&self) {
            self.locked.store(false, Ordering::Release);
        }
    }

    pub struct SpinMutexGuard<'a, T> {
        lock: &'a SpinMutex<T>,
        data: Option<MutPtr<T>>,
    }

    impl<T> SpinMutexGuard<'_, T> {
        /// Keeps the lock without its guard.
        pub fn leak(mut self) {
            self.data = None;
            std::mem::forget(self);
        }
    }

    impl<T> Deref for SpinMutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            // SAFETY: `loom` fails the test if somebody else is at it.
            unsafe { MutPtr::deref(self.data.as_ref().expect("until it is dropped")) }
        }
    }

    impl<T> DerefMut for SpinMutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: `loom` fails the test if somebody else is at it.
            unsafe { MutPtr::deref(self.data.as_ref().expect("until it is dropped")) }
        }
    }

    impl<T> Drop for SpinMutexGuard<'_, T> {
        fn drop(&mut self) {
            self.data = None;
            self.lock.force_unlock();
        }
    }
}

/// What a post knows of a register.
mod bus {
    pub trait UarPage {
        type Register: DoorbellRegister;
    }

    pub trait DoorbellRegister {
        /// Writes the register and flushes; the other buffer is next.
        fn ring(&mut self, what: u32);
    }
}

mod barrier {
    pub struct Barrier {
        pub name: &'static str,
        pub instruction: &'static str,
        pub pass: fn(),
    }

    /// Where the lock's own instruction is the barrier there is none: that is the order which is tried here.
    pub const WRITE_COMBINING_LOCKED: Barrier =
        Barrier { name: "write_combining_locked", instruction: "", pass: || () };
}

mod send_queue {
    use super::bus::UarPage;
    use super::sync::SpinMutex;
    use loom::sync::Arc;

    pub struct Built;
    pub struct Wqe(pub u32);

    /// As much of a send queue as a doorbell needs.
    pub struct SendQueue<U: UarPage> {
        pub head: u32,
        pub register: BlueFlame<U>,
    }

    pub struct BlueFlame<U: UarPage> {
        pub register: U::Register,
        pub shared: Option<Arc<SpinMutex<U::Register>>>,
    }
}

mod doorbell {
    use super::bus::{DoorbellRegister, UarPage};
    use super::send_queue::{Built, SendQueue, Wqe};

    pub struct Alone;

    pub fn ring_register<U: UarPage, P>(
        queue: &mut SendQueue<U>,
        _: Built,
        last: Wqe,
        _: u32,
        _: Option<Alone>,
        _: &P,
    ) {
        queue.register.register.ring(last.0);
    }
}

use bus::{DoorbellRegister, UarPage};
use doorbell::ring_register;
use doorbell_tracer::Off;
use lock::take;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use send_queue::{BlueFlame, Built, SendQueue, Wqe};
use shared_register::ring_shared;
use sync::SpinMutex;

/// The register in the card: which buffer was written, and with what. A write takes its time, and two at a time
/// would mix.
struct Device(UnsafeCell<Vec<(u32, u32)>>);

impl Device {
    fn write(&self, buffer: u32, what: u32) {
        // SAFETY: `loom` fails the test if somebody else is at it.
        self.0.with_mut(|written| unsafe { &mut *written }.push((buffer, what)));
    }
}

/// A register, and the buffer that it stands at.
struct Register {
    device: Arc<Device>,
    buffer: u32,
}

impl DoorbellRegister for Register {
    fn ring(&mut self, what: u32) {
        self.device.write(self.buffer, what);
        self.buffer ^= 1;
    }
}

struct Page;

impl UarPage for Page {
    type Register = Register;
}

/// In all orders, of two that wait for each other three times at most.
fn in_all_orders(test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

#[test]
fn who_takes_a_queue_is_alone_with_it_and_sees_what_the_one_before_did() {
    in_all_orders(|| {
        let queue = Arc::new(SpinMutex::new(0));
        let other = Arc::clone(&queue);
        let post = |queue: &SpinMutex<u32>| (0..2).for_each(|_| *take(queue) += 1);
        let thread = thread::spawn(move || post(&other));
        post(&queue);
        assert!(thread.join().is_ok());
        assert_eq!(*take(&queue), 4);
    });
}

/// A batch holds the lock from its first call to its last without a guard, as `wr_start` and `wr_complete` do.
#[test]
fn a_batch_keeps_the_queue_from_a_post() {
    in_all_orders(|| {
        let queue = Arc::new(SpinMutex::new(0));
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || *take(&other) += 10);
        take(&queue).leak();
        let begun = queue.held(|count| std::mem::replace(count, *count + 1));
        queue.held(|count| {
            assert_eq!(*count, begun + 1, "a post came between two calls of a batch");
            *count += 1;
        });
        queue.force_unlock();
        assert!(thread.join().is_ok());
        assert_eq!(*take(&queue), 12);
    });
}

/// Two queues with a lock each, and one register.
fn two_queues() -> (Arc<Device>, [SpinMutex<SendQueue<Page>>; 2]) {
    let device = Arc::new(Device(UnsafeCell::new(Vec::new())));
    let register = |buffer| Register { device: Arc::clone(&device), buffer };
    let shared = Arc::new(SpinMutex::new(register(0)));
    let queues = [7, 8].map(|own| {
        // What stands in the place of a register of its own is never rung.
        let bf = BlueFlame { register: register(own), shared: Some(Arc::clone(&shared)) };
        SpinMutex::new(SendQueue { head: 0, register: bf })
    });
    (device, queues)
}

fn post_and_ring(queue: &SpinMutex<SendQueue<Page>>, first: u32, posts: u32, locked: bool) {
    for number in first..first + posts {
        let mut queue = take(queue);
        queue.head += 1;
        match locked {
            true => ring_shared(&mut queue, Built, Wqe(number), 1, None, &Off),
            false => ring_register(&mut queue, Built, Wqe(number), 1, None, &Off),
        }
    }
}

#[test]
fn a_register_is_rung_by_one_queue_at_a_time_and_its_buffers_take_turns() {
    in_all_orders(|| {
        let (device, [one, two]) = two_queues();
        let thread = thread::spawn(move || {
            post_and_ring(&two, 20, 2, true);
            two
        });
        post_and_ring(&one, 10, 2, true);
        let two = thread.join().expect("no panic");
        // SAFETY: `loom` fails the test if somebody else is at it.
        let written = device.0.with(|written| unsafe { &*written }.clone());
        let buffers: Vec<u32> = written.iter().map(|(buffer, _)| *buffer).collect();
        assert_eq!(buffers, [0, 1, 0, 1], "whoever rings");
        for (queue, first, own) in [(&one, 10, 7), (&two, 20, 8)] {
            let rung = written.iter().map(|(_, what)| *what).filter(|what| what / 10 == first / 10);
            assert_eq!(rung.collect::<Vec<_>>(), [first, first + 1], "in their order");
            let queue = take(queue);
            assert_eq!((queue.head, queue.register.register.buffer), (2, own), "swapped back");
            assert!(queue.register.shared.is_some());
        }
    });
}

/// The model finds it when the register's lock is left out.
#[test]
#[should_panic(expected = "Causality violation")]
fn without_the_registers_lock_two_are_at_it() {
    in_all_orders(|| {
        let (_, [one, two]) = two_queues();
        let thread = thread::spawn(move || post_and_ring(&two, 20, 1, false));
        post_and_ring(&one, 10, 1, false);
        assert!(thread.join().is_ok());
    });
}

//! The thread that lets the card work: it looks for doorbells, less and less often while there
//! are none.

use crate::machine::Machine;
use crate::schedule::ask_for_short_slices;
use rustix::thread::set_current_timer_slack;
use std::num::NonZeroU64;
use std::sync::PoisonError;
use std::time::Duration;

/// Pieces of work between two moments at which the other thread gets the lock.
const STEPS: u32 = 512;
/// Looks without a pause, and then with growing ones. Few, and not short ones: a thread that uses
/// more than its share beside guests that poll is not let in when it wakes up, but at the next
/// tick of the scheduler, milliseconds later; a pause of this length earns the share back.
const EAGER_LOOKS: u32 = 2;
/// The shortest and the longest pause.
const SHORTEST: Duration = Duration::from_micros(60);
const LONGEST: Duration = Duration::from_millis(1);
/// How long the other thread has for its turn, when it waits for one.
const TURN: Duration = Duration::from_micros(100);
/// A pause grows by one part in this many.
const GROWTH: u32 = 64;

/// Works until the machine is told to stop.
pub(crate) fn work(machine: &Machine) {
    // Pauses are shorter than what the kernel rounds them up to; if it refuses, they are longer.
    let _ = set_current_timer_slack(NonZeroU64::new(1000));
    ask_for_short_slices();
    let mut quiet = 0;
    let mut pause = SHORTEST;
    loop {
        let mut inner = machine.lock();
        if inner.stopped {
            return;
        }
        if !inner.connected || inner.is_frozen() {
            drop(machine.news.wait(inner).unwrap_or_else(PoisonError::into_inner));
            continue;
        }
        inner.card.tell_time(machine.time());
        inner.card.look();
        let patience = inner.flush_late_stores();
        if inner.step() {
            inner.work(STEPS);
            (quiet, pause) = (0, SHORTEST);
            if machine.is_wanted() {
                // Not `yield_now`: it would give a whole time slice away.
                let waited = machine.news.wait_timeout(inner, TURN);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
            continue;
        }
        quiet += 1;
        if quiet > EAGER_LOOKS {
            let pause_now = patience.map_or(pause, |patience| patience.min(pause));
            let waited = machine.news.wait_timeout(inner, pause_now);
            let (inner, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
            drop(inner);
            match outcome.timed_out() {
                true => pause = (pause + pause / GROWTH).min(LONGEST),
                false => (quiet, pause) = (0, SHORTEST),
            }
        }
    }
}

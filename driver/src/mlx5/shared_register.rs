//! Ringing a doorbell register that other queues ring, too.

use super::barrier::WRITE_COMBINING_LOCKED;
use super::doorbell::{Alone, ring_register};
use super::lock::take;
use super::send_queue::{Built, SendQueue, Wqe};
use crate::bus::UarPage;
use doorbell_tracer::{Group, Probe, probe};
use std::mem::swap;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: ring_shared
/// Writes a register that other queues ring, too: one at a time, and the write has left the CPU before
/// the next one may write. Which of the two buffers is next goes from queue to queue with the
/// register. (`bf->need_lock`)
pub fn ring_shared<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    built: Built,
    last: Wqe,
    count: u32,
    alone: Option<Alone>,
    probe: &P,
) {
    let Some(shared) = queue.register.shared.take() else { return };
    let mut register = take(&shared);
    probe!(P: *probe, locked("bf.lock"));
    (WRITE_COMBINING_LOCKED.pass)();
    probe!(P: *probe, barrier(WRITE_COMBINING_LOCKED.name, WRITE_COMBINING_LOCKED.instruction));
    swap(&mut queue.register.register, &mut register);
    ring_register(queue, built, last, count, alone, probe);
    swap(&mut queue.register.register, &mut register);
    drop(register);
    probe!(P: *probe, unlocked("bf.lock"));
    queue.register.shared = Some(shared);
}
// ANCHOR_END: ring_shared

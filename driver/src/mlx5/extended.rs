//! `mlx5_send_wr_start` to `mlx5_send_wr_complete`: a batch, which is posted whole or not at all.
//!
//! The bytes are those of `post_send`. What differs is the way there: each call writes its segment
//! into the ring at once, and an error ends the batch instead of the list.

mod builders;
mod datagrams;
mod not_posted;
mod setters;
mod told;

use super::doorbell::{Alone, ring_doorbell};
use super::lock::take;
use super::queue_pair::Mlx5QueuePair;
use super::ring::{Block, Ring};
use super::segments::qpn_ds;
use super::send_queue::{Built, SendQueue, Wqe, blocks};
use super::signature::sign_batch;
use crate::bus::{Bus, UarPage};
use crate::verbs::{
    self, BatchError, BatchOps, Begun, Locked, PostCause, QueuePair, Started, Transport,
};
use builders::{Reliable, Unreliable};
use datagrams::{Datagram, Datagrams};
use doorbell_tracer::{Group, Off, Probe, Tracer, Value, probe};
use spin::mutex::SpinMutexGuard as MutexGuard;
use std::hint::cold_path;
use std::ptr::NonNull;
use told::Told;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: batch_state
/// What a queue pair keeps between the calls of a batch. `cur_post` of the queue runs with the batch, and is
/// set back if it is given up; its `head` follows in the end.
pub struct Batch {
    /// The functions of its batches, without probes and with them. (`mlx5_qp_fill_wr_pfns`)
    ops: [&'static BatchOps; 2],
    /// The queue's `cur_post` when the batch was started. (`mqp->cur_post_rb`)
    start: u32,
    /// The queue's `head`, with the requests of the batch. (`sq->head + mqp->nreq`)
    head: u32,
    /// Its first request takes the small fence. (`mqp->fm_cache_rb`)
    fenced: bool,
    /// Why it fails: its first refusal, or that the queue pair does not send. (`mqp->err`)
    failed: Option<BatchError>,
    /// Data of the batch is inline, if only an empty list. (`mqp->inl_wqe`)
    inline: bool,
    /// The first block of the WQE that was finished last. (`mqp->cur_ctrl`)
    last: Block,
    /// The datagram under construction. (`mqp->cur_setters_cnt`)
    datagram: Datagram,
    /// Its WQEs carry signatures, or its register has a lock: known when the queue pair is created.
    signed_or_shared: bool,
}

impl Batch {
    /// Of a new queue pair.
    pub fn new<B: Bus>(transport: Transport, ring: &Ring, signed_or_shared: bool) -> Self {
        Self {
            ops: [functions::<B>(transport), told_functions::<B>(transport)],
            start: 0,
            head: 0,
            fenced: false,
            failed: NOT_READY,
            inline: false,
            last: ring.block(0),
            datagram: Datagram::NONE,
            signed_or_shared,
        }
    }

    /// The queue pair sends, or it does not. C exchanges `wr_complete` for one that only fails.
    /// (`mlx5_qp_fill_wr_complete_real`, `mlx5_qp_fill_wr_complete_error`)
    pub fn sends(&mut self, sends: bool) {
        self.failed = if sends { None } else { NOT_READY };
    }
}

/// A request whose WQE has `units` units so far: where the next goes, and what its control segment will
/// say of queue pair and length.
#[inline(always)]
fn begun<U: UarPage>(queue: &SendQueue<U>, wqe: Wqe, units: u32) -> Begun {
    Begun { place: wqe.block.place(units), word: qpn_ds(queue, units) }
}

/// A request that was refused: its setters do nothing.
const NOTHING: Begun = Begun { place: NonNull::dangling(), word: 0 };

/// What a batch fails with before the queue pair has come to RTS.
const NOT_READY: Option<BatchError> =
    Some(BatchError { index: 0, cause: PostCause::NotReadyToSend });

/// What a transport has for `struct ibv_qp_ex`.
trait Functions {
    /// Its functions.
    const OPS: BatchOps;
}

/// The functions of a transport.
fn functions<B: Bus>(transport: Transport) -> &'static BatchOps {
    match transport {
        Transport::ReliableConnection => const { &Reliable::<B, Off>::OPS },
        Transport::UnreliableConnection => const { &Unreliable::<B, Off>::OPS },
        Transport::UnreliableDatagram => const { &Datagrams::<B, Off>::OPS },
    }
}

/// The same with probes, and each told as a call.
fn told_functions<B: Bus>(transport: Transport) -> &'static BatchOps {
    match transport {
        Transport::ReliableConnection => const { &Told::<B, Reliable<B, Tracer>>::OPS },
        Transport::UnreliableConnection => const { &Told::<B, Unreliable<B, Tracer>>::OPS },
        Transport::UnreliableDatagram => const { &Told::<B, Datagrams<B, Tracer>>::OPS },
    }
}
// ANCHOR_END: batch_state

// ANCHOR: wr_start
/// Locks the queue, and notes where it stands. (`mlx5_send_wr_start`)
pub fn wr_start<B: Bus, P: Probe>(qp: &QueuePair) -> Started {
    let mlx5 = Mlx5QueuePair::<B>::of(qp);
    let probe = P::of(&mlx5.user);
    probe!(
        at & verbs::WR_START_CALL,
        P: probe,
        call("ibv_wr_start", [("qp", Value::Hex(qp.number().into()))])
    );
    let queue = MutexGuard::leak(take(&mlx5.send));
    probe!(P: probe, locked("sq.lock"));
    let batch = &mut queue.batch;
    (batch.start, batch.head) = (queue.cur_post, queue.head);
    (batch.inline, batch.fenced) = (false, false);
    if queue.opcodes.fenced {
        cold_path();
        batch.fenced = true;
        queue.look_closer();
    }
    Started { ops: queue.batch.ops[usize::from(P::ON)], queue: Locked(NonNull::from(mlx5).cast()) }
}
// ANCHOR_END: wr_start

/// The queue pair of a batch, its locked queue, and its probe.
///
/// # Safety
/// - As for the functions of [`BatchOps`].
#[inline(always)]
unsafe fn open<'q, B: Bus, P: Probe>(
    locked: Locked,
) -> (&'q Mlx5QueuePair<B>, &'q mut SendQueue<B::Page>, &'q P) {
    // SAFETY: `wr_start` of this `B` made it of a queue pair that is borrowed for the whole batch. The
    // lock was taken there and `complete` or `abort` gives it back: until then the queue is the batch's alone;
    // each call of the batch has ended before the next begins.
    unsafe {
        let mlx5 = locked.0.cast::<Mlx5QueuePair<B>>().as_ref();
        (mlx5, &mut *mlx5.send.as_mut_ptr(), P::of(&mlx5.user))
    }
}

// ANCHOR: wr_complete
/// Rings for the whole batch, or gives it up if one of its requests was refused.
/// (`mlx5_send_wr_complete`)
unsafe fn complete<B: Bus, P: Probe>(locked: Locked) -> Result<(), BatchError> {
    // SAFETY: by the caller's word.
    let (mlx5, queue, probe) = unsafe { open::<B, P>(locked) };
    let result = match queue.batch.failed {
        None => {
            ring(queue, probe);
            Ok(())
        }
        Some(error) => {
            cold_path();
            queue.give_up();
            Err(error)
        }
    };
    // SAFETY: by the caller's word; `queue` is not used any more.
    unsafe { mlx5.send.force_unlock() };
    probe!(P: probe, unlocked("sq.lock"));
    probe!(
        at & verbs::WR_START_CALL,
        P: probe,
        returned("ibv_wr_complete", outcome(&result))
    );
    result
}

/// Gives the batch up. (`mlx5_send_wr_abort`)
unsafe fn abort<B: Bus, P: Probe>(locked: Locked) {
    // SAFETY: by the caller's word.
    let (mlx5, queue, probe) = unsafe { open::<B, P>(locked) };
    queue.give_up();
    // SAFETY: by the caller's word; `queue` is not used any more.
    unsafe { mlx5.send.force_unlock() };
    probe!(P: probe, unlocked("sq.lock"));
    probe!(at & verbs::WR_START_CALL, P: probe, returned("ibv_wr_start", "ibv_wr_abort"));
}

/// The batch fails with a cause that the provider has not seen.
unsafe fn refuse<B: Bus, P: Probe>(locked: Locked, cause: PostCause) {
    // SAFETY: by the caller's word.
    let (_, queue, _) = unsafe { open::<B, P>(locked) };
    queue.refuse(cause);
}

/// Record and register, once for all. (`post_send_db`)
#[inline(always)]
fn ring<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, probe: &P) {
    let count = queue.batch_count();
    if count == 0 {
        cold_path();
        return;
    }
    if queue.batch.signed_or_shared {
        cold_path();
        return ring_specially(queue, count, probe);
    }
    let (built, last, alone) = batch_built(queue, count);
    ring_doorbell::<_, _, false>(queue, built, last, count, alone, probe);
}

/// The same where the WQEs carry signatures, or the register has a lock.
#[cold]
#[inline(never)]
fn ring_specially<U: UarPage, P: Probe>(queue: &mut SendQueue<U>, count: u32, probe: &P) {
    if queue.opcodes.sign() {
        sign_batch(queue, queue.batch.start, queue.cur_post, probe);
    }
    let (built, last, alone) = batch_built(queue, count);
    if queue.register.shared.is_some() {
        ring_doorbell::<_, _, true>(queue, built, last, count, alone, probe);
    } else {
        ring_doorbell::<_, _, false>(queue, built, last, count, alone, probe);
    }
}

/// How far the batch has come, its last WQE, and what is told of it if it is the only one.
#[inline(always)]
fn batch_built<U: UarPage>(queue: &SendQueue<U>, count: u32) -> (Built, Wqe, Option<Alone>) {
    let block = queue.batch.last;
    let built = queue.nothing_built(queue.batch.head).of_length(block.length());
    let alone = (count == 1).then_some(Alone { inline: queue.batch.inline });
    (built, Wqe { block, ..built.last(false) }, alone)
}

impl<U: UarPage> SendQueue<U> {
    /// Requests of the batch so far.
    #[inline(always)]
    fn batch_count(&self) -> u32 {
        self.batch.head.wrapping_sub(self.head)
    }

    /// The batch has one WQE more, which begins with `block` and has `units` units.
    #[inline(always)]
    fn advance(&mut self, block: Block, units: u32) {
        self.cur_post = self.cur_post.wrapping_add(blocks(units));
        self.batch.head = self.batch.head.wrapping_add(1);
        self.batch.last = block;
    }

    /// The same with one that fits a block.
    #[inline(always)]
    fn advance_block(&mut self, block: Block) {
        self.cur_post = self.cur_post.wrapping_add(1);
        self.batch.head = self.batch.head.wrapping_add(1);
        self.batch.last = block;
    }

    /// The next request of the batch does not go the short way: the fence is to be taken, or the batch
    /// has failed. It is told by the same comparison that tells that the queue may be full.
    #[cold]
    fn look_closer(&mut self) {
        self.full_at = self.batch.head;
    }

    /// The batch fails, if it has not failed before, and the requests to come are not built.
    #[cold]
    fn refuse(&mut self, cause: PostCause) {
        let index = self.batch_count();
        self.batch.failed.get_or_insert(BatchError { index, cause });
        self.look_closer();
    }

    /// Everything is as it was before the batch: the counter of blocks, and the small fence.
    #[cold]
    fn give_up(&mut self) {
        self.cur_post = self.batch.start;
        self.opcodes.take_fence();
        if self.batch.fenced {
            self.opcodes.fence_next();
        }
        let sends = self.takes_requests();
        self.batch.sends(sends);
    }
}

/// 0, or the first refusal.
fn outcome(result: &Result<(), BatchError>) -> Value {
    match result {
        Ok(()) => 0_u32.into(),
        Err(error) => format!("{} (request {})", error.cause, error.index).into(),
    }
}
// ANCHOR_END: wr_complete

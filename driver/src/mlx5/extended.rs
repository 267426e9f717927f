//! `mlx5_send_wr_start` to `mlx5_send_wr_complete`: a batch, which is posted whole or not at all.
//!
//! The WQEs are those of `post_send`, by the same functions. What differs is what is around them: no
//! list to go through, and an error that ends the batch instead of the list.

use super::checks::why;
use super::doorbell::{Alone, ring_doorbell};
use super::kinds::{Any, Shared};
use super::opcodes::Table;
use super::post_send::build;
use super::queue_pair::Mlx5QueuePair;
use super::send_queue::{Built, SendQueue};
use super::settings::take;
use crate::bus::{Bus, UarPage};
use crate::verbs::{
    self, BatchError, Builder, End, Fill, PostCause, QueuePair, SendFlags, SendRequest,
};
use doorbell_tracer::{Group, Probe, Value, probe};
use std::hint::cold_path;

const PROBE_GROUP: Group = Group::PostSend;

/// A batch under construction. The queue's counters are as they were: they follow when the card is
/// told, so there is nothing to take back but the fence.
struct Started<'a, U: UarPage, P: Probe> {
    queue: &'a mut SendQueue<U>,
    built: Built,
    /// The first refusal. (`mqp->err`)
    failed: Option<BatchError>,
    /// Data of the batch is inline, if only an empty list. (`mqp->inl_wqe`)
    inline: bool,
    probe: P,
}

// ANCHOR: wr_start
/// Locks the queue, lets the program fill the batch, and rings for all of it or for none.
/// (`mlx5_send_wr_start`, `mlx5_send_wr_complete`, `mlx5_send_wr_abort`)
pub fn wr_start<B: Bus, P: Probe>(qp: &QueuePair, fill: Fill<'_>) -> Result<(), BatchError> {
    let mlx5 = Mlx5QueuePair::<B>::of(qp);
    let probe = P::of(&mlx5.tracer);
    probe!(
        at & verbs::WR_START_CALL,
        P: probe,
        call("ibv_wr_start", [("qp", Value::Hex(qp.number().into()))])
    );
    let mut guard = take(&mlx5.send);
    probe!(P: probe, locked("sq.lock"));
    let queue = &mut *guard;
    let fence = queue.opcodes.now;
    let built = queue.nothing_built();
    let mut batch =
        Started { queue, built, failed: None, inline: false, probe: P::of(&mlx5.tracer) };
    let end = fill(&mut batch);
    let result = batch.end(end, fence);
    drop(guard);
    probe!(P: probe, unlocked("sq.lock"));
    probe!(
        at & verbs::WR_START_CALL,
        P: probe,
        returned("ibv_wr_complete", outcome(end, &result))
    );
    result
}
// ANCHOR_END: wr_start

// ANCHOR: wr_add
impl<U: UarPage, P: Probe> Builder for Started<'_, U, P> {
    /// One request more. After a refusal nothing is built any more.
    fn add(&mut self, request: &SendRequest<'_>) {
        if self.failed.is_some() {
            cold_path();
            return;
        }
        match build::<_, _, Any>(self.queue, request, self.built, &self.probe) {
            Ok(built) => self.built = built,
            Err(refusal) => {
                cold_path();
                self.refuse(why(self.queue, request, refusal));
            }
        }
        self.inline |= request.send_flags.contains(SendFlags::INLINE);
    }

    fn refuse(&mut self, cause: PostCause) {
        let index = self.count();
        self.failed.get_or_insert(BatchError { index, cause });
    }
}
// ANCHOR_END: wr_add

// ANCHOR: wr_complete
impl<U: UarPage, P: Probe> Started<'_, U, P> {
    /// Requests built so far.
    fn count(&self) -> u32 {
        self.built.head.wrapping_sub(self.queue.head)
    }

    /// The end of the batch; without a doorbell the small fence is where it was.
    #[inline(always)]
    fn end(self, end: End, fence: &'static Table) -> Result<(), BatchError> {
        let result = match (end, self.failed) {
            (End::Abort, _) => Ok(()),
            (End::Complete, _) if !self.queue.takes_requests() => {
                Err(BatchError { index: 0, cause: PostCause::NotReadyToSend })
            }
            (End::Complete, Some(error)) => Err(error),
            (End::Complete, None) => return self.ring(),
        };
        cold_path();
        self.queue.opcodes.now = fence;
        result
    }

    /// Record and register, once for all. (`post_send_db`)
    #[inline(always)]
    fn ring(self) -> Result<(), BatchError> {
        let count = self.count();
        if count == 0 {
            return Ok(());
        }
        let (built, last) = (self.built, self.built.last(false));
        let alone = (count == 1).then_some(Alone { inline: self.inline });
        match self.queue.register.shared {
            None => ring_doorbell::<_, _, Any>(self.queue, built, last, count, alone, &self.probe),
            Some(_) => {
                ring_doorbell::<_, _, Shared>(self.queue, built, last, count, alone, &self.probe);
            }
        }
        Ok(())
    }
}

/// 0, what an abort is, or the first refusal.
fn outcome(end: End, result: &Result<(), BatchError>) -> Value {
    match (end, result) {
        (End::Abort, _) => "ibv_wr_abort".into(),
        (End::Complete, Ok(())) => 0_u32.into(),
        (End::Complete, Err(error)) => format!("{} (request {})", error.cause, error.index).into(),
    }
}
// ANCHOR_END: wr_complete

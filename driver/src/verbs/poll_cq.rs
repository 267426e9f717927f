//! `ibv_poll_cq`.

use super::{CompletionQueue, PollError, WorkCompletion};
use doorbell_tracer::{Group, Site, site};

const PROBE_GROUP: Group = Group::PollCq;

// ANCHOR: ibv_poll_cq
/// Takes completions out of a completion queue, `completions.len()` at most, and says how many
/// (`ibv_poll_cq`). 0 means that the queue is empty.
#[inline]
pub fn poll_cq(cq: &CompletionQueue, completions: &mut [WorkCompletion]) -> Result<u32, PollError> {
    (cq.context().ops().poll_cq)(cq, completions)
}

/// Where the call goes through the table, for the provider that tells of it.
pub(crate) static CALL: Site = site!(of poll_cq at "(cq.context().ops().poll_cq)(");
// ANCHOR_END: ibv_poll_cq

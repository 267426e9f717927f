//! `ibv_post_recv`.

use super::{PostError, QueuePair, ReceiveRequest};
use doorbell_tracer::{Group, Site, site};

const PROBE_GROUP: Group = Group::PostReceive;

// ANCHOR: ibv_post_recv
/// Posts work requests to the receive queue, in their order (`ibv_post_recv`). Errors as those of
/// [`super::post_send`].
#[inline]
pub fn post_recv(qp: &QueuePair, requests: &[ReceiveRequest<'_>]) -> Result<(), PostError> {
    (qp.context().ops().post_recv)(qp, requests)
}

/// Where the call goes through the table, for the provider that tells of it.
pub(crate) static CALL: Site = site!(of post_recv at "(qp.context().ops().post_recv)(");
// ANCHOR_END: ibv_post_recv

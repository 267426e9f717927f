//! `ibv_post_send`.

use super::{PostError, QueuePair, SendRequest};
use doorbell_tracer::{Group, Site, site};

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: ibv_post_send
/// Posts work requests to the send queue, in their order (`ibv_post_send`).
///
/// C's linked list of work requests is a slice here. On an error the requests before the failed
/// one have been posted; C tells the failed one by `bad_wr`, here it is [`PostError::index`].
#[inline]
pub fn post_send(qp: &QueuePair, requests: &[SendRequest<'_>]) -> Result<(), PostError> {
    (qp.context().ops().post_send)(qp, requests)
}

/// Where `post_send` begins, for the provider that tells of the call.
pub(crate) static ENTRY: Site = site!(of post_send at "pub fn post_send(");
/// Where the call goes through the table, likewise.
pub(crate) static CALL: Site = site!(of post_send at "(qp.context().ops().post_send)(");
// ANCHOR_END: ibv_post_send

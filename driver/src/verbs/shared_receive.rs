//! Shared receive queues: receives that several queue pairs take from in turn.

use super::{Context, PostError, ProtectionDomain, ProviderPart, ReceiveRequest, VerbsError};
use std::any::Any;
use std::sync::Arc;

/// Receives for whichever of its queue pairs a message comes to (`struct ibv_srq`).
pub struct SharedReceiveQueue {
    // The provider's part goes first when dropped: it destroys the queue on the card.
    provider: ProviderPart,
    context: Arc<Context>,
    number: u32,
    attributes: SharedReceiveAttributes,
    _pd: Arc<ProtectionDomain>,
}

/// How large a shared receive queue is, and when it calls for more (`struct ibv_srq_attr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SharedReceiveAttributes {
    /// Receives that can be outstanding.
    pub max_wr: u32,
    /// Scatter/gather elements of a receive.
    pub max_sge: u32,
    /// With fewer receives left an event comes, once; 0 is none.
    pub srq_limit: u32,
}

impl SharedReceiveQueue {
    /// A shared receive queue that a provider has created.
    pub fn new(
        pd: &Arc<ProtectionDomain>,
        number: u32,
        attributes: SharedReceiveAttributes,
        provider: impl Any + Send + Sync,
    ) -> Self {
        Self {
            provider: ProviderPart::new(provider),
            context: Arc::clone(pd.context()),
            number,
            attributes,
            _pd: Arc::clone(pd),
        }
    }

    /// The context that it belongs to.
    #[inline(always)]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Its number on the card (SRQN).
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its sizes, which may be larger than what was asked for.
    pub fn attributes(&self) -> SharedReceiveAttributes {
        self.attributes
    }

    /// The provider's own part, if it is a `T`.
    #[inline(always)]
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.get()
    }

    // ANCHOR: ibv_modify_srq
    /// Asks for an event when fewer than `limit` receives are left (`ibv_modify_srq` with
    /// `IBV_SRQ_LIMIT`); the event uses the limit up. 0 asks for none.
    pub fn set_limit(&self, limit: u32) -> Result<(), VerbsError> {
        (self.context.ops().modify_srq)(self, limit)
    }

    /// Its sizes, and the limit that is left (`ibv_query_srq`).
    pub fn query(&self) -> Result<SharedReceiveAttributes, VerbsError> {
        let srq_limit = (self.context.ops().query_srq)(self)?;
        Ok(SharedReceiveAttributes { srq_limit, ..self.attributes })
    }
    // ANCHOR_END: ibv_modify_srq
}

// ANCHOR: ibv_post_srq_recv
/// Posts work requests to a shared receive queue (`ibv_post_srq_recv`). Errors as those of
/// [`super::post_send`].
#[inline]
pub fn post_srq_recv(
    srq: &SharedReceiveQueue,
    requests: &[ReceiveRequest<'_>],
) -> Result<(), PostError> {
    (srq.context().ops().post_srq_recv)(srq, requests)
}
// ANCHOR_END: ibv_post_srq_recv

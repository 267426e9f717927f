//! Thread domains: the program's promise that one thread uses a number of objects.

use super::{Context, ProviderPart};
use std::any::Any;
use std::sync::Arc;

/// A thread domain (`struct ibv_td`). Queue pairs of a protection domain that was joined with it share
/// a doorbell register without a lock: two threads that post to them at a time can mix their WQEs
/// there, and the card then finds neither.
pub struct ThreadDomain {
    provider: ProviderPart,
    context: Arc<Context>,
}

impl ThreadDomain {
    /// A thread domain that a provider has allocated.
    pub fn new(context: &Arc<Context>, provider: impl Any + Send + Sync) -> Self {
        Self { provider: ProviderPart::new(provider), context: Arc::clone(context) }
    }

    /// The context that it belongs to.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The provider's own part, if it is a `T`.
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.get()
    }
}

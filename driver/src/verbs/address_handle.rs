//! Address handles: the way to a port, worked out once for many datagrams.

use super::{AddressVector, ProtectionDomain, ProviderPart};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The way to a port (`struct ibv_ah`). Must not go before the completions of the datagrams that
/// were sent by it.
pub struct AddressHandle {
    provider: ProviderPart,
    address: AddressVector,
    _pd: Arc<ProtectionDomain>,
}

impl AddressHandle {
    /// An address handle that a provider has created; in `address` everything has been found out.
    pub fn new(
        pd: &Arc<ProtectionDomain>,
        address: AddressVector,
        provider: impl Any + Send + Sync,
    ) -> Self {
        Self { provider: ProviderPart::new(provider), address, _pd: Arc::clone(pd) }
    }

    /// The way, with the MAC address of the next hop if it leads over Ethernet.
    pub fn address(&self) -> &AddressVector {
        &self.address
    }

    /// The provider's own part, if it is a `T`.
    #[inline(always)]
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.get()
    }

    /// The same, or `None` where a closer look is needed: then [`AddressHandle::provider`] tells.
    #[inline(always)]
    pub(crate) fn provider_at_once<T: Any>(&self) -> Option<&T> {
        self.provider.get_at_once()
    }
}

impl fmt::Debug for AddressHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("AddressHandle").field(&self.address).finish()
    }
}

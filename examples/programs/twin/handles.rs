//! The ways that datagrams go: those of the twin in C.

use crate::Failure;
use doorbell_driver::verbs::{AddressHandle, AddressVector, Context, ProtectionDomain};
use std::sync::Arc;

/// Ways to our own port: the plain one, one on another service level, and one by GID.
pub fn handles(
    context: &Context,
    pd: &Arc<ProtectionDomain>,
) -> Result<Vec<AddressHandle>, Failure> {
    let own = context.query_gid()?;
    let plain =
        AddressVector { global: false, service_level: 0, source_gid_index: 0, hop_limit: 0, ..own };
    let ways = [
        plain,
        AddressVector { service_level: 3, ..plain },
        AddressVector { global: true, hop_limit: 7, ..plain },
    ];
    ways.iter().map(|way| Ok(pd.create_ah(way)?)).collect()
}

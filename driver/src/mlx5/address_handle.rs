//! Address handles: the way to a port as WQEs of datagrams carry it.

use super::tables::Mlx5Context;
use crate::bus::Bus;
use crate::control::{Control, Link};
use crate::verbs::{AddressHandle, AddressVector, ProtectionDomain, VerbsError};
use doorbell_prm::wqe::DatagramSegment;
use doorbell_tracer::{Group, Value, probe};
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Control;

/// The lowest UDP source port of RoCE v2; the 14 bits below are free.
const LOWEST_SOURCE_PORT: u16 = 0xc000;

/// libmlx5's part of an address handle (`struct mlx5_ah`).
struct Mlx5AddressHandle {
    /// The address vector; queue key and destination are the post's.
    segment: DatagramSegment,
    _resolved: Box<dyn Send + Sync>,
}

/// What the control path keeps for a way; given back when dropped.
struct Resolved<B: Bus> {
    control: Arc<dyn Control<B>>,
    number: Option<u32>,
}

impl<B: Bus> Drop for Resolved<B> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.control.destroy_ah(number);
        }
    }
}

// ANCHOR: create_ah
/// Works out the way to a port (`mlx5_create_ah`). Within an InfiniBand subnet a LID is all that is
/// needed, and nobody is asked; over Ethernet somebody must know the MAC address of the next hop.
pub fn create_ah<B: Bus>(
    pd: &Arc<ProtectionDomain>,
    to: &AddressVector,
) -> Result<AddressHandle, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(pd.context());
    let tracer = pd.context().tracer();
    let (lid, global) = (u32::from(to.lid), u32::from(to.global));
    probe!(
        *tracer,
        call("ibv_create_ah", [("dlid", Value::Hex(lid.into())), ("is_global", global.into())])
    );
    let link = mlx5.control.address().link;
    if link == Link::Ethernet && !to.global {
        return Err(VerbsError::Invalid {
            what: "is_global",
            value: 0,
            why: "leads nowhere over Ethernet; a GID is needed",
        });
    }
    let (mac, number) = mlx5.control.create_ah(pd.number(), to)?;
    let resolved = Resolved { control: Arc::clone(&mlx5.control), number };
    let address = AddressVector { mac, ..*to };
    let own = Mlx5AddressHandle { segment: segment(link, &address), _resolved: Box::new(resolved) };
    probe!(*tracer, returned("ibv_create_ah", 0_u32));
    Ok(AddressHandle::new(pd, address, own))
}

/// The address vector of a way. What is the LID on InfiniBand is the UDP source port over Ethernet.
fn segment(link: Link, to: &AddressVector) -> DatagramSegment {
    let mut segment = DatagramSegment::zeroed();
    segment.set_extended(1);
    match link {
        Link::Ethernet => {
            let spread = u16::from_be_bytes([to.gid[14], to.gid[15]]);
            segment.set_sl((to.service_level & 7) << 1);
            segment.rlid = (LOWEST_SOURCE_PORT | spread).into();
            segment.rmac = to.mac;
        }
        Link::InfiniBand => {
            segment.set_sl(to.service_level & 0xf);
            segment.rlid = to.lid.into();
            // Over Ethernet there is always one, and the bit is reserved.
            segment.set_grh(to.global.into());
        }
    }
    if to.global {
        segment.hop_limit = to.hop_limit;
        segment.set_source_gid_index(to.source_gid_index.into());
        segment.rgid = to.gid;
    }
    segment
}
// ANCHOR_END: create_ah

/// The datagram segment of an address handle, but for queue key and destination, which are the
/// post's; `None` if it is another provider's.
#[inline(always)]
pub fn address_segment(handle: &AddressHandle) -> Option<&DatagramSegment> {
    handle.provider::<Mlx5AddressHandle>().map(|own| &own.segment)
}

/// The same, or `None` where a closer look is needed: then [`address_segment`] tells.
#[inline(always)]
pub fn segment_at_once(handle: &AddressHandle) -> Option<&DatagramSegment> {
    handle.provider_at_once::<Mlx5AddressHandle>().map(|own| &own.segment)
}

//! What a card can do, and what of it is chosen. (`set_hca_cap` of `mlx5_core`)

use super::super::{ControlError, QueueLimits};
use super::Firmware;
use crate::bus::Registers;
use doorbell_prm::commands::*;
use zerocopy::{FromBytes, IntoBytes};

/// `port_type` of the capabilities: Ethernet.
const PORT_ETHERNET: u8 = 1;

/// `atomic_req_8B_endianness_mode`: the host's. (`MLX5_ATOMIC_REQ_MODE_HOST_ENDIANNESS`)
const HOST_BYTE_ORDER: u8 = 1;

/// `atomic_operations`: compare-and-swap and fetch-and-add. (`MLX5_ATOMIC_OPS_CMP_SWAP`, `_FETCH_ADD`)
const BOTH_OPERATIONS: u16 = 1 | 2;

/// `atomic_size_qp`: operands of eight bytes. (`MLX5_ATOMIC_SIZE_QP_8BYTES`)
const EIGHT_BYTES: u16 = 8;

impl<R: Registers> Firmware<R> {
    // ANCHOR: set_capabilities
    /// Asks what the card can do, and chooses: completions shall name queue pairs by the user
    /// index (`cqe_version` 1). A queue smaller than ours the driver cannot use.
    pub(super) fn set_capabilities(&mut self) -> Result<(), ControlError> {
        let general = (QueryHcaCapOut::SIZE - QueryHcaCapIn::SIZE).min(256);
        debug_assert_eq!(general, size_of::<GeneralCapabilities>());
        let query = QueryHcaCapIn::new();
        let answer = self.simple(&query)?;
        let mut capability = *answer.capability();
        if !capability.rc() {
            return Err(ControlError::Unfit { what: "support of RC", found: 0, needed: "1" });
        }
        self.held.ethernet = capability.port_type() == PORT_ETHERNET;
        let entries = 1_u32.checked_shl(capability.log_max_qp_sz().into()).unwrap_or(u32::MAX);
        let (send, receive) = (capability.max_wqe_sz_sq(), capability.max_wqe_sz_rq());
        self.held.limits = Some(QueueLimits::new(send, receive, entries, entries));
        capability.set_cqe_version(1);
        let mut input = SetHcaCapIn::new();
        *input.capability_mut() = capability;
        self.simple(&input)?;
        if capability.atomic() {
            self.held.atomics = self.set_atomic_capabilities()?;
        }
        Ok(())
    }
    // ANCHOR_END: set_capabilities

    // ANCHOR: set_atomic_capabilities
    /// Chooses the byte order in which an atomic operation's result comes into memory: the host's, if
    /// the card can do that. Else it would stay as it was in the packet, the highest byte first, and
    /// programs are told that there are no atomic operations; so they are where the card lacks one of
    /// the two, or has them not for eight bytes. (`handle_hca_cap_atomic`, `get_atomic_caps`)
    fn set_atomic_capabilities(&self) -> Result<bool, ControlError> {
        let mut query = QueryHcaCapIn::new();
        query.set_op_mod(capability_op_mod(CapabilityGroup::Atomic, true));
        let mut answer = self.simple(&query)?;
        let bytes = answer.capability_mut().as_mut_bytes();
        let able = AtomicCapabilities::ref_from_prefix(bytes).is_ok_and(|(atomic, _)| {
            atomic.supported_atomic_req_8b_endianness_mode_1()
                && atomic.atomic_operations() & BOTH_OPERATIONS == BOTH_OPERATIONS
                && atomic.atomic_size_qp() & EIGHT_BYTES != 0
        });
        if !able {
            return Ok(false);
        }
        let mut input = SetHcaCapIn::new();
        input.set_op_mod(CapabilityGroup::Atomic.code() << 1);
        let bytes = input.capability_mut().as_mut_bytes();
        if let Ok((atomic, _)) = AtomicCapabilities::mut_from_prefix(bytes) {
            atomic.set_atomic_req_8b_endianness_mode(HOST_BYTE_ORDER);
        }
        self.simple(&input)?;
        Ok(true)
    }
    // ANCHOR_END: set_atomic_capabilities
}

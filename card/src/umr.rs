//! UMR, "user memory registration": work requests that change a memory key, and move no bytes.
//!
//! Binding a memory window and invalidating it are such requests (`set_bind_wr` of libmlx5). The
//! WQE has a UMR control segment, which says what changes and under which conditions, a key context
//! with the new values, and the translation entries: stretches of other keys. This card takes
//! entries that stand in the WQE itself, and changes what binding and invalidating change.

use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP};
use crate::queue_pair::QueuePair;
use crate::translation::Span;
use crate::windows;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_prm::wqe::{ControlSegment, KlmSegment, MkeyContextSegment, UmrControlSegment};
use doorbell_prm::zerocopy::FromBytes;
use doorbell_tracer::{Value, probe};

/// Translation entries are counted in 16 bytes; each takes one.
const OCTOWORD: usize = KlmSegment::SIZE;

/// A change of a memory key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyChange {
    /// The key as it is before.
    pub(crate) key: u32,
    pub(crate) control: UmrControlSegment,
    pub(crate) context: MkeyContextSegment,
    /// What the key stands for afterwards; nothing when that does not change.
    pub(crate) parts: Vec<Span>,
}

// ANCHOR: card_umr
/// Reads the segments behind the control segment. Entries that are not in the WQE, a condition or a
/// change that this card does not know, and a WQE that is not whole, are local queue pair operation
/// errors.
pub(crate) fn read_key_change(
    control: &ControlSegment,
    bytes: &[u8],
) -> Result<KeyChange, CqeSyndrome> {
    let refused = CqeSyndrome::LocalQpOperationError;
    let (umr, rest) = UmrControlSegment::read_from_prefix(bytes).map_err(|_| refused)?;
    let (context, rest) = MkeyContextSegment::read_from_prefix(rest).map_err(|_| refused)?;
    let known = known_changes();
    let understood = umr.is_inline() == 1
        && umr.flags & !known.flags == 0
        && umr.mkey_mask.get() & !known.mkey_mask.get() == 0
        && umr.translation_offset.get() == 0;
    if !understood {
        return Err(refused);
    }
    let entries = rest.get(..usize::from(umr.klm_octowords.get()) * OCTOWORD).ok_or(refused)?;
    let entries = entries.chunks_exact(OCTOWORD).filter_map(|entry| {
        let entry = KlmSegment::ref_from_bytes(entry).ok()?;
        Some(Span {
            key: entry.mkey.get(),
            address: entry.address.get(),
            length: entry.byte_count.get().into(),
        })
    });
    // Entries come in fours: those that are not used are empty.
    let parts = entries.filter(|part| part.length > 0).collect();
    Ok(KeyChange { key: control.immediate.get(), control: umr, context, parts })
}

/// All conditions and all changes that this card knows.
fn known_changes() -> UmrControlSegment {
    let mut known = UmrControlSegment::zeroed();
    known.set_is_inline(1);
    known.set_check_free(1);
    known.set_check_qpn(1);
    known.set_translation_in_octowords(1);
    known.set_changes_free(1);
    known.set_changes_atomic(1);
    known.set_changes_remote_write(1);
    known.set_changes_remote_read(1);
    known.set_changes_local_write(1);
    known.set_changes_qpn(1);
    known.set_changes_mkey(1);
    known.set_changes_start(1);
    known.set_changes_length(1);
    known
}

impl Card {
    /// Carries out the request under way, which changes a key. It is done at once, and takes no
    /// packet.
    pub(crate) fn change_key(&mut self, qp: &mut QueuePair, bus: &mut Bus<'_>) {
        let message = qp.window.messages.back();
        let Some(change) = message.and_then(|message| message.request.key_change.as_deref()) else {
            return self.fail_message(qp, CqeSyndrome::LocalQpOperationError, bus);
        };
        match windows::change(&mut self.memory_keys, qp.asker(), change) {
            Ok((before, after)) => {
                probe!(bus.tracer, state("MKEY", change.key >> 8, before.label(), after.label()));
                self.complete_message(qp, bus);
            }
            Err(fault) => {
                tell_fault(change.key, fault, bus);
                self.fail_message(qp, CqeSyndrome::MemoryWindowBindError, bus);
            }
        }
    }
}
// ANCHOR_END: card_umr

// ANCHOR: card_umr_fault
/// Tells why a key was not changed.
pub(crate) fn tell_fault(key: u32, fault: windows::WindowFault, bus: &Bus<'_>) {
    probe!(bus.tracer, note(fault.text(), [("key", Value::Hex(key.into()))]));
}
// ANCHOR_END: card_umr_fault

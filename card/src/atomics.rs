//! Atomic operations on the memory of this side: compare-and-swap, and fetch-and-add.
//!
//! Each is read and write in one step of the card, so no other work of the card comes between them.
//! What programs store in the same memory is not held back: that is what `IBV_ATOMIC_HCA` says.

use crate::answers::{Answer, Owed};
use crate::card::Card;
use crate::dma::{Bus, read_host, write_host};
use crate::packets::{AtomicOperation, Packet};
use crate::queue_pair::QueuePair;
use crate::responder::{INVALID, OPERATIONAL, Refusal, translated};
use crate::translation::{Right, Span};
use crate::work_request::ATOMIC_SIZE;
use doorbell_prm::roce::BthOpcode;

/// What an atomic operation found, and which request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtomicResult {
    psn: u32,
    original: u64,
}

impl QueuePair {
    /// What the atomic with this packet sequence number found, if that is still known.
    pub(crate) fn found_by(&self, psn: u32) -> Option<u64> {
        let found = self.results.iter().find(|result| result.psn == psn);
        found.map(|result| result.original)
    }

    /// Keeps a result. There are as many as atomics may be outstanding.
    fn keep_result(&mut self, result: AtomicResult) {
        while self.results.len() >= 1 << self.context.log_rra_max() {
            self.results.pop_front();
        }
        self.results.push_back(result);
    }
}

impl Card {
    // ANCHOR: card_responder_atomic
    /// Carries out an atomic operation, and keeps what it found. The memory must be aligned to the
    /// operand's 8 bytes.
    pub(crate) fn execute_atomic(
        &mut self,
        qp: &mut QueuePair,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> Result<Owed, Refusal> {
        let operation = packet.atomic.ok_or(INVALID)?;
        if !qp.context.rae() || !self.has_atomics() {
            return Err(INVALID);
        }
        let span = Span { key: operation.rkey, address: operation.address, length: ATOMIC_SIZE };
        let span = self.granted(qp, span, Right::RemoteAtomic, bus)?;
        if !operation.address.is_multiple_of(ATOMIC_SIZE) {
            return Err(INVALID);
        }
        let pieces = translated(&self.memory_keys, qp.asker(), span, Right::RemoteAtomic)?;
        // Eight aligned bytes lie in one page.
        let [(address, ATOMIC_SIZE)] = pieces[..] else {
            return Err(OPERATIONAL);
        };
        let mut bytes = [0; ATOMIC_SIZE as usize];
        read_host!(bus, address, &mut bytes, "atomic: the value before", "")
            .map_err(|_| OPERATIONAL)?;
        let original = u64::from_le_bytes(bytes);
        if let Some(value) = outcome(packet.opcode, &operation, original) {
            let bytes = value.to_le_bytes();
            write_host!(bus, address, &bytes, "atomic: the value after", "")
                .map_err(|_| OPERATIONAL)?;
        }
        qp.keep_result(AtomicResult { psn: packet.psn, original });
        Ok(Owed { psn: packet.psn, msn: qp.msn, what: Answer::Atomic(original), again: false })
    }

    /// The bytes in which the requester is handed the value that was found. Programs on the
    /// hosts this card is for keep numbers with the lowest byte first; unless a driver asks for
    /// that, a card hands it over as it came in the packet.
    pub(crate) fn atomic_result(&self, original: u64) -> Vec<u8> {
        match self.capabilities.hands_atomics_as_host() {
            true => original.to_le_bytes().to_vec(),
            false => original.to_be_bytes().to_vec(),
        }
    }
    // ANCHOR_END: card_responder_atomic
}

/// The value to be stored; `None` when a comparison failed.
fn outcome(opcode: BthOpcode, operation: &AtomicOperation, original: u64) -> Option<u64> {
    match opcode {
        BthOpcode::CompareSwap if original == operation.compare => Some(operation.swap_add),
        BthOpcode::CompareSwap => None,
        _ => Some(original.wrapping_add(operation.swap_add)),
    }
}

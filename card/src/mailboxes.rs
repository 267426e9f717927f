//! Chains of mailboxes: what does not fit into the 16 bytes of a slot.

use crate::dma::{Bus, read_host, write_host};
use crate::host::DmaFault;
use doorbell_prm::commands::{CommandDeliveryStatus, CommandMailbox, INLINE_SIZE};
use doorbell_prm::zerocopy::IntoBytes;

/// The mailboxes of one input or output, with where each of them lies.
#[derive(Debug, Clone)]
pub(crate) struct Chain(Vec<(u64, CommandMailbox)>);

// ANCHOR: card_mailboxes
/// Reads as many mailboxes as `length` bytes need behind the inline part.
///
/// Every block must carry the command's token and its place in the chain, and both signatures
/// where they are in use. `Err(None)` means that the chain ends too early.
pub(crate) fn read_chain(
    first: u64,
    length: usize,
    (token, signed): (u8, bool),
    bus: &mut Bus<'_>,
) -> Result<Chain, Option<CommandDeliveryStatus>> {
    let count = length.saturating_sub(INLINE_SIZE).div_ceil(CommandMailbox::DATA_SIZE);
    let mut blocks = Vec::new();
    let mut next = first;
    for number in 0..count as u32 {
        if next == 0 {
            return Err(None);
        }
        let mut block = CommandMailbox::zeroed();
        let bytes = block.as_mut_bytes();
        read_host!(bus, next, bytes, "command mailbox", "cmd_if_box")
            .map_err(|_| CommandDeliveryStatus::FirmwareError)?;
        if block.token() != token {
            return Err(Some(CommandDeliveryStatus::TokenError));
        }
        if block.block_number() != number {
            return Err(Some(CommandDeliveryStatus::BadBlockNumber));
        }
        if signed && !block.signatures_are_right() {
            return Err(Some(CommandDeliveryStatus::SignatureError));
        }
        blocks.push((next, block));
        next = block.next();
    }
    Ok(Chain(blocks))
}

impl Chain {
    /// The data of an input of `length` bytes, without its inline part.
    pub(crate) fn data(&self, length: usize) -> Vec<u8> {
        let blocks = self.0.iter();
        let mut data: Vec<u8> = blocks.flat_map(|(_, block)| block.mailbox_data()).collect();
        data.truncate(length.saturating_sub(INLINE_SIZE));
        data
    }

    /// Writes an output into the blocks: only the bytes that there are, or whole blocks where
    /// they have to be signed.
    pub(crate) fn write(
        mut self,
        output: &[u8],
        signed: bool,
        bus: &mut Bus<'_>,
    ) -> Result<(), DmaFault> {
        let parts = output.chunks(CommandMailbox::DATA_SIZE);
        for (part, (address, block)) in parts.zip(&mut self.0) {
            block.as_mut_bytes()[..part.len()].copy_from_slice(part);
            if signed {
                block.sign();
                let bytes = block.as_bytes();
                write_host!(bus, *address, bytes, "command output, mailbox", "cmd_if_box")?;
            } else {
                write_host!(bus, *address, part, "command output, mailbox", "cmd_if_box")?;
            }
        }
        Ok(())
    }
}
// ANCHOR_END: card_mailboxes

//! The command queue: slots of 64 bytes, and the mailboxes that carry what does not fit.
//!
//! An input or output of up to 16 bytes lies in the slot itself. What is longer goes on in a
//! chain of mailboxes of 512 bytes of data each. The driver fills a slot, gives it to the card
//! through the ownership bit, and rings the doorbell; the card writes the output, a delivery
//! status, and last the ownership bit. (PRM, "Command interface"; `mlx5_core`, `cmd.c`.)

use super::CommandDeliveryStatus;
use crate::macros::firmware;

firmware! {
    /// One slot of the command queue.
    pub struct CommandQueueEntry [64] = "cmd_queue_entry" {
        kind, set_kind: u8 @ 0, 8 "Transport of the command." => &[(7, "PCI_CMD_XPORT")];
        input_length, set_input_length: u32 @ 32, 32 "Length of the input in bytes, inline part included.";
        input_mailbox_pointer_63_32, set_input_mailbox_pointer_63_32: u32 @ 64, 32 as Address "First input mailbox: upper half of its physical address.";
        input_mailbox_pointer_31_9, set_input_mailbox_pointer_31_9: u32 @ 96, 23 as Address "First input mailbox: bits 31 to 9 of its physical address.";
        command_input_inline_data, set_command_input_inline_data: [u8; 16] @ 128, 128 "The first 16 bytes of the input.";
        command_output_inline_data, set_command_output_inline_data: [u8; 16] @ 256, 128 "The first 16 bytes of the output.";
        output_mailbox_pointer_63_32, set_output_mailbox_pointer_63_32: u32 @ 384, 32 as Address "First output mailbox: upper half of its physical address.";
        output_mailbox_pointer_31_9, set_output_mailbox_pointer_31_9: u32 @ 416, 23 as Address "First output mailbox: bits 31 to 9 of its physical address.";
        output_length, set_output_length: u32 @ 448, 32 "Length of the output in bytes, inline part included.";
        token, set_token: u8 @ 480, 8 "Number that this command and its mailboxes share.";
        signature, set_signature: u8 @ 488, 8 "Makes the exclusive or of the entry 0xff.";
        status, set_status: u8 @ 504, 7 "Whether the command could be taken at all." => CommandDeliveryStatus::TABLE;
        ownership, set_ownership: bool @ 511, 1 "Who may touch the entry." => &[(0, "SOFTWARE"), (1, "HARDWARE")];
    }
}

firmware! {
    /// One mailbox: 512 bytes of a long input or output, and where the next one is.
    pub struct CommandMailbox [576] = "cmd_if_box" {
        mailbox_data, set_mailbox_data: [u8; 512] @ 0, 4096 "Up to 512 bytes of input or output.";
        next_pointer_63_32, set_next_pointer_63_32: u32 @ 4480, 32 as Address "Next mailbox: upper half of its physical address.";
        next_pointer_31_10, set_next_pointer_31_10: u32 @ 4512, 22 as Address "Next mailbox: bits 31 to 10 of its physical address.";
        block_number, set_block_number: u32 @ 4544, 32 "Place in the chain, counted from 0.";
        token, set_token: u8 @ 4584, 8 "Number that this command and its mailboxes share.";
        ctrl_signature, set_ctrl_signature: u8 @ 4592, 8 "Makes the exclusive or of the bytes behind the data, up to this one, 0xff.";
        signature, set_signature: u8 @ 4600, 8 "Makes the exclusive or of the whole block 0xff.";
    }
}

impl CommandQueueEntry {
    /// The physical address of the first input mailbox; 0 when there is none.
    pub const fn input_mailbox(&self) -> u64 {
        (self.input_mailbox_pointer_63_32() as u64) << 32
            | (self.input_mailbox_pointer_31_9() as u64) << 9
    }

    /// The physical address of the first output mailbox; 0 when there is none.
    pub const fn output_mailbox(&self) -> u64 {
        (self.output_mailbox_pointer_63_32() as u64) << 32
            | (self.output_mailbox_pointer_31_9() as u64) << 9
    }

    /// Sets the address of the first input mailbox, which is a multiple of 512.
    pub const fn set_input_mailbox(&mut self, address: u64) -> &mut Self {
        self.set_input_mailbox_pointer_63_32((address >> 32) as u32);
        self.set_input_mailbox_pointer_31_9((address >> 9) as u32)
    }

    /// Sets the address of the first output mailbox, which is a multiple of 512.
    pub const fn set_output_mailbox(&mut self, address: u64) -> &mut Self {
        self.set_output_mailbox_pointer_63_32((address >> 32) as u32);
        self.set_output_mailbox_pointer_31_9((address >> 9) as u32)
    }

    /// Sets the signature, so that [`Self::signature_is_right`] holds.
    pub fn sign(&mut self) {
        self.set_signature(0);
        self.set_signature(!exclusive_or(&self.0));
    }

    /// Whether the exclusive or of all bytes is 0xff.
    pub fn signature_is_right(&self) -> bool {
        exclusive_or(&self.0) == 0xff
    }
}

impl CommandMailbox {
    /// How many bytes of an input or output one mailbox carries.
    pub const DATA_SIZE: usize = 512;

    /// The physical address of the next mailbox; 0 at the end of the chain.
    pub const fn next(&self) -> u64 {
        (self.next_pointer_63_32() as u64) << 32 | (self.next_pointer_31_10() as u64) << 10
    }

    /// Sets the address of the next mailbox, which is a multiple of 1024.
    pub const fn set_next(&mut self, address: u64) -> &mut Self {
        self.set_next_pointer_63_32((address >> 32) as u32);
        self.set_next_pointer_31_10((address >> 10) as u32)
    }

    /// Sets both signatures, so that [`Self::signatures_are_right`] holds.
    pub fn sign(&mut self) {
        self.set_ctrl_signature(0);
        self.set_ctrl_signature(!exclusive_or(&self.0[Self::DATA_SIZE..Self::SIZE - 1]));
        self.set_signature(0);
        self.set_signature(!exclusive_or(&self.0));
    }

    /// Whether the bytes behind the data, the last one left out, and the whole block each have
    /// the exclusive or 0xff.
    pub fn signatures_are_right(&self) -> bool {
        exclusive_or(&self.0[Self::DATA_SIZE..Self::SIZE - 1]) == 0xff
            && exclusive_or(&self.0) == 0xff
    }
}

fn exclusive_or(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// The value of [`CommandQueueEntry::kind`]: a command that comes over PCI.
pub const PCI_COMMAND_TRANSPORT: u8 = 7;

/// How many bytes of an input or output lie in the slot itself.
pub const INLINE_SIZE: usize = 16;

//! The command queue: how one asks the firmware for something.
//!
//! A slot of 64 bytes holds the first 16 bytes of input and output; the rest goes through chains
//! of mailboxes. The driver fills them, hands the slot over by its ownership bit, and writes the
//! slot's bit to the command doorbell. The card answers in the same memory and hands the slot back.
//! (PRM, "Command Interface")

use super::super::ControlError;
use crate::bus::{DmaRegion, Memory, OutOfMemory, PAGE_SIZE, Purpose, Registers};
use crate::mlx5::{FROM_DEVICE, TO_DEVICE};
use doorbell_prm::commands::{
    CommandDeliveryStatus, CommandMailbox, CommandQueueEntry, INLINE_SIZE, PCI_COMMAND_TRANSPORT,
};
use doorbell_prm::registers::init_segment::offset;
use doorbell_tracer::{Group, RegionId, Role, Site, Tracer, probe, site};
use std::sync::Arc;
use zerocopy::IntoBytes;

const PROBE_GROUP: Group = Group::Control;

/// Distance between two mailboxes: a chain's pointers have no room for the low 10 bits.
const MAILBOX_STRIDE: usize = 1024;

/// Mailboxes of one direction: enough for the capabilities, 4 KiB, and for a page list of 8 KiB.
const MAILBOXES: usize = 16;

/// The largest input or output, in bytes.
pub const LARGEST: usize = INLINE_SIZE + MAILBOXES * CommandMailbox::DATA_SIZE;

/// How often a slot is looked at before the card is given up.
const POLLS: u32 = 1_000_000;

/// A command queue of which one slot is used, and its mailboxes.
pub struct CommandQueue {
    slot: DmaRegion,
    input: Chain,
    output: Chain,
    slot_region: RegionId,
    /// The initialization segment's number in the trace.
    pub registers: RegionId,
    token: u8,
}

/// Mailboxes of one direction.
struct Chain {
    memory: DmaRegion,
    region: RegionId,
}

impl Chain {
    /// The card's address of a mailbox, or 0 behind the last one that `length` bytes need.
    fn address(&self, index: usize, length: usize) -> u64 {
        if index * CommandMailbox::DATA_SIZE + INLINE_SIZE >= length {
            return 0;
        }
        self.memory.address() + (index * MAILBOX_STRIDE) as u64
    }
}

impl CommandQueue {
    /// A queue in shared memory; `registers` is what the trace calls the initialization segment.
    pub fn new(
        memory: &Arc<Memory>,
        registers: RegionId,
        tracer: &Tracer,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            slot: memory.allocate(PAGE_SIZE)?,
            input: Chain {
                memory: memory.allocate(MAILBOXES * MAILBOX_STRIDE)?,
                region: RegionId::default(),
            },
            output: Chain {
                memory: memory.allocate(MAILBOXES * MAILBOX_STRIDE)?,
                region: RegionId::default(),
            },
            slot_region: RegionId::default(),
            registers,
            token: 0,
        }
        .announced(tracer))
    }

    // ANCHOR: command_regions
    /// Tells the trace where slot and mailboxes lie.
    fn announced(mut self, tracer: &Tracer) -> Self {
        static PLACE: Site = site!();
        let purpose = |role, name, stride| Purpose { role, name, stride, object: 0 };
        let map = |region: &DmaRegion, purpose| {
            tracer.map(&PLACE, region.request(0, region.length(), purpose))
        };
        self.slot_region = map(&self.slot, purpose(Role::CommandQueue, "command queue", 64));
        let mailboxes = purpose(Role::Mailbox, "command input mailboxes", MAILBOX_STRIDE as u32);
        self.input.region = map(&self.input.memory, mailboxes);
        let mailboxes = purpose(Role::Mailbox, "command output mailboxes", MAILBOX_STRIDE as u32);
        self.output.region = map(&self.output.memory, mailboxes);
        self
    }
    // ANCHOR_END: command_regions

    /// The card's address of the queue, a multiple of a page.
    pub fn address(&self) -> u64 {
        self.slot.address()
    }

    // ANCHOR: command_execute
    /// One command, from filling the slot to reading the answer. (`mlx5_cmd_invoke`)
    pub fn execute<R: Registers>(
        &mut self,
        registers: &R,
        name: &'static str,
        input: &[u8],
        output: &mut [u8],
        tracer: &Tracer,
    ) -> Result<(), ControlError> {
        debug_assert!(input.len() <= LARGEST && output.len() <= LARGEST);
        self.token = self.token.wrapping_add(1).max(1);
        self.write_mailboxes(input, tracer);
        self.prepare_mailboxes(output.len(), tracer);
        self.write_slot(input, output.len(), tracer);

        // Slot and mailboxes must be there before the doorbell that makes the card read them.
        (TO_DEVICE.pass)();
        probe!(*tracer, barrier(TO_DEVICE.name, TO_DEVICE.instruction));
        registers.write(offset::COMMAND_DOORBELL as usize, 1);
        probe!(
            *tracer,
            register_write(
                self.registers,
                offset::COMMAND_DOORBELL as usize,
                "command doorbell",
                "",
                &1_u32.to_be_bytes()
            )
        );

        let entry = self.wait(registers, name, tracer)?;
        self.read_output(&entry, output, tracer);
        delivered(name, entry.status())
    }
    // ANCHOR_END: command_execute

    // ANCHOR: command_mailboxes
    /// The input behind its first 16 bytes, 512 bytes to a mailbox.
    fn write_mailboxes(&self, input: &[u8], tracer: &Tracer) {
        let rest = input.get(INLINE_SIZE..).unwrap_or_default();
        for (index, data) in rest.chunks(CommandMailbox::DATA_SIZE).enumerate() {
            let mut block = self.mailbox(&self.input, index, input.len());
            let mut bytes = [0; CommandMailbox::DATA_SIZE];
            bytes[..data.len()].copy_from_slice(data);
            block.set_mailbox_data(bytes);
            block.sign();
            store_mailbox(&self.input, index, &block, tracer);
        }
    }

    /// Empty mailboxes for the output.
    fn prepare_mailboxes(&self, length: usize, tracer: &Tracer) {
        let rest = length.saturating_sub(INLINE_SIZE);
        for index in 0..rest.div_ceil(CommandMailbox::DATA_SIZE) {
            let mut block = self.mailbox(&self.output, index, length);
            block.sign();
            store_mailbox(&self.output, index, &block, tracer);
        }
    }

    /// A mailbox without data: number, token, and where the next one is.
    fn mailbox(&self, chain: &Chain, index: usize, length: usize) -> CommandMailbox {
        let mut block = CommandMailbox::zeroed();
        block.set_next(chain.address(index + 1, length));
        block.set_block_number(index as u32);
        block.set_token(self.token);
        block
    }
    // ANCHOR_END: command_mailboxes

    // ANCHOR: command_slot
    /// The slot: lengths, first bytes, first mailboxes, and at the end whose it is now.
    fn write_slot(&self, input: &[u8], output_length: usize, tracer: &Tracer) {
        let mut inline = [0; INLINE_SIZE];
        let length = input.len().min(INLINE_SIZE);
        inline[..length].copy_from_slice(&input[..length]);
        let mut entry = CommandQueueEntry::zeroed();
        entry
            .set_kind(PCI_COMMAND_TRANSPORT)
            .set_input_length(input.len() as u32)
            .set_input_mailbox(self.input.address(0, input.len()))
            .set_command_input_inline_data(inline)
            .set_output_mailbox(self.output.address(0, output_length))
            .set_output_length(output_length as u32)
            .set_token(self.token)
            .set_ownership(true);
        entry.sign();
        self.slot.store(0, &entry);
        probe!(*tracer, store(self.slot_region, 0, "cmd_queue_entry", entry.as_bytes()));
    }
    // ANCHOR_END: command_slot

    // ANCHOR: command_wait
    /// Waits until the card has handed the slot back.
    fn wait<R: Registers>(
        &self,
        registers: &R,
        name: &'static str,
        tracer: &Tracer,
    ) -> Result<CommandQueueEntry, ControlError> {
        const LAST: usize = CommandQueueEntry::SIZE - 1;
        for _ in 0..POLLS {
            registers.relax();
            let [status_own]: [u8; 1] = self.slot.load(LAST);
            if status_own & 1 == 0 {
                probe!(*tracer, load(self.slot_region, LAST, "", &[status_own]));
                // The answer must not have been read before the ownership bit was.
                (FROM_DEVICE.pass)();
                probe!(*tracer, barrier(FROM_DEVICE.name, FROM_DEVICE.instruction));
                let entry: CommandQueueEntry = self.slot.load(0);
                probe!(*tracer, load(self.slot_region, 0, "cmd_queue_entry", entry.as_bytes()));
                return Ok(entry);
            }
        }
        Err(ControlError::Silent { what: name, polls: POLLS })
    }
    // ANCHOR_END: command_wait

    // ANCHOR: command_output
    /// The answer: 16 bytes from the slot, the rest from the mailboxes.
    fn read_output(&self, entry: &CommandQueueEntry, output: &mut [u8], tracer: &Tracer) {
        let inline = entry.command_output_inline_data();
        let length = output.len().min(INLINE_SIZE);
        output[..length].copy_from_slice(&inline[..length]);
        let rest = &mut output[length..];
        for (index, data) in rest.chunks_mut(CommandMailbox::DATA_SIZE).enumerate() {
            let block: CommandMailbox = self.output.memory.load(index * MAILBOX_STRIDE);
            probe!(
                *tracer,
                load(self.output.region, index * MAILBOX_STRIDE, "cmd_if_box", block.as_bytes())
            );
            data.copy_from_slice(&block.mailbox_data()[..data.len()]);
        }
    }
    // ANCHOR_END: command_output
}

// ANCHOR: command_mailbox_store
/// Stores a mailbox.
fn store_mailbox(chain: &Chain, index: usize, block: &CommandMailbox, tracer: &Tracer) {
    chain.memory.store(index * MAILBOX_STRIDE, block);
    probe!(*tracer, store(chain.region, index * MAILBOX_STRIDE, "cmd_if_box", block.as_bytes()));
}
// ANCHOR_END: command_mailbox_store

/// Whether the card could take the command at all.
fn delivered(command: &'static str, status: u8) -> Result<(), ControlError> {
    if status == CommandDeliveryStatus::Ok as u8 {
        return Ok(());
    }
    let meaning =
        CommandDeliveryStatus::from_code(status).map_or("unknown", CommandDeliveryStatus::label);
    Err(ControlError::NotDelivered { command, status, meaning })
}

//! The command queue: taking a command from its slot and mailboxes, and putting the answer back.

use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP, read_host, write_host};
use crate::mailboxes::{self, Chain};
use doorbell_prm::commands::{
    CommandDeliveryStatus, CommandInputHeader, CommandMailbox, CommandOutputHeader,
    CommandQueueEntry, INLINE_SIZE, PCI_COMMAND_TRANSPORT, command_shape,
};
use doorbell_prm::eqe::{CommandEventData, EventType};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};
use doorbell_tracer::{Command, Value, probe};

/// Slots that were handed over with one write to the doorbell vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandDoorbell {
    /// One bit for each slot.
    pub(crate) slots: u32,
    /// The event queue that took command events when the doorbell was rung.
    pub(crate) report_to: Option<u8>,
}

/// A command as it was found in its slot.
struct Request {
    slot: u32,
    address: u64,
    input: Vec<u8>,
    output: Chain,
}

/// The longest input or output that the card takes: the inline part and 32768 mailboxes. They name
/// the pages of 8 GiB, should each of 4 KiB lie elsewhere: `mlx5_ib` registers memory in one command.
const LONGEST: u32 = (INLINE_SIZE + 32768 * CommandMailbox::DATA_SIZE) as u32;
/// The shortest: an opcode and its variant; a status and a syndrome.
const SHORTEST: u32 = 8;

impl Card {
    // ANCHOR: card_command
    /// Carries out the commands in the slots of one doorbell, in the order of their numbers, and
    /// tells the event queue which are done.
    pub(crate) fn take_commands(&mut self, doorbell: CommandDoorbell, bus: &mut Bus<'_>) {
        let slots = (0..u32::BITS).filter(|slot| doorbell.slots >> slot & 1 == 1);
        let mut done = 0;
        for slot in slots {
            if self.take_command(slot, bus) {
                done |= 1 << slot;
            }
        }
        if let (Some(eqn), true) = (doorbell.report_to, done != 0) {
            let mut data = CommandEventData::zeroed();
            data.command_completion_vector = done.into();
            let mut bytes = [0; 28];
            bytes.copy_from_slice(data.as_bytes());
            self.write_event(eqn, (EventType::Command, 0), bytes, bus);
        }
    }

    /// One command. `false` when the slot is not the card's, and nothing was done.
    fn take_command(&mut self, slot: u32, bus: &mut Bus<'_>) -> bool {
        let Some(queue) = self.registers.command_queue else {
            ignored("command ignored: there is no command queue yet", slot, bus);
            return false;
        };
        let address = queue + (u64::from(slot) << 6);
        let mut entry = CommandQueueEntry::zeroed();
        let bytes = entry.as_mut_bytes();
        if read_host!(bus, address, bytes, "command queue entry", "cmd_queue_entry").is_err() {
            return false;
        }
        if !entry.ownership() {
            ignored("command ignored: the slot belongs to software", slot, bus);
            return false;
        }
        let status = match self.receive(slot, address, &entry, bus) {
            Ok(request) => self.carry_out_command(request, &mut entry, bus),
            Err(status) => status,
        };
        entry.set_status(status.code()).set_ownership(false);
        give_back(address, &mut entry, self.checks_signatures(), bus)
    }
    // ANCHOR_END: card_command

    // ANCHOR: card_command_delivery
    /// Collects the input and the way to the output. Whatever is wrong with the envelope ends
    /// here, in a delivery status; the command inside is never looked at.
    fn receive(
        &self,
        slot: u32,
        address: u64,
        entry: &CommandQueueEntry,
        bus: &mut Bus<'_>,
    ) -> Result<Request, CommandDeliveryStatus> {
        use CommandDeliveryStatus as Status;
        if entry.kind() != PCI_COMMAND_TRANSPORT {
            return Err(Status::DescriptorError);
        }
        if !reserved_is_clear(entry) {
            return Err(Status::ReservedFieldNotClear);
        }
        if self.checks_signatures() && !entry.signature_is_right() {
            return Err(Status::SignatureError);
        }
        if misaligned(entry, 8) {
            return Err(Status::InputPointerAlignment);
        }
        if misaligned(entry, 48) {
            return Err(Status::OutputPointerAlignment);
        }
        if !(SHORTEST..=LONGEST).contains(&entry.input_length()) {
            return Err(Status::InputLengthError);
        }
        if !(SHORTEST..=LONGEST).contains(&entry.output_length()) {
            return Err(Status::OutputLengthError);
        }
        let signed = self.checks_signatures();
        let (token, length) = (entry.token(), entry.input_length() as usize);
        let chain = mailboxes::read_chain(entry.input_mailbox(), length, (token, signed), bus)
            .map_err(|status| status.unwrap_or(Status::InputLengthError))?;
        let inline = entry.command_input_inline_data();
        let mut input = inline[..length.min(INLINE_SIZE)].to_vec();
        input.extend(chain.data(length));
        let length = entry.output_length() as usize;
        let output = mailboxes::read_chain(entry.output_mailbox(), length, (token, signed), bus)
            .map_err(|status| status.unwrap_or(Status::OutputLengthError))?;
        Ok(Request { slot, address, input, output })
    }
    // ANCHOR_END: card_command_delivery

    // ANCHOR: card_command_answer
    /// Carries out the command and writes its output: the mailboxes first, then the inline part.
    fn carry_out_command(
        &mut self,
        request: Request,
        entry: &mut CommandQueueEntry,
        bus: &mut Bus<'_>,
    ) -> CommandDeliveryStatus {
        let room = entry.output_length();
        let mut output = self.execute(&request.input, room, bus);
        output.resize(room as usize, 0);
        self.tell_command(&request, &output, bus);
        let mut inline = entry.command_output_inline_data();
        let (now, rest) = output.split_at(output.len().min(INLINE_SIZE));
        inline[..now.len()].copy_from_slice(now);
        entry.set_command_output_inline_data(inline);
        let signed = self.checks_signatures();
        let written = request.output.write(rest, signed, bus).and_then(|()| {
            let at = request.address + OUTPUT_OFFSET;
            write_host!(bus, at, now, "command output, inline part", "")
        });
        match written {
            Ok(()) => CommandDeliveryStatus::Ok,
            Err(_) => CommandDeliveryStatus::FirmwareError,
        }
    }

    fn tell_command(&self, request: &Request, output: &[u8], bus: &Bus<'_>) {
        let input = CommandInputHeader::ref_from_prefix(&request.input);
        let opcode = input.map_or(0, |(header, _)| header.opcode());
        let answer = CommandOutputHeader::read_from_prefix(output);
        let (status, syndrome) =
            answer.map_or((0, 0), |(header, _)| (header.status(), header.syndrome()));
        let shape = command_shape(opcode);
        probe!(
            bus.tracer,
            command(Command {
                slot: request.slot,
                opcode,
                name: shape.map_or("unknown", |shape| shape.opcode.label()).into(),
                input_layout: shape.map_or("cmd_in", |shape| shape.input.name).into(),
                input: doorbell_tracer::Bytes::new(&request.input),
                output_layout: shape.map_or("cmd_out", |shape| shape.output.name).into(),
                output: doorbell_tracer::Bytes::new(output),
                status,
                syndrome,
            })
        );
    }
    // ANCHOR_END: card_command_answer
}

/// Where in a slot the inline output lies.
const OUTPUT_OFFSET: u64 = 32;
/// Where in a slot the signature lies.
const SIGNATURE_OFFSET: u64 = 61;

// ANCHOR: card_command_owner
/// Gives the slot back: the delivery status and the ownership bit share the last byte, which is
/// written after everything else.
fn give_back(address: u64, entry: &mut CommandQueueEntry, signed: bool, bus: &mut Bus<'_>) -> bool {
    if signed {
        entry.sign();
        let signature = [entry.signature()];
        if write_host!(bus, address + SIGNATURE_OFFSET, &signature, "command signature", "")
            .is_err()
        {
            return false;
        }
    }
    let last = &entry.as_bytes()[CommandQueueEntry::SIZE - 1..];
    let at = address + CommandQueueEntry::SIZE as u64 - 1;
    write_host!(bus, at, last, "command delivery status and ownership", "").is_ok()
}
// ANCHOR_END: card_command_owner

/// Bytes 1 to 3 and 62 of a slot mean nothing and must be 0.
fn reserved_is_clear(entry: &CommandQueueEntry) -> bool {
    let bytes = entry.as_bytes();
    bytes[1..4] == [0; 3] && bytes[62] == 0
}

/// Whether the mailbox pointer at this offset has any of its low 9 bits set.
fn misaligned(entry: &CommandQueueEntry, at: usize) -> bool {
    let bytes = entry.as_bytes();
    bytes[at + 7] != 0 || bytes[at + 6] & 1 != 0
}

// ANCHOR: card_command_ignored
fn ignored(why: &'static str, slot: u32, bus: &Bus<'_>) {
    probe!(bus.tracer, note(why, [("slot", Value::from(slot))]));
}
// ANCHOR_END: card_command_ignored

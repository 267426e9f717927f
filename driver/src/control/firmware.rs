//! Being the card's kernel driver: bring it up, and ask its firmware for objects.
//!
//! With the kernel's door closed, somebody still has to do what `mlx5_core` does when it finds a
//! card, and what `mlx5_ib` does when a program asks for a queue. This module does both, through
//! the same registers and commands, in the same order. It is the same code for the software card
//! and for a real one that no kernel driver holds.

mod bring_up;
mod capabilities;
mod command_queue;
mod event_queue;
mod events;
mod objects;
mod query;
mod queue_pairs;
mod shared;

use super::{ControlError, PortAddress, QueueLimits};
use crate::bus::{DmaRegion, Memory, Registers};
use command_queue::{CommandQueue, LARGEST};
use doorbell_prm::commands::{CommandInput, CommandOutput, CommandStatus};
use doorbell_tracer::{Group, Tracer, probe};
use events::EventQueues;
use std::sync::{Arc, Mutex, PoisonError};
use zerocopy::{FromZeros, IntoBytes};

const PROBE_GROUP: Group = Group::Control;

/// A card that has been brought up, and the way to its firmware.
pub struct Firmware<R: Registers> {
    registers: Arc<R>,
    memory: Arc<Memory>,
    commands: Mutex<CommandQueue>,
    tracer: Tracer,
    /// Event queues that somebody waits at.
    events: EventQueues<R>,
    /// What the card holds for as long as it is up.
    held: Held,
}

/// What the card holds for as long as it is up.
#[derive(Default)]
struct Held {
    /// Pages that the firmware keeps its objects in.
    pages: Vec<DmaRegion>,
    /// The event queue that completion queues name, its register page and its ring.
    events: Option<(u8, u32, DmaRegion)>,
    /// Whether the function has been enabled, and initialized.
    enabled: bool,
    initialized: bool,
    /// The port is one for Ethernet.
    ethernet: bool,
    /// The largest queues that the card has.
    limits: Option<QueueLimits>,
    /// The card has atomic operations, as programs know them.
    atomics: bool,
    /// Our address on the network.
    address: Option<PortAddress>,
}

impl<R: Registers> Firmware<R> {
    // ANCHOR: firmware_command
    /// Gives one command, with `tail` behind its input, and waits for its output, with
    /// `output_tail` bytes behind it.
    fn command<I: CommandInput>(
        &self,
        input: &I,
        tail: &[u8],
        output_tail: usize,
    ) -> Result<(I::Output, Vec<u8>), ControlError> {
        let name = I::OPCODE.label();
        probe!(self.tracer, call(name, []));
        let (length, most) = (size_of::<I>() + tail.len(), LARGEST);
        if length > most {
            return Err(ControlError::TooLong { command: name, length, most });
        }
        let mut output = vec![0; size_of::<I::Output>() + output_tail];
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let input = [input.as_bytes(), tail].concat();
        let delivered = commands.execute(&*self.registers, name, &input, &mut output, &self.tracer);
        drop(commands);
        let result = delivered.and_then(|()| outcome::<I>(name, output));
        probe!(self.tracer, returned(name, u32::from(result.is_err())));
        result
    }
    // ANCHOR_END: firmware_command

    /// A command without a tail on either side.
    fn simple<I: CommandInput>(&self, input: &I) -> Result<I::Output, ControlError> {
        Ok(self.command(input, &[], 0)?.0)
    }

    /// A command that gives something back. A card that has died cannot answer, and there is
    /// nothing to do about it: the trace tells.
    fn give_back<I: CommandInput>(&self, input: &I) {
        let _ = self.simple(input);
    }
}

// ANCHOR: command_status
/// What the output says of itself: status 0, or a status and the firmware's own number for it.
fn outcome<I: CommandInput>(
    name: &'static str,
    output: Vec<u8>,
) -> Result<(I::Output, Vec<u8>), ControlError> {
    let mut head = I::Output::new_zeroed();
    let (first, tail) = output.split_at(size_of::<I::Output>());
    head.as_mut_bytes().copy_from_slice(first);
    let (status, syndrome) = head.outcome();
    if status != CommandStatus::Ok as u8 {
        return Err(ControlError::Refused {
            command: name,
            status,
            meaning: CommandStatus::from_code(status).map_or("unknown", CommandStatus::label),
            syndrome,
        });
    }
    Ok((head, tail.to_vec()))
}
// ANCHOR_END: command_status

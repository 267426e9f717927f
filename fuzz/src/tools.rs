//! What the targets for the card share.

use crate::support::Machine;
use doorbell_tracer::{Clock, Ring, Tracer};

/// Steps of the card for one act: enough for all but messages of many megabytes, which a card may take
/// its time over.
const STEPS: usize = 4_000;

/// A tracer with a short ring, so that what probes say of hostile input is made too.
pub fn tracer() -> Tracer {
    Tracer::new(Ring::new(64), Clock::Logical)
}

/// Lets the card work, for a while at most.
pub fn run(machine: &mut Machine) {
    for _ in 0..STEPS {
        if !machine.card.run(&mut machine.memory) {
            return;
        }
    }
}

/// Stores bytes where there is memory, anywhere in it; what is behind its end is left out.
pub fn poke(machine: &mut Machine, at: u32, bytes: &[u8]) {
    let memory = &mut machine.memory.bytes;
    let at = at as usize % memory.len();
    let length = bytes.len().min(memory.len() - at);
    memory[at..at + length].copy_from_slice(&bytes[..length]);
}

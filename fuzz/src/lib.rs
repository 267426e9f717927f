//! What the fuzz targets share: the small machine that the card's own tests use, and the two parts of
//! other crates that are not public or not light.

/// The machine around the card.
#[path = "../../card/tests/support/mod.rs"]
pub mod support;

/// The checksum that a packet must have before the card looks at it any closer.
#[path = "../../card/src/invariant_crc.rs"]
#[allow(dead_code)]
mod invariant_crc;

/// What `doorbell decode` finds in a text, without the command around it.
#[allow(dead_code)]
#[path = "../../tui/src/dump/mod.rs"]
pub mod dump;

use doorbell_tracer::{Clock, Ring, Tracer};
use support::Machine;

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

/// Gives a packet, from its Ethernet header to its padding, the lengths and checksums that fit it.
pub fn seal(packet: &mut Vec<u8>) {
    const ETHERNET: usize = 14;
    const IP: usize = 20;
    const UDP: usize = 8;
    packet.resize(packet.len().max(ETHERNET + IP + UDP), 0);
    let total = packet.len() - ETHERNET + 4;
    packet[12..14].copy_from_slice(&[0x08, 0]);
    let ip = &mut packet[ETHERNET..ETHERNET + IP];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&(total as u16).to_be_bytes());
    ip[9] = 17;
    ip[10..12].fill(0);
    let words = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    ip[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let udp = &mut packet[ETHERNET + IP..ETHERNET + IP + UDP];
    udp[2..4].copy_from_slice(&4791_u16.to_be_bytes());
    udp[4..6].copy_from_slice(&((total - IP) as u16).to_be_bytes());
    let crc = invariant_crc::invariant_crc(&packet[ETHERNET..]);
    packet.extend(crc.to_le_bytes());
}

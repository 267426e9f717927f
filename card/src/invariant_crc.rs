//! The invariant CRC: the checksum of everything in a packet that nobody may change on its way.
//!
//! It is Ethernet's CRC-32, over eight bytes of ones (where InfiniBand has its local route
//! header), then the packet from its IP header on, in which the fields that routers may change
//! count as ones: type of service, time to live and checksum of IP, the UDP checksum, and the
//! congestion bits of the base transport header. (InfiniBand specification 7.8.1 and annex A17.)

use crc32fast::Hasher;

/// The bytes of a RoCE v2 packet that routers may change, counted from the IPv4 header.
const VARIANT: [usize; 7] = [
    1,  // type of service
    8,  // time to live
    10, // header checksum
    11, 26, // UDP checksum
    27, 32, // congestion bits and the bits beside them
];

/// The longest header prefix that holds variant bytes.
const PREFIX: usize = 33;

// ANCHOR: card_invariant_crc
/// The invariant CRC of a packet, given from its IPv4 header to its padding.
///
/// It goes onto the wire with its low byte first, as Ethernet's does.
pub(crate) fn invariant_crc(packet: &[u8]) -> u32 {
    let (head, rest) = packet.split_at(packet.len().min(PREFIX));
    let mut masked = [0; PREFIX];
    masked[..head.len()].copy_from_slice(head);
    for at in VARIANT {
        masked[at] = 0xff;
    }
    let mut crc = Hasher::new();
    crc.update(&[0xff; 8]);
    crc.update(&masked[..head.len()]);
    crc.update(rest);
    crc.finalize()
}
// ANCHOR_END: card_invariant_crc

#[cfg(test)]
mod tests;

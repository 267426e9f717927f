//! The invariant CRC: the checksum of everything in a packet that nobody may change on its way.
//!
//! It is Ethernet's CRC-32, over eight bytes of ones (where InfiniBand has its local route
//! header), then the packet from its IP header on, in which the fields that routers may change
//! count as ones: type of service, time to live and checksum of IP, the UDP checksum, and the
//! congestion bits of the base transport header. Of a global route header they are traffic class, flow
//! label and hop limit. (InfiniBand specification 7.8.1 and annexes A16 and A17.)

use crc32fast::Hasher;

/// Bits of a packet that routers may change: a byte, and which of its bits.
type Variant = (usize, u8);

/// Those of a RoCE v2 packet, counted from the IPv4 header.
const VARIANT: [Variant; 7] = [
    (1, 0xff),  // type of service
    (8, 0xff),  // time to live
    (10, 0xff), // header checksum
    (11, 0xff),
    (26, 0xff), // UDP checksum
    (27, 0xff),
    (32, 0xff), // congestion bits and the bits beside them
];

/// Those of a packet with a global route header, counted from that.
const VARIANT_OF_ROUTED: [Variant; 6] = [
    (0, 0x0f), // traffic class
    (1, 0xff), // and flow label
    (2, 0xff),
    (3, 0xff),
    (7, 0xff),  // hop limit
    (44, 0xff), // congestion bits and the bits beside them
];

/// The longest header prefix that holds variant bytes.
const PREFIX: usize = 45;

// ANCHOR: card_invariant_crc
/// The invariant CRC of a packet, given from its IPv4 header to its padding.
///
/// It goes onto the wire with its low byte first, as Ethernet's does.
pub(crate) fn invariant_crc(packet: &[u8]) -> u32 {
    crc_but_for(&VARIANT, packet)
}

/// The same of a packet with a global route header, given from that on.
pub(crate) fn routed_invariant_crc(packet: &[u8]) -> u32 {
    crc_but_for(&VARIANT_OF_ROUTED, packet)
}

fn crc_but_for(variant: &[Variant], packet: &[u8]) -> u32 {
    let (head, rest) = packet.split_at(packet.len().min(PREFIX));
    let mut masked = [0; PREFIX];
    masked[..head.len()].copy_from_slice(head);
    for (at, bits) in variant {
        masked[*at] |= bits;
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

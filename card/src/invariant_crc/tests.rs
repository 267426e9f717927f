use super::invariant_crc;

/// A congestion notification packet that a ConnectX-4 Lx sent, from its IPv4 header on; its
/// last four bytes are the CRC the card put there. (A capture in the tests of scapy's RoCE
/// layer.)
const CAPTURED: [u8; 60] = [
    0x45, 0xc2, 0x00, 0x3c, 0x71, 0x8c, 0x40, 0x00, 0x40, 0x11, 0x91, 0x61, 0x0a, 0x00, 0x11, 0x01,
    0x0a, 0x00, 0x12, 0x01, 0x00, 0x00, 0x12, 0xb7, 0x00, 0x28, 0x00, 0x00, 0x81, 0x00, 0xff, 0xff,
    0x40, 0x00, 0x01, 0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x82, 0xfd, 0x00, 0x2a,
];

#[test]
fn it_is_what_a_connectx_computed() {
    let (packet, crc) = CAPTURED.split_at(56);
    assert_eq!(invariant_crc(packet).to_le_bytes(), crc);
}

#[test]
fn routers_may_change_some_bytes_and_no_others() {
    let expected = invariant_crc(&CAPTURED[..56]);
    for at in 0..56 {
        let mut changed = CAPTURED;
        changed[at] ^= 0x10;
        let same = invariant_crc(&changed[..56]) == expected;
        assert_eq!(same, [1, 8, 10, 11, 26, 27, 32].contains(&at), "byte {at}");
    }
}

#[test]
fn a_fragment_has_one_too() {
    for length in 0..40 {
        invariant_crc(&CAPTURED[..length]);
    }
}

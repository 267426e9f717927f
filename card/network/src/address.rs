//! A card's addresses: all follow from its IPv4 address.

use doorbell_card::CardConfig;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The MAC address of the card with this IPv4 address: locally administered, with the IPv4 address in
/// its last four bytes. On this network it takes the place of ARP.
pub fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x00, a, b, c, d]
}

/// The MAC address of the card with this GID; `None` if the GID is not that of an IPv4 address.
pub fn mac_of_gid(gid: [u8; 16]) -> Option<[u8; 6]> {
    Ipv6Addr::from(gid).to_ipv4_mapped().map(mac_of)
}

/// A card with this IPv4 address: its GID, MAC address and GUIDs follow, and it has a wire.
pub fn config_of(address: Ipv4Addr) -> CardConfig {
    let plain = CardConfig::default();
    let apart = u64::from(u32::from(address)) << 4;
    CardConfig {
        node_guid: plain.node_guid ^ apart,
        port_guid: plain.port_guid ^ apart,
        mac: mac_of(address),
        ipv4: address.octets(),
        has_wire: true,
        ..plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_card_has_addresses_of_its_own() {
        let [one, two] = [2, 3].map(|last| config_of(Ipv4Addr::new(127, 0, 0, last)));
        assert_eq!((one.mac, one.ipv4), ([2, 0, 127, 0, 0, 2], [127, 0, 0, 2]));
        assert!(one.has_wire && one.node_guid != two.node_guid && one.mac != two.mac);
        assert!(one.port_guid != two.port_guid && one.port_guid != one.node_guid);
    }

    #[test]
    fn a_gid_of_an_ipv4_address_leads_to_the_mac_address() {
        let gid = Ipv4Addr::new(127, 0, 0, 9).to_ipv6_mapped().octets();
        assert_eq!(mac_of_gid(gid), Some([2, 0, 127, 0, 0, 9]));
        assert_eq!(mac_of_gid(Ipv6Addr::LOCALHOST.octets()), None);
    }
}

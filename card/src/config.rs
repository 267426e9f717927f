//! What kind of card it is: identity, addresses, sizes.

use std::ops::Range;

/// Identity and sizes of a software card. [`CardConfig::default`] is a ConnectX-6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardConfig {
    /// PCI vendor: 0x15b3 is Mellanox.
    pub vendor_id: u16,
    /// PCI device: 0x101b is a ConnectX-6.
    pub device_id: u16,
    /// Firmware version: major, minor, sub-minor.
    pub firmware: [u16; 3],
    /// Parameter set name of the board, up to 16 bytes.
    pub board: [u8; 16],
    /// GUID of node and system.
    pub node_guid: u64,
    /// GUID of the port.
    pub port_guid: u64,
    /// What the port speaks.
    pub link: Link,
    /// MAC address of the port.
    pub mac: [u8; 6],
    /// IPv4 address in entry 0 of the RoCE address table, as a reset leaves it.
    pub ipv4: [u8; 4],
    /// How many UAR pages can be allocated.
    pub uars: u32,
    /// UAR pages that software writes without [`crate::Card::write`] being told, because they are
    /// mapped memory: for these the card looks at doorbell records, when [`crate::Card::look`]
    /// tells it to. None, unless an adapter sets it.
    pub mapped_uars: Range<u32>,
    /// A wire hangs at the port: packets for others leave by it, see [`crate::Card::take_packet`].
    /// Without one they are lost.
    pub has_wire: bool,
    /// The card has atomic operations.
    pub atomics: bool,
    /// Pages of host memory the firmware wants before it answers queries.
    pub boot_pages: u32,
    /// Pages of host memory the firmware wants before INIT_HCA.
    pub init_pages: u32,
}

impl Default for CardConfig {
    fn default() -> Self {
        Self {
            vendor_id: 0x15b3,
            device_id: 0x101b,
            firmware: [20, 43, 1014],
            board: *b"DBL0000000001\0\0\0",
            node_guid: 0x0200_00ff_fe00_0001,
            port_guid: 0x0200_00ff_fe00_0002,
            link: Link::Ethernet,
            mac: [0x02, 0, 0, 0, 0, 0x01],
            ipv4: [192, 168, 0, 1],
            uars: 256,
            mapped_uars: 0..0,
            has_wire: false,
            atomics: true,
            boot_pages: 2,
            init_pages: 6,
        }
    }
}

impl CardConfig {
    /// A ConnectX-6 whose port is an InfiniBand port with this LID.
    pub fn infiniband(lid: u16) -> Self {
        Self {
            link: Link::InfiniBand { lid },
            uars: INFINIBAND_UARS,
            init_pages: INFINIBAND_INIT_PAGES,
            ..Self::default()
        }
    }

    /// The size of BAR 0 in bytes, a power of two: the init segment's pages and all UAR pages.
    pub fn bar_size(&self) -> u64 {
        ((u64::from(FIRST_UAR) + u64::from(self.uars)) << 12).next_power_of_two()
    }
}

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// RoCE v2 over IPv4.
    Ethernet,
    /// InfiniBand: a port has a LID, which somebody else's subnet manager gave it.
    InfiniBand {
        /// The port's local identifier, 1 to 0xbfff.
        lid: u16,
    },
}

/// UAR pages of a card that a whole operating system drives: with them BAR 0 has 8 MiB.
const INFINIBAND_UARS: u32 = 0x700;
/// Pages for the objects of a whole operating system.
const INFINIBAND_INIT_PAGES: u32 = 64;

/// Interrupt vectors of the card: the size of its MSI-X table.
pub const VECTORS: u16 = 32;

/// The number of the first UAR page that can be allocated.
pub const FIRST_UAR: u32 = 0x100;

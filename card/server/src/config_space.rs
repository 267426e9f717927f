//! PCI configuration space: who the device is, and its capabilities.
//!
//! 4096 bytes, little-endian. Each byte has a mask of the bits that software may change. The
//! numbers are those of the PCI and PCI Express base specifications.

use crate::bar::{MSIX_PENDING, MSIX_TABLE};
use doorbell_card::{CardConfig, Link, VECTORS};

/// Size of PCI Express configuration space in bytes.
pub(crate) const SIZE: usize = 4096;

const COMMAND: usize = 0x04;
const STATUS: usize = 0x06;
const CLASS: usize = 0x09;
const BAR_0: usize = 0x10;
const SUBSYSTEM: usize = 0x2c;
const CAPABILITIES: usize = 0x34;
const INTERRUPT: usize = 0x3c;
/// Where the two capabilities lie.
const EXPRESS: usize = 0x60;
const MSIX: usize = 0x9c;
/// PCI Express device control: the register with the bit that resets the function.
const DEVICE_CONTROL: usize = EXPRESS + 0x08;

/// Memory space, bus mastering, parity, system errors, no legacy interrupts.
const COMMAND_MASK: u16 = 0x0546;
/// There is a list of capabilities.
const STATUS_CAPABILITIES: u16 = 0x0010;
/// Network controller: InfiniBand, or Ethernet.
const CLASS_INFINIBAND: u32 = 0x02_07_00;
const CLASS_ETHERNET: u32 = 0x02_00_00;
/// A 64-bit, prefetchable memory BAR.
const BAR_KIND: u32 = 0xc;
const SUBSYSTEM_DEVICE: u16 = 0x0008;
const CAPABILITY_EXPRESS: u8 = 0x10;
const CAPABILITY_MSIX: u8 = 0x11;
/// Version 2, endpoint.
const EXPRESS_VERSION: u16 = 0x0002;
/// Payloads of 256 bytes, any latency, role-based errors, function-level reset.
const DEVICE_CAPABILITIES: u32 = 1 | 7 << 6 | 7 << 9 | 1 << 15 | 1 << 28;
/// Relaxed ordering, extended tags, no snoop, reads of 512 bytes.
const DEVICE_CONTROL_VALUE: u16 = 0x2910;
const DEVICE_CONTROL_MASK: u16 = 0x7fff;
const FUNCTION_RESET: u8 = 0x80;
/// 16 lanes of 16 GT/s, possible and in use.
const LINK: u32 = 16 << 4 | 4;
const LINK_SPEEDS: u32 = 0b1_1110;
/// Completion timeouts can be set.
const DEVICE_CAPABILITIES_2: u32 = 0x12;
/// MSI-X: enabled, and all masked.
const MSIX_CONTROL_MASK: u16 = 0xc000;

/// Configuration space.
pub(crate) struct ConfigSpace {
    bytes: Box<[u8; SIZE]>,
    writable: Box<[u8; SIZE]>,
}

/// What a write to configuration space asks for besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    Nothing,
    /// The function is to be reset.
    Reset,
}

impl ConfigSpace {
    pub(crate) fn new(card: &CardConfig) -> Self {
        let mut space = Self { bytes: Box::new([0; SIZE]), writable: Box::new([0; SIZE]) };
        space.identity(card);
        space.base_address(card.bar_size());
        space.express();
        space.msix();
        space
    }

    fn identity(&mut self, card: &CardConfig) {
        self.put16(0x00, card.vendor_id);
        self.put16(0x02, card.device_id);
        self.allow(COMMAND, &COMMAND_MASK.to_le_bytes());
        self.put16(STATUS, STATUS_CAPABILITIES);
        let class = match card.link {
            Link::Ethernet => CLASS_ETHERNET,
            Link::InfiniBand { .. } => CLASS_INFINIBAND,
        };
        self.bytes[CLASS..CLASS + 3].copy_from_slice(&class.to_le_bytes()[..3]);
        self.put16(SUBSYSTEM, card.vendor_id);
        self.put16(SUBSYSTEM + 2, SUBSYSTEM_DEVICE);
        self.bytes[CAPABILITIES] = EXPRESS as u8;
        self.allow(INTERRUPT, &[0xff]);
    }

    /// The bits of BAR 0 that can be set tell its size.
    fn base_address(&mut self, size: u64) {
        self.put32(BAR_0, BAR_KIND);
        self.allow(BAR_0, &(!(size - 1)).to_le_bytes());
    }

    fn express(&mut self) {
        self.bytes[EXPRESS] = CAPABILITY_EXPRESS;
        self.bytes[EXPRESS + 1] = MSIX as u8;
        self.put16(EXPRESS + 0x02, EXPRESS_VERSION);
        self.put32(EXPRESS + 0x04, DEVICE_CAPABILITIES);
        self.put16(DEVICE_CONTROL, DEVICE_CONTROL_VALUE);
        self.allow(DEVICE_CONTROL, &DEVICE_CONTROL_MASK.to_le_bytes());
        self.put32(EXPRESS + 0x0c, LINK);
        self.put16(EXPRESS + 0x12, LINK as u16);
        self.put32(EXPRESS + 0x24, DEVICE_CAPABILITIES_2);
        self.put32(EXPRESS + 0x2c, LINK_SPEEDS);
    }

    fn msix(&mut self) {
        self.bytes[MSIX] = CAPABILITY_MSIX;
        self.put16(MSIX + 0x02, VECTORS - 1);
        self.allow(MSIX + 0x02, &MSIX_CONTROL_MASK.to_le_bytes());
        // Both lie in BAR 0, the number of which is 0.
        self.put32(MSIX + 0x04, MSIX_TABLE as u32);
        self.put32(MSIX + 0x08, MSIX_PENDING as u32);
    }

    fn put16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn allow(&mut self, at: usize, mask: &[u8]) {
        self.writable[at..at + mask.len()].copy_from_slice(mask);
    }

    /// Reads; what lies outside is zeros.
    pub(crate) fn read(&self, at: u64, into: &mut [u8]) {
        into.fill(0);
        let from = usize::try_from(at).unwrap_or(SIZE).min(SIZE);
        let length = into.len().min(SIZE - from);
        into[..length].copy_from_slice(&self.bytes[from..from + length]);
    }

    /// Writes the bits that may be written; what lies outside is ignored.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> Consequence {
        let mut consequence = Consequence::Nothing;
        let from = usize::try_from(at).unwrap_or(SIZE).min(SIZE);
        for (place, value) in (from..SIZE).zip(bytes) {
            let mask = self.writable[place];
            self.bytes[place] = self.bytes[place] & !mask | value & mask;
            if place == DEVICE_CONTROL + 1 && value & FUNCTION_RESET != 0 {
                consequence = Consequence::Reset;
            }
        }
        consequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read32(space: &ConfigSpace, at: u64) -> u32 {
        let mut word = [0; 4];
        space.read(at, &mut word);
        u32::from_le_bytes(word)
    }

    #[test]
    fn it_is_an_infiniband_connectx_6() {
        let space = ConfigSpace::new(&CardConfig::infiniband(1));
        assert_eq!(read32(&space, 0), 0x101b_15b3);
        assert_eq!(read32(&space, 8) >> 8, CLASS_INFINIBAND);
        let ethernet = ConfigSpace::new(&CardConfig::default());
        assert_eq!(read32(&ethernet, 8) >> 8, CLASS_ETHERNET);
    }

    #[test]
    fn the_capabilities_are_a_list_of_two() {
        let space = ConfigSpace::new(&CardConfig::infiniband(1));
        let first = read32(&space, 0x34) as u8;
        let express = read32(&space, first.into());
        assert_eq!(express as u8, CAPABILITY_EXPRESS);
        let second = (express >> 8) as u8;
        let msix = read32(&space, second.into());
        assert_eq!(msix as u8, CAPABILITY_MSIX);
        assert_eq!(msix >> 8 & 0xff, 0, "the list ends");
        assert_eq!(msix >> 16 & 0x7ff, u32::from(VECTORS) - 1);
    }

    #[test]
    fn bar_0_tells_its_size() {
        let card = CardConfig::infiniband(1);
        let mut space = ConfigSpace::new(&card);
        space.write(0x10, &[0xff; 8]);
        let (low, high) = (read32(&space, 0x10), read32(&space, 0x14));
        let sizing = u64::from(high) << 32 | u64::from(low & !0xf);
        assert_eq!(!sizing + 1, card.bar_size());
        assert_eq!(low & 0xf, BAR_KIND);
    }

    #[test]
    fn only_what_may_be_written_is_written() {
        let mut space = ConfigSpace::new(&CardConfig::infiniband(1));
        assert_eq!(space.write(0, &[0xff; 2]), Consequence::Nothing);
        assert_eq!(read32(&space, 0), 0x101b_15b3);
        assert_eq!(space.write(DEVICE_CONTROL as u64, &[0, 0x80]), Consequence::Reset);
        assert_eq!(read32(&space, DEVICE_CONTROL as u64) & 0x8000, 0, "the bit reads as 0");
    }

    #[test]
    fn what_lies_outside_is_zeros() {
        let mut space = ConfigSpace::new(&CardConfig::infiniband(1));
        let mut bytes = [0xaa; 8];
        space.read(SIZE as u64 - 4, &mut bytes);
        assert_eq!(bytes[4..], [0; 4]);
        space.read(u64::MAX, &mut bytes);
        assert_eq!(bytes, [0; 8]);
        assert_eq!(space.write(u64::MAX, &[1; 8]), Consequence::Nothing);
    }
}

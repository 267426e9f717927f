//! The init segment's registers: what the firmware tells before there are commands.

use crate::card::Card;
use crate::command_queue::CommandDoorbell;
use crate::config::CardConfig;
use doorbell_prm::registers::init_segment::{COMMAND_INTERFACE_REVISION, InitSegment, offset};
use doorbell_prm::zerocopy::{FromBytes, IntoBytes};

/// The init segment, and what is written to it.
#[derive(Debug, Clone)]
pub(crate) struct Registers {
    segment: Box<InitSegment>,
    /// Physical address of the command queue; `None` until both halves are written.
    pub(crate) command_queue: Option<u64>,
    /// The free-running timer: nanoseconds, as told.
    pub(crate) timer: u64,
}

/// log2 of the number of command slots: 32.
const LOG_SLOTS: u8 = 5;
/// log2 of the size of a slot in bytes: 64.
const LOG_STRIDE: u8 = 6;

impl Registers {
    // ANCHOR: card_init_segment
    pub(crate) fn new(config: &CardConfig) -> Self {
        let mut segment = Box::new(InitSegment::zeroed());
        let [major, minor, sub] = config.firmware;
        segment
            .set_fw_rev_major(major)
            .set_fw_rev_minor(minor)
            .set_fw_rev_subminor(sub)
            .set_cmd_interface_rev(COMMAND_INTERFACE_REVISION)
            .set_log_cmdq_size(LOG_SLOTS)
            .set_log_cmdq_stride(LOG_STRIDE);
        Self { segment, command_queue: None, timer: 0 }
    }

    /// Reads registers. Two of them change by being looked at: the health counter counts on, so
    /// that a watchdog sees that the firmware lives; and `initializing` clears, because a card
    /// without a clock can only finish while somebody waits for it.
    pub(crate) fn read(&mut self, at: u64, into: &mut [u8]) {
        into.fill(0);
        let bytes = self.segment.as_bytes();
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let visible = bytes.get(from..).unwrap_or(&[]);
        let length = visible.len().min(into.len());
        into[..length].copy_from_slice(&visible[..length]);
        self.read_timer(at, into);
        let end = at.saturating_add(length as u64);
        if (at..end).contains(&offset::INITIALIZING) {
            self.segment.set_initializing(false);
        }
        if (at..end).contains(&offset::HEALTH_COUNTER) {
            let count = self.segment.health_counter().wrapping_add(1);
            self.segment.set_health_counter(count);
        }
    }

    /// The timer is two words, the upper half first.
    fn read_timer(&self, at: u64, into: &mut [u8]) {
        for (number, value) in (0..).zip(self.timer.to_be_bytes()) {
            let place = (offset::INTERNAL_TIMER_HIGH + number).checked_sub(at);
            let place = place.and_then(|place| usize::try_from(place).ok());
            if let Some(byte) = place.and_then(|place| into.get_mut(place)) {
                *byte = value;
            }
        }
    }

    /// Takes the address of the command queue; its lower half starts the firmware.
    fn write_queue_address(&mut self, high: bool, value: u32) {
        if high {
            self.segment.set_cmdq_phy_addr_63_32(value);
            return;
        }
        self.segment.set_cmdq_phy_addr_31_12(value >> 12);
        self.segment.set_nic_interface((value >> 8) as u8);
        let high = u64::from(self.segment.cmdq_phy_addr_63_32());
        self.command_queue = Some(high << 32 | u64::from(value & !0xfff));
        self.segment.set_initializing(true);
    }
    // ANCHOR_END: card_init_segment
}

impl Card {
    /// Takes a write to the init segment: whole words; anything else is ignored.
    pub(crate) fn write_init_segment(&mut self, at: u64, bytes: &[u8]) {
        if !at.is_multiple_of(4) || bytes.len() > 8 {
            return;
        }
        for (number, word) in (0..).zip(bytes.as_chunks::<4>().0) {
            let Ok(value) = u32::read_from_bytes(word).map(u32::from_be) else {
                return;
            };
            match at.saturating_add(number * 4) {
                offset::COMMAND_QUEUE_ADDRESS_HIGH => {
                    self.registers.write_queue_address(true, value);
                }
                offset::COMMAND_QUEUE_ADDRESS_LOW => {
                    self.registers.write_queue_address(false, value);
                }
                offset::COMMAND_DOORBELL => self.ring_commands(value),
                _ => {}
            }
        }
    }

    /// Notes which slots are handed over, and to which queue their completion is reported: the
    /// one that exists now, not one that a command in these slots creates.
    fn ring_commands(&mut self, slots: u32) {
        let report_to = self.command_event_queue();
        self.commands.push_back(CommandDoorbell { slots, report_to });
    }
}

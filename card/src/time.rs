//! Time, as far as a card needs any: how long to wait for an answer, and when to try again.
//!
//! The card has no clock. Whoever drives it may tell it the time with [`Card::tell_time`]; from
//! then on it waits as long as a ConnectX does. A card that is never told waits for nothing: what
//! it would have to wait for counts as lost, or as ready, at once.

use crate::card::Card;
use crate::queue_pair::QueuePair;

impl Card {
    /// Tells the card what time it is: nanoseconds since its power-on. Time that runs backwards
    /// is ignored.
    pub fn tell_time(&mut self, nanoseconds: u64) {
        self.now = Some(self.now.unwrap_or(0).max(nanoseconds));
        self.registers.timer = self.registers.timer.max(nanoseconds);
    }

    /// When an answer that is asked for now is late; `None` without a clock.
    pub(crate) fn answer_deadline(&self, qp: &QueuePair) -> Option<u64> {
        let exponent = qp.context.primary_address_path().ack_timeout();
        self.now.map(|now| now.saturating_add(ACK_TIMEOUT_UNIT << exponent))
    }

    /// When a receiver that answered "not ready" with this timer may be asked again.
    pub(crate) fn ready_again(&self, timer: u32) -> Option<u64> {
        self.now.map(|now| now.saturating_add(rnr_delay(timer)))
    }

    /// Whether a moment has come. Without a clock every moment has.
    pub(crate) fn has_come(&self, moment: Option<u64>) -> bool {
        match (self.now, moment) {
            (Some(now), Some(moment)) => now >= moment,
            _ => true,
        }
    }
}

/// 4.096 microseconds (InfiniBand specification, "Local ACK Timeout").
const ACK_TIMEOUT_UNIT: u64 = 4096;

/// The delay that an RNR NAK timer stands for, in nanoseconds (InfiniBand specification, table
/// "Encoding for RNR NAK Timer Field").
fn rnr_delay(timer: u32) -> u64 {
    const HUNDREDTHS_OF_MILLISECONDS: [u64; 32] = [
        65536, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024,
        1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152,
    ];
    HUNDREDTHS_OF_MILLISECONDS[timer as usize % 32] * 10_000
}

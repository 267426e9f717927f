//! What can go wrong with packets that leave a card.

use crate::chance::Chance;
use doorbell_card::{Faults, LossyLink};
use std::time::Duration;

/// What can happen to a packet on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Impairments {
    /// It never arrives.
    pub loss: Chance,
    /// It arrives twice, the second time up to 1 ms later.
    pub duplicate: Chance,
    /// It is held back for up to 1 ms, so that later ones overtake it.
    pub reorder: Chance,
    /// How long every packet is on its way.
    pub delay: Duration,
    /// Which packets it happens to.
    pub seed: u64,
}

/// How long a packet is held back at the most.
const HOLD: Duration = Duration::from_millis(1);

impl Impairments {
    /// A link on which this happens. Its time is in nanoseconds.
    pub(crate) fn link(self) -> LossyLink {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let faults = Faults {
            loss: self.loss.ten_thousandths(),
            duplication: self.duplicate.ten_thousandths(),
            reordering: self.reorder.ten_thousandths(),
            delay: nanoseconds(self.delay),
            holding: nanoseconds(HOLD),
        };
        LossyLink::new(self.seed, faults)
    }
}

//! A link on which packets get lost, doubled, overtaken and held back: by chances and a seed.
//!
//! It has no clock and no thread. What happens to a packet depends on the seed and on how many packets
//! came before it, and on nothing else.

use crate::chance::Chance;
use std::collections::BTreeMap;
use std::time::Duration;

/// What can happen to a packet on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Impairments {
    /// It never arrives.
    pub loss: Chance,
    /// It arrives twice.
    pub duplicate: Chance,
    /// Those sent up to 1 ms after it arrive before it.
    pub reorder: Chance,
    /// How long every packet is on its way.
    pub delay: Duration,
    /// Which packets it happens to.
    pub seed: u64,
}

/// How often each has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Misfortunes {
    /// Packets lost.
    pub lost: u64,
    /// Packets doubled.
    pub duplicated: u64,
    /// Packets held back so that others overtake them.
    pub reordered: u64,
}

/// How long a packet that is to be overtaken is held back.
const HOLD: Duration = Duration::from_millis(1);

/// One direction of a link. Time is in nanoseconds, from any beginning.
#[derive(Debug)]
pub struct Link {
    impairments: Impairments,
    random: Random,
    /// By when they arrive, then by their number.
    under_way: BTreeMap<(u64, u64), Vec<u8>>,
    number: u64,
    misfortunes: Misfortunes,
}

impl Link {
    /// A link without a packet on it.
    pub fn new(impairments: Impairments) -> Self {
        Self {
            impairments,
            random: Random(impairments.seed),
            under_way: BTreeMap::new(),
            number: 0,
            misfortunes: Misfortunes::default(),
        }
    }

    /// A packet sets out at `now`.
    pub fn put(&mut self, packet: Vec<u8>, now: u64) {
        // As many numbers for each packet, whatever happens to it.
        let [loss, duplicate, reorder] = [(); 3].map(|()| self.random.next());
        let chances = self.impairments;
        if chances.loss.takes(loss) {
            self.misfortunes.lost += 1;
            return;
        }
        let mut arrival = now.saturating_add(nanoseconds(chances.delay));
        if chances.duplicate.takes(duplicate) {
            self.misfortunes.duplicated += 1;
            self.set_out(packet.clone(), arrival);
        }
        if chances.reorder.takes(reorder) {
            self.misfortunes.reordered += 1;
            arrival = arrival.saturating_add(nanoseconds(HOLD));
        }
        self.set_out(packet, arrival);
    }

    fn set_out(&mut self, packet: Vec<u8>, arrival: u64) {
        self.under_way.insert((arrival, self.number), packet);
        self.number += 1;
    }

    /// Takes a packet that has arrived by `now`.
    pub fn take(&mut self, now: u64) -> Option<Vec<u8>> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next packet arrives.
    pub fn next_arrival(&self) -> Option<u64> {
        self.under_way.first_key_value().map(|((arrival, _), _)| *arrival)
    }

    /// What has happened so far.
    pub fn misfortunes(&self) -> Misfortunes {
        self.misfortunes
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: u64 = 1_000_000;

    /// What arrives of so many packets, sent a microsecond apart, and what happened to them.
    fn sent(count: u16, impairments: Impairments) -> (Vec<u16>, Misfortunes) {
        let mut link = Link::new(impairments);
        let mut arrived = Vec::new();
        let mut carry = |link: &mut Link, now| {
            while let Some(packet) = link.take(now) {
                arrived.push(u16::from_be_bytes([packet[0], packet[1]]));
            }
        };
        for number in 0..count {
            link.put(number.to_be_bytes().to_vec(), u64::from(number) * 1000);
            carry(&mut link, u64::from(number) * 1000);
        }
        carry(&mut link, u64::MAX);
        (arrived, link.misfortunes())
    }

    #[test]
    fn without_impairments_all_arrive_at_once_and_in_order() {
        let (arrived, misfortunes) = sent(1000, Impairments::default());
        assert_eq!(arrived, (0..1000).collect::<Vec<_>>());
        assert_eq!(misfortunes, Misfortunes::default());
    }

    #[test]
    fn a_tenth_is_a_tenth_and_the_seed_decides_which() {
        let tenth = Chance::millionths(100_000);
        let lossy = Impairments { loss: tenth, seed: 7, ..Impairments::default() };
        let (arrived, misfortunes) = sent(10_000, lossy);
        assert!((900..1100).contains(&misfortunes.lost), "{misfortunes:?}");
        assert_eq!(arrived.len() as u64, 10_000 - misfortunes.lost);
        assert_eq!(sent(10_000, lossy).0, arrived, "the same seed, the same packets");
        assert_ne!(sent(10_000, Impairments { seed: 8, ..lossy }).0, arrived);
        let doubled = Impairments { duplicate: tenth, ..Impairments::default() };
        let (arrived, misfortunes) = sent(10_000, doubled);
        assert!((900..1100).contains(&misfortunes.duplicated), "{misfortunes:?}");
        assert_eq!(arrived.len() as u64, 10_000 + misfortunes.duplicated);
        let mut single = arrived;
        single.dedup();
        assert_eq!(single, (0..10_000).collect::<Vec<_>>());
    }

    #[test]
    fn later_ones_overtake_and_nothing_is_lost_by_it() {
        let chance = Chance::millionths(50_000);
        let (arrived, misfortunes) =
            sent(5000, Impairments { reorder: chance, ..Impairments::default() });
        let backwards = arrived.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
        assert!(backwards > 0 && misfortunes.reordered >= backwards, "{misfortunes:?}");
        let mut sorted = arrived;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..5000).collect::<Vec<_>>());
    }

    #[test]
    fn a_delay_is_waited_for() {
        let delay = Duration::from_millis(3);
        let mut link = Link::new(Impairments { delay, ..Impairments::default() });
        link.put(vec![1], MILLISECOND);
        assert_eq!(link.next_arrival(), Some(4 * MILLISECOND));
        assert_eq!(link.take(4 * MILLISECOND - 1), None);
        assert_eq!(link.take(4 * MILLISECOND), Some(vec![1]));
        assert_eq!(link.next_arrival(), None);
    }
}

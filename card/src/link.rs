//! A link that loses, repeats, delays and overtakes packets, as its seed wants it.
//!
//! What becomes of a packet depends on nothing but the seed and on how many packets went before it, so
//! every run is the same. The link has no clock: whoever carries packets says what time it is.

use std::collections::BTreeMap;

/// What a link does to packets. The chances are of 10000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// How many of 10000 packets are lost.
    pub loss: u16,
    /// How many of 10000 arrive twice.
    pub duplication: u16,
    /// How many of 10000 are held back, so that later ones overtake them.
    pub reordering: u16,
    /// How long every packet takes, in nanoseconds.
    pub delay: u64,
    /// How much longer one takes that is held back, or the second of two, at the most, in nanoseconds.
    pub holding: u64,
}

/// What became of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fates {
    /// How many were lost.
    pub lost: u64,
    /// How many arrive twice.
    pub duplicated: u64,
    /// How many were held back.
    pub held: u64,
}

/// One direction of a link, with the packets that are under way.
#[derive(Debug, Clone)]
pub struct LossyLink {
    seed: u64,
    faults: Faults,
    /// Packets sent so far.
    count: u64,
    fates: Fates,
    /// By the time of arrival, then in the order in which they were sent.
    under_way: BTreeMap<(u64, u64), Vec<u8>>,
}

impl LossyLink {
    /// A link on which nothing is under way.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self { seed, faults, count: 0, fates: Fates::default(), under_way: BTreeMap::new() }
    }

    /// Changes what happens to packets from now on; those that are under way arrive as they would have.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Sends a packet at a time, in nanoseconds.
    pub fn send(&mut self, now: u64, packet: Vec<u8>) {
        let copies = self.fate(self.count);
        self.fates.lost += u64::from(copies.is_empty());
        self.fates.duplicated += u64::from(copies.len() > 1);
        self.fates.held += u64::from(copies.first().is_some_and(|extra| *extra > 0));
        for extra in copies {
            let arrival = now.saturating_add(self.faults.delay).saturating_add(extra);
            // Two places for each packet: one for its double.
            let mut place = self.count * 2;
            while self.under_way.contains_key(&(arrival, place)) {
                place += 1;
            }
            self.under_way.insert((arrival, place), packet.clone());
        }
        self.count += 1;
    }

    /// Takes the next packet that has arrived by a time, in nanoseconds.
    pub fn receive(&mut self, now: u64) -> Option<Vec<u8>> {
        let next = self.under_way.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }

    /// When the next packet arrives, in nanoseconds; `None` when none is under way.
    pub fn next_arrival(&self) -> Option<u64> {
        self.under_way.first_key_value().map(|((arrival, _), _)| *arrival)
    }

    /// Packets sent so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What became of them.
    pub fn fates(&self) -> Fates {
        self.fates
    }

    /// The copies of packet number `number` that arrive: by how much each is held back.
    fn fate(&self, number: u64) -> Vec<u64> {
        let draw = |what: u64| mixed(self.seed ^ mixed(number * 8 + what));
        let happens = |what: u64, chance: u16| draw(what) % 10_000 < u64::from(chance);
        let held = |what: u64| match self.faults.holding {
            0 => 0,
            holding => draw(what) % holding + 1,
        };
        let mut copies = Vec::new();
        if !happens(0, self.faults.loss) {
            copies.push(if happens(1, self.faults.reordering) { held(2) } else { 0 });
            if happens(3, self.faults.duplication) {
                copies.push(held(4));
            }
        }
        copies
    }
}

/// A number that looks like any other (splitmix64; Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests;

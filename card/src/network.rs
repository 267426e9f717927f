//! What the wire of a card's port is plugged into, as far as whoever drives the card sees it.

use std::time::Duration;

/// A network between cards. Whoever drives a card carries packets between it and the network with
/// [`crate::Card::take_packet`] and [`crate::Card::bring_packet`], and tells the card the network's
/// time with [`crate::Card::tell_time`].
pub trait Network: Send + Sync {
    /// Nanoseconds since the card was plugged in. It never runs backwards.
    fn time(&self) -> u64;

    /// Carries off a packet that has left the card: a frame, see [`crate::Card::take_packet`].
    fn send(&self, packet: Vec<u8>);

    /// The next packet that has come for the card, as [`crate::Card::bring_packet`] takes it.
    fn receive(&self) -> Option<Vec<u8>>;

    /// Sleeps until a packet may be there, at most this long.
    fn wait(&self, at_most: Duration);
}

//! The wire at the port: packets for others leave by it, and theirs come in.
//!
//! The card stays passive: whoever drives it takes packets with [`Card::take_packet`], carries them to
//! where they belong, and brings what comes with [`Card::bring_packet`]. A wire has room for a few packets
//! only; while it is full, queue pairs send nothing, as an InfiniBand port sends nothing without
//! credits. Answers still go: they are few, and holding them back could stop both sides.
//!
//! A card with a wire should be told the time (see [`Card::tell_time`]): without a clock it takes an
//! answer for lost as soon as there is nothing else to do.

use crate::card::Card;
use std::collections::VecDeque;

/// Packets that may be on their way out before queue pairs must wait.
const ROOM: usize = 64;

/// Both directions of the wire.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) leaving: VecDeque<Vec<u8>>,
    pub(crate) arriving: VecDeque<Vec<u8>>,
}

impl Wire {
    /// Whether queue pairs may send.
    pub(crate) fn has_room(&self) -> bool {
        self.leaving.len() < ROOM
    }
}

impl Card {
    /// Takes the next packet that leaves by the wire: a frame as in RoCE v2, from its Ethernet header
    /// to its ICRC. The destination's address is in its headers; with InfiniBand a LID stands in the
    /// last two bytes of MAC and IPv4 address.
    pub fn take_packet(&mut self) -> Option<Vec<u8>> {
        self.wire.leaving.pop_front()
    }

    /// Whether [`Card::take_packet`] has a packet to give.
    pub fn has_packet(&self) -> bool {
        !self.wire.leaving.is_empty()
    }

    /// Brings a packet that came by the wire. What it asks for is done by [`Card::run`]; a packet for
    /// somebody else, or one that makes no sense, is dropped there.
    pub fn bring_packet(&mut self, packet: Vec<u8>) {
        self.wire.arriving.push_back(packet);
    }
}

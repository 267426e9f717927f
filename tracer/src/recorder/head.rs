//! What every event has: which probe it is of, who did it, how deep in calls.

use crate::Actor;

/// An event's first word: the number of its point, its actor, and a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head(u32);

/// Bits of the point's number. A source with four million probes cannot be built.
const NUMBER: u32 = 22;

/// The flag that an event of some forms has.
const FLAG: u32 = 1 << 31;

/// The size of a head in bytes.
pub(crate) const HEAD: usize = size_of::<Head>();

/// An actor as heads have it: the number of a thread, or one that no thread has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActorCode(u32);

/// The card's code.
const CARD: u32 = 1 << 8;

impl ActorCode {
    /// The code of this actor.
    pub(crate) fn of(actor: Actor) -> Self {
        let code = match actor {
            Actor::Cpu(number) => u32::from(number),
            Actor::Card => CARD,
        };
        Self(code << NUMBER)
    }

    /// The code's actor.
    pub(crate) fn actor(self) -> Actor {
        u8::try_from(self.0 >> NUMBER).map_or(Actor::Card, Actor::Cpu)
    }
}

impl Head {
    /// The head of an event of this point and this actor.
    #[inline(always)]
    pub(crate) fn of(point: u32, actor: ActorCode) -> Self {
        Self(point | actor.0)
    }

    /// The same with the flag, or without.
    #[inline(always)]
    pub(crate) fn flagged(self, flag: bool) -> Self {
        Self(if flag { self.0 | FLAG } else { self.0 })
    }

    /// Number of the point.
    pub(crate) fn point(self) -> u32 {
        self.0 & ((1 << NUMBER) - 1)
    }

    /// Who did it.
    #[inline(always)]
    pub(crate) fn actor(self) -> ActorCode {
        ActorCode(self.0 & !FLAG & !((1 << NUMBER) - 1))
    }

    /// Whether it has the flag.
    pub(crate) fn flag(self) -> bool {
        self.0 & FLAG != 0
    }

    /// As it is written.
    #[inline(always)]
    pub(crate) fn bytes(self) -> [u8; HEAD] {
        self.0.to_ne_bytes()
    }

    /// As it was written.
    pub(crate) fn of_bytes(bytes: [u8; HEAD]) -> Self {
        Self(u32::from_ne_bytes(bytes))
    }
}

/// Actors with a call depth of their own; further threads share the last place before the card's.
const ACTORS: usize = 18;

/// Call depth by actor: the card last, threads by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depths([u16; ACTORS]);

impl Depths {
    /// How deep the actor is, and one deeper from then on.
    #[inline(always)]
    pub(crate) fn enter(&mut self, actor: ActorCode) -> u16 {
        let current = self.of(actor);
        let outside = *current;
        *current = outside.saturating_add(1);
        outside
    }

    /// One less deep: how deep it is then.
    #[inline(always)]
    pub(crate) fn leave(&mut self, actor: ActorCode) -> u16 {
        let current = self.of(actor);
        *current = current.saturating_sub(1);
        *current
    }

    /// How deep the actor is.
    #[inline(always)]
    pub(crate) fn of(&mut self, actor: ActorCode) -> &mut u16 {
        let code = actor.0 >> NUMBER;
        let place = if code & CARD != 0 { ACTORS - 1 } else { (code as usize).min(ACTORS - 2) };
        &mut self.0[place]
    }
}

//! What is kept of every step so that the tree, the folds and the moves need not read its event.

use doorbell_tracer::Actor;
use doorbell_tracer::file::Brief;

/// The kinds of events, in the order in which the menu shows them.
pub const KINDS: [&str; 20] = [
    "call",
    "return",
    "dispatch",
    "check",
    "lock",
    "store",
    "barrier",
    "register_write",
    "register_read",
    "load",
    "dma",
    "packet",
    "completion",
    "command",
    "state",
    "index",
    "discovery",
    "map",
    "unmap",
    "note",
];

/// What happens at a step of each kind, in the order of [`KINDS`].
pub const KIND_WORDS: [&str; KINDS.len()] = [
    "a function is entered",
    "a function is left",
    "a call goes through the ops table",
    "two values are compared",
    "a lock is taken or released",
    "the program stores to memory",
    "a barrier is passed",
    "the program writes a register",
    "the program reads a register",
    "the program loads what the card wrote",
    "the card reads or writes memory",
    "a packet travels",
    "a completion reaches the program",
    "the card executes a firmware command",
    "an object changes its state",
    "a counter of a queue moves",
    "a place is looked at, a device found",
    "a region of memory is there",
    "a region of memory is gone",
    "anything else that is worth a word",
];

/// What is kept of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Index of its kind in [`KINDS`].
    kind: u8,
    /// The thread that did it; of what the card does, the thread that had done the last step before.
    pub thread: u8,
    /// How far the step is indented: the depth of calls around it. What the card does lies one
    /// deeper than what the program was doing meanwhile.
    pub level: u16,
}

impl Fact {
    /// The name of the kind, as the trace file spells it.
    pub fn kind(self) -> &'static str {
        KINDS.get(usize::from(self.kind)).copied().unwrap_or("note")
    }

    /// Whether a function was entered.
    pub fn is_call(self) -> bool {
        self.kind() == "call"
    }

    /// Whether a function was left.
    pub fn is_return(self) -> bool {
        self.kind() == "return"
    }

    /// Whether a region was mapped or unmapped.
    pub fn tells_region(self) -> bool {
        matches!(self.kind(), "map" | "unmap")
    }

    /// Whether the step's event carries bytes.
    pub fn has_bytes(self) -> bool {
        const WITH_BYTES: [&str; 7] =
            ["store", "load", "register_write", "register_read", "dma", "packet", "command"];
        WITH_BYTES.contains(&self.kind())
    }
}

/// Makes a [`Fact`] of each event in turn.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// The depth at which the program goes on,
    program: u16,
    /// and its thread.
    thread: u8,
}

impl Levels {
    /// The fact of the next event.
    pub fn next(&mut self, event: Brief) -> Fact {
        let kind = KINDS.iter().position(|name| *name == event.kind());
        let mut fact = Fact {
            kind: kind.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX),
            thread: self.thread,
            level: event.depth,
        };
        match event.actor {
            Actor::Card => fact.level = self.program.saturating_add(1).saturating_add(event.depth),
            Actor::Cpu(thread) => {
                (self.thread, fact.thread) = (thread, thread);
                self.program = event.depth.saturating_add(fact.is_call().into());
            }
        }
        fact
    }
}

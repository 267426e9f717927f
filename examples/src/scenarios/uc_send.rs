//! `uc-send`: one SEND without acknowledgement.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;
use doorbell_driver::verbs::{Opcode, Transport};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "uc-send",
    title: "One SEND without acknowledgement",
    topic: Topic::Opcodes,
    summary: "An unreliable connection: a message that finds no receive, or loses a packet, is dropped without a word. This one arrives.",
    own: Settings {
        transport: Transport::UnreliableConnection,
        opcode: Opcode::Send,
        ..Settings::DEFAULT
    },
    keys: keys::UNRELIABLE,
    failure: None,
    run: exchange,
};

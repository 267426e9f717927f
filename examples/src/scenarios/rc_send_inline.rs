//! `rc-send-inline`: a SEND of 32 bytes that travel in the WQE itself.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-send-inline",
    title: "A SEND with inline data",
    topic: Topic::Posting,
    summary: "32 bytes copied into the WQE, signalled; a receive is posted on the other side.",
    own: Settings { opcode: Opcode::Send, length: 32, inline: true, ..Settings::DEFAULT },
    keys: keys::ANY_OPCODE,
    failure: None,
    run: exchange,
};

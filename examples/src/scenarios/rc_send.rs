//! `rc-send`: one SEND of 64 bytes.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-send",
    title: "A SEND",
    topic: Topic::Opcodes,
    summary: "64 bytes go into the receive that the other side has posted; the WQE names no remote address.",
    own: Settings { opcode: Opcode::Send, ..Settings::DEFAULT },
    keys: keys::WITH_RECEIVES,
    failure: None,
    run: exchange,
};

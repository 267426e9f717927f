//! `rc-send-imm`: one SEND with four bytes more.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-send-imm",
    title: "A SEND with immediate data",
    topic: Topic::Opcodes,
    summary: "As a SEND, and four bytes of the control segment come out in the receive's completion.",
    own: Settings { opcode: Opcode::SendWithImmediate, ..Settings::DEFAULT },
    keys: keys::WITH_RECEIVES,
    failure: None,
    run: exchange,
};

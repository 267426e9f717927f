//! `rc-read`: one RDMA READ of 64 bytes.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-read",
    title: "One RDMA READ",
    topic: Topic::Opcodes,
    summary: "64 bytes are brought from the other side's memory; the card answers by itself.",
    own: Settings { opcode: Opcode::RdmaRead, ..Settings::DEFAULT },
    keys: keys::WITHOUT_RECEIVES,
    failure: None,
    run: exchange,
};

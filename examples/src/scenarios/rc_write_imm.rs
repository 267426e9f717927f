//! `rc-write-imm`: one RDMA WRITE that the other side hears of.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write-imm",
    title: "An RDMA WRITE with immediate data",
    topic: Topic::Opcodes,
    summary: "64 bytes go to an address as with a WRITE, and four more come out of a receive on the other side.",
    own: Settings { opcode: Opcode::RdmaWriteWithImmediate, ..Settings::DEFAULT },
    keys: keys::WITH_RECEIVES,
    failure: None,
    run: exchange,
};

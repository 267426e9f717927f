//! `rc-read`: one RDMA READ of 64 bytes.

use super::{Scenario, Topic};
use crate::exchange::exchange;
use crate::{Key, Settings};
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-read",
    title: "One RDMA READ",
    topic: Topic::Opcodes,
    summary: "64 bytes are brought from the other side's memory; the card answers by itself.",
    own: Settings { opcode: Opcode::RdmaRead, ..Settings::DEFAULT },
    keys: &[
        Key::Length,
        Key::List,
        Key::Sges,
        Key::Inline,
        Key::Signaled,
        Key::SignalAll,
        Key::Fence,
        Key::BlueFlame,
        Key::Register,
        Key::Start,
        Key::Signature,
        Key::Mtu,
    ],
    failure: None,
    run: exchange,
};

//! `uc-write`: one RDMA WRITE without acknowledgement.

use super::{Scenario, Topic};
use crate::exchange::exchange;
use crate::{Key, Settings};
use doorbell_driver::verbs::{Opcode, Transport};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "uc-write",
    title: "One RDMA WRITE without acknowledgement",
    topic: Topic::Opcodes,
    summary: "An unreliable connection: the work request completes when its last packet is out, and nobody says whether it arrived.",
    own: Settings {
        transport: Transport::UnreliableConnection,
        opcode: Opcode::RdmaWrite,
        ..Settings::DEFAULT
    },
    keys: &[
        Key::Length,
        Key::List,
        Key::Sges,
        Key::Inline,
        Key::Signaled,
        Key::SignalAll,
        Key::BlueFlame,
        Key::Register,
        Key::Start,
        Key::Signature,
        Key::Mtu,
    ],
    failure: None,
    run: exchange,
};

//! `rc-send-imm`: one SEND with four bytes more.

use super::{Scenario, Topic};
use crate::exchange::exchange;
use crate::{Key, Settings};
use doorbell_driver::verbs::Opcode;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-send-imm",
    title: "A SEND with immediate data",
    topic: Topic::Opcodes,
    summary: "As a SEND, and four bytes of the control segment come out in the receive's completion.",
    own: Settings { opcode: Opcode::SendWithImmediate, ..Settings::DEFAULT },
    keys: &[
        Key::Length,
        Key::List,
        Key::Sges,
        Key::Inline,
        Key::Signaled,
        Key::SignalAll,
        Key::Solicited,
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

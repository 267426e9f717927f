//! `rc-write`: one RDMA WRITE of 64 bytes.

use super::{Scenario, Topic};
use crate::exchange::exchange;
use crate::{Key, Settings};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write",
    title: "One RDMA WRITE",
    topic: Topic::Opcodes,
    summary: "64 bytes, one element, signalled; the WQE itself goes to the BlueFlame register.",
    own: Settings::DEFAULT,
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

//! `rc-write-sges`: an RDMA WRITE that gathers three pieces.

use super::{Scenario, Topic};
use crate::exchange::exchange;
use crate::{Key, Settings};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write-sges",
    title: "One RDMA WRITE from three pieces",
    topic: Topic::Posting,
    summary: "Three scatter/gather elements: three data segments, a WQE of more than one block, and one message.",
    own: Settings { sges: 3, ..Settings::DEFAULT },
    keys: &[
        Key::Opcode,
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

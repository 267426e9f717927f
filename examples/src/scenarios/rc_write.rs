//! `rc-write`: one RDMA WRITE of 64 bytes.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write",
    title: "One RDMA WRITE",
    topic: Topic::Opcodes,
    summary: "64 bytes, one element, signalled; the WQE itself goes to the BlueFlame register.",
    own: Settings::DEFAULT,
    keys: keys::WITHOUT_RECEIVES,
    failure: None,
    run: exchange,
};

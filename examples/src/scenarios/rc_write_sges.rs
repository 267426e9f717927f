//! `rc-write-sges`: an RDMA WRITE that gathers three pieces.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write-sges",
    title: "One RDMA WRITE from three pieces",
    topic: Topic::Posting,
    summary: "Three scatter/gather elements: three data segments, a WQE of more than one block, and one message.",
    own: Settings { sges: 3, ..Settings::DEFAULT },
    keys: keys::ANY_OPCODE,
    failure: None,
    run: exchange,
};

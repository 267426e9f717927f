//! `rc-write-list`: four RDMA WRITEs in one call.

use super::{Scenario, Topic, keys};
use crate::Settings;
use crate::exchange::exchange;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write-list",
    title: "Four RDMA WRITEs, one doorbell",
    topic: Topic::Posting,
    summary: "Four work requests in one call, the last one signalled: one doorbell record, and one write of 8 bytes to the doorbell register.",
    own: Settings { length: 16, list: 4, ..Settings::DEFAULT },
    keys: keys::ANY_OPCODE,
    failure: None,
    run: exchange,
};

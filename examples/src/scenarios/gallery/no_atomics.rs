//! `eopnotsupp-atomics`: EOPNOTSUPP, because the card has no atomic operations.

use super::super::{Failure, Scenario, Topic};
use crate::exchange::exchange;
use crate::{ExampleError, Key, Settings};
use doorbell_driver::verbs::{Opcode, PostCause, PostError};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "EOPNOTSUPP: a card without atomic operations",
    topic: Topic::Failures,
    summary: "A fetch-and-add is posted on a card that says it has none. The driver knows that since it opened the device.",
    own: Settings {
        opcode: Opcode::AtomicFetchAndAdd,
        length: 8,
        atomics: false,
        ..Settings::DEFAULT
    },
    keys: &[Key::Atomics, Key::Mtu],
    failure: Some(&FAILURE),
    run: exchange,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "eopnotsupp-atomics",
    ends: "EOPNOTSUPP of ibv_post_send (no atomic operations)",
    is: |error| matches!(error, ExampleError::Post(PostError { cause: PostCause::NoAtomics, .. })),
    see: "ibv_post_send returns EOPNOTSUPP (95) for IBV_WR_ATOMIC_FETCH_AND_ADD and IBV_WR_ATOMIC_CMP_AND_SWP, and takes everything else.",
    why: "When libmlx5 opens a device it asks for atomic_cap and keeps the answer; a queue pair of a device with IBV_ATOMIC_NONE takes no atomic operations. mlx5_ib says so unless the card has both operations for eight bytes, with results in the byte order of the machine.",
    check: "atomic_cap in the output of ibv_devinfo -v, on both machines: the card of the other side carries the operation out.",
};

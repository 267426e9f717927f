//! `enomem-inline-too-long`: ENOMEM, because inline data does not fit.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::PostCause;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "ENOMEM: too much inline data",
    topic: Topic::Failures,
    summary: "The queue pair was created for less inline data than the work request has.",
    own: Settings { inline: true, length: 512, ..Settings::DEFAULT },
    keys: keys::CALLS,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "enomem-inline-too-long",
    ends: "ENOMEM of ibv_post_send (too much inline data)",
    is: |error| matches!(error.post_cause(), Some(PostCause::InlineTooLong { .. })),
    see: "ibv_post_send returns ENOMEM (12) at once, with an empty queue, and only for work requests with IBV_SEND_INLINE that are long. With api=batch it is ibv_wr_complete that returns it, and nothing of the batch is posted.",
    why: "Inline data is copied into the WQE, and the ring has room for max_inline_data bytes in each.",
    check: "The sum of the elements' lengths against max_inline_data as ibv_create_qp returned it; leave the flag out for what is longer.",
};

// ANCHOR: enomem_inline_too_long
/// Creates a queue pair for little inline data, and posts much.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, &Settings { inline: false, ..*settings })?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    exchange.post(&elements)?;
    exchange.finish(&world.tracer)
}
// ANCHOR_END: enomem_inline_too_long

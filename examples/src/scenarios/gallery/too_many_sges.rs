//! `enomem-too-many-sges`: ENOMEM, because a work request has too many elements.

use super::super::{Failure, Scenario, Topic};
use crate::exchange::Exchange;
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::PostCause;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "ENOMEM: too many scatter/gather elements",
    topic: Topic::Failures,
    summary: "The queue pair was created for fewer scatter/gather elements than the work request has.",
    own: Settings { sges: 3, ..Settings::DEFAULT },
    keys: &[Key::Length, Key::List, Key::Sges, Key::BlueFlame, Key::Api, Key::Mtu],
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "enomem-too-many-sges",
    ends: "ENOMEM of ibv_post_send (too many elements)",
    is: |error| matches!(error.post_cause(), Some(PostCause::TooManyElements { .. })),
    see: "ibv_post_send returns ENOMEM (12) at once, with an empty queue; the same work request fails each time. With api=batch it is ibv_wr_complete that returns it, and nothing of the batch is posted.",
    why: "The ring is sized for the largest WQE that the program asked for. More data segments than max_send_sge do not fit, and libmlx5 calls that ENOMEM too.",
    check: "num_sge of the work request against max_send_sge as ibv_create_qp returned it, not as it was asked for.",
};

// ANCHOR: enomem_too_many_sges
/// Creates a queue pair for one element, and posts several.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, &Settings { sges: 1, ..*settings })?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    exchange.post(&elements)?;
    exchange.finish(&world.tracer)
}
// ANCHOR_END: enomem_too_many_sges

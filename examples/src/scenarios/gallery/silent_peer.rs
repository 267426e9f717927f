//! `silent-peer`: a peer that does not answer.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::pair::{Patience, wait_long_for};
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{WorkStatus, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "A silent peer",
    topic: Topic::Failures,
    summary: "The other queue pair was created and never connected. What is sent to it is lost without an answer.",
    own: Settings::DEFAULT,
    keys: keys::ONE_WRITE,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "silent-peer",
    ends: "IBV_WC_RETRY_EXC_ERR",
    is: |error| matches!(error, ExampleError::Failed { status: WorkStatus::RetryExceeded, .. }),
    see: "The same packet goes out again and again, and nothing comes back. Then the work request completes with IBV_WC_RETRY_EXC_ERR (12).",
    why: "The other queue pair is not there: never connected, closed, or its process gone.",
    check: "Whether it is in RTR or RTS, and its number against dest_qp_num here.",
};

/// A sender that gives up soon: after three more attempts, a millisecond each.
const IMPATIENT: Patience = Patience { timeout: 8, retry_count: 3, rnr_retry: 7 };

// ANCHOR: silent_peer
/// Connects one side only, and writes to the other.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::unconnected(&context, settings)?;
    pair.connect_sender(settings, IMPATIENT)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    post_send(&pair.sender, &[exchange.request(0, &elements[0])])?;
    wait_long_for(&pair.send_cq, &context)?;
    exchange.arrived(&world.tracer)
}
// ANCHOR_END: silent_peer

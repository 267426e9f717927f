//! `enomem-queue-full`: ENOMEM, because nobody polls.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::{ExampleError, Pair, Settings, World};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "ENOMEM: the queue is full",
    topic: Topic::Failures,
    summary: "Signalled RDMA WRITEs are posted, one call each, and their completions are never polled.",
    own: Settings::DEFAULT,
    keys: keys::CALLS,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "enomem-queue-full",
    ends: "ENOMEM of ibv_post_send (the queue is full)",
    is: super::is_queue_full,
    see: "ibv_post_send returns ENOMEM (12), and bad_wr names the first work request that was not posted. The ones before it are under way. With api=batch it is ibv_wr_complete that returns it, and nothing of the batch is posted.",
    why: "The driver counts a work request as outstanding until its completion has been polled, whatever the card has done meanwhile.",
    check: "That the program polls the send completion queue as often as it posts; that max_send_wr covers what is under way at a time.",
};

/// More than any queue of these sizes takes.
const MANY: u32 = 1_000;

// ANCHOR: enomem_queue_full
/// Posts until it fails. The card has long done the work: nobody asks.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    for _ in 0..MANY {
        exchange.post(&elements)?;
        context.relax();
    }
    Ok(vec![format!("{MANY} work requests were posted")])
}
// ANCHOR_END: enomem_queue_full

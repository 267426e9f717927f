//! `queue-of-unsignalled`: ENOMEM, because nothing is ever signalled.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{WorkCompletion, poll_cq, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "A queue filled by unsignalled sends",
    topic: Topic::Failures,
    summary: "Unsignalled RDMA WRITEs are posted, one call each. The program polls after each, and finds nothing, until the queue is full for good.",
    own: Settings { signaled: false, ..Settings::DEFAULT },
    keys: keys::ONE_BY_ONE,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "queue-of-unsignalled",
    ends: "ENOMEM of ibv_post_send (the queue is full)",
    is: super::is_queue_full,
    see: "ibv_post_send returns ENOMEM (12) though the program polls, and it does so from then on: the completion queue stays empty, and the card is idle.",
    why: "Only a completion moves the tail of the send queue, and work that is not signalled makes none. The card has done it all, but the driver has no way to know.",
    check: "That one work request of each queue length is signalled at least, or sq_sig_all is set: its completion retires all before it.",
};

/// More than any queue of these sizes takes.
const MANY: u32 = 1_000;

// ANCHOR: queue_of_unsignalled
/// Posts, lets the card work, polls.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    let mut completions = [WorkCompletion::default()];
    for _ in 0..MANY {
        post_send(&pair.sender, &[exchange.request(0, &elements[0])])?;
        context.relax();
        if poll_cq(&pair.send_cq, &mut completions)? > 0 {
            return Err(ExampleError::Unexpected("a completion of what was not signalled"));
        }
    }
    Ok(vec![format!("{MANY} work requests were posted")])
}
// ANCHOR_END: queue_of_unsignalled

//! `wrong-lkey`: a data segment with a key that is none.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::pair::wait_long_for;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{WorkStatus, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "A wrong lkey",
    topic: Topic::Failures,
    summary: "The data segment names an lkey that no memory region has: the card cannot fetch the data.",
    own: Settings::DEFAULT,
    keys: keys::ONE_ELEMENT,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "wrong-lkey",
    ends: "IBV_WC_LOC_PROT_ERR",
    is: |error| matches!(error, ExampleError::Failed { status: WorkStatus::LocalProtection, .. }),
    see: "The post succeeds. The work request completes with IBV_WC_LOC_PROT_ERR (4), nothing was sent, and the queue pair is in the error state: all that follows is flushed.",
    why: "The lkey is wrong, or its region was deregistered before the work was done.",
    check: "lkey of each data segment against ibv_reg_mr's; when the region was closed.",
};

// ANCHOR: wrong_lkey
/// Changes the key of the elements. The driver copies it as it is: only the card knows keys.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let mut elements = exchange.elements();
    for element in &mut elements[0] {
        element.lkey ^= 0x00ff_ff00;
    }
    post_send(&pair.sender, &[exchange.request(0, &elements[0])])?;
    wait_long_for(&pair.send_cq, &context)?;
    exchange.arrived(&world.tracer)
}
// ANCHOR_END: wrong_lkey

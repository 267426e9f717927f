//! `wrong-rkey`: a remote address segment with a key that is none.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::pair::wait_long_for;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{WorkStatus, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "A wrong rkey",
    topic: Topic::Failures,
    summary: "The remote address segment names an rkey that no memory region of the other side has: its card refuses.",
    own: Settings::DEFAULT,
    keys: keys::ONE_WRITE,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "wrong-rkey",
    ends: "IBV_WC_REM_ACCESS_ERR",
    is: |error| matches!(error, ExampleError::Failed { status: WorkStatus::RemoteAccess, .. }),
    see: "The post succeeds, and a packet goes out. The other side answers with a NAK, and the work request completes with IBV_WC_REM_ACCESS_ERR (10). Both queue pairs are in the error state.",
    why: "The rkey is wrong or stale.",
    check: "rkey of the WQE against what ibv_reg_mr gave on the other side, and whether that region still lives. rkey, not lkey.",
};

// ANCHOR: wrong_rkey
/// Changes the key of the remote address.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    let mut request = exchange.request(0, &elements[0]);
    request.remote.rkey ^= 0x00ff_ff00;
    post_send(&pair.sender, &[request])?;
    wait_long_for(&pair.send_cq, &context)?;
    exchange.arrived(&world.tracer)
}
// ANCHOR_END: wrong_rkey

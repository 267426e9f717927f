//! `no-receive`: a SEND that finds no receive.

use super::super::{Failure, Scenario, Topic};
use crate::exchange::Exchange;
use crate::pair::{Patience, wait_long_for};
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{Opcode, WorkStatus, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "No receive posted",
    topic: Topic::Failures,
    summary: "A SEND arrives where no receive is posted. It is sent again as often as rnr_retry allows, and then given up.",
    own: Settings { opcode: Opcode::Send, ..Settings::DEFAULT },
    keys: &[Key::Length, Key::Sges, Key::Inline, Key::Solicited, Key::BlueFlame, Key::Mtu],
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "no-receive",
    ends: "IBV_WC_RNR_RETRY_EXC_ERR",
    is: |error| matches!(error, ExampleError::Failed { status: WorkStatus::ReceiverNotReady, .. }),
    see: "The same packet goes out again and again, each time answered by an RNR NAK. Then the work request completes with IBV_WC_RNR_RETRY_EXC_ERR (13). With rnr_retry 7 it never would: the sender tries without end.",
    why: "The other side posts no receives, too few, or too late.",
    check: "That receives are posted before the first send can come, and are posted again as fast as they are used; credits of the program's protocol; out_of_buffer in hw_counters there.",
};

/// A sender that gives up after three more attempts.
const IMPATIENT: Patience = Patience { timeout: 14, retry_count: 7, rnr_retry: 3 };

// ANCHOR: no_receive
/// Sends without a receive on the other side.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::unconnected(&context, settings)?;
    pair.connect(settings, IMPATIENT)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    post_send(&pair.sender, &[exchange.request(0, &elements[0])])?;
    wait_long_for(&pair.send_cq, &context)?;
    exchange.arrived(&world.tracer)
}
// ANCHOR_END: no_receive

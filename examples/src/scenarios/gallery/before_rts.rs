//! `enomem-before-rts`: ENOMEM, because the queue pair does not send yet.

use super::super::{Failure, Scenario, Topic};
use crate::exchange::Exchange;
use crate::pair::ACCESS;
use crate::{ExampleError, Key, Pair, Settings, World};
use doorbell_driver::verbs::{PostCause, PostError, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "ENOMEM: the queue pair is not in RTS",
    topic: Topic::Failures,
    summary: "The queue pair is ready to receive and not yet to send. It takes no work request then, not even one without elements.",
    own: Settings::DEFAULT,
    keys: &[Key::Length, Key::Inline, Key::Mtu],
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "enomem-before-rts",
    ends: "ENOMEM of ibv_post_send (the queue pair is not in RTS)",
    is: |error| {
        matches!(error, ExampleError::Post(PostError { cause: PostCause::NotReadyToSend, .. }))
    },
    see: "ibv_post_send returns ENOMEM (12) for the first work request, with an empty queue and elements that would fit.",
    why: "Until the queue pair has come to RTS, libmlx5 holds its limit of elements at -1. Every work request has more than that, and so the answer is the one for too many elements.",
    check: "That ibv_modify_qp has brought the queue pair to IBV_QPS_RTS before the first post, also on the passive side, where RTR is enough to receive; that its result was looked at. Programs with a connection manager wait for RDMA_CM_EVENT_ESTABLISHED.",
};

// ANCHOR: enomem_before_rts
/// Stops at RTR, and posts.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::unconnected(&context, settings)?;
    pair.sender.init(ACCESS)?;
    pair.sender.connect(&pair.way_to_receiver(settings)?)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    post_send(&pair.sender, &[exchange.request(0, &elements[0])])?;
    Ok(vec!["the work request was posted".to_owned()])
}
// ANCHOR_END: enomem_before_rts

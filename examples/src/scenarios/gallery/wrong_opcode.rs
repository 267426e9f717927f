//! `einval-opcode`: EINVAL, because the transport has no such operation.

use super::super::{Failure, Scenario, Topic, keys};
use crate::exchange::Exchange;
use crate::{ExampleError, Pair, Settings, World};
use doorbell_driver::verbs::{Opcode, PostCause, PostError, Transport, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: FAILURE.scenario,
    title: "EINVAL: an opcode that the transport has not",
    topic: Topic::Failures,
    summary: "An RDMA READ is posted to an unreliable connection, which has nobody to answer it.",
    own: Settings {
        transport: Transport::UnreliableConnection,
        opcode: Opcode::RdmaRead,
        ..Settings::DEFAULT
    },
    keys: keys::PLAIN,
    failure: Some(&FAILURE),
    run,
};

/// How it ends, and why.
pub static FAILURE: Failure = Failure {
    scenario: "einval-opcode",
    ends: "EINVAL of ibv_post_send (the opcode)",
    is: |error| {
        matches!(error, ExampleError::Post(PostError { cause: PostCause::Opcode { .. }, .. }))
    },
    see: "ibv_post_send returns EINVAL (22) at once. libmlx5 looks less closely: it refuses opcodes beyond its table with EINVAL, and posts the others for the card to refuse with IBV_WC_LOC_QP_OP_ERR.",
    why: "Only a reliable connection has answers: READ and atomics need it. Datagrams can only be sent.",
    check: "qp_type against the opcode: the table is in the manual page of ibv_post_send.",
};

// ANCHOR: einval_opcode
/// Posts a READ where none can be.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::of(&context, settings)?;
    let exchange = Exchange::new(&pair, *settings)?;
    let elements = exchange.elements();
    post_send(&pair.sender, &[exchange.request(0, &elements[0])])?;
    exchange.finish(&world.tracer)
}
// ANCHOR_END: einval_opcode

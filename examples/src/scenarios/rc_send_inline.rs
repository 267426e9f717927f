//! `rc-send-inline`: a SEND of 32 bytes that travel in the WQE itself.

use super::Scenario;
use crate::pair::expect_arrived;
use crate::{ExampleError, Pair, World, wait_for};
use doorbell_driver::verbs::{
    Access, Opcode, ReceiveRequest, SendFlags, SendRequest, post_recv, post_send,
};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-send-inline",
    title: "A SEND with inline data",
    topic: "post_send",
    summary: "32 bytes copied into the WQE, signalled; a receive is posted on the other side.",
    run,
};

// ANCHOR: rc_send_inline
/// Posts a receive on one side, sends 32 bytes inline from the other, and waits for both.
fn run(world: &World) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::new(&context)?;
    let message = *b"inline data needs no DMA read...";
    let source = pair.memory("source", &message, Access::empty())?;
    let target = pair.memory("target", &[0; 32], Access::LOCAL_WRITE)?;

    post_recv(&pair.receiver, &[ReceiveRequest { wr_id: 2, sg_list: &[target.element(0, 32)] }])?;
    post_send(
        &pair.sender,
        &[SendRequest {
            wr_id: 1,
            sg_list: &[source.element(0, 32)],
            opcode: Opcode::Send,
            send_flags: SendFlags::SIGNALED | SendFlags::INLINE,
            ..SendRequest::default()
        }],
    )?;

    let sent = wait_for(&pair.send_cq, &context)?;
    let received = wait_for(&pair.recv_cq, &context)?;
    expect_arrived(&target, &message, &world.tracer)?;
    Ok(vec![format!(
        "work request {} completed; work request {} received {} bytes",
        sent.wr_id, received.wr_id, received.byte_len
    )])
}
// ANCHOR_END: rc_send_inline

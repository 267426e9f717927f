//! `rc-write`: one RDMA WRITE of 64 bytes.

use super::Scenario;
use crate::pair::expect_arrived;
use crate::{ExampleError, Pair, World, wait_for};
use doorbell_driver::verbs::{Access, Opcode, RemoteAddress, SendFlags, SendRequest, post_send};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write",
    title: "One RDMA WRITE",
    topic: "post_send",
    summary: "64 bytes, one element, signalled; the WQE itself goes to the BlueFlame register.",
    run,
};

// ANCHOR: rc_write
/// Writes 64 bytes into the other queue pair's memory and waits until they are there.
fn run(world: &World) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::new(&context)?;
    let message: [u8; 64] = std::array::from_fn(|index| b'A' + (index % 26) as u8);
    let source = pair.memory("source", &message, Access::empty())?;
    let target = pair.memory("target", &[0; 64], Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;

    post_send(
        &pair.sender,
        &[SendRequest {
            wr_id: 1,
            sg_list: &[source.element(0, 64)],
            opcode: Opcode::RdmaWrite,
            send_flags: SendFlags::SIGNALED,
            remote: RemoteAddress { address: target.buffer().address(), rkey: target.rkey() },
            ..SendRequest::default()
        }],
    )?;

    let completion = wait_for(&pair.send_cq, &context)?;
    expect_arrived(&target, &message, &world.tracer)?;
    Ok(vec![format!(
        "work request {} completed: {} bytes lie in the other queue pair's buffer",
        completion.wr_id,
        message.len()
    )])
}
// ANCHOR_END: rc_write

//! `rc-write-list`: four RDMA WRITEs in one call.

use super::Scenario;
use crate::pair::expect_arrived;
use crate::{ExampleError, Pair, World, wait_for};
use doorbell_driver::verbs::{
    Access, MemoryRegion, Opcode, RemoteAddress, ScatterGatherElement, SendFlags, SendRequest,
    post_send,
};

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "rc-write-list",
    title: "Four RDMA WRITEs, one doorbell",
    topic: "post_send",
    summary: "Four work requests in one call, the last one signalled: one doorbell record, and one \
              write of 8 bytes to the doorbell register.",
    run,
};

/// Work requests in the list, and bytes of each.
const COUNT: usize = 4;
const PIECE: usize = 16;

// ANCHOR: rc_write_list
/// Writes a message in four pieces, rings once, and waits for the last.
fn run(world: &World) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    let pair = Pair::new(&context)?;
    let message: [u8; COUNT * PIECE] = std::array::from_fn(|index| b'a' + (index / PIECE) as u8);
    let source = pair.memory("source", &message, Access::empty())?;
    let target =
        pair.memory("target", &[0; COUNT * PIECE], Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;

    let elements: [_; COUNT] =
        std::array::from_fn(|index| [source.element(index * PIECE, PIECE as u32)]);
    let requests: [_; COUNT] = std::array::from_fn(|index| piece(index, &elements[index], &target));
    post_send(&pair.sender, &requests)?;

    let completion = wait_for(&pair.send_cq, &context)?;
    expect_arrived(&target, &message, &world.tracer)?;
    Ok(vec![format!(
        "work request {} completed, and with it the {} before it: {} bytes lie in the other queue \
         pair's buffer",
        completion.wr_id,
        COUNT - 1,
        message.len()
    )])
}

/// One piece. Only the last makes a completion: it speaks for all before it.
fn piece<'a>(
    index: usize,
    element: &'a [ScatterGatherElement; 1],
    target: &MemoryRegion,
) -> SendRequest<'a> {
    let last = index == COUNT - 1;
    SendRequest {
        wr_id: index as u64 + 1,
        sg_list: element,
        opcode: Opcode::RdmaWrite,
        send_flags: if last { SendFlags::SIGNALED } else { SendFlags::empty() },
        remote: RemoteAddress {
            address: target.buffer().address() + (index * PIECE) as u64,
            rkey: target.rkey(),
        },
        ..SendRequest::default()
    }
}
// ANCHOR_END: rc_write_list

//! Shared receives: two queue pairs take from one queue, and the queue calls for more.

use super::{Scenario, Topic, keys};
use crate::pair::{PATIENT, wait_for};
use crate::{ExampleError, Settings, World};
use doorbell_driver::verbs::{
    Access, AsyncEvent, CompletionQueue, ConnectTo, Context, MemoryRegion, Opcode,
    ProtectionDomain, QueuePair, QueuePairCapabilities, QueuePairRequest, ReceiveRequest,
    ScatterGatherElement, SendFlags, SendRequest, SharedReceiveQueue, Transport, post_send,
    post_srq_recv,
};
use std::sync::Arc;
use std::time::Duration;

/// What the registry knows of it.
pub const SCENARIO: Scenario = Scenario {
    name: "shared-receive",
    title: "Two queue pairs, one receive queue",
    topic: Topic::Completions,
    summary: "Messages to two queue pairs land in receives of one queue, which tells when few are \
              left.",
    own: Settings { opcode: Opcode::Send, length: 16, ..Settings::DEFAULT },
    keys: keys::PLAIN,
    failure: None,
    run,
};

/// Receives posted, and the limit at which the queue calls for more.
const RECEIVES: u64 = 4;
const LIMIT: u32 = 2;

/// How long to wait for an event.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sizes of the queue pairs.
const CAPABILITIES: QueuePairCapabilities = QueuePairCapabilities {
    max_send_wr: 4,
    max_recv_wr: 0,
    max_send_sge: 1,
    max_recv_sge: 0,
    max_inline_data: 0,
};

// ANCHOR: shared_receive
/// Posts four receives to the shared queue, and sends a message to each of the two queue pairs in
/// turn. The receives are taken in the order of the messages, whichever queue pair they come to;
/// when fewer than two are left, an event says so.
fn run(world: &World, settings: &Settings) -> Result<Vec<String>, ExampleError> {
    let context = world.open()?;
    context.watch_async_events()?;
    let pd = context.alloc_pd()?;
    let cq = context.create_cq(16)?;
    let srq = pd.create_srq(RECEIVES as u32, 1)?;
    let message = settings.message();
    let target = memory(&pd, "target", &vec![0; message.len() * RECEIVES as usize])?;
    post_all(&srq, &target, settings.length)?;
    srq.set_limit(LIMIT)?;
    let armed = srq.query()?.srq_limit;

    let source = memory(&pd, "source", &message)?;
    let pairs = [pair(&pd, &cq, &srq, settings)?, pair(&pd, &cq, &srq, settings)?];
    let mut lines = vec![format!("SRQ {:#x} with limit {armed}", srq.number())];
    for turn in 0..RECEIVES {
        let (sender, receiver) = &pairs[turn as usize % 2];
        send(sender, source.element(0, settings.length))?;
        let receive = arrived(&cq, &context, receiver)?;
        lines.push(format!("receive {receive} was taken by queue pair {}", turn % 2));
    }
    let event = context.get_async_event(DEADLINE)?;
    if event != AsyncEvent::SharedReceiveLimit(srq.number()) {
        return Err(ExampleError::NotArrived("another event than the limit came"));
    }
    lines.push(format!("{} of SRQ {:#x}", event.name(), event.element()));
    let all = message.repeat(RECEIVES as usize);
    if target.buffer().read(0, all.len()) != Some(all) {
        return Err(ExampleError::NotArrived("the buffer holds other bytes"));
    }
    lines.push(format!("limit {} is left", srq.query()?.srq_limit));
    Ok(lines)
}

/// Four receives, each with a place of its own in the buffer.
fn post_all(
    srq: &SharedReceiveQueue,
    target: &MemoryRegion,
    length: u32,
) -> Result<(), ExampleError> {
    for wr_id in 0..RECEIVES {
        let list = [target.element(wr_id as usize * length as usize, length)];
        post_srq_recv(srq, &[ReceiveRequest { wr_id, sg_list: &list }])?;
    }
    Ok(())
}

/// Polls for the two completions of a message; says which receive it took.
fn arrived(
    cq: &CompletionQueue,
    context: &Context,
    receiver: &QueuePair,
) -> Result<u64, ExampleError> {
    let both = [wait_for(cq, context)?, wait_for(cq, context)?];
    let received = both.iter().find(|completion| completion.qp_num == receiver.number());
    let missing = ExampleError::NotArrived("no receive of this queue pair completed");
    received.map(|completion| completion.wr_id).ok_or(missing)
}
// ANCHOR_END: shared_receive

/// Registered memory with these bytes.
fn memory(
    pd: &Arc<ProtectionDomain>,
    name: &str,
    bytes: &[u8],
) -> Result<MemoryRegion, ExampleError> {
    let buffer = pd.context().alloc_buffer(bytes.len(), name)?;
    buffer.write(0, bytes);
    Ok(pd.reg_mr(buffer, Access::LOCAL_WRITE)?)
}

/// A queue pair that sends, connected to one that receives from the shared queue.
fn pair(
    pd: &Arc<ProtectionDomain>,
    cq: &Arc<CompletionQueue>,
    srq: &Arc<SharedReceiveQueue>,
    settings: &Settings,
) -> Result<(QueuePair, QueuePair), ExampleError> {
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: cq,
        recv_cq: cq,
        capabilities: CAPABILITIES,
        signal_all: false,
    };
    let (sender, receiver) = (pd.create_qp(&request)?, pd.create_qp_with_srq(&request, srq)?);
    for (own, other) in [(&receiver, &sender), (&sender, &receiver)] {
        own.init(Access::empty())?;
        own.connect(&ConnectTo {
            qp_num: other.number(),
            path_mtu: settings.path_mtu(),
            first_psn: 0,
            max_dest_rd_atomic: 1,
            min_rnr_timer: 12,
            address: pd.context().query_gid()?,
        })?;
        own.start(&PATIENT.parameters(0))?;
    }
    Ok((sender, receiver))
}

/// Sends the message.
fn send(qp: &QueuePair, element: ScatterGatherElement) -> Result<(), ExampleError> {
    Ok(post_send(
        qp,
        &[SendRequest {
            wr_id: 100,
            sg_list: &[element],
            opcode: Opcode::Send,
            send_flags: SendFlags::SIGNALED,
            ..SendRequest::default()
        }],
    )?)
}

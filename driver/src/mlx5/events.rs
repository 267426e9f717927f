//! Completion events: the channel, and arming a completion queue.

use super::barrier::{FLUSH_WRITES, WRITE_COMBINING_START};
use super::completion_queue::Mlx5CompletionQueue;
use super::doorbell::DoorbellRecord;
use super::lock::take;
use super::tables::{Mlx5Context, Uar};
use crate::bus::{Bus, UarPage};
use crate::control::Control;
use crate::verbs::{AsyncEvent, CompletionChannel, CompletionQueue, Context, VerbsError};
use doorbell_prm::doorbell::CqArmDoorbell;
use doorbell_prm::registers::uar::CQ_DOORBELL;
use doorbell_tracer::{Group, Probe, Value, probe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::Control;

/// libmlx5's part of a channel: its number for the control path.
struct Mlx5Channel<B: Bus> {
    control: Arc<dyn Control<B>>,
    number: u32,
}

impl<B: Bus> Drop for Mlx5Channel<B> {
    fn drop(&mut self) {
        self.control.destroy_comp_channel(self.number);
    }
}

// ANCHOR: create_comp_channel
/// Asks for a channel (`ibv_create_comp_channel`).
pub fn create_comp_channel<B: Bus>(
    context: &Arc<Context>,
) -> Result<CompletionChannel, VerbsError> {
    probe!(*context.tracer(), call("ibv_create_comp_channel", []));
    let control = &Mlx5Context::<B>::of(context).control;
    let number = control.create_comp_channel()?;
    probe!(*context.tracer(), returned("ibv_create_comp_channel", number));
    let channel = Mlx5Channel { control: Arc::clone(control), number };
    Ok(CompletionChannel::new(context, channel))
}
// ANCHOR_END: create_comp_channel

/// The number of a channel for the control path.
pub fn channel_number<B: Bus>(channel: &CompletionChannel) -> u32 {
    let own = channel.provider::<Mlx5Channel<B>>();
    own.expect("a context's table is of its own provider").number
}

/// The next event of a channel: the number of a completion queue.
pub fn next_cq_event<B: Bus>(
    channel: &CompletionChannel,
    deadline: Duration,
) -> Result<u32, VerbsError> {
    let control = &Mlx5Context::<B>::of(channel.context()).control;
    Ok(control.next_completion(channel_number::<B>(channel), deadline)?)
}

/// Makes sure that asynchronous events are kept.
pub fn watch_async_events<B: Bus>(context: &Context) -> Result<(), VerbsError> {
    Ok(Mlx5Context::<B>::of(context).control.watch_async()?)
}

/// The next asynchronous event.
pub fn next_async_event<B: Bus>(
    context: &Context,
    deadline: Duration,
) -> Result<AsyncEvent, VerbsError> {
    Ok(Mlx5Context::<B>::of(context).control.next_async(deadline)?)
}

/// What arms a completion queue: the second word of its record, and a register that all
/// completion queues of the page share.
pub struct Arming<B: Bus> {
    record: DoorbellRecord,
    uar: Arc<Uar<B>>,
    /// Events so far; its low two bits tell one arming from the next (`arm_sn`).
    sequence: AtomicU32,
}

// SAFETY: the record is written under the lock of the completion queue.
unsafe impl<B: Bus> Sync for Arming<B> {}

impl<B: Bus> Arming<B> {
    /// Never armed.
    pub fn new(record: DoorbellRecord, uar: &Arc<Uar<B>>) -> Self {
        Self { record, uar: Arc::clone(uar), sequence: AtomicU32::new(0) }
    }
}

/// Takes note of an event (`mlx5_cq_event`): the next arming will differ from the last.
pub fn cq_event<B: Bus>(cq: &CompletionQueue) {
    Mlx5CompletionQueue::<B>::of(cq).arming.sequence.fetch_add(1, Ordering::Relaxed);
}

// ANCHOR: arm_cq
/// Arms a completion queue (`mlx5_arm_cq`): the record first, then the register.
///
/// The card looks at the consumer index that comes with it: an entry that lies behind that index
/// already makes the event at once, so that nothing is lost between the last poll and now.
pub fn req_notify_cq<B: Bus, P: Probe>(
    cq: &CompletionQueue,
    solicited_only: bool,
) -> Result<(), VerbsError> {
    let mlx5 = Mlx5CompletionQueue::<B>::of(cq);
    let probe = P::of(&mlx5.tracer);
    probe!(
        P: probe,
        call(
            "ibv_req_notify_cq",
            [
                ("cq", Value::Hex(cq.number().into())),
                ("solicited_only", u32::from(solicited_only).into())
            ]
        )
    );
    let arming = &mlx5.arming;
    let state = take(&mlx5.queue);
    let mut doorbell = CqArmDoorbell::zeroed();
    doorbell.set_arm_sequence(arming.sequence.load(Ordering::Relaxed) & 3);
    doorbell.set_solicited_only(solicited_only.into());
    doorbell.set_consumer_index(state.next.index & 0xff_ffff);
    doorbell.set_cqn(cq.number());

    let bytes = arming.record.store(doorbell.arm.get());
    probe!(P: probe, store(arming.record.region, arming.record.offset, "", &bytes);
        from "arm_consumer_index" = "cq.consumer_index & 0xffffff");

    // The card must find the record when the register makes it look.
    (WRITE_COMBINING_START.pass)();
    probe!(P: probe, barrier(WRITE_COMBINING_START.name, WRITE_COMBINING_START.instruction));
    let bytes: [u8; 8] = transmute!(doorbell);
    arming.uar.page.write_8(CQ_DOORBELL as usize, bytes);
    probe!(
        P: probe,
        register_write(
            arming.uar.region,
            CQ_DOORBELL as usize,
            "completion queue doorbell",
            "cq_arm_doorbell",
            &bytes
        )
    );
    (FLUSH_WRITES.pass)();
    arming.uar.page.flushed();
    probe!(P: probe, barrier(FLUSH_WRITES.name, FLUSH_WRITES.instruction));
    drop(state);
    probe!(P: probe, returned("ibv_req_notify_cq", 0_u32));
    Ok(())
}
// ANCHOR_END: arm_cq

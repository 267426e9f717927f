//! Events: being told instead of asking again and again.
//!
//! A completion queue that was armed tells its channel once that it has something new. Whatever
//! concerns a queue pair, a queue or the port as a whole is told to the context.

use super::{CompletionQueue, Context, ProviderPart, VerbsError};
use doorbell_tracer::{Group, Value, probe};
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

const PROBE_GROUP: Group = Group::Control;

/// Where completion queues tell that they have something new (`struct ibv_comp_channel`).
pub struct CompletionChannel {
    provider: ProviderPart,
    context: Arc<Context>,
    /// The completion queues that tell here, by number. They hold the channel, not it them.
    queues: Mutex<HashMap<u32, Weak<CompletionQueue>>>,
}

impl CompletionChannel {
    /// A channel that a provider has created.
    pub fn new(context: &Arc<Context>, provider: impl Any + Send + Sync) -> Self {
        let provider = ProviderPart::new(provider);
        Self { provider, context: Arc::clone(context), queues: Mutex::default() }
    }

    /// The context that it belongs to.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The provider's own part, if it is a `T`.
    pub fn provider<T: Any>(&self) -> Option<&T> {
        self.provider.get()
    }

    /// Lets a completion queue tell here.
    pub(super) fn add(&self, queue: &Arc<CompletionQueue>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.insert(queue.number(), Arc::downgrade(queue));
    }

    /// The completion queue of this number, unless it has gone since.
    fn queue(&self, number: u32) -> Option<Arc<CompletionQueue>> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get(&number).and_then(Weak::upgrade)
    }
}

// ANCHOR: ibv_req_notify_cq
/// Arms a completion queue: its next completion, or with `solicited_only` the next that the other
/// side asked to be woken by, makes an event (`ibv_req_notify_cq`).
///
/// An event says only that there is something new. Arm first and poll then: what came in between is
/// found by the poll, what comes later makes an event.
pub fn req_notify_cq(cq: &CompletionQueue, solicited_only: bool) -> Result<(), VerbsError> {
    (cq.context().ops().req_notify_cq)(cq, solicited_only)
}
// ANCHOR_END: ibv_req_notify_cq

// ANCHOR: ibv_get_cq_event
/// Waits for an event of one of the channel's completion queues, and says of which
/// (`ibv_get_cq_event`). It is to be acknowledged, see [`CompletionQueue::ack_events`].
///
/// Fails when none has come within the `deadline`. The software card knows no clock: there the
/// deadline has passed when the card has nothing left to do.
pub fn get_cq_event(
    channel: &CompletionChannel,
    deadline: Duration,
) -> Result<Arc<CompletionQueue>, VerbsError> {
    let tracer = channel.context.tracer();
    probe!(*tracer, call("ibv_get_cq_event", [("deadline in ms", milliseconds(deadline))]));
    loop {
        let number = (channel.context.ops().next_cq_event)(channel, deadline)?;
        // The last words of a completion queue that has been destroyed since.
        let Some(queue) = channel.queue(number) else { continue };
        queue.told();
        (channel.context.ops().cq_event)(&queue);
        probe!(*tracer, returned("ibv_get_cq_event", Value::Hex(number.into())));
        return Ok(queue);
    }
}
// ANCHOR_END: ibv_get_cq_event

/// A deadline, for the trace.
pub(crate) fn milliseconds(deadline: Duration) -> Value {
    u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX).into()
}

/// What happened to a queue pair, a queue or the port (`struct ibv_async_event`), with the number
/// of what it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AsyncEvent {
    /// A completion queue overflowed, or its memory could not be written; it takes nothing more.
    CompletionQueueError(u32),
    /// A queue pair failed in a way that no completion can tell.
    QueuePairFatal(u32),
    /// The other side asked for what makes no sense, and no receive could tell.
    QueuePairRequestError(u32),
    /// The other side asked for what it may not, and no receive could tell.
    QueuePairAccessError(u32),
    /// A packet came in before the queue pair was brought to RTS.
    CommunicationEstablished(u32),
    /// Everything that was posted before SQD was asked for has been sent.
    SendQueueDrained(u32),
    /// A queue pair with a shared receive queue has failed, and has completed the last receive
    /// that it had taken.
    LastWqeReached(u32),
    /// A shared receive queue failed.
    SharedReceiveError(u32),
    /// A shared receive queue has fewer receives left than its limit, which is used up by this.
    SharedReceiveLimit(u32),
    /// The port carries data.
    PortActive(u8),
    /// The port carries no data any more.
    PortError(u8),
    /// The port's LID changed.
    LidChange(u8),
    /// The port's partition keys changed.
    PartitionKeyChange(u8),
    /// The port's GIDs changed.
    GidChange(u8),
    /// The subnet manager wants clients to register anew.
    ClientReregister(u8),
    /// Anything else: the number of `enum ibv_event_type`, and what it happened to.
    Other {
        /// What happened.
        event_type: u32,
        /// What to.
        element: u64,
    },
}

impl AsyncEvent {
    /// The verbs' name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CompletionQueueError(_) => "IBV_EVENT_CQ_ERR",
            Self::QueuePairFatal(_) => "IBV_EVENT_QP_FATAL",
            Self::QueuePairRequestError(_) => "IBV_EVENT_QP_REQ_ERR",
            Self::QueuePairAccessError(_) => "IBV_EVENT_QP_ACCESS_ERR",
            Self::CommunicationEstablished(_) => "IBV_EVENT_COMM_EST",
            Self::SendQueueDrained(_) => "IBV_EVENT_SQ_DRAINED",
            Self::LastWqeReached(_) => "IBV_EVENT_QP_LAST_WQE_REACHED",
            Self::SharedReceiveError(_) => "IBV_EVENT_SRQ_ERR",
            Self::SharedReceiveLimit(_) => "IBV_EVENT_SRQ_LIMIT_REACHED",
            Self::PortActive(_) => "IBV_EVENT_PORT_ACTIVE",
            Self::PortError(_) => "IBV_EVENT_PORT_ERR",
            Self::LidChange(_) => "IBV_EVENT_LID_CHANGE",
            Self::PartitionKeyChange(_) => "IBV_EVENT_PKEY_CHANGE",
            Self::GidChange(_) => "IBV_EVENT_GID_CHANGE",
            Self::ClientReregister(_) => "IBV_EVENT_CLIENT_REREGISTER",
            Self::Other { .. } => "another event",
        }
    }

    /// The number of what it happened to.
    pub fn element(self) -> u64 {
        match self {
            Self::CompletionQueueError(number)
            | Self::QueuePairFatal(number)
            | Self::QueuePairRequestError(number)
            | Self::QueuePairAccessError(number)
            | Self::CommunicationEstablished(number)
            | Self::SendQueueDrained(number)
            | Self::LastWqeReached(number)
            | Self::SharedReceiveError(number)
            | Self::SharedReceiveLimit(number) => number.into(),
            Self::PortActive(port)
            | Self::PortError(port)
            | Self::LidChange(port)
            | Self::PartitionKeyChange(port)
            | Self::GidChange(port)
            | Self::ClientReregister(port) => port.into(),
            Self::Other { element, .. } => element,
        }
    }
}

impl Context {
    /// Creates a channel for completion events (`ibv_create_comp_channel`).
    pub fn create_comp_channel(self: &Arc<Self>) -> Result<Arc<CompletionChannel>, VerbsError> {
        (self.ops().create_comp_channel)(self).map(Arc::new)
    }

    /// Creates a completion queue that tells a channel when it was armed and has something new
    /// (`ibv_create_cq` with a channel).
    pub fn create_cq_on(
        self: &Arc<Self>,
        entries: u32,
        channel: &Arc<CompletionChannel>,
    ) -> Result<Arc<CompletionQueue>, VerbsError> {
        let queue = Arc::new((self.ops().create_cq)(self, entries, Some(channel))?);
        channel.add(&queue);
        Ok(queue)
    }

    /// Makes sure that asynchronous events are kept from now on.
    ///
    /// The kernel keeps them for a context from its beginning, and there this does nothing. Where
    /// the program is its own kernel driver, it creates the event queue for them now.
    pub fn watch_async_events(&self) -> Result<(), VerbsError> {
        (self.ops().watch_async_events)(self)
    }

    // ANCHOR: ibv_get_async_event
    /// Waits for something that happened to a queue pair, a queue or the port
    /// (`ibv_get_async_event`). The deadline is that of [`get_cq_event`].
    pub fn get_async_event(&self, deadline: Duration) -> Result<AsyncEvent, VerbsError> {
        let told = [("deadline in ms", milliseconds(deadline))];
        probe!(*self.tracer(), call("ibv_get_async_event", told));
        let event = (self.ops().next_async_event)(self, deadline)?;
        probe!(*self.tracer(), returned("ibv_get_async_event", event.name()));
        Ok(event)
    }
    // ANCHOR_END: ibv_get_async_event
}

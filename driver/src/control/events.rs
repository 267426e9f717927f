//! Being told of completions and of everything else.

use super::ControlError;
use crate::verbs::AsyncEvent;
use std::time::Duration;

/// The requests of events. A control path without them says so.
pub trait Events {
    /// Asks for a channel that completion queues can tell; its number is the answer.
    fn create_comp_channel(&self) -> Result<u32, ControlError> {
        Err(ControlError::NotOffered { request: "create_comp_channel" })
    }

    /// Gives a channel back.
    fn destroy_comp_channel(&self, channel: u32) {
        let _ = channel;
    }

    /// Waits for the next completion event of a channel: the number of the completion queue.
    fn next_completion(&self, channel: u32, deadline: Duration) -> Result<u32, ControlError> {
        let _ = (channel, deadline);
        Err(ControlError::NotOffered { request: "get_cq_event" })
    }

    /// Makes sure that asynchronous events are kept.
    fn watch_async(&self) -> Result<(), ControlError> {
        Err(ControlError::NotOffered { request: "watch_async_events" })
    }

    /// Waits for the next asynchronous event.
    fn next_async(&self, deadline: Duration) -> Result<AsyncEvent, ControlError> {
        let _ = deadline;
        Err(ControlError::NotOffered { request: "get_async_event" })
    }
}

//! Events, where the program is the card's kernel driver: event queues of its own.

use super::super::{ControlError, Events};
use super::Firmware;
use super::event_queue::{EventPage, EventQueue, Mask};
use crate::bus::Registers;
use crate::verbs::AsyncEvent;
use doorbell_prm::eqe::{CompletionEventData, CqErrorEventData, Eqe, EventType, QpEventData};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zerocopy::FromBytes;

/// Interrupts: the first belongs to the event queue of bring-up, which nobody waits at.
const ASYNC_VECTOR: u16 = 1;
const FIRST_CHANNEL_VECTOR: u16 = 2;

/// The event queues that somebody waits at.
pub struct EventQueues<R: Registers> {
    /// Those of the channels, by the number of the channel, which is that of its interrupt.
    channels: Mutex<HashMap<u32, Shared<R>>>,
    /// That of asynchronous events.
    asynchronous: Mutex<Option<Shared<R>>>,
    /// The page of their registers, once there is a queue.
    page: Mutex<Option<EventPage<R>>>,
}

/// An event queue, and a lock for who waits at it.
type Shared<R> = Arc<Mutex<EventQueue<R>>>;

impl<R: Registers> Default for EventQueues<R> {
    fn default() -> Self {
        Self { channels: Mutex::default(), asynchronous: Mutex::default(), page: Mutex::default() }
    }
}

/// What asynchronous events there are. (`MLX5_ASYNC_EVENT_MASK`, as far as the verbs know them)
fn asynchronous() -> Mask {
    const TYPES: [EventType; 10] = [
        EventType::CommunicationEstablished,
        EventType::SendQueueDrained,
        EventType::CqError,
        EventType::WorkQueueCatastrophicError,
        EventType::PortChange,
        EventType::WorkQueueInvalidRequest,
        EventType::WorkQueueAccessError,
        EventType::SrqCatastrophicError,
        EventType::SrqLastWqe,
        EventType::SrqLimit,
    ];
    let bits = TYPES.iter().fold(0, |bits, event| bits | 1 << event.code());
    [bits, 0, 0, 0]
}

impl<R: Registers> Events for Firmware<R> {
    /// A channel is an event queue with an interrupt of its own.
    fn create_comp_channel(&self) -> Result<u32, ControlError> {
        let mut channels = self.events.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut vectors = FIRST_CHANNEL_VECTOR..self.registers.interrupts();
        let free = vectors.find(|vector| !channels.contains_key(&u32::from(*vector)));
        let vector =
            free.ok_or(ControlError::NoInterrupt { limit: self.registers.interrupts() })?;
        let queue =
            EventQueue::create(self, "event queue of a completion channel", vector, [0; 4])?;
        channels.insert(vector.into(), Arc::new(Mutex::new(queue)));
        Ok(vector.into())
    }

    fn destroy_comp_channel(&self, channel: u32) {
        let mut channels = self.events.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = channels.remove(&channel);
        drop(channels);
        self.give_queue_back(queue);
    }

    fn next_completion(&self, channel: u32, deadline: Duration) -> Result<u32, ControlError> {
        let channels = self.events.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = channels.get(&channel).cloned();
        drop(channels);
        let queue = queue.ok_or(ControlError::NoEntry { table: "channels", index: channel })?;
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = queue.wait(self, "completion event", deadline)?;
        Ok(data::<CompletionEventData>(&entry).cq_number())
    }

    fn watch_async(&self) -> Result<(), ControlError> {
        let mut queue = self.events.asynchronous.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            let name = "event queue of asynchronous events";
            let new = EventQueue::create(self, name, ASYNC_VECTOR, asynchronous())?;
            *queue = Some(Arc::new(Mutex::new(new)));
        }
        Ok(())
    }

    fn next_async(&self, deadline: Duration) -> Result<AsyncEvent, ControlError> {
        self.watch_async()?;
        let queue = self.events.asynchronous.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.clone().expect("just made sure of");
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(decode(&queue.wait(self, "asynchronous event", deadline)?))
    }
}

impl<R: Registers> Firmware<R> {
    /// The page of the event queues' registers.
    pub(super) fn event_page(&self) -> EventPage<R> {
        let mut page = self.events.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = &*page {
            return page.clone();
        }
        let (_, uar, _) = self.held.events.as_ref().expect("made while bringing up");
        page.insert(EventPage::map(&*self.registers, *uar, &self.tracer)).clone()
    }

    /// The number of a channel's event queue; without a channel that of bring-up.
    pub(super) fn event_queue_of(&self, channel: Option<u32>) -> u32 {
        let channels = self.events.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = channel.and_then(|channel| channels.get(&channel));
        if let Some(queue) = queue {
            return queue.lock().unwrap_or_else(PoisonError::into_inner).number.into();
        }
        self.held.events.as_ref().map_or(0, |(number, ..)| u32::from(*number))
    }

    /// Destroys the event queues that are left.
    pub(super) fn give_events_back(&mut self) {
        let channels = std::mem::take(&mut self.events);
        let asynchronous =
            channels.asynchronous.into_inner().unwrap_or_else(PoisonError::into_inner);
        let channels = channels.channels.into_inner().unwrap_or_else(PoisonError::into_inner);
        for queue in channels.into_values().chain(asynchronous) {
            self.give_queue_back(Some(queue));
        }
    }

    /// Destroys an event queue, unless somebody still waits at it.
    fn give_queue_back(&self, queue: Option<Shared<R>>) {
        if let Some(queue) = queue.and_then(Arc::into_inner) {
            queue.into_inner().unwrap_or_else(PoisonError::into_inner).destroy(self);
        }
    }
}

/// The data of an entry.
fn data<T: FromBytes>(entry: &Eqe) -> T {
    T::read_from_bytes(&entry.event_data).expect("event data has one size, whatever its shape")
}

// ANCHOR: async_event
/// What the verbs call an event of the card. (`mlx5_ib_qp_event`, `mlx5_ib_handle_event`)
fn decode(entry: &Eqe) -> AsyncEvent {
    let number = data::<QpEventData>(entry).qpn_rqn_sqn();
    match EventType::from_code(entry.event_type) {
        Some(EventType::CqError) => {
            AsyncEvent::CompletionQueueError(data::<CqErrorEventData>(entry).cqn())
        }
        Some(EventType::WorkQueueCatastrophicError) => AsyncEvent::QueuePairFatal(number),
        Some(EventType::WorkQueueInvalidRequest) => AsyncEvent::QueuePairRequestError(number),
        Some(EventType::WorkQueueAccessError) => AsyncEvent::QueuePairAccessError(number),
        Some(EventType::CommunicationEstablished) => AsyncEvent::CommunicationEstablished(number),
        Some(EventType::SendQueueDrained) => AsyncEvent::SendQueueDrained(number),
        Some(EventType::SrqLastWqe) => AsyncEvent::LastWqeReached(number),
        Some(EventType::SrqCatastrophicError) => AsyncEvent::SharedReceiveError(number),
        Some(EventType::SrqLimit) => AsyncEvent::SharedReceiveLimit(number),
        Some(EventType::PortChange) => port_change(entry),
        _ => AsyncEvent::Other { event_type: entry.event_type.into(), element: number.into() },
    }
}

/// What happened to the port: the sub-type tells (`MLX5_PORT_CHANGE_SUBTYPE_*`), and the upper half
/// of the ninth byte of the data which port.
fn port_change(entry: &Eqe) -> AsyncEvent {
    const PORT: usize = 8;
    let port = entry.event_data[PORT] >> 4;
    match entry.event_sub_type {
        1 | 5 => AsyncEvent::PortError(port),
        4 => AsyncEvent::PortActive(port),
        6 => AsyncEvent::LidChange(port),
        7 => AsyncEvent::PartitionKeyChange(port),
        8 => AsyncEvent::GidChange(port),
        9 => AsyncEvent::ClientReregister(port),
        _ => AsyncEvent::Other { event_type: entry.event_type.into(), element: u64::from(port) },
    }
}
// ANCHOR_END: async_event

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(event_type: EventType, sub_type: u8, at: usize, byte: u8) -> Eqe {
        let mut entry = Eqe::zeroed();
        entry.event_type = event_type.code();
        entry.event_sub_type = sub_type;
        entry.event_data[at] = byte;
        entry
    }

    #[test]
    fn events_of_the_card_become_those_of_the_verbs() {
        for (event, expected) in [
            (EventType::WorkQueueCatastrophicError, AsyncEvent::QueuePairFatal(0x42)),
            (EventType::WorkQueueInvalidRequest, AsyncEvent::QueuePairRequestError(0x42)),
            (EventType::WorkQueueAccessError, AsyncEvent::QueuePairAccessError(0x42)),
            (EventType::CommunicationEstablished, AsyncEvent::CommunicationEstablished(0x42)),
            (EventType::SendQueueDrained, AsyncEvent::SendQueueDrained(0x42)),
            (EventType::SrqLastWqe, AsyncEvent::LastWqeReached(0x42)),
            (EventType::SrqCatastrophicError, AsyncEvent::SharedReceiveError(0x42)),
            (EventType::SrqLimit, AsyncEvent::SharedReceiveLimit(0x42)),
            (EventType::PageRequest, AsyncEvent::Other { event_type: 0xb, element: 0x42 }),
        ] {
            assert_eq!(decode(&entry(event, 0, 27, 0x42)), expected);
        }
        let full = entry(EventType::CqError, 0, 3, 0x81);
        assert_eq!(decode(&full), AsyncEvent::CompletionQueueError(0x81));
    }

    #[test]
    fn a_port_that_goes_down_and_comes_up_again_is_told_with_its_number() {
        for (sub_type, expected) in [
            (1, AsyncEvent::PortError(2)),
            (4, AsyncEvent::PortActive(2)),
            (5, AsyncEvent::PortError(2)),
            (6, AsyncEvent::LidChange(2)),
            (9, AsyncEvent::ClientReregister(2)),
        ] {
            assert_eq!(decode(&entry(EventType::PortChange, sub_type, 8, 0x20)), expected);
        }
    }
}

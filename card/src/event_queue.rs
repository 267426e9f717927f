//! Event queues: the card writes an entry, and interrupts when the queue is armed.

use crate::buffer::PageBuffer;
use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP, write_host};
use crate::queue_pair::QueuePair;
use doorbell_prm::commands::EqContext;
use doorbell_prm::eqe::{CompletionEventData, CqErrorEventData, Eqe, EventType, QpEventData};
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::{Value, probe};

/// An event queue.
#[derive(Debug, Clone)]
pub(crate) struct EventQueue {
    pub(crate) context: EqContext,
    pub(crate) buffer: PageBuffer,
    /// Which event types come here: one bit each, type 0 in bit 0 of the first word.
    pub(crate) mask: [u64; 4],
    pub(crate) producer: u32,
    pub(crate) consumer: u32,
    pub(crate) armed: bool,
}

/// Indexes of event and completion queues have 24 bits.
pub(crate) const INDEX_MASK: u32 = 0xff_ffff;

impl EventQueue {
    fn wants(&self, event: EventType) -> bool {
        let number = usize::from(event.code());
        self.mask[number / 64] >> (number % 64) & 1 == 1
    }

    fn entries(&self) -> u32 {
        1 << self.context.log_eq_size()
    }

    fn is_full(&self) -> bool {
        self.producer.wrapping_sub(self.consumer) & INDEX_MASK >= self.entries()
    }
}

impl Card {
    /// The queue that commands report to, if there is one.
    pub(crate) fn command_event_queue(&self) -> Option<u8> {
        self.subscribed(EventType::Command).next()
    }

    fn subscribed(&self, event: EventType) -> impl Iterator<Item = u8> + '_ {
        let wants = move |queue: &(&u8, &EventQueue)| queue.1.wants(event);
        self.event_queues.iter().filter(wants).map(|(number, _)| *number)
    }

    /// Tells of an event, a type and its variant, to every queue that asked for the type.
    pub(crate) fn announce(&mut self, event: (EventType, u8), data: [u8; 28], bus: &mut Bus<'_>) {
        let queues: Vec<u8> = self.subscribed(event.0).collect();
        for number in queues {
            self.write_event(number, event, data, bus);
        }
    }

    /// Tells that a completion queue has something new.
    pub(crate) fn announce_completion(&mut self, eqn: u8, cqn: u32, bus: &mut Bus<'_>) {
        let mut data = CompletionEventData::zeroed();
        data.set_cq_number(cqn);
        let mut bytes = [0; 28];
        bytes.copy_from_slice(data.as_bytes());
        self.write_event(eqn, (EventType::Completion, 0), bytes, bus);
    }

    /// Tells that a completion queue overflowed.
    pub(crate) fn announce_cq_error(&mut self, cqn: u32, bus: &mut Bus<'_>) {
        let mut data = CqErrorEventData::zeroed();
        data.set_cqn(cqn);
        data.syndrome = CQ_OVERRUN;
        let mut bytes = [0; 28];
        bytes.copy_from_slice(data.as_bytes());
        self.announce((EventType::CqError, 0), bytes, bus);
    }

    /// Tells of something that happened to a queue pair.
    pub(crate) fn announce_qp(&mut self, event: EventType, qp: &QueuePair, bus: &mut Bus<'_>) {
        let queue_type = if qp.object.is_some() { SEND_QUEUE } else { QUEUE_PAIR };
        self.announce_queue(event, (queue_type, qp.qpn), bus);
    }

    /// Tells of something that happened to a shared receive queue.
    pub(crate) fn announce_shared(&mut self, event: EventType, number: u32, bus: &mut Bus<'_>) {
        self.announce_queue(event, (QUEUE_PAIR, number), bus);
    }

    fn announce_queue(
        &mut self,
        event: EventType,
        (queue_type, number): (u8, u32),
        bus: &mut Bus<'_>,
    ) {
        let mut data = QpEventData::zeroed();
        data.queue_type = queue_type;
        data.set_qpn_rqn_sqn(number);
        let mut bytes = [0; 28];
        bytes.copy_from_slice(data.as_bytes());
        self.announce((event, 0), bytes, bus);
    }

    // ANCHOR: card_event
    /// Writes one entry: all but the owner byte, then the owner byte, then the interrupt.
    pub(crate) fn write_event(
        &mut self,
        eqn: u8,
        (event, variant): (EventType, u8),
        data: [u8; 28],
        bus: &mut Bus<'_>,
    ) {
        let Some(queue) = self.event_queues.get_mut(&eqn) else {
            return;
        };
        if queue.is_full() && !queue.context.oi() {
            probe!(
                bus.tracer,
                note(
                    "event lost: the event queue is full",
                    [("eqn", Value::from(u32::from(eqn))), ("event", Value::from(event.label())),]
                )
            );
            queue.context.set_status(STATUS_OVERFLOW);
            return;
        }
        let index = queue.producer & (queue.entries() - 1);
        let Some(address) = queue.buffer.address(u64::from(index) * Eqe::SIZE as u64) else {
            return;
        };
        let mut entry = Eqe::zeroed();
        entry.event_type = event.code();
        entry.event_sub_type = variant;
        entry.event_data = data;
        entry.set_owner((queue.producer >> queue.context.log_eq_size() & 1) as u8);
        let (body, owner) = entry.as_bytes().split_at(Eqe::SIZE - 1);
        let written =
            write_host!(bus, address, body, "EQE without its owner bit", "eqe").and_then(|()| {
                write_host!(bus, address + body.len() as u64, owner, "EQE owner bit", "")
            });
        if written.is_err() {
            queue.context.set_status(STATUS_WRITE_FAILURE);
            return;
        }
        queue.producer = queue.producer.wrapping_add(1) & INDEX_MASK;
        if std::mem::take(&mut queue.armed) {
            interrupt(queue.context.intr(), eqn, bus);
        }
    }

    /// Takes a write to one of the doorbells of an event queue.
    pub(crate) fn ring_event_queue(
        &mut self,
        (page, eqn): (u32, u8),
        consumer: u32,
        arm: bool,
        bus: &mut Bus<'_>,
    ) {
        let queue = self.event_queues.get_mut(&eqn);
        let Some(queue) = queue.filter(|queue| queue.context.uar_page() == page) else {
            probe!(
                bus.tracer,
                note(
                    "doorbell ignored: no such event queue on this page",
                    [("eqn", Value::from(u32::from(eqn))), ("uar page", Value::Hex(page.into())),]
                )
            );
            return;
        };
        queue.consumer = consumer;
        queue.armed |= arm;
        // Something came in while the queue was not armed: software has not seen it yet.
        if queue.armed && queue.producer != queue.consumer {
            queue.armed = false;
            interrupt(queue.context.intr(), eqn, bus);
        }
    }
    // ANCHOR_END: card_event
}

// ANCHOR: card_interrupt
fn interrupt(vector: u16, eqn: u8, bus: &mut Bus<'_>) {
    bus.interrupt(vector.into());
    probe!(
        bus.tracer,
        note(
            "MSI-X interrupt",
            [("vector", Value::from(vector)), ("eqn", Value::from(u32::from(eqn))),]
        )
    );
}
// ANCHOR_END: card_interrupt

/// `status` of an event or completion queue that overflowed.
pub(crate) const STATUS_OVERFLOW: u8 = 9;
/// `status` of an event or completion queue whose buffer could not be written.
pub(crate) const STATUS_WRITE_FAILURE: u8 = 10;
/// `queue_type` of an event: whose number it carries. Shared receive queues have none of their own.
const QUEUE_PAIR: u8 = 0;
const SEND_QUEUE: u8 = 2;
/// Syndrome of a CQ error event: the queue overflowed.
const CQ_OVERRUN: u8 = 1;

//! Completion queues: one entry for each piece of work that is to be reported.

use crate::buffer::PageBuffer;
use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP, read_host, write_host};
use crate::event_queue::{INDEX_MASK, STATUS_OVERFLOW, STATUS_WRITE_FAILURE};
use doorbell_prm::commands::CqContext;
use doorbell_prm::cqe::Cqe;
use doorbell_prm::doorbell::CqDoorbellRecord;
use doorbell_prm::zerocopy::IntoBytes;
use doorbell_tracer::{Value, probe};

/// A completion queue.
#[derive(Debug, Clone)]
pub(crate) struct CompletionQueue {
    pub(crate) context: CqContext,
    pub(crate) buffer: PageBuffer,
    pub(crate) producer: u32,
    /// The consumer index as last read from the doorbell record.
    pub(crate) consumer: u32,
    pub(crate) arm: Arm,
    /// The arming word of the doorbell record, as last looked at.
    pub(crate) armed_by: u32,
    /// An entry came since the last event.
    pub(crate) unannounced: bool,
    /// Index behind the last entry since then that wakes a queue armed for solicited ones.
    pub(crate) waking: Option<u32>,
}

/// What raises an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arm {
    /// Nothing.
    Fired,
    /// The next entry that is solicited, or an error.
    Solicited,
    /// The next entry.
    Next,
}

/// An entry to be written; its owner bit is filled in by the queue.
pub(crate) struct Entry {
    pub(crate) bytes: [u8; Cqe::SIZE],
    pub(crate) layout: &'static str,
    /// Whether a queue that is armed for solicited entries wakes up.
    pub(crate) wakes: bool,
}

impl CompletionQueue {
    fn entries(&self) -> u32 {
        1 << self.context.log_cq_size()
    }

    fn is_full(&self) -> bool {
        self.producer.wrapping_sub(self.consumer) & INDEX_MASK >= self.entries()
    }

    fn failed(&self) -> bool {
        self.context.status() != 0
    }
}

impl Card {
    // ANCHOR: card_completion
    /// Writes an entry into a completion queue. `false` when the queue has failed: it is full, or
    /// its memory is gone.
    pub(crate) fn complete(&mut self, cqn: u32, entry: Entry, bus: &mut Bus<'_>) -> bool {
        let Some(queue) = self.completion_queues.get_mut(&cqn) else {
            return false;
        };
        if queue.failed() {
            return false;
        }
        if queue.is_full() && !queue.context.oi() {
            read_consumer(queue, bus);
            if queue.is_full() {
                queue.context.set_status(STATUS_OVERFLOW);
                probe!(
                    bus.tracer,
                    note(
                        "completion queue overrun",
                        [
                            ("cqn", Value::Hex(cqn.into())),
                            ("consumer index", Value::from(queue.consumer)),
                        ]
                    )
                );
                self.announce_cq_error(cqn, bus);
                return false;
            }
        }
        if !write_entry(queue, &entry, bus) {
            queue.context.set_status(STATUS_WRITE_FAILURE);
            self.announce_cq_error(cqn, bus);
            return false;
        }
        queue.producer = queue.producer.wrapping_add(1) & INDEX_MASK;
        queue.unannounced = true;
        if entry.wakes {
            queue.waking = Some(queue.producer);
        }
        let fires = queue.arm == Arm::Next || queue.arm == Arm::Solicited && entry.wakes;
        if fires {
            self.fire(cqn, bus);
        }
        true
    }

    /// Takes a write to the completion queue doorbell.
    pub(crate) fn arm_completion_queue(
        &mut self,
        (page, cqn): (u32, u32),
        consumer: u32,
        arm: Arm,
        bus: &mut Bus<'_>,
    ) {
        let queue = self.completion_queues.get_mut(&cqn);
        let Some(queue) = queue.filter(|queue| queue.context.uar_page() == page) else {
            probe!(
                bus.tracer,
                note(
                    "doorbell ignored: no such completion queue on this page",
                    [("cqn", Value::Hex(cqn.into())), ("uar page", Value::Hex(page.into())),]
                )
            );
            return;
        };
        queue.arm = arm;
        // An entry that software has not seen raises the event at once, unless an event told of
        // it: the context keeps the index that the last one reached (`last_notified_index` in Linux's
        // `mlx5_ifc.h`). No public text spells the rule out. perftest relies on it, as `ctx_notify_events` shows:
        // it takes an event, arms the queue, and only then polls the entry that the event was for.
        let unseen = match arm {
            Arm::Next => queue.unannounced && queue.producer != consumer,
            Arm::Solicited => queue.waking.is_some_and(|waking| is_ahead(waking, consumer)),
            Arm::Fired => false,
        };
        if unseen {
            self.fire(cqn, bus);
        }
    }

    fn fire(&mut self, cqn: u32, bus: &mut Bus<'_>) {
        if let Some(queue) = self.completion_queues.get_mut(&cqn) {
            queue.arm = Arm::Fired;
            (queue.unannounced, queue.waking) = (false, None);
            queue.context.set_last_notified_index(queue.producer);
            let eqn = queue.context.c_eqn_or_apu_element() as u8;
            self.announce_completion(eqn, cqn, bus);
        }
    }
}

/// Whether an index that wraps at 2^24 lies ahead of another one.
fn is_ahead(index: u32, of: u32) -> bool {
    (1..=INDEX_MASK / 2).contains(&(index.wrapping_sub(of) & INDEX_MASK))
}

/// Writes all of the entry but its last byte, and then that byte, with the owner bit in it: who
/// sees the owner bit change sees the rest.
fn write_entry(queue: &CompletionQueue, entry: &Entry, bus: &mut Bus<'_>) -> bool {
    let index = queue.producer & (queue.entries() - 1);
    let Some(address) = queue.buffer.address(u64::from(index) * Cqe::SIZE as u64) else {
        return false;
    };
    let owner = (queue.producer >> queue.context.log_cq_size() & 1) as u8;
    let (body, last) = entry.bytes.split_at(Cqe::SIZE - 1);
    let last = [last[0] & !1 | owner];
    write_host!(bus, address, body, "CQE without its owner bit", entry.layout)
        .and_then(|()| write_host!(bus, address + body.len() as u64, &last, "CQE owner bit", ""))
        .is_ok()
}

/// Reads how far software got; only done when the queue would overflow otherwise.
fn read_consumer(queue: &mut CompletionQueue, bus: &mut Bus<'_>) {
    let mut record = CqDoorbellRecord::zeroed();
    let address = queue.context.dbr_addr();
    let read =
        read_host!(bus, address, record.as_mut_bytes(), "CQ consumer index", "cq_doorbell_record");
    if read.is_ok() {
        queue.consumer = record.consumer_index();
    }
}

/// Tells that the arming was not seen, but its record: the register is memory that software maps.
pub(crate) fn tell_armed_by_record(cqn: u32, consumer: u32, bus: &Bus<'_>) {
    probe!(
        bus.tracer,
        note(
            "completion queue armed by its record",
            [("cqn", Value::Hex(cqn.into())), ("consumer index", Value::from(consumer))]
        )
    );
}
// ANCHOR_END: card_completion

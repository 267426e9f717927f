//! Looking at doorbell records, where UAR pages are memory that software writes unnoticed.
//!
//! A card sees every write to its registers. An adapter that lets software map UAR pages as plain
//! memory does not: a store into them tells nobody. What the store would have said is also in the
//! doorbell records, in host memory, and there the card looks whenever [`Card::look`] tells it to.
//! A look that finds nothing new leaves no trace.
//!
//! Two things differ from registers that are seen. A completion queue on such a page is armed
//! from its creation on, because its first arming may store what lay in the record before; this
//! can cost one event too many, and never one too few. And a WQE is always fetched by DMA.

use crate::card::Card;
use crate::completion_queue::{Arm, tell_armed_by_record};
use crate::dma::Bus;
use crate::queue_pair::QueuePair;
use crate::send_queue::tell_record_seen;
use doorbell_prm::commands::QpState;
use doorbell_prm::doorbell::{CqDoorbellRecord, QpDoorbellRecord};
use doorbell_prm::zerocopy::IntoBytes;

impl Card {
    /// Tells the card to look at the doorbell records of all queues on mapped UAR pages, in the
    /// next step of [`Card::run`] that finds no other work at hand.
    pub fn look(&mut self) {
        self.looking = !self.config.mapped_uars.is_empty();
    }

    /// Whether a UAR page is memory whose writes the card does not see.
    pub(crate) fn is_mapped(&self, page: u32) -> bool {
        self.config.mapped_uars.contains(&page)
    }

    /// Looks once; `false` when nothing was new.
    pub(crate) fn look_at_records(&mut self, bus: &mut Bus<'_>) -> bool {
        let found = self.look_at_send_queues(bus);
        self.look_at_arming(bus) || found
    }

    fn look_at_send_queues(&mut self, bus: &mut Bus<'_>) -> bool {
        let mapped = |qp: &&QueuePair| {
            let active = matches!(qp.state, QpState::ReadyToSend | QpState::Error);
            active && qp.send.entries > 0 && self.is_mapped(qp.context.uar_page())
        };
        let candidates = self.queue_pairs.values().filter(mapped);
        let news: Vec<u32> = candidates.filter(|qp| has_news(qp, bus)).map(|qp| qp.qpn).collect();
        for qpn in &news {
            tell_record_seen(*qpn, bus);
            self.with_qp(*qpn, |card, qp| card.notice_posted(qp, None, bus));
        }
        !news.is_empty()
    }

    fn look_at_arming(&mut self, bus: &mut Bus<'_>) -> bool {
        let mapped = self.config.mapped_uars.clone();
        let mut news = Vec::new();
        for (cqn, queue) in &mut self.completion_queues {
            if !mapped.contains(&queue.context.uar_page()) {
                continue;
            }
            let mut record = CqDoorbellRecord::zeroed();
            if bus.peek(queue.context.dbr_addr(), record.as_mut_bytes()).is_err() {
                continue;
            }
            if record.arm.get() != queue.armed_by {
                queue.armed_by = record.arm.get();
                news.push((*cqn, queue.context.uar_page(), record));
            }
        }
        for (cqn, page, record) in &news {
            let consumer = record.arm_consumer_index();
            let arm = match record.solicited_only() {
                1 => Arm::Solicited,
                _ => Arm::Next,
            };
            tell_armed_by_record(*cqn, consumer, bus);
            self.arm_completion_queue((*page, *cqn), consumer, arm, bus);
        }
        !news.is_empty()
    }
}

/// Whether the doorbell record says anything that the card does not know yet. A queue pair without queues, as the
/// target of an extended connection is, has no record: `mlx5_ib` gives it address 0.
pub(crate) fn has_news(qp: &QueuePair, bus: &mut Bus<'_>) -> bool {
    if qp.send.entries == 0 && qp.receive.entries == 0 {
        return false;
    }
    let mut record = QpDoorbellRecord::zeroed();
    if bus.peek(qp.context.dbr_addr(), record.as_mut_bytes()).is_err() {
        return false;
    }
    let sends = record.send_counter() as u16 != qp.send.producer;
    let receives = record.receive_counter() as u16 != qp.receive.producer;
    sends || qp.state == QpState::Error && receives
}

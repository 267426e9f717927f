//! Taking a queue pair's entries out of a completion queue.

use super::completion_queue::{CqState, Receives};
use super::lock::take;
use super::parse_cqe::Last;
use doorbell_prm::cqe::{Cqe, CqeOpcode};
use doorbell_tracer::Probe;

impl CqState {
    /// A queue pair is destroyed: its entries go, and with them what is known of it.
    pub fn leave<P: Probe>(&mut self, user_index: u32, probe: &P) {
        self.clean(user_index, probe);
        self.last = Last::NONE;
        for senders in [&mut self.senders, &mut self.watched] {
            senders.get_mut(user_index as usize).and_then(Option::take);
        }
        if let Some(member) = self.receivers.get_mut(user_index as usize) {
            *member = None;
        }
    }

    // ANCHOR: clean_cq
    /// Takes the entries of a queue pair that was destroyed or reset out of the ring, and closes the
    /// gaps: nobody could say any more what they were of. The card writes no new ones of it, so that
    /// those which it adds meanwhile need no look. (`__mlx5_cq_clean`)
    pub fn clean<P: Probe>(&mut self, user_index: u32, probe: &P) {
        let receives = self.receivers.get(user_index as usize).cloned().flatten();
        let entries = self.entries;
        let first = self.next.index;
        let mut end = first;
        while end.wrapping_sub(first) < entries.size
            && entries.is_ours(end, entries.at(end).op_own())
        {
            end = end.wrapping_add(1);
        }
        let mut removed = 0_u32;
        for back in 1..=end.wrapping_sub(first) {
            let index = end.wrapping_sub(back);
            let mut entry = entries.at(index).copy();
            if entry.user_index() == user_index {
                removed += 1;
                give_back(&entry, receives.as_ref(), probe);
            } else if removed > 0 {
                let target = entries.at(index.wrapping_add(removed));
                entry.op_own = entry.op_own & !1 | target.op_own() & 1;
                target.put(entry);
            }
        }
        if removed > 0 {
            self.next = entries.next(first.wrapping_add(removed));
            self.update_record(probe);
        }
    }
    // ANCHOR_END: clean_cq
}

/// Gives back the shared WQE of an entry that nobody will poll. The other WQEs go with their queue.
fn give_back<P: Probe>(entry: &Cqe, receives: Option<&Receives>, probe: &P) {
    const SENT: [u8; 2] = [CqeOpcode::Requester as u8, CqeOpcode::RequesterError as u8];
    if let Some(Receives::Shared(list)) = receives
        && !SENT.contains(&(entry.op_own >> 4))
    {
        take(list).retire(entry.wqe_counter.get().into(), probe);
    }
}

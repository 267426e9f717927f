//! All queue pairs, and which of them have something to do.
//!
//! The card looks for its next piece of work at every step, and there may be ten thousand queue pairs
//! of which one has any. So each of them is filed under what it has to do, and the first of a file is
//! found at once. That follows from the queue pair alone (and from the time, where it waits for a
//! moment), and nobody can change one where it lies: it is taken out, and filed anew when it is put back.

use crate::answers::Owed;
use crate::queue_pair::{QueuePair, SHARED_RQ};
use doorbell_prm::commands::QpState;
use std::collections::{BTreeMap, BTreeSet};

/// What a queue pair may have to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// To send an answer that is no read's.
    Answer,
    /// To send a packet of the answer to a read.
    AnswerRead,
    /// To send a packet of a message under way.
    Send,
    /// To fetch a WQE, or to start the one that a fence held back.
    Begin,
    /// To flush a piece of work, or to look whether there is one.
    Flush,
    /// To look from time to time whether there is something to flush: it is in the error state.
    LookAgain,
}

const DUTIES: usize = 6;

/// What a queue pair has to do as it stands. A moment is in nanoseconds since power-on; 0 has come
/// even where nobody tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Agenda {
    /// By [`Duty`].
    duties: [bool; DUTIES],
    /// It waits for an answer, which is late from this moment on.
    late_at: Option<u64>,
    /// Its receiver was not ready, and may be asked again from this moment on.
    resume_at: Option<u64>,
}

impl Agenda {
    fn of(qp: &QueuePair) -> Self {
        let answers_read = qp.answers.front().map(Owed::is_read);
        let failed = qp.state == QpState::Error;
        let posted = qp.send.pending() > 0 || qp.receive.pending() > 0;
        let timed = qp.context.primary_address_path().ack_timeout() > 0;
        let moment = |moment: Option<u64>| moment.unwrap_or(0);
        Self {
            duties: [
                answers_read == Some(false),
                answers_read == Some(true),
                qp.may_send().is_some(),
                qp.state == QpState::ReadyToSend && qp.may_begin(),
                failed && (qp.recheck || posted),
                failed,
            ],
            late_at: (timed && qp.is_waiting()).then(|| moment(qp.window.late_at)),
            resume_at: qp.window.parked.then(|| moment(qp.window.resume_at)),
        }
    }
}

/// An object that cannot go while a queue pair uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Used {
    ProtectionDomain(u32),
    UarPage(u32),
    CompletionQueue(u32),
    SharedReceive(u32),
    XrcDomain(u32),
}

/// What a queue pair uses from its creation to its end.
fn used_by(qp: &QueuePair) -> impl Iterator<Item = Used> {
    let context = &qp.context;
    let shared = context.rq_type() == SHARED_RQ;
    let always = [
        Used::ProtectionDomain(context.pd()),
        Used::UarPage(context.uar_page()),
        Used::CompletionQueue(context.cqn_snd()),
        Used::CompletionQueue(context.cqn_rcv()),
    ];
    let shared = shared.then(|| Used::SharedReceive(context.srqn_rmpn_xrqn()));
    let domain = qp.is_extended().then(|| Used::XrcDomain(context.xrcd()));
    always.into_iter().chain(shared).chain(domain)
}

#[derive(Debug)]
struct Slot {
    /// `None` while somebody works on it.
    qp: Option<Box<QueuePair>>,
    agenda: Agenda,
}

/// All queue pairs, by number.
#[derive(Debug, Default)]
pub(crate) struct QueuePairs {
    slots: BTreeMap<u32, Slot>,
    /// The numbers of those that have a duty.
    files: [BTreeSet<u32>; DUTIES],
    /// Those that wait for an answer, by the moment from which it is late.
    waiting: BTreeSet<(u64, u32)>,
    /// Those of which the moment was seen to have come.
    late: BTreeSet<u32>,
    /// Those whose receiver was not ready, by the moment at which they go on.
    parked: BTreeSet<(u64, u32)>,
    /// Those that others know by another number.
    managers: BTreeSet<u32>,
    /// How many use an object.
    uses: BTreeMap<Used, usize>,
}

impl QueuePairs {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, qpn: u32) -> Option<&QueuePair> {
        self.slots.get(&qpn)?.qp.as_deref()
    }

    /// In the order of their numbers.
    pub(crate) fn values(&self) -> impl Iterator<Item = &QueuePair> {
        self.slots.values().filter_map(|slot| slot.qp.as_deref())
    }

    /// Adds a queue pair with a number that no other one has.
    pub(crate) fn insert(&mut self, qp: QueuePair) {
        let qpn = qp.qpn;
        for used in used_by(&qp) {
            *self.uses.entry(used).or_default() += 1;
        }
        if qp.public_qpn() != qpn {
            self.managers.insert(qpn);
        }
        self.slots.insert(qpn, Slot { qp: None, agenda: Agenda::default() });
        self.put_back(Box::new(qp));
    }

    pub(crate) fn remove(&mut self, qpn: u32) {
        self.file(qpn, Agenda::default());
        self.managers.remove(&qpn);
        let Some(qp) = self.slots.remove(&qpn).and_then(|slot| slot.qp) else { return };
        for used in used_by(&qp) {
            if let Some(count) = self.uses.get_mut(&used) {
                *count -= 1;
                if *count == 0 {
                    self.uses.remove(&used);
                }
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes a queue pair out, to work on it.
    pub(crate) fn take_out(&mut self, qpn: u32) -> Option<Box<QueuePair>> {
        self.slots.get_mut(&qpn)?.qp.take()
    }

    /// Puts it back, and files it under what it has to do now.
    pub(crate) fn put_back(&mut self, qp: Box<QueuePair>) {
        let (qpn, agenda) = (qp.qpn, Agenda::of(&qp));
        if let Some(slot) = self.slots.get_mut(&qpn) {
            slot.qp = Some(qp);
            self.file(qpn, agenda);
        }
    }

    fn file(&mut self, qpn: u32, new: Agenda) {
        let Some(slot) = self.slots.get_mut(&qpn) else { return };
        let old = std::mem::replace(&mut slot.agenda, new);
        if old == new {
            return;
        }
        for ((file, had), has) in self.files.iter_mut().zip(old.duties).zip(new.duties) {
            match (had, has) {
                (false, true) => file.insert(qpn),
                (true, false) => file.remove(&qpn),
                _ => continue,
            };
        }
        if old.late_at != new.late_at {
            self.late.remove(&qpn);
        }
        refile(&mut self.waiting, qpn, (old.late_at, new.late_at));
        refile(&mut self.parked, qpn, (old.resume_at, new.resume_at));
    }

    /// The first queue pair, by number, that has this duty.
    pub(crate) fn first(&self, duty: Duty) -> Option<u32> {
        self.files[duty as usize].first().copied()
    }

    /// The first queue pair, by number, whose answer is late.
    pub(crate) fn first_late(&mut self, now: Option<u64>) -> Option<u32> {
        while let Some(&(moment, qpn)) = self.waiting.first()
            && has_come(moment, now)
        {
            self.waiting.pop_first();
            self.late.insert(qpn);
        }
        self.late.first().copied()
    }

    /// Looks again at what has no doorbell: lets go on whose receiver may be ready, and has those in the
    /// error state look for more to flush.
    pub(crate) fn look_again(&mut self, now: Option<u64>) {
        let ready = self.parked.iter().take_while(|(moment, _)| has_come(*moment, now));
        let ready: Vec<u32> = ready.map(|(_, qpn)| *qpn).collect();
        ready.into_iter().for_each(|qpn| self.change(qpn, |qp| qp.window.parked = false));
        let failed: Vec<u32> = self.files[Duty::LookAgain as usize].iter().copied().collect();
        failed.into_iter().for_each(|qpn| self.change(qpn, |qp| qp.recheck = true));
    }

    fn change(&mut self, qpn: u32, how: impl FnOnce(&mut QueuePair)) {
        if let Some(mut qp) = self.take_out(qpn) {
            how(&mut qp);
            self.put_back(qp);
        }
    }

    /// Whether any queue pair uses this.
    pub(crate) fn any_uses(&self, what: Used) -> bool {
        self.uses.contains_key(&what)
    }

    /// The first queue pair, by number, that takes datagrams to this number now.
    pub(crate) fn takes_datagrams(&self, public_qpn: u32) -> Option<&QueuePair> {
        let itself = std::iter::once(&public_qpn);
        let mut candidates = itself.chain(&self.managers).filter_map(|qpn| self.get(*qpn));
        candidates.find(|qp| qp.is_datagram() && qp.public_qpn() == public_qpn && qp.receives())
    }
}

/// Moves a queue pair from one moment to another.
fn refile(file: &mut BTreeSet<(u64, u32)>, qpn: u32, (old, new): (Option<u64>, Option<u64>)) {
    if old == new {
        return;
    }
    if let Some(moment) = old {
        file.remove(&(moment, qpn));
    }
    if let Some(moment) = new {
        file.insert((moment, qpn));
    }
}

/// Whether a moment has come. Without a clock every moment has.
fn has_come(moment: u64, now: Option<u64>) -> bool {
    now.is_none_or(|now| now >= moment)
}

#[cfg(test)]
mod tests;

//! What a requester has under way: the messages that were begun and are not done, oldest first.
//!
//! Only the oldest can be partly answered. Whatever is behind it has been sent, or not yet, and
//! is sent again from the first missing packet when something was lost.

use crate::packets::PSN_MASK;
use crate::queue_pair::QueuePair;
use crate::work_request::WorkRequest;
use doorbell_prm::cqe::CqeSyndrome;
use std::collections::VecDeque;

/// Request packets that may be without an answer. A ConnectX's own number is not public.
pub(crate) const WINDOW: u64 = 128;
/// Packets after which an acknowledgement is asked for in the middle of a message, at the latest.
pub(crate) const UNASKED: u64 = WINDOW / 2;
/// Sequence numbers that may be without an answer: half of all, so that old and new differ.
const HALF_OF_ALL: u64 = 1 << 23;

/// A message that is under way.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) request: WorkRequest,
    pub(crate) first_psn: u32,
    /// Packet sequence numbers that the message takes: packets of data, either way. 0 for work
    /// that nobody else hears of.
    pub(crate) packets: u64,
    /// How many of them are sent, or asked for by a read, since the card last went back.
    pub(crate) sent: u64,
    /// The same, whether or not the card went back.
    pub(crate) reached: u64,
    /// How many are acknowledged, or came in as the answer to a read.
    pub(crate) answered: u64,
    /// Checked, and allowed to be sent.
    pub(crate) started: bool,
    /// How it ended. It is reported when all before it are.
    pub(crate) ending: Option<Ending>,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Failed(CqeSyndrome),
}

impl Message {
    /// Whether the answer carries something: data of a read, or the value that an atomic operation
    /// found.
    pub(crate) fn fetches(&self) -> bool {
        self.request.fetches()
    }

    /// Place in the message, counted in packets, of a packet sequence number.
    pub(crate) fn place(&self, psn: u32) -> u64 {
        u64::from(psn.wrapping_sub(self.first_psn) & PSN_MASK)
    }

    /// The packet sequence number at a place of the message.
    pub(crate) fn psn(&self, place: u64) -> u32 {
        self.first_psn.wrapping_add(place as u32) & PSN_MASK
    }

    fn is_unsent(&self) -> bool {
        self.started && self.ending.is_none() && self.sent < self.packets
    }

    fn failed(&self) -> bool {
        matches!(self.ending, Some(Ending::Failed(_)))
    }

    fn waits_for_answer(&self) -> bool {
        self.ending.is_none() && self.sent > self.answered
    }

    /// Request packets without an answer: one for all of a read.
    fn in_flight(&self) -> u64 {
        match self.fetches() {
            true => self.waits_for_answer().into(),
            false => self.sent - self.answered,
        }
    }

    /// Notes that packets up to `place` are sent.
    pub(crate) fn note_sent(&mut self, place: u64) {
        self.sent = place;
        self.reached = self.reached.max(place);
    }

    /// Notes that packets up to `place` are answered.
    pub(crate) fn note_answered(&mut self, place: u64) {
        self.answered = place;
        self.sent = self.sent.max(place);
    }
}

/// The messages under way, and how patient the queue pair has been.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    pub(crate) messages: VecDeque<Message>,
    /// The other side is not ready: not before `resume_at`, when there is a clock.
    pub(crate) parked: bool,
    pub(crate) resume_at: Option<u64>,
    /// When the answer is late, when there is a clock.
    pub(crate) late_at: Option<u64>,
    /// How often packets were sent again since there was progress, after a loss and after "not
    /// ready".
    pub(crate) tries: u8,
    pub(crate) not_ready_tries: u8,
    /// The card went back, and there was no progress since.
    pub(crate) went_back: bool,
    /// Packets since the last that asked for an acknowledgement.
    pub(crate) unasked: u64,
}

impl Window {
    /// Adds a message behind all others.
    pub(crate) fn begin(&mut self, request: WorkRequest, first_psn: u32, packets: u64) {
        self.messages.push_back(Message {
            request,
            first_psn,
            packets,
            sent: 0,
            reached: 0,
            answered: 0,
            started: false,
            ending: None,
        });
    }

    /// Which message a packet sequence number belongs to that was sent and not answered yet.
    pub(crate) fn find(&self, psn: u32) -> Option<usize> {
        let covers =
            |message: &Message| (message.answered..message.reached).contains(&message.place(psn));
        self.messages.iter().position(covers)
    }

    /// Which message has packets to send. None goes behind one that failed.
    pub(crate) fn unsent(&self) -> Option<usize> {
        let stops = |message: &Message| message.is_unsent() || message.failed();
        let index = self.messages.iter().position(stops)?;
        self.messages[index].is_unsent().then_some(index)
    }

    pub(crate) fn waits_for_answer(&self) -> bool {
        self.messages.iter().any(Message::waits_for_answer)
    }

    /// Reads and atomics among the first `count` messages.
    fn fetches_before(&self, count: usize) -> usize {
        self.messages.iter().take(count).filter(|message| message.fetches()).count()
    }

    /// Whether the newest message waits for all reads and atomics before it.
    pub(crate) fn is_fenced(&self) -> bool {
        let Some(before) = self.messages.len().checked_sub(1) else {
            return false;
        };
        self.messages[before].request.is_fenced && self.fetches_before(before) > 0
    }

    /// Whether a WQE may be fetched now, all of the earlier ones being sent and well.
    fn has_room(&self) -> bool {
        (self.messages.len() as u64) < WINDOW
            && self.unsent().is_none()
            && !self.messages.iter().any(Message::failed)
            && self.messages.iter().map(Message::in_flight).sum::<u64>() < WINDOW
    }

    /// Goes back to the first packet that is not answered, to send from there again.
    pub(crate) fn go_back(&mut self) {
        for message in &mut self.messages {
            message.sent = message.answered;
        }
        (self.late_at, self.unasked, self.went_back) = (None, 0, true);
    }
}

impl QueuePair {
    /// Adds a message to those under way. Work that no other side hears of takes no packet.
    pub(crate) fn begin_message(&mut self, request: WorkRequest) {
        let packets = match request.has_packets() {
            false => 0,
            true => request.length.div_ceil(self.mtu() as u64).max(1),
        };
        let first_psn = self.next_send_psn;
        self.next_send_psn = first_psn.wrapping_add(packets as u32) & PSN_MASK;
        self.window.begin(request, first_psn, packets);
    }

    /// Whether the next WQE may be fetched, or one that a fence held back may start.
    pub(crate) fn may_begin(&self) -> bool {
        match self.window.messages.back() {
            Some(newest) if !newest.started => !self.window.is_fenced(),
            _ => self.send.pending() > 0 && !self.window.parked && self.window.has_room(),
        }
    }

    /// The message whose next packet may be sent now.
    pub(crate) fn may_send(&self) -> Option<usize> {
        let window = &self.window;
        if window.parked {
            return None;
        }
        let index = window.unsent()?;
        let (message, oldest) = (&window.messages[index], &window.messages[0]);
        if message.fetches() && window.fetches_before(index) >= 1 << self.context.log_sra_max() {
            return None;
        }
        let flying: u64 = window.messages.iter().map(Message::in_flight).sum();
        let end = message.psn(message.packets);
        let span = u64::from(end.wrapping_sub(oldest.psn(oldest.answered)) & PSN_MASK);
        (flying < WINDOW && span <= HALF_OF_ALL).then_some(index)
    }

    /// Whether all that may be sent is sent, and an answer is due.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.window.parked && self.may_send().is_none() && self.window.waits_for_answer()
    }
}

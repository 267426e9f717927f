//! What the verbs say about the transports, as plainly as it can be said: two sides, each with memory, two
//! queues, and two lists of completions. Nothing here knows of rings, doorbells or packets.

use super::program::{
    LENGTH, Piece, Receive, Request, SIZES, Setting, changes_key, is_atomic, is_remote,
};
use doorbell_driver::verbs::{Completed, Opcode, Transport, WorkStatus};
use std::collections::VecDeque;

/// A completion that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub wr_id: u64,
    pub status: WorkStatus,
    /// What was done, if it succeeded.
    pub done: Option<Done>,
    /// Number of the request in its queue.
    pub number: usize,
}

/// What a work request that succeeded did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub opcode: Completed,
    /// Bytes that arrived here.
    pub length: u32,
    pub immediate: Option<u32>,
    /// The key of this side that the message has invalidated.
    pub invalidated: Option<u32>,
}

/// Why a post is refused, as an errno, and at which request.
pub type Refused = (usize, i32);

/// `ENOMEM`, and `EINVAL`.
const NO_ROOM: i32 = 12;
const INVALID: i32 = 22;

/// A memory window of type 2, and the part of the target that it is bound to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    pub part: Option<Piece>,
    /// The key that it was bound with last, and the one that it will have been when all is done.
    pub key: u32,
    pub posted_key: u32,
}

/// One side.
pub struct Side {
    pub setting: Setting,
    /// Sends and writes come from here; nothing changes it.
    pub source: Vec<u8>,
    /// What reads and atomics bring.
    pub landing: Vec<u8>,
    /// What the other side writes and reads.
    pub target: Vec<u8>,
    /// Where receives go. Of the network header of a datagram the verbs do not say what it is.
    pub inbox: Vec<Option<u8>>,
    pub window: Window,
    pub sends: VecDeque<(usize, Request)>,
    pub receives: VecDeque<(usize, Receive)>,
    pub sent: VecDeque<Wanted>,
    pub received: VecDeque<Wanted>,
    pub failed: bool,
    /// Messages of this side that nobody received, and its comparisons that found what they compared.
    pub lost: usize,
    pub swapped: usize,
    /// Work requests posted, and known to be done.
    send_counts: (usize, usize),
    receive_counts: (usize, usize),
}

impl Side {
    pub fn new(setting: Setting, source: Vec<u8>, key: u32) -> Self {
        let window = Window { part: None, key, posted_key: key };
        Self {
            setting,
            source,
            landing: vec![0; LENGTH],
            target: vec![0; LENGTH],
            inbox: vec![Some(0); LENGTH],
            window,
            sends: VecDeque::new(),
            receives: VecDeque::new(),
            sent: VecDeque::new(),
            received: VecDeque::new(),
            failed: false,
            lost: 0,
            swapped: 0,
            send_counts: (0, 0),
            receive_counts: (0, 0),
        }
    }

    /// Posts one send, or says why not.
    pub fn post(&mut self, request: &Request) -> Result<(), i32> {
        let transport = self.setting.transport;
        let (posted, done) = self.send_counts;
        if !has(transport, request.opcode) {
            return Err(INVALID);
        }
        let full = posted - done >= most_sends(transport);
        let long = request.inline && request.length() > most_inline(transport);
        if full || request.pieces.len() > SIZES.max_send_sge as usize || long {
            return Err(NO_ROOM);
        }
        if request.opcode == Opcode::BindMemoryWindow {
            self.window.posted_key = request.key;
        }
        self.sends.push_back((posted, request.clone()));
        self.send_counts.0 += 1;
        Ok(())
    }

    /// Posts receives: all of them, or those before the one that is refused.
    pub fn post_receives(&mut self, receives: &[Receive]) -> Result<(), Refused> {
        for (index, receive) in receives.iter().enumerate() {
            let (posted, done) = self.receive_counts;
            if posted - done >= most_receives(self.setting) {
                return Err((index, NO_ROOM));
            }
            self.receives.push_back((posted, receive.clone()));
            self.receive_counts.0 += 1;
        }
        Ok(())
    }

    /// Takes up to `most` completions of sends; what they tell of is out of the queue then, and what was
    /// posted before it.
    pub fn poll_sends(&mut self, most: usize) -> Vec<Wanted> {
        let count = most.min(self.sent.len());
        let polled: Vec<Wanted> = self.sent.drain(..count).collect();
        if let Some(last) = polled.last() {
            self.send_counts.1 = last.number + 1;
        }
        polled
    }

    /// The same for receives.
    pub fn poll_receives(&mut self, most: usize) -> Vec<Wanted> {
        let count = most.min(self.received.len());
        let polled: Vec<Wanted> = self.received.drain(..count).collect();
        if let Some(last) = polled.last() {
            self.receive_counts.1 = last.number + 1;
        }
        polled
    }

    /// Everything that is still queued ends unserved, but for the receives of a shared queue: they are
    /// nobody's until a message takes them.
    pub fn flush(&mut self) {
        let flushed =
            |number, wr_id| Wanted { wr_id, status: WorkStatus::Flushed, done: None, number };
        let sends = self.sends.drain(..).map(|(number, request)| flushed(number, request.wr_id));
        self.sent.extend(sends);
        if !self.setting.shared {
            let receives = self.receives.drain(..);
            let receives = receives.map(|(number, receive)| flushed(number, receive.wr_id));
            self.received.extend(receives);
        }
    }
}

/// Whether a transport has an opcode.
fn has(transport: Transport, opcode: Opcode) -> bool {
    match transport {
        Transport::ReliableConnection => true,
        Transport::UnreliableConnection => opcode != Opcode::RdmaRead && !is_atomic(opcode),
        Transport::UnreliableDatagram => {
            matches!(opcode, Opcode::Send | Opcode::SendWithImmediate)
        }
    }
}

/// How many sends may be outstanding: the ring is a power of two of bytes, and counts for as many of the
/// largest WQEs as fit. (`mlx5_calc_sq_size`)
fn most_sends(transport: Transport) -> usize {
    let wqe = largest_wqe(transport);
    (SIZES.max_send_wr as usize * wqe).next_power_of_two() / wqe
}

/// How many bytes may be inline: what the largest WQE has room for.
fn most_inline(transport: Transport) -> usize {
    largest_wqe(transport) - fixed(transport) - 4
}

/// Bytes in front of the data: 16 of the control segment; for a window 48, 64 and 64, and for a
/// datagram's address 48.
fn fixed(transport: Transport) -> usize {
    match transport {
        Transport::UnreliableDatagram => 64,
        _ => 192,
    }
}

fn largest_wqe(transport: Transport) -> usize {
    let pointers = 16 * SIZES.max_send_sge as usize;
    let inline = (4 + SIZES.max_inline_data as usize).next_multiple_of(16);
    (fixed(transport) + pointers.max(inline)).next_multiple_of(64)
}

/// How many receives may be outstanding: of a shared queue one less than a power of two.
fn most_receives(setting: Setting) -> usize {
    let wanted = SIZES.max_recv_wr as usize;
    match setting.shared {
        true => (wanted + 1).next_power_of_two() - 1,
        false => wanted,
    }
}

/// What a request is to be, now that it is posted. Which of two sides is first is nowhere said, so no key
/// is changed while the other side may be using it, and none is used that may be changing.
pub fn resolved(sides: &[Side; 2], which: usize, request: &Request) -> Request {
    let (own, other) = (&sides[which], &sides[1 - which]);
    let through = request.through && is_remote(request.opcode);
    let mut request = Request { through, ..request.clone() };
    // The part that is open to this side for certain.
    let part = match other.changes_window() || own.invalidates() {
        true => None,
        false => other.window.part,
    };
    if changes_key(request.opcode) {
        request.old_key = own.window.posted_key;
        request.key = request.old_key;
        if request.opcode == Opcode::BindMemoryWindow {
            request.key = next_key(request.old_key);
        }
        let fits = own.is_open_at_last() != (request.opcode == Opcode::BindMemoryWindow);
        let dares = request.flaw.is_some();
        request.flaw = request.flaw.filter(|_| !fits);
        if other.uses_window() || !fits && !dares {
            // A write of nothing instead.
            request.opcode = Opcode::RdmaWrite;
            request.flaw = None;
        }
        return request;
    }
    if request.opcode == Opcode::SendWithInvalidate {
        request.key = other.window.key;
        // libmlx5 posts it on an unreliable connection, too, though that has no packet for it.
        let reliable = own.setting.transport == Transport::ReliableConnection;
        if part.is_none() || !reliable {
            request.opcode = Opcode::Send;
        }
        return request;
    }
    super::places::place(&mut request, part, other.window.key);
    request
}

/// The next of a window's 256 keys.
fn next_key(key: u32) -> u32 {
    key & !0xff | key.wrapping_add(1) & 0xff
}

impl Side {
    /// Whether a request in the queue changes this side's window.
    fn changes_window(&self) -> bool {
        self.sends.iter().any(|(_, request)| changes_key(request.opcode))
    }

    /// Whether a request in the queue invalidates the other side's window.
    fn invalidates(&self) -> bool {
        self.sends.iter().any(|(_, request)| request.opcode == Opcode::SendWithInvalidate)
    }

    /// Whether a request in the queue reaches through the other side's window.
    fn uses_window(&self) -> bool {
        self.invalidates() || self.sends.iter().any(|(_, request)| request.through)
    }

    /// Whether this side's window is open when all in the queue is done.
    fn is_open_at_last(&self) -> bool {
        let changes = self.sends.iter().rev().find(|(_, request)| changes_key(request.opcode));
        match changes {
            Some((_, last)) => last.opcode == Opcode::BindMemoryWindow,
            None => self.window.part.is_some(),
        }
    }
}

//! What the verbs say about reliable connections, as plainly as it can be said: two sides, each with memory,
//! two queues, and two lists of completions. Nothing here knows of rings, doorbells or packets.

use super::program::{Flaw, LENGTH, Piece, Receive, Request, SIZES};
use doorbell_driver::verbs::{Completed, Opcode, WorkStatus};
use std::collections::VecDeque;

/// A completion that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub wr_id: u64,
    pub status: WorkStatus,
    /// What was done, how many bytes arrived here, and the immediate data; if it succeeded.
    pub done: Option<(Completed, u32, Option<u32>)>,
    /// Number of the request in its queue.
    number: usize,
}

/// Why a post is refused, as an errno, and at which request.
pub type Refused = (usize, i32);

/// Bytes of a full packet, with the path MTU of the program.
const PACKET: usize = 256;

/// `ENOMEM`.
const NO_ROOM: i32 = 12;

/// One side.
pub struct Side {
    /// Sends and writes come from here; nothing changes it.
    pub source: Vec<u8>,
    /// What reads bring.
    pub landing: Vec<u8>,
    /// What the other side writes and reads.
    pub window: Vec<u8>,
    /// Where receives go.
    pub inbox: Vec<u8>,
    sends: VecDeque<(usize, Request)>,
    receives: VecDeque<(usize, Receive)>,
    pub sent: VecDeque<Wanted>,
    pub received: VecDeque<Wanted>,
    /// Work requests posted, and known to be done.
    send_counts: (usize, usize),
    receive_counts: (usize, usize),
    failed: bool,
}

impl Side {
    pub fn new(source: Vec<u8>) -> Self {
        let empty = || vec![0; LENGTH];
        Self {
            source,
            landing: empty(),
            window: empty(),
            inbox: empty(),
            sends: VecDeque::new(),
            receives: VecDeque::new(),
            sent: VecDeque::new(),
            received: VecDeque::new(),
            send_counts: (0, 0),
            receive_counts: (0, 0),
            failed: false,
        }
    }

    /// Posts sends: all of them, or those before the one that is refused.
    pub fn post(&mut self, requests: &[Request]) -> Result<(), Refused> {
        for (index, request) in requests.iter().enumerate() {
            let (posted, done) = self.send_counts;
            let full = posted - done >= most_sends();
            let long = request.inline && request.length() > most_inline();
            if full || request.pieces.len() > SIZES.max_send_sge as usize || long {
                return Err((index, NO_ROOM));
            }
            self.sends.push_back((posted, request.clone()));
            self.send_counts.0 += 1;
        }
        Ok(())
    }

    /// Posts receives.
    pub fn post_receives(&mut self, receives: &[Receive]) -> Result<(), Refused> {
        for (index, receive) in receives.iter().enumerate() {
            let (posted, done) = self.receive_counts;
            if posted - done >= SIZES.max_recv_wr as usize {
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

    /// Everything that is still queued ends unserved.
    fn flush(&mut self) {
        let flushed =
            |number, wr_id| Wanted { wr_id, status: WorkStatus::Flushed, done: None, number };
        let sends = self.sends.drain(..).map(|(number, request)| flushed(number, request.wr_id));
        self.sent.extend(sends);
        let receives =
            self.receives.drain(..).map(|(number, receive)| flushed(number, receive.wr_id));
        self.received.extend(receives);
    }
}

/// How many sends may be outstanding: the ring is a power of two of bytes, and counts for as many of the
/// largest WQEs as fit. (`mlx5_calc_sq_size`)
fn most_sends() -> usize {
    let wqe = largest_wqe();
    (SIZES.max_send_wr as usize * wqe).next_power_of_two() / wqe
}

/// How many bytes may be inline: what the largest WQE has room for.
fn most_inline() -> usize {
    largest_wqe() - FIXED - 4
}

/// Bytes in front of the data: 16 of the control segment, and for a window 48, 64 and 64.
const FIXED: usize = 192;

fn largest_wqe() -> usize {
    let pointers = 16 * SIZES.max_send_sge as usize;
    let inline = (4 + SIZES.max_inline_data as usize).next_multiple_of(16);
    (FIXED + pointers.max(inline)).next_multiple_of(64)
}

/// The card works until it has nothing to do.
pub fn work(sides: &mut [Side; 2]) {
    loop {
        let moved = step(sides, 0) | step(sides, 1);
        if !moved {
            return;
        }
    }
}

/// The oldest send of a side, if it can be carried out.
fn step(sides: &mut [Side; 2], which: usize) -> bool {
    let [left, right] = sides;
    let (own, other) = if which == 0 { (left, right) } else { (right, left) };
    if own.failed {
        own.flush();
        return false;
    }
    let Some((number, request)) = own.sends.pop_front() else { return false };
    match carry_out(own, other, &request) {
        Outcome::Waits => {
            own.sends.push_front((number, request));
            false
        }
        Outcome::Done(done) => {
            if request.signaled {
                let (wr_id, status) = (request.wr_id, WorkStatus::Success);
                own.sent.push_back(Wanted { wr_id, status, done: Some(done), number });
            }
            true
        }
        Outcome::Failed { status, other_too } => {
            own.sent.push_back(Wanted { wr_id: request.wr_id, status, done: None, number });
            own.failed = true;
            other.failed |= other_too;
            true
        }
    }
}

enum Outcome {
    /// Nothing to receive into.
    Waits,
    Done((Completed, u32, Option<u32>)),
    Failed {
        status: WorkStatus,
        other_too: bool,
    },
}

fn carry_out(own: &mut Side, other: &mut Side, request: &Request) -> Outcome {
    use Opcode::*;
    let remote_flaw = matches!(request.flaw, Some(Flaw::RemoteKey | Flaw::RemoteRange));
    if request.flaw == Some(Flaw::LocalKey) && request.opcode != RdmaRead {
        return Outcome::Failed { status: WorkStatus::LocalProtection, other_too: false };
    }
    if remote_flaw {
        return Outcome::Failed { status: WorkStatus::RemoteAccess, other_too: true };
    }
    let message = gather(&own.source, &request.pieces);
    let window = request.remote..request.remote + message.len();
    let receives = matches!(request.opcode, Send | SendWithImmediate | RdmaWriteWithImmediate);
    if receives && other.receives.is_empty() {
        if request.opcode == RdmaWriteWithImmediate {
            // Immediate data comes with the last packet: those before it are written by then.
            let before = message.len().saturating_sub(1) / PACKET * PACKET;
            let window = request.remote..request.remote + before;
            other.window[window].copy_from_slice(&message[..before]);
        }
        return Outcome::Waits;
    }
    let arrived = message.len() as u32;
    match request.opcode {
        RdmaWrite => other.window[window].copy_from_slice(&message),
        RdmaWriteWithImmediate => {
            other.window[window].copy_from_slice(&message);
            let done = (Completed::ReceiveRdmaWithImmediate, arrived, Some(request.immediate));
            receive(other, &[], done);
        }
        Send => receive(other, &message, (Completed::Receive, arrived, None)),
        SendWithImmediate => {
            receive(other, &message, (Completed::Receive, arrived, Some(request.immediate)));
        }
        RdmaRead => {
            // Only what comes back meets the local key.
            if request.flaw == Some(Flaw::LocalKey) {
                return Outcome::Failed { status: WorkStatus::LocalProtection, other_too: false };
            }
            let brought = other.window[window].to_vec();
            scatter(&mut own.landing, &request.pieces, &brought);
        }
        other => unreachable!("{other:?} is in no program"),
    }
    Outcome::Done(match request.opcode {
        RdmaRead => (Completed::RdmaRead, arrived, None),
        RdmaWrite | RdmaWriteWithImmediate => (Completed::RdmaWrite, 0, None),
        _ => (Completed::Send, 0, None),
    })
}

/// The oldest receive takes a message.
fn receive(side: &mut Side, message: &[u8], done: (Completed, u32, Option<u32>)) {
    let Some((number, receive)) = side.receives.pop_front() else { return };
    scatter(&mut side.inbox, &receive.pieces, message);
    let (wr_id, status) = (receive.wr_id, WorkStatus::Success);
    side.received.push_back(Wanted { wr_id, status, done: Some(done), number });
}

fn gather(from: &[u8], pieces: &[Piece]) -> Vec<u8> {
    let parts = pieces.iter().map(|piece| &from[piece.offset..piece.offset + piece.length]);
    parts.collect::<Vec<_>>().concat()
}

fn scatter(to: &mut [u8], pieces: &[Piece], mut bytes: &[u8]) {
    for piece in pieces {
        let (now, rest) = bytes.split_at(piece.length.min(bytes.len()));
        to[piece.offset..piece.offset + now.len()].copy_from_slice(now);
        bytes = rest;
    }
}

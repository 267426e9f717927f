//! What the two sides do with what is posted, until nothing more can be done.

use super::program::{Flaw, Piece, Request, is_atomic};
use super::reference::{Done, Side, Wanted};
use doorbell_driver::verbs::{Completed, Opcode, Transport, WorkStatus};

/// Bytes of a full packet, with the path MTU of the program.
const PACKET: usize = 256;

/// Bytes in front of a datagram: as many are left as they are as are for its network header.
const HEADER: usize = 20;

/// A byte of what comes into a receive.
#[derive(Clone, Copy)]
enum Arriving {
    Is(u8),
    /// Of a header that the verbs do not describe.
    Something,
    /// None: the memory stays as it is.
    Nothing,
}

/// The card works until it has nothing to do.
pub fn work(sides: &mut [Side; 2]) {
    while step(sides, 0) | step(sides, 1) {}
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
        Outcome::Done(opcode, length) => {
            if request.signaled {
                let done = Done { opcode, length, immediate: None, invalidated: None };
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
    /// What was done, and how many bytes came back.
    Done(Completed, u32),
    Failed {
        status: WorkStatus,
        other_too: bool,
    },
}

fn carry_out(own: &mut Side, other: &mut Side, request: &Request) -> Outcome {
    use Opcode::*;
    let alone = |status| Outcome::Failed { status, other_too: false };
    let both = |status| Outcome::Failed { status, other_too: true };
    let is_reliable = own.setting.transport == Transport::ReliableConnection;
    match request.flaw {
        // Of a read, only what comes back would meet the local key. It is checked before.
        Some(Flaw::LocalKey) => return alone(WorkStatus::LocalProtection),
        Some(Flaw::NoResult) => return alone(WorkStatus::LocalLength),
        Some(Flaw::KeyState) => return alone(WorkStatus::MemoryWindowBind),
        Some(Flaw::Misaligned) => return both(WorkStatus::RemoteInvalidRequest),
        Some(Flaw::RemoteKey | Flaw::RemoteRange) if is_reliable => {
            return both(WorkStatus::RemoteAccess);
        }
        // Nobody says a word.
        Some(Flaw::RemoteKey | Flaw::RemoteRange) => return lost(own, request.opcode),
        None => {}
    }
    let fetches = request.opcode == RdmaRead || is_atomic(request.opcode);
    let message = if fetches { Vec::new() } else { gather(&own.source, &request.pieces) };
    let target = request.remote..request.remote + message.len();
    match request.opcode {
        RdmaWrite => other.target[target].copy_from_slice(&message),
        RdmaWriteWithImmediate if other.receives.is_empty() => {
            // Immediate data comes with the last packet: those before it are written by then.
            let before = message.len().saturating_sub(1) / PACKET * PACKET;
            let target = request.remote..request.remote + before;
            other.target[target].copy_from_slice(&message[..before]);
            return if is_reliable { Outcome::Waits } else { lost(own, request.opcode) };
        }
        RdmaWriteWithImmediate => {
            other.target[target].copy_from_slice(&message);
            let length = message.len() as u32;
            receive(other, &[], Completed::ReceiveRdmaWithImmediate, length, request);
        }
        Send | SendWithImmediate | SendWithInvalidate => {
            if other.receives.is_empty() {
                return if is_reliable { Outcome::Waits } else { lost(own, request.opcode) };
            }
            if request.opcode == SendWithInvalidate {
                other.window.part = None;
            }
            let mut all = match own.setting.transport {
                Transport::UnreliableDatagram => {
                    [[Arriving::Nothing; HEADER], [Arriving::Something; HEADER]].concat()
                }
                _ => Vec::new(),
            };
            all.extend(message.into_iter().map(Arriving::Is));
            receive(other, &all, Completed::Receive, all.len() as u32, request);
        }
        RdmaRead => {
            let brought = other.target[request.remote..request.remote + request.length()].to_vec();
            scatter(&mut own.landing, &request.pieces, &brought);
            return Outcome::Done(Completed::RdmaRead, brought.len() as u32);
        }
        AtomicCompareAndSwap | AtomicFetchAndAdd => {
            let place = &mut other.target[request.remote..request.remote + 8];
            let before = u64::from_le_bytes(place.try_into().expect("eight bytes"));
            let [compare_add, swap] = request.operands;
            let (after, opcode) = match request.opcode {
                AtomicFetchAndAdd => (before.wrapping_add(compare_add), Completed::FetchAndAdd),
                _ if before == compare_add => (swap, Completed::CompareAndSwap),
                _ => (before, Completed::CompareAndSwap),
            };
            place.copy_from_slice(&after.to_le_bytes());
            own.swapped +=
                usize::from(request.opcode == AtomicCompareAndSwap && before == compare_add);
            let at = request.pieces[0].offset;
            own.landing[at..at + 8].copy_from_slice(&before.to_le_bytes());
            return Outcome::Done(opcode, 8);
        }
        BindMemoryWindow => {
            (own.window.part, own.window.key) = (Some(request.part), request.key);
            return Outcome::Done(Completed::BindMemoryWindow, 0);
        }
        LocalInvalidate => {
            own.window.part = None;
            return Outcome::Done(Completed::LocalInvalidate, 0);
        }
        Tso => unreachable!("{:?} is in no program", request.opcode),
    }
    sent(request.opcode)
}

/// A send or write is done: what the other side made of it does not show.
fn sent(opcode: Opcode) -> Outcome {
    let writes = matches!(opcode, Opcode::RdmaWrite | Opcode::RdmaWriteWithImmediate);
    Outcome::Done(if writes { Completed::RdmaWrite } else { Completed::Send }, 0)
}

/// The other side makes nothing of it, and this side never learns.
fn lost(own: &mut Side, opcode: Opcode) -> Outcome {
    own.lost += 1;
    sent(opcode)
}

/// The oldest receive takes a message.
fn receive(side: &mut Side, message: &[Arriving], opcode: Completed, length: u32, of: &Request) {
    let Some((number, receive)) = side.receives.pop_front() else { return };
    let places = receive.pieces.iter().flat_map(|piece| piece.offset..piece.offset + piece.length);
    for (place, byte) in places.zip(message) {
        match byte {
            Arriving::Is(byte) => side.inbox[place] = Some(*byte),
            Arriving::Something => side.inbox[place] = None,
            Arriving::Nothing => {}
        }
    }
    let immediate = match of.opcode {
        Opcode::SendWithImmediate | Opcode::RdmaWriteWithImmediate => Some(of.immediate),
        _ => None,
    };
    let invalidated = (of.opcode == Opcode::SendWithInvalidate).then_some(of.key);
    let done = Some(Done { opcode, length, immediate, invalidated });
    let (wr_id, status) = (receive.wr_id, WorkStatus::Success);
    side.received.push_back(Wanted { wr_id, status, done, number });
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

//! Random programs: what they post, receive, and poll, made from a seed.

use super::numbers::Numbers;
use doorbell_driver::verbs::{Opcode, QueuePairCapabilities, Transport};

/// Bytes in each stretch of memory.
pub const LENGTH: usize = 1024;

/// What the queues are created for.
pub const SIZES: QueuePairCapabilities = QueuePairCapabilities {
    max_send_wr: 4,
    max_recv_wr: 4,
    max_send_sge: 3,
    max_recv_sge: 2,
    max_inline_data: 64,
};

/// What a program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub transport: Transport,
    /// Each side takes its receives from a shared queue.
    pub shared: bool,
    /// Some requests are such that the card refuses them. Then only side 0 sends, because which of two
    /// sides fails first is nowhere said.
    pub flawed: bool,
    /// Each side has a memory window that is open when the program begins.
    pub open: bool,
    /// Packets may be lost. Then no request is flawed, since the word of a refusal may be lost, too; and
    /// all but reads have a fence, since a read whose answer is lost is carried out again, and must not
    /// find what a later request has left.
    pub lossy: bool,
}

/// A stretch of one of the memories: first byte, and number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub offset: usize,
    pub length: usize,
}

/// What is wrong with a request, that only the card finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A local key that does not exist.
    LocalKey,
    /// A remote key that does not exist; of a datagram, a wrong queue key.
    RemoteKey,
    /// Remote memory that is too short.
    RemoteRange,
    /// An atomic operation on eight bytes that do not lie at a multiple of eight.
    Misaligned,
    /// An atomic operation without a place for its result.
    NoResult,
    /// A window that is bound twice, or invalidated while it is free.
    KeyState,
}

/// A work request of a send queue.
#[derive(Debug, Clone)]
pub struct Request {
    pub wr_id: u64,
    pub opcode: Opcode,
    pub signaled: bool,
    pub inline: bool,
    pub fence: bool,
    pub solicited: bool,
    /// In the sender's source, or for what comes back in its landing.
    pub pieces: Vec<Piece>,
    /// Offset in the other side's target.
    pub remote: usize,
    /// The remote memory is reached through the other side's window, if it is open then.
    pub through: bool,
    /// The part of its own target that a window is bound to.
    pub part: Piece,
    /// The operands of an atomic operation.
    pub operands: [u64; 2],
    pub immediate: u32,
    /// The key that a window has, that it gets, or that is invalidated, and the one before; known when
    /// the request is posted.
    pub key: u32,
    pub old_key: u32,
    pub flaw: Option<Flaw>,
}

impl Request {
    /// Bytes of the message, or of what comes back.
    pub fn length(&self) -> usize {
        match is_atomic(self.opcode) {
            true => 8,
            false => self.pieces.iter().map(|piece| piece.length).sum(),
        }
    }
}

/// Whether an opcode is an atomic operation.
pub fn is_atomic(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::AtomicCompareAndSwap | Opcode::AtomicFetchAndAdd)
}

/// Whether an opcode changes a memory key of its own side.
pub fn changes_key(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::BindMemoryWindow | Opcode::LocalInvalidate)
}

/// Whether an opcode names memory of the other side.
pub fn is_remote(opcode: Opcode) -> bool {
    use Opcode::*;
    is_atomic(opcode) || matches!(opcode, RdmaWrite | RdmaWriteWithImmediate | RdmaRead)
}

/// A work request of a receive queue, into the inbox.
#[derive(Debug, Clone)]
pub struct Receive {
    pub wr_id: u64,
    pub pieces: Vec<Piece>,
}

/// What a program does next; `side` is 0 or 1.
#[derive(Debug, Clone)]
pub enum Act {
    Post {
        side: usize,
        requests: Vec<Request>,
    },
    Receive {
        side: usize,
        receives: Vec<Receive>,
    },
    /// The card works until it has nothing to do.
    Work,
    PollSends {
        side: usize,
        most: usize,
    },
    PollReceives {
        side: usize,
        most: usize,
    },
}

/// The setting of this seed, and its program.
pub fn program(transport: Transport, lossy: bool, seed: u64) -> (Setting, Vec<Act>) {
    let mut from = Numbers(seed);
    let setting = Setting {
        transport,
        flawed: from.one_in(4) && !lossy,
        shared: from.one_in(4),
        open: transport != Transport::UnreliableDatagram && from.one_in(2),
        lossy,
    };
    let mut wr_id = 0;
    let length = 10 + from.below(40);
    let mut acts = Vec::new();
    if setting.open {
        let bind = |side| {
            let opcode = Opcode::BindMemoryWindow;
            let request = Request { opcode, ..request(&mut from, &mut wr_id, setting) };
            let requests =
                vec![Request { flaw: None, pieces: Vec::new(), inline: false, ..request }];
            Act::Post { side, requests }
        };
        acts.extend([0, 1].map(bind));
        acts.push(Act::Work);
    }
    acts.extend((0..length).map(|_| {
        let side = from.below(2);
        match from.below(8) {
            0..3 => {
                let side = if setting.flawed { 0 } else { side };
                let requests = (0..=from.below(4)).map(|_| request(&mut from, &mut wr_id, setting));
                Act::Post { side, requests: requests.collect() }
            }
            3 | 4 => {
                let receives = (0..=from.below(3)).map(|_| receive(&mut from, &mut wr_id));
                Act::Receive { side, receives: receives.collect() }
            }
            5 => Act::Work,
            6 => Act::PollSends { side, most: 1 + from.below(4) },
            _ => Act::PollReceives { side, most: 1 + from.below(4) },
        }
    }));
    // In the end all that can be done is done, and polled.
    acts.push(Act::Work);
    for side in [0, 1] {
        acts.push(Act::PollSends { side, most: 64 });
        acts.push(Act::PollReceives { side, most: 64 });
    }
    (setting, acts)
}

/// Opcodes, those that need a receive less often than the others.
const OPCODES: [Opcode; 13] = [
    Opcode::RdmaWrite,
    Opcode::RdmaWrite,
    Opcode::RdmaWrite,
    Opcode::RdmaRead,
    Opcode::RdmaRead,
    Opcode::AtomicCompareAndSwap,
    Opcode::AtomicFetchAndAdd,
    Opcode::BindMemoryWindow,
    Opcode::LocalInvalidate,
    Opcode::Send,
    Opcode::SendWithImmediate,
    Opcode::SendWithInvalidate,
    Opcode::RdmaWriteWithImmediate,
];

/// Any opcode of a transport, and now and then one that it has not.
fn opcode(from: &mut Numbers, transport: Transport) -> Opcode {
    let any = OPCODES[from.below(OPCODES.len())];
    let has = match transport {
        Transport::ReliableConnection => true,
        Transport::UnreliableConnection => any != Opcode::RdmaRead && !is_atomic(any),
        Transport::UnreliableDatagram => {
            matches!(any, Opcode::Send | Opcode::SendWithImmediate)
        }
    };
    match has || from.one_in(40) {
        true => any,
        false => [Opcode::Send, Opcode::SendWithImmediate][from.below(2)],
    }
}

fn request(from: &mut Numbers, wr_id: &mut u64, setting: Setting) -> Request {
    *wr_id += 1;
    let opcode = opcode(from, setting.transport);
    let special = is_atomic(opcode) || changes_key(opcode);
    let inline = opcode != Opcode::RdmaRead && !special && from.one_in(4);
    // Most inline data has room, some has not; a list of four elements has not.
    let longest = if inline { 70 } else { 300 };
    let count = if from.one_in(20) { 4 } else { from.below(4) };
    let mut pieces: Vec<Piece> = (0..count).map(|_| piece(from, longest)).collect();
    if is_atomic(opcode) {
        // The result takes eight bytes, whatever the length of its element is.
        pieces = vec![Piece { offset: from.below(LENGTH - 8), length: 1 + from.below(16) }];
    } else if special {
        pieces.clear();
    }
    let length: usize = pieces.iter().map(|piece| piece.length).sum();
    let flaw = if setting.flawed { flaw(from, setting, (opcode, length, inline)) } else { None };
    if flaw == Some(Flaw::NoResult) {
        pieces.clear();
    }
    let length = if is_atomic(opcode) { 8 } else { length };
    let mut remote = from.below(LENGTH - length.min(LENGTH - 1));
    if is_atomic(opcode) {
        remote = remote / 8 * 8;
    }
    Request {
        wr_id: *wr_id,
        opcode,
        signaled: !from.one_in(3),
        inline,
        fence: from.one_in(6) || setting.lossy && opcode != Opcode::RdmaRead,
        solicited: from.one_in(6),
        remote,
        through: from.one_in(2),
        part: Piece { offset: from.below(LENGTH / 2), length: 1 + from.below(LENGTH / 2) },
        operands: [0; 2].map(|_| operand(from)),
        pieces,
        immediate: from.next() as u32,
        key: 0,
        old_key: 0,
        flaw,
    }
}

/// A number that comparisons find now and then, or any.
fn operand(from: &mut Numbers) -> u64 {
    match from.below(3) {
        0 => from.next(),
        few => few as u64 - 1,
    }
}

/// One of the flaws that a request can have, or none.
fn flaw(
    from: &mut Numbers,
    setting: Setting,
    (opcode, length, inline): (Opcode, usize, bool),
) -> Option<Flaw> {
    let is_datagram = setting.transport == Transport::UnreliableDatagram;
    match from.below(12) {
        0 if length > 0 && !inline => Some(Flaw::LocalKey),
        1 if length > 0 && is_remote(opcode) || is_datagram => Some(Flaw::RemoteKey),
        2 if length > 0 && is_remote(opcode) => Some(Flaw::RemoteRange),
        3 if is_atomic(opcode) => Some(Flaw::Misaligned),
        4 if is_atomic(opcode) => Some(Flaw::NoResult),
        0..4 if changes_key(opcode) => Some(Flaw::KeyState),
        _ => None,
    }
}

/// A receive that takes any message.
fn receive(from: &mut Numbers, wr_id: &mut u64) -> Receive {
    *wr_id += 1;
    let first = Piece { offset: from.below(100), length: from.below(200) };
    let second = Piece { offset: 0, length: LENGTH };
    Receive { wr_id: *wr_id, pieces: vec![first, second] }
}

/// Some bytes, or none.
fn piece(from: &mut Numbers, longest: usize) -> Piece {
    let length = if from.one_in(6) { 0 } else { from.below(longest) };
    Piece { offset: from.below(LENGTH - length), length }
}

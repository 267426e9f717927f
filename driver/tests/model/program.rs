//! Random programs: what they post, receive, and poll, made from a seed.

use doorbell_driver::verbs::{Opcode, QueuePairCapabilities};

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

/// The numbers of a seed. (SplitMix64)
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// One below `limit`, which is above 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
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
    /// A remote key that does not exist.
    RemoteKey,
    /// Remote memory that is too short.
    RemoteRange,
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
    /// In the sender's source, or for a read in its landing.
    pub pieces: Vec<Piece>,
    /// Offset in the other side's window.
    pub remote: usize,
    pub immediate: u32,
    pub flaw: Option<Flaw>,
}

impl Request {
    /// Bytes of the message.
    pub fn length(&self) -> usize {
        self.pieces.iter().map(|piece| piece.length).sum()
    }
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

/// A program of this seed. One in four has requests that the card refuses; then only side 0 sends, because
/// which of two sides fails first is nowhere said.
pub fn program(seed: u64) -> Vec<Act> {
    let mut from = Numbers(seed);
    let flawed = from.one_in(4);
    let mut wr_id = 0;
    let length = 10 + from.below(40);
    let acts = (0..length).map(|_| {
        let side = from.below(2);
        match from.below(8) {
            0..3 => {
                let side = if flawed { 0 } else { side };
                let requests = (0..=from.below(4)).map(|_| request(&mut from, &mut wr_id, flawed));
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
    });
    let mut acts: Vec<Act> = acts.collect();
    // In the end all that can be done is done, and polled.
    acts.push(Act::Work);
    for side in [0, 1] {
        acts.push(Act::PollSends { side, most: 64 });
        acts.push(Act::PollReceives { side, most: 64 });
    }
    acts
}

/// Opcodes, those that need a receive less often than the others.
const OPCODES: [Opcode; 7] = [
    Opcode::RdmaWrite,
    Opcode::RdmaWrite,
    Opcode::RdmaRead,
    Opcode::RdmaRead,
    Opcode::Send,
    Opcode::SendWithImmediate,
    Opcode::RdmaWriteWithImmediate,
];

fn request(from: &mut Numbers, wr_id: &mut u64, flawed: bool) -> Request {
    *wr_id += 1;
    let opcode = OPCODES[from.below(OPCODES.len())];
    let inline = opcode != Opcode::RdmaRead && from.one_in(4);
    // Most inline data has room, some has not; a list of four elements has not.
    let longest = if inline { 70 } else { 300 };
    let count = if from.one_in(20) { 4 } else { from.below(4) };
    let pieces: Vec<Piece> = (0..count).map(|_| piece(from, longest)).collect();
    let length: usize = pieces.iter().map(|piece| piece.length).sum();
    let touches = !matches!(opcode, Opcode::Send | Opcode::SendWithImmediate);
    let flaw = match from.below(12) {
        0 if flawed && length > 0 && !inline => Some(Flaw::LocalKey),
        1 if flawed && length > 0 && touches => Some(Flaw::RemoteKey),
        2 if flawed && length > 0 && touches => Some(Flaw::RemoteRange),
        _ => None,
    };
    Request {
        wr_id: *wr_id,
        opcode,
        signaled: !from.one_in(3),
        inline,
        fence: from.one_in(6),
        solicited: from.one_in(6),
        remote: from.below(LENGTH - length.min(LENGTH - 1)),
        pieces,
        immediate: from.next() as u32,
        flaw,
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

//! What a program answered, read along with the cases: each call's WQEs with all that must differ
//! between two programs taken out.

use crate::cases::{Call, Piece, Send, Sizes, Step};
use crate::grid::{Besides, max_inline, row};
use doorbell_driver::verbs::{Opcode, Transport, WindowKind};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Lines;

/// Size of a unit and of a block.
const UNIT: usize = 16;
const BLOCK: usize = 64;

/// The lkey that ends a receive's list (`MLX5_INVALID_LKEY`).
const END_OF_LIST: u32 = 0x100;

/// What is different in every process, and taken out of what is compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    pub qpn: u32,
    /// The queue pair that receives.
    other: u32,
    lkey: u32,
    rkey: u32,
    window: u32,
    local: u64,
    remote: u64,
}

/// What came of one step.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// A pair: numbers of entries and sizes.
    Pair(Vec<u64>),
    Nothing,
    /// A post.
    Posted(Posted),
    /// Completions, and the record of the queue that they were polled from.
    Completions(Vec<String>),
}

/// What one call wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Posted {
    /// Error number and index of the refused request.
    pub result: (i32, Option<usize>),
    /// The WQEs that were handed over, unit by unit.
    pub wqes: Vec<Vec<[u8; UNIT]>>,
    /// Units that were written and belong to no WQE that was handed over.
    pub besides: BTreeMap<usize, [u8; UNIT]>,
    /// The doorbell record.
    pub record: String,
    /// A request was refused because of its inline data, or a batch because of anything.
    pub given_up: bool,
}

/// What must have been written to the register by a call, if anything was.
#[derive(Debug, Clone)]
pub struct Rung {
    /// Blocks of the last WQE as they are in the ring.
    pub last: Vec<u8>,
    /// The block behind it: where a refused request's WQE would have begun.
    pub behind: Vec<u8>,
    /// A request with inline data was refused after others were not.
    pub refused_inline: bool,
}

/// A program's answer, read step by step.
pub struct Answer<'a> {
    name: &'static str,
    lines: Peekable<Lines<'a>>,
    pub own: Own,
    send: Ring,
    receive: Ring,
    sizes: Option<Sizes>,
    /// What each call must have written to the register, by pair.
    pub rung: Vec<(u32, Vec<Rung>)>,
    /// Where WQEs began, of the pair at hand.
    pub begun: Vec<bool>,
    /// WQEs with pointers and with inline data that went on at the ring's beginning.
    pub crossed: [usize; 2],
}

/// The image of a ring, put together from the units that changed.
#[derive(Default)]
struct Ring {
    bytes: Vec<u8>,
    stride: usize,
    /// Entries or blocks posted.
    head: usize,
}

impl Ring {
    fn unit(&self, offset: usize) -> [u8; UNIT] {
        let offset = offset % self.bytes.len();
        self.bytes[offset..offset + UNIT].try_into().expect("a unit")
    }

    fn block(&self, number: usize) -> &[u8] {
        let offset = number * BLOCK % self.bytes.len();
        &self.bytes[offset..offset + BLOCK]
    }
}

impl<'a> Answer<'a> {
    /// The answer of a program, behind the lines that tell of the program itself.
    pub fn new(name: &'static str, text: &'a str) -> Self {
        let mut lines = text.lines().peekable();
        let of_itself = |line: &&str| line.starts_with("library ") || line.starts_with("posts ");
        while lines.next_if(of_itself).is_some() {}
        Self {
            name,
            lines,
            own: Own::default(),
            send: Ring::default(),
            receive: Ring::default(),
            sizes: None,
            rung: Vec::new(),
            begun: Vec::new(),
            crossed: [0; 2],
        }
    }

    /// What came of a step.
    pub fn step(&mut self, step: &Step) -> Came {
        match step {
            Step::Pair(sizes) => self.pair(sizes),
            Step::Fill(byte) => {
                self.send.bytes.fill(*byte);
                self.receive.bytes.fill(*byte);
                Came::Nothing
            }
            Step::Send(call) => Came::Posted(self.sent(call)),
            Step::Receive(call) => Came::Posted(self.received(call)),
            Step::Poll(count) | Step::Take(count) => self.completions(*count),
        }
    }

    /// Whether everything was read.
    pub fn is_at_its_end(&mut self) -> bool {
        self.lines.peek().is_none()
    }

    /// The next line, which must begin with `word`; the words behind that.
    fn line(&mut self, word: &str) -> Vec<&'a str> {
        let line = self.lines.next().unwrap_or("nothing more");
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some(word), "{}: {line:?}", self.name);
        words.collect()
    }

    fn pair(&mut self, sizes: &Sizes) -> Came {
        let words = self.line("pair");
        let number = |index: usize| words[index].parse::<u64>().expect("a number");
        self.own = Own {
            qpn: number(0) as u32,
            other: number(1) as u32,
            lkey: number(2) as u32,
            rkey: number(3) as u32,
            window: number(4) as u32,
            local: number(5),
            remote: number(6),
        };
        let (blocks, receives, stride) =
            (number(7) as usize, number(8) as usize, number(9) as usize);
        self.send = Ring { bytes: vec![0; blocks * BLOCK], stride: BLOCK, head: 0 };
        self.receive = Ring { bytes: vec![0; receives * stride], stride, head: 0 };
        self.begun = vec![false; blocks];
        self.sizes = Some(*sizes);
        self.rung.push((self.own.qpn, Vec::new()));
        // libmlx5 says how much inline data it takes; ours is asked by what it refuses.
        if words[12] != "-" {
            assert_eq!(words[12].parse(), Ok(max_inline(sizes)), "max_inline_data");
        }
        Came::Pair((7..12).map(number).collect())
    }

    fn sent(&mut self, call: &Call<Send>) -> Posted {
        let result = self.result("send");
        let mut changed = self.changed("s");
        for (offset, unit) in &changed {
            self.send.bytes[*offset..offset + UNIT].copy_from_slice(unit);
        }
        let record = self.line("d").concat();
        let posted = result.1.unwrap_or(call.requests.len());
        let refused_inline = result.1.is_some_and(|index| self.is_too_long(&call.requests[index]));
        let mut wqes = Vec::new();
        let mut last = (self.send.head, 0);
        for request in &call.requests[..posted] {
            let (first, units) = self.wqe(request, &mut wqes);
            for unit in 0..units {
                changed.remove(&((first * BLOCK + unit * UNIT) % self.send.bytes.len()));
            }
            last = (first, units);
        }
        if posted > 0 {
            let blocks = (last.0..last.0 + last.1.div_ceil(4)).map(|block| self.send.block(block));
            let rung = Rung {
                last: blocks.flatten().copied().collect(),
                behind: self.send.block(self.send.head).to_vec(),
                refused_inline,
            };
            self.rung.last_mut().expect("a pair").1.push(rung);
        }
        let given_up = refused_inline || (result.1.is_some() && self.is_by_batch());
        Posted { result, wqes, besides: changed, record, given_up }
    }

    fn is_by_batch(&self) -> bool {
        self.sizes.expect("a pair").by_batch
    }

    fn is_datagram(&self) -> bool {
        self.sizes.expect("a pair").transport == Transport::UnreliableDatagram
    }

    /// Whether a request is refused because of its inline data.
    fn is_too_long(&self, request: &Send) -> bool {
        let sizes = self.sizes.expect("a pair");
        request.is_inline()
            && request.pieces.len() <= sizes.send_sges
            && request.length() > max_inline(&sizes)
    }

    /// Takes the WQE of a request out of the ring: where it began, and its units.
    fn wqe(&mut self, request: &Send, wqes: &mut Vec<Vec<[u8; UNIT]>>) -> (usize, usize) {
        let (first, row) = (self.send.head, row(request.opcode));
        let at = |unit: usize| first * BLOCK + unit * UNIT;
        let mut control = self.send.unit(at(0));
        let units = usize::from(control[7] & 0x3f);
        assert!(units > 0, "{}: a WQE of no length at block {first}: {control:02x?}", self.name);
        self.take(&mut control[4..7], &self.own.qpn.to_be_bytes()[1..], "QPN");
        if self.is_by_batch() {
            self.immediate(request.opcode, &mut control[12..]);
        }
        let mut wqe = vec![control];
        for number in 1..units {
            let mut unit = self.send.unit(at(number));
            match (row.besides, number) {
                (Besides::Key, _) => self.of_key(request, number, units, &mut unit),
                (_, 1) if row.remote => {
                    self.base(&mut unit[..8], self.own.remote);
                    self.take(&mut unit[8..12], &self.own.rkey.to_be_bytes(), "rkey");
                }
                (Besides::Atomic, 2) if request.opcode == Opcode::AtomicFetchAndAdd => {
                    self.leaves_out(&mut unit[8..]);
                }
                (Besides::Atomic, 2) => {}
                (_, 1) if self.is_datagram() => {
                    self.take(&mut unit[9..12], &self.own.other.to_be_bytes()[1..], "other QPN");
                }
                (_, 2..=3) if self.is_datagram() => {}
                _ if !request.is_inline() => {
                    self.take(&mut unit[4..8], &self.own.lkey.to_be_bytes(), "lkey");
                    self.base(&mut unit[8..], self.own.local);
                }
                _ => {}
            }
            wqe.push(unit);
        }
        wqes.push(wqe);
        let blocks = units.div_ceil(4);
        self.send.head += blocks;
        let ring = self.begun.len();
        self.begun[first % ring] = true;
        if first % ring + blocks > ring {
            self.crossed[usize::from(request.is_inline())] += 1;
        }
        (first, units)
    }

    /// The last field of the control segment of a request of a batch.
    fn immediate(&self, opcode: Opcode, field: &mut [u8]) {
        match opcode {
            Opcode::BindMemoryWindow => {
                self.take(field, &self.own.window.to_be_bytes(), "window's key");
            }
            Opcode::RdmaWriteWithImmediate
            | Opcode::SendWithImmediate
            | Opcode::SendWithInvalidate
            | Opcode::LocalInvalidate => {}
            _ => self.leaves_out(field),
        }
    }

    /// A unit of a change of a memory key: three of the UMR control segment, four of the key's
    /// context, four of the translation of a window that is bound, in 12 units all together.
    fn of_key(&self, request: &Send, number: usize, units: usize, unit: &mut [u8; UNIT]) {
        let (is_bound, bind) = (units == 12, request.bind());
        match number {
            4 => {
                self.leaves_out(&mut unit[1..2]);
                if !is_bound {
                    self.leaves_out(&mut unit[2..3]);
                }
                self.leaves_out(&mut unit[3..4]);
                if is_bound && (self.is_by_batch() || bind.window == WindowKind::Two) {
                    self.take(&mut unit[4..7], &self.own.qpn.to_be_bytes()[1..], "QPN");
                }
                self.leaves_out(&mut unit[8..]);
            }
            5 if is_bound && (self.is_by_batch() || !bind.zero_based) => {
                self.base(&mut unit[..8], self.own.local);
            }
            5 if is_bound => {}
            5..=7 => self.leaves_out(unit),
            8 => {
                self.take(&mut unit[4..8], &self.own.lkey.to_be_bytes(), "lkey");
                self.base(&mut unit[8..], self.own.local);
            }
            _ => {}
        }
    }

    /// Fields that nobody looks at: see DIFFERENCES. Ours are 0.
    fn leaves_out(&self, bytes: &mut [u8]) {
        let are_zero = bytes.iter().all(|byte| *byte == 0);
        assert!(self.name != "ours" || are_zero, "not zero, and not looked at: {bytes:02x?}");
        bytes.fill(0);
    }

    fn received(&mut self, call: &Call<Vec<Piece>>) -> Posted {
        let result = self.result("recv");
        let mut changed = self.changed("r");
        for (offset, unit) in &changed {
            self.receive.bytes[*offset..offset + UNIT].copy_from_slice(unit);
        }
        let record = self.line("d").concat();
        let mut wqes = Vec::new();
        for pieces in &call.requests[..result.1.unwrap_or(call.requests.len())] {
            let first = self.receive.head * self.receive.stride;
            let filled = pieces.iter().filter(|(_, length)| *length > 0).count();
            let mut wqe = Vec::new();
            for number in 0..self.receive.stride / UNIT {
                let mut unit = self.receive.unit(first + number * UNIT);
                if number < filled {
                    self.take(&mut unit[4..8], &self.own.rkey.to_be_bytes(), "lkey");
                    self.base(&mut unit[8..], self.own.remote);
                } else if number == filled {
                    assert_eq!(unit[4..8], END_OF_LIST.to_be_bytes(), "{}", self.name);
                }
                changed.remove(&((first + number * UNIT) % self.receive.bytes.len()));
                wqe.push(unit);
            }
            wqes.push(wqe);
            self.receive.head += 1;
        }
        Posted { result, wqes, besides: changed, record, given_up: false }
    }

    fn completions(&mut self, count: usize) -> Came {
        let mut lines: Vec<String> = (0..count).map(|_| self.line("w").join(" ")).collect();
        lines.push(self.line("c").concat());
        Came::Completions(lines)
    }

    fn result(&mut self, call: &str) -> (i32, Option<usize>) {
        let words = self.line(call);
        (words[0].parse().expect("an error number"), words[1].parse().ok())
    }

    /// The units that changed.
    fn changed(&mut self, name: &str) -> BTreeMap<usize, [u8; UNIT]> {
        let mut changed = BTreeMap::new();
        while self.lines.peek().is_some_and(|line| line.split(' ').next() == Some(name)) {
            let words = self.line(name);
            changed.insert(words[0].parse().expect("an offset"), unhex(words[1]));
        }
        changed
    }

    /// Takes out a number that must be this program's own.
    fn take(&self, bytes: &mut [u8], own: &[u8], what: &str) {
        assert_eq!(bytes, own, "{}: not the {what}", self.name);
        bytes.fill(0);
    }

    /// Makes an address of one of this program's buffers an offset into it.
    fn base(&self, bytes: &mut [u8], base: u64) {
        let address = u64::from_be_bytes((&*bytes).try_into().expect("eight bytes"));
        bytes.copy_from_slice(&address.wrapping_sub(base).to_be_bytes());
    }
}

fn unhex(text: &str) -> [u8; UNIT] {
    let byte = |index: usize| u8::from_str_radix(&text[2 * index..2 * index + 2], 16);
    std::array::from_fn(|index| byte(index).expect("hex digits"))
}

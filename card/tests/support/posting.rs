//! Posting work requests, and what comes of them.

use super::data::*;
use super::*;
use doorbell_prm::cqe::{Cqe, CqeSyndrome, ErrorCqe};
use doorbell_prm::doorbell::{CqArmDoorbell, EqDoorbell};
use doorbell_prm::eqe::Eqe;
use doorbell_prm::wqe::*;

impl Setup {
    /// Where a byte of the registered memory really lies.
    pub fn bus(&self, address: u64) -> u64 {
        let into = address - VIRTUAL;
        self.pages[(into / PAGE) as usize] + into % PAGE
    }

    /// Reads registered memory.
    pub fn get(&self, address: u64, length: usize) -> Vec<u8> {
        let bytes = address..address + length as u64;
        bytes.map(|at| self.machine.memory.get(self.bus(at), 1)[0]).collect()
    }

    /// Writes registered memory.
    pub fn put(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            let at = self.bus(at);
            self.machine.memory.put(at, &[*byte]);
        }
    }

    /// Puts a WQE into the ring and counts it in the doorbell record. The index and the queue
    /// pair number of its control segment are filled in.
    pub fn place(&mut self, pair: usize, wqe: &[u8]) -> [u8; 8] {
        let mut wqe = wqe.to_vec();
        wqe.resize(wqe.len().next_multiple_of(SEND_BLOCK), 0);
        let it = &mut self.pairs[pair];
        let (control, _) = ControlSegment::mut_from_prefix(&mut wqe).unwrap();
        control.set_wqe_index(it.posted.into());
        control.set_qpn(it.qpn);
        for (number, block) in wqe.chunks(SEND_BLOCK).enumerate() {
            let place = (u64::from(it.posted) + number as u64) % (1 << LOG_SQ);
            let at = it.buffer + RQ_BYTES + place * SEND_BLOCK as u64;
            self.machine.memory.put(at, block);
        }
        it.posted = it.posted.wrapping_add((wqe.len() / SEND_BLOCK) as u16);
        let (record, posted) = (it.record, u32::from(it.posted));
        self.machine.memory.put(record + 4, &posted.to_be_bytes());
        wqe[..8].try_into().unwrap()
    }

    /// Rings the 8-byte send doorbell.
    pub fn doorbell(&mut self, head: [u8; 8]) {
        let at = (u64::from(self.uar) << 12) + 0x800;
        self.machine.card.write(at, &head);
        self.machine.settle();
    }

    /// Places WQEs and rings once, for the last of them.
    pub fn post(&mut self, pair: usize, wqes: &[Vec<u8>]) {
        let mut head = [0; 8];
        for wqe in wqes {
            head = self.place(pair, wqe);
        }
        self.doorbell(head);
    }

    /// Posts a receive with these pieces: address and length.
    pub fn receive(&mut self, pair: usize, pieces: &[(u64, u32)]) {
        let key = self.key;
        let segments =
            pieces.iter().map(|(address, length)| DataSegment::new(*length, key, *address));
        let mut wqe: Vec<u8> = segments.flat_map(|segment| segment.as_bytes().to_vec()).collect();
        if wqe.len() < 64 {
            wqe.extend(DataSegment::end_of_list().as_bytes());
        }
        self.raw_receive(pair, &wqe);
    }

    pub fn raw_receive(&mut self, pair: usize, wqe: &[u8]) {
        let it = &mut self.pairs[pair];
        let at = it.buffer + u64::from(it.received) % (1 << LOG_RQ) * 64;
        it.received = it.received.wrapping_add(1);
        let (record, received) = (it.record, u32::from(it.received));
        self.machine.memory.put(at, wqe);
        self.machine.memory.put(record, &received.to_be_bytes());
    }

    /// The next CQE of a pair's queue, if there is one. Counts it as consumed in the record.
    pub fn poll(&mut self, pair: usize) -> Option<Cqe> {
        let number = self.pairs[pair].cq;
        let queue = &mut self.cqs[number];
        let index = queue.consumer % (1 << queue.log_size);
        let bytes = self.machine.memory.get(queue.buffer + u64::from(index) * 64, 64);
        let cqe = Cqe::read_from_bytes(bytes).unwrap();
        let turn = queue.consumer >> queue.log_size & 1;
        if u32::from(cqe.owner()) != turn || cqe.opcode() == 15 {
            return None;
        }
        queue.consumer += 1;
        let (record, consumer) = (queue.record, queue.consumer);
        self.machine.memory.put(record, &consumer.to_be_bytes());
        Some(cqe)
    }

    /// All CQEs that are there, as (opcode, index) or (syndrome, index).
    pub fn outcomes(&mut self, pair: usize) -> Vec<Outcome> {
        std::iter::from_fn(|| self.poll(pair).map(outcome)).collect()
    }

    /// The next EQE, if there is one.
    pub fn event(&mut self) -> Option<Eqe> {
        next_event(&self.machine, &mut self.eq)
    }

    /// What arms the event queue, and where that is written.
    pub fn eq_doorbell(&self) -> (u64, EqDoorbell) {
        let mut doorbell = EqDoorbell::zeroed();
        doorbell.set_eqn(self.eq.number);
        doorbell.set_consumer_index(self.eq.consumer);
        ((u64::from(self.uar) << 12) + 0x40, doorbell)
    }

    /// The same of a completion queue.
    pub fn cq_doorbell(&self, queue: Queue, solicited_only: bool) -> (u64, CqArmDoorbell) {
        let mut doorbell = CqArmDoorbell::zeroed();
        doorbell.set_cqn(queue.number);
        doorbell.set_consumer_index(queue.consumer);
        doorbell.set_solicited_only(solicited_only.into());
        ((u64::from(self.uar) << 12) + 0x20, doorbell)
    }

    pub fn arm_eq(&mut self) {
        let (register, doorbell) = self.eq_doorbell();
        self.machine.card.write(register, doorbell.as_bytes());
        self.machine.settle();
    }

    pub fn arm_cq(&mut self, pair: usize, solicited_only: bool) {
        let (register, doorbell) = self.cq_doorbell(self.cqs[self.pairs[pair].cq], solicited_only);
        self.machine.card.write(register, doorbell.as_bytes());
        self.machine.settle();
    }

    pub fn state(&mut self, pair: usize) -> QpState {
        let mut query = QueryQpIn::new();
        query.set_qpn(self.pairs[pair].qpn);
        QpState::from_code(self.machine.command(&query, &[]).qpc().state()).unwrap()
    }
}

/// What a CQE says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Opcode and WQE index.
    Done(u8, u16),
    /// Syndrome and WQE index.
    Failed(CqeSyndrome, u16),
}

pub fn outcome(cqe: Cqe) -> Outcome {
    let index = cqe.wqe_counter.get();
    if !cqe.is_error() {
        return Outcome::Done(cqe.opcode(), index);
    }
    let error = ErrorCqe::read_from_bytes(cqe.as_bytes()).unwrap();
    Outcome::Failed(CqeSyndrome::from_code(error.syndrome).unwrap(), index)
}

/// The vendor syndrome of an error CQE.
pub fn vendor_syndrome(cqe: &Cqe) -> u8 {
    ErrorCqe::read_from_bytes(cqe.as_bytes()).unwrap().vendor_err_synd
}

/// A WQE of these segments; the control segment's DS count fits.
pub fn wqe(opcode: SendOpcode, flags: u8, immediate: u32, segments: &[&[u8]]) -> Vec<u8> {
    let body: Vec<u8> = segments.concat();
    let ds = (16 + body.len()).div_ceil(16) as u8;
    let control = ControlSegment::new(0, 0, opcode.code(), 0, ds, flags, immediate);
    [control.as_bytes(), &body].concat()
}

/// RDMA WRITE or READ, signalled, of one piece.
pub fn rdma(opcode: SendOpcode, remote: (u64, u32), local: (u64, u32, u32)) -> Vec<u8> {
    let remote = RemoteAddressSegment::new(remote.0, remote.1);
    let data = DataSegment::new(local.1, local.2, local.0);
    wqe(opcode, CONTROL_CQ_UPDATE, 0, &[remote.as_bytes(), data.as_bytes()])
}

/// FETCH AND ADD, signalled; what was found goes into the local piece.
pub fn atomic_add(remote: (u64, u32), add: u64, local: (u64, u32, u32)) -> Vec<u8> {
    atomic(SendOpcode::AtomicFetchAdd, remote, (add, 0), local)
}

/// COMPARE AND SWAP, signalled: swaps in the first of two values if it finds the second.
pub fn atomic_swap(remote: (u64, u32), values: (u64, u64), local: (u64, u32, u32)) -> Vec<u8> {
    atomic(SendOpcode::AtomicCompareSwap, remote, values, local)
}

fn atomic(
    opcode: SendOpcode,
    remote: (u64, u32),
    (swap_add, compare): (u64, u64),
    local: (u64, u32, u32),
) -> Vec<u8> {
    let remote = RemoteAddressSegment::new(remote.0, remote.1);
    let operands = AtomicSegment { swap_add: swap_add.into(), compare: compare.into() };
    let data = DataSegment::new(local.1, local.2, local.0);
    let segments: [&[u8]; 3] = [remote.as_bytes(), operands.as_bytes(), data.as_bytes()];
    wqe(opcode, CONTROL_CQ_UPDATE, 0, &segments)
}

/// Says that a change of a window binds it: where, with which rights, and four octowords of entries tell it.
pub fn changes_place_and_rights(control: &mut UmrControlSegment) {
    control.klm_octowords = 4.into();
    control.set_changes_length(1);
    control.set_changes_start(1);
    control.set_changes_local_write(1);
    control.set_changes_remote_read(1);
    control.set_changes_remote_write(1);
    control.set_changes_atomic(1);
}

/// SEND of inline bytes, signalled.
pub fn send_inline(bytes: &[u8]) -> Vec<u8> {
    let header = InlineHeader::new(bytes.len() as u32);
    wqe(SendOpcode::Send, CONTROL_CQ_UPDATE, 0, &[header.as_bytes(), bytes])
}

/// Posts a bad WQE, then a good one and a receive; the first fails with `syndrome` and the others
/// are flushed.
pub fn fails_with(it: &mut Setup, bad: Vec<u8>, syndrome: CqeSyndrome) {
    let good = wqe(SendOpcode::Nop, 0, 0, &[]);
    it.receive(0, &[]);
    let first = it.pairs[0].posted;
    let head = it.place(0, &bad);
    it.place(0, &good);
    let second = it.pairs[0].posted.wrapping_sub(1);
    it.doorbell(head);
    let expected = [
        Outcome::Failed(syndrome, first),
        Outcome::Failed(CqeSyndrome::WorkRequestFlushed, second),
        Outcome::Failed(CqeSyndrome::WorkRequestFlushed, 0),
    ];
    let entries: Vec<Cqe> = std::iter::from_fn(|| it.poll(0)).collect();
    let outcomes: Vec<Outcome> = entries.iter().map(|entry| outcome(*entry)).collect();
    assert_eq!(outcomes, expected);
    let vendors: Vec<u8> = entries.iter().map(vendor_syndrome).collect();
    let of_syndrome = match syndrome {
        CqeSyndrome::TransportRetryExceeded => 0x81,
        CqeSyndrome::RnrRetryExceeded => 0x87,
        CqeSyndrome::RemoteAccessError => 0x88,
        CqeSyndrome::RemoteInvalidRequest => 0x8a,
        _ => 0,
    };
    assert_eq!(vendors, [of_syndrome, 0xf9, 0xf9], "what is flushed follows from the failure");
    assert_eq!(it.state(0), QpState::Error);
}

pub fn write_from(it: &Setup, address: u64, length: u32, lkey: u32) -> Vec<u8> {
    rdma(SendOpcode::RdmaWrite, (VIRTUAL + 0x8000, it.key), (address, length, lkey))
}

/// Bytes that are not all alike.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 256) as u8).collect()
}

//! What a guest posts: work requests that make sense but for a part of them, and any bytes.

use crate::world::*;
use doorbell_prm::wqe::*;

/// Blocks of a send queue, in bytes: the longest WQE takes all of them.
const LONGEST: usize = 1008;

impl World {
    pub fn some_pair(&mut self) -> usize {
        self.random.below(self.it.pairs.len() as u64) as usize
    }

    /// A key with an address near what it stands for.
    pub fn somewhere(&mut self) -> (u64, u32) {
        if self.careful {
            let known = self.keys[0];
            return ((known.address + self.random.below(0x8000)) & !7, known.key);
        }
        let mut known = self.keys[0];
        if self.random.once_in(2) {
            known = self.random.pick(&self.keys);
        }
        let key = match self.random.below(24) {
            0 => self.random.any() as u32,
            1 => known.key ^ 1 << self.random.below(32),
            _ => known.key,
        };
        let address = match self.random.below(12) {
            0 => self.random.sized(),
            1 => known.address.wrapping_sub(self.random.below(64)),
            2 => {
                let end = known.address.wrapping_add(known.length);
                end.wrapping_sub(self.random.below(known.length.min(80)))
            }
            3 => known.address,
            _ => known.address.wrapping_add(self.random.below(known.length)),
        };
        let aligned = if self.random.once_in(2) { address & !7 } else { address };
        (aligned, key)
    }

    fn length(&mut self) -> u32 {
        if self.careful {
            return 8 + self.random.below(1000) as u32;
        }
        match self.random.below(16) {
            0 => self.random.any() as u32,
            1 => self.random.below(0x1_0001) as u32,
            2..5 => self.random.below(3000) as u32,
            5 => 0,
            _ => 1 + self.random.below(300) as u32,
        }
    }

    pub fn data_segment(&mut self) -> Vec<u8> {
        let ((address, key), length) = (self.somewhere(), self.length());
        DataSegment::new(length, key, address).as_bytes().to_vec()
    }

    fn parts(&mut self, inline: bool) -> Vec<u8> {
        let mut parts = Vec::new();
        for _ in 0..self.random.pick(&[0, 1, 1, 1, 2, 3, 5, 9, 14]) {
            if inline && self.random.once_in(4) {
                let data = self.random.bytes(64);
                let length = self.random.below(64) as usize;
                parts.extend(InlineHeader::new(length as u32).as_bytes());
                parts.extend(&data[..length]);
                parts.resize(parts.len().next_multiple_of(16), 0);
            } else {
                parts.extend(self.data_segment());
            }
        }
        parts
    }

    /// Where a datagram goes: mostly to the card's own other queue pair.
    fn datagram_segment(&mut self, at: usize) -> Vec<u8> {
        let config = self.it.machine.card.config();
        let (mac, ip, lid) = match self.random.once_in(6) {
            true => (ABROAD_MAC, ABROAD_IP, ABROAD_LID),
            false => (config.mac, config.ipv4, 7),
        };
        let peer = self.kinds[at].peer.unwrap_or(at);
        let mut segment = DatagramSegment::zeroed();
        segment.queue_key = if self.random.once_in(8) { 1 } else { QUEUE_KEY }.into();
        segment.set_extended(1);
        segment.set_destination_qpn(self.it.pairs[peer].qpn);
        segment.rlid = lid.into();
        segment.rmac = mac;
        segment.rgid[10..12].fill(0xff);
        segment.rgid[12..].copy_from_slice(&ip);
        segment.as_bytes().to_vec()
    }

    /// The shared receive queue that a message of an extended connection names: mostly the right one.
    pub fn receiver(&mut self) -> u32 {
        match self.random.once_in(24) {
            true => self.random.pick(&[self.pools[0].number, 0, 0xff_ffff]),
            false => self.pools[1].number,
        }
    }

    /// A change of a window, as `set_bind_wr` of libmlx5 makes it; the window's key is the immediate.
    pub fn bind_segments(&mut self, at: usize) -> (u32, Vec<u8>) {
        let Some(which) = self.windows.len().checked_sub(1) else { return (0, Vec::new()) };
        let which = self.random.below(which as u64 + 1) as usize;
        let window = self.windows[which];
        let unbinds = !self.careful && self.random.once_in(4);
        let new_low_byte = self.random.any() as u8;
        let mut control = UmrControlSegment::zeroed();
        control.set_is_inline(1);
        control.set_translation_in_octowords(1);
        control.set_changes_free(1);
        control.set_changes_mkey(1);
        control.set_changes_qpn(1);
        control.set_check_free((!self.careful && self.random.once_in(2)).into());
        let mut context = MkeyContextSegment::zeroed();
        let qpn = self.it.pairs[at].qpn;
        let own = self.careful || self.random.once_in(2);
        context.set_qpn(if own { qpn } else { 0xff_ffff });
        context.set_mkey(new_low_byte.into());
        self.windows[which] = window & !0xff | u32::from(new_low_byte);
        if unbinds {
            context.set_free(1);
            return (window, [control.as_bytes(), context.as_bytes()].concat());
        }
        changes_place_and_rights(&mut control);
        context.set_remote_read(1);
        context.set_remote_write(self.random.once_in(2).into());
        context.set_atomic(self.random.once_in(2).into());
        let (address, key) = self.somewhere();
        let length = 1 + self.random.below(0x1000);
        context.start_address = address.into();
        context.length = length.into();
        let mut part = KlmSegment::zeroed();
        part.byte_count = (length as u32).into();
        part.mkey = key.into();
        part.address = address.into();
        let bound = Key { key: self.windows[which], address, length };
        let first = self.keys.len() - self.windows.len();
        self.keys[first + which] = bound;
        let segments = [control.as_bytes(), context.as_bytes(), part.as_bytes(), &[0; 48]];
        (window, segments.concat())
    }

    /// A work request for a queue pair, from its control segment on.
    fn work_request(&mut self, at: usize) -> Vec<u8> {
        use SendOpcode::*;
        let service = self.kinds[at].service;
        let opcode = match service {
            // This card has no packets for a send queue of its own.
            _ if self.kinds[at].form == Form::SendQueue => {
                self.random.pick(&[Nop, Nop, Nop, Nop, Nop, Send, RdmaRead, Umr])
            }
            QpServiceType::UnreliableDatagram => {
                self.random.pick(&[Send, Send, SendImmediate, Nop])
            }
            QpServiceType::UnreliableConnection => self.random.pick(&[
                Send,
                SendImmediate,
                RdmaWrite,
                RdmaWriteImmediate,
                Umr,
                RdmaRead,
            ]),
            _ => self.random.pick(&[
                Send,
                SendImmediate,
                SendInvalidate,
                RdmaWrite,
                RdmaWrite,
                RdmaWriteImmediate,
                RdmaRead,
                RdmaRead,
                AtomicCompareSwap,
                AtomicFetchAdd,
                AtomicFetchAdd,
                Umr,
                Umr,
                Nop,
            ]),
        };
        let mut immediate = self.random.any() as u32;
        let mut body = Vec::new();
        if service == QpServiceType::UnreliableDatagram && opcode != Nop {
            body.extend(self.datagram_segment(at));
        }
        if service == QpServiceType::ExtendedReliableConnection && !matches!(opcode, Nop | Umr) {
            let mut segment = XrcSegment::zeroed();
            segment.set_receiver(self.receiver());
            body.extend(segment.as_bytes());
        }
        let atomic = matches!(opcode, AtomicCompareSwap | AtomicFetchAdd);
        match opcode {
            Umr => (immediate, body) = self.bind_segments(at),
            SendInvalidate if !self.windows.is_empty() && !self.random.once_in(8) => {
                immediate = self.random.pick(&self.windows);
            }
            RdmaWrite | RdmaWriteImmediate | RdmaRead | AtomicCompareSwap | AtomicFetchAdd => {
                let (address, key) = self.somewhere();
                body.extend(RemoteAddressSegment::new(address, key).as_bytes());
            }
            _ => {}
        }
        if atomic {
            body.extend(self.random.bytes(16));
        }
        if !matches!(opcode, Umr | Nop) {
            body.extend(self.parts(!atomic && opcode != RdmaRead));
        }
        body.truncate(LONGEST - 16);
        let ds = (1 + body.len().div_ceil(16)) as u8;
        let flags = self.random.pick(&[8, 8, 8, 8 | 2, 8 | CONTROL_FENCE, 0, 8 | 1 << 5]);
        let control = ControlSegment::new(0, 0, opcode.code(), 0, ds, flags, immediate);
        [control.as_bytes(), &body].concat()
    }

    /// Posts one to three WQEs and rings, one way or another, or not at all.
    pub fn post_sends(&mut self) {
        let at = self.some_pair();
        self.careful = self.random.below(8) < 5;
        let mut head = [0; 8];
        let mut length = 0;
        for _ in 0..self.random.pick(&[1, 1, 1, 2, 3]) {
            let mut wqe = match self.random.once_in(24) {
                true => self.random.bytes(64),
                false => self.work_request(at),
            };
            if !self.careful && self.random.once_in(4) {
                self.random.poke(&mut wqe);
            }
            length = wqe.len();
            head = self.it.place(at, &wqe);
            // What is in the ring, and not in the register: index and number may be wrong, too.
            if self.random.once_in(16) {
                let ring = self.it.pairs[at].buffer + RQ_BYTES;
                let mut block = self.it.machine.memory.get(ring, 64 << LOG_SQ).to_vec();
                self.random.poke(&mut block);
                self.it.machine.memory.put(ring, &block);
            }
        }
        let page = u64::from(self.it.uar) << 12;
        let register = page + self.random.pick(&[0x800, 0x800, 0x900]);
        match self.random.below(8) {
            0..4 => self.write(register, &head),
            4..7 => self.burst(at, register, length, head),
            _ => {}
        }
    }

    /// Copies the WQE that was placed last to a register, in bursts of 64 bytes.
    fn burst(&mut self, at: usize, register: u64, length: usize, head: [u8; 8]) {
        let pair = self.it.pairs[at];
        let blocks = length.div_ceil(64) as u16;
        for block in 0..blocks {
            let place = pair.posted.wrapping_sub(blocks).wrapping_add(block);
            let place = u64::from(place) % (1 << LOG_SQ) * 64;
            let mut bytes = self.it.machine.memory.get(pair.buffer + RQ_BYTES + place, 64).to_vec();
            if block == 0 {
                bytes[..8].copy_from_slice(&head);
            }
            self.write(register + u64::from(block) * 64 % 0x100, &bytes);
        }
    }

    /// Any counters into a doorbell record, or such as are nearly right.
    pub fn spoil_record(&mut self) {
        let pair = self.some_pair();
        let it = self.it.pairs[pair];
        let mut counters = [it.received, it.posted].map(u32::from);
        for counter in &mut counters {
            *counter = match self.random.below(6) {
                0 => self.random.any() as u32,
                1 => counter.wrapping_add(self.random.below(20) as u32),
                _ => *counter,
            };
        }
        let shared = self.random.pick(&self.pools).record;
        let record = if self.random.once_in(6) { shared } else { it.record };
        self.it.machine.memory.put(record, &counters.map(u32::to_be_bytes).concat());
    }

    /// Takes what is in the completion queues and the event queue, and says so. Some of the queue pairs
    /// that have failed are brought back.
    pub fn poll(&mut self) {
        let mut failed = Vec::new();
        for pair in 0..self.it.pairs.len() {
            while let Some(cqe) = self.it.poll(pair) {
                failed.extend(cqe.is_error().then(|| cqe.qpn()));
            }
        }
        failed.dedup();
        for qpn in failed {
            let at = self.it.pairs.iter().position(|pair| pair.qpn == qpn);
            if let Some(at) = at.filter(|_| self.random.once_in(2)) {
                self.revive(at);
            }
        }
        while self.it.event().is_some() {}
        let (register, doorbell) = self.it.eq_doorbell();
        self.write(register, doorbell.as_bytes());
        let queue = self.random.pick(&self.it.cqs);
        let (register, doorbell) = self.it.cq_doorbell(queue, self.random.once_in(2));
        self.write(register, doorbell.as_bytes());
    }
}

//! Objects of every kind, and rules that say what of the guest's memory each of them was given.

use crate::random::Random;
use crate::told::{Ear, Told};
use crate::watch::{Grant, Rules, What, uses};
use crate::world::*;
use doorbell_prm::wqe::NextSegment;
use doorbell_tracer::{Clock, Tracer};
use std::sync::{Arc, Mutex};

pub fn connection(random: &mut Random) -> Connection {
    Connection {
        mtu: 1 + random.below(3) as u8,
        retry_count: random.below(8) as u8,
        rnr_retry: random.below(8) as u8,
        first_psn: random.any() as u32 & 0xff_ffff,
        log_sra_max: random.below(4) as u8,
        log_rra_max: random.below(4) as u8,
        log_ack_req_freq: random.below(5) as u8,
        ack_timeout: random.below(20) as u8,
        ..Connection::default()
    }
}

pub fn machine(random: &mut Random, told: &Arc<Mutex<Told>>) -> Machine {
    let base = match random.once_in(3) {
        true => CardConfig::infiniband(7),
        false => CardConfig::default(),
    };
    let config = CardConfig {
        has_wire: random.once_in(2),
        mapped_uars: if random.once_in(4) { 0x100..0x140 } else { 0..0 },
        atomics: !random.once_in(8),
        ..base
    };
    let as_host = config.atomics && random.once_in(2);
    let machine = Machine::of(config, Tracer::new(Ear(Arc::clone(told)), Clock::Logical));
    machine.brought_up_with(|machine| {
        if as_host {
            machine.choose_byte_order(1);
        }
    })
}

impl World {
    /// Ten queue pairs: the first two are reliable connections to each other already.
    pub fn create_pairs(&mut self) {
        use QpServiceType::*;
        let kind = |service, peer, shares| Kind { service, peer, shares };
        self.kinds = vec![
            kind(ReliableConnection, Some(1), false),
            kind(ReliableConnection, Some(0), false),
            kind(ReliableConnection, None, false),
            kind(UnreliableConnection, Some(4), false),
            kind(UnreliableConnection, Some(3), false),
            kind(UnreliableConnection, None, false),
            kind(UnreliableDatagram, Some(7), false),
            kind(UnreliableDatagram, Some(6), false),
            kind(ReliableConnection, Some(9), true),
            kind(ReliableConnection, Some(8), false),
        ];
        self.create_pool();
        for at in 2..self.kinds.len() {
            let kind = self.kinds[at];
            let cq = at / 2;
            let record = self.it.machine.page();
            let pages = [self.it.machine.page(), self.it.machine.page()];
            let mut input = self.it.qp_input(cq, record);
            input.qpc_mut().set_st(kind.service.code());
            // The send queue lies in both pages; without a receive queue of its own, it begins the buffer.
            let mut into = PAGE - RQ_BYTES - 512;
            let buffer = pages[0] + into;
            if kind.shares {
                into += RQ_BYTES;
                let number = self.pool_number;
                input.qpc_mut().set_rq_type(1).set_srqn_rmpn_xrqn(number).set_log_rq_size(0);
            }
            input.qpc_mut().set_page_offset((into / 64) as u8);
            let list = pages.map(u64::to_be_bytes).concat();
            let qpn = self.it.machine.command(&input, &list).qpn();
            self.it.pairs.push(Pair { qpn, buffer, record, cq, posted: 0, received: 0 });
        }
        for at in 2..self.kinds.len() {
            for input in self.transitions(at) {
                let output = self.it.machine.raw(&input, 64);
                assert_eq!(output[0], 0, "a transition of queue pair {at} is refused");
            }
        }
    }

    /// The commands that bring a queue pair from RESET to RTS.
    pub fn transitions(&self, at: usize) -> Vec<Vec<u8>> {
        let (qpn, peer) = (self.it.pairs[at].qpn, self.kinds[at].peer);
        let mut init = self.it.to_init(qpn);
        init.qpc_mut().set_q_key(QUEUE_KEY);
        let remote = peer.map_or(ABROAD + at as u32, |peer| self.it.pairs[peer].qpn);
        let mut rtr = self.it.to_rtr(qpn, remote, self.connection);
        if peer.is_none() {
            let [a, b, c, d, e, f] = ABROAD_MAC;
            let mut gid = [0; 16];
            gid[10..12].fill(0xff);
            gid[12..].copy_from_slice(&ABROAD_IP);
            let path = rtr.qpc_mut().primary_address_path_mut();
            path.set_rlid(ABROAD_LID)
                .set_rgid_rip(gid)
                .set_rmac_47_32(u16::from_be_bytes([a, b]))
                .set_rmac_31_0(u32::from_be_bytes([c, d, e, f]));
        }
        let mut rts = self.it.to_rts(qpn, self.connection);
        let timeout = self.connection.ack_timeout;
        rts.qpc_mut().primary_address_path_mut().set_ack_timeout(timeout);
        vec![init.as_bytes().to_vec(), rtr.as_bytes().to_vec(), rts.as_bytes().to_vec()]
    }

    fn create_pool(&mut self) {
        let machine = &mut self.it.machine;
        let (buffer, record) = (machine.page(), machine.page());
        let mut input = CreateRmpIn::new();
        let queue = input.ctx_mut().set_state(1).wq_mut();
        queue.set_pd(self.it.pd).set_log_wq_sz(3).set_log_wq_stride(6).set_dbr_addr(record);
        self.pool_number = machine.command(&input, &buffer.to_be_bytes()).rmpn();
        for index in 0..8_u16 {
            let mut next = NextSegment::zeroed();
            next.next_wqe_index = ((index + 1) % 8).into();
            machine.memory.put(buffer + u64::from(index) * 64, next.as_bytes());
        }
        self.pool = (buffer, record, 0);
    }

    pub fn grant_queues(&self, rules: &mut Rules) {
        let grant = |what, number| Grant { what, number, uses: 0 };
        let machine = &self.it.machine;
        rules.grant(grant(What::Slots, 0), &[(machine.queue, 32 * 64)]);
        for slot in 0..32 {
            // The inline output, and the byte with status and ownership.
            rules.allow_writes(machine.queue + slot * 64 + 32, 16, true);
            rules.allow_writes(machine.queue + slot * 64 + 63, 1, true);
        }
        for (number, address) in machine.boxes.iter().enumerate() {
            rules.grant(grant(What::Mailboxes, number as u32), &[(*address, 576)]);
            if number >= machine.boxes.len() / 2 {
                rules.allow_writes(*address, 512, true);
            }
        }
        // The pages of the firmware follow, up to the first queue.
        let last = machine.boxes.last().map_or(machine.queue, |last| last + PAGE);
        rules.grant(grant(What::Pages, 0), &[(last, self.it.eq.buffer - last)]);
        rules.allow_writes(last, self.it.eq.buffer - last, true);
        rules.grant(grant(What::EventQueue, self.it.eq.number), &[(self.it.eq.buffer, 64 * 64)]);
        rules.allow_writes(self.it.eq.buffer, 64 * 64, false);
        for queue in &self.it.cqs {
            let bytes = 64 << LOG_CQ;
            rules.grant(grant(What::CompletionQueue, queue.number), &[(queue.buffer, bytes)]);
            rules.allow_writes(queue.buffer, bytes, false);
            rules.grant(grant(What::Record, queue.number), &[(queue.record, 8)]);
        }
        for (pair, kind) in self.it.pairs.iter().zip(&self.kinds) {
            if !kind.shares {
                rules.grant(grant(What::ReceiveRing, pair.qpn), &[(pair.buffer, RQ_BYTES)]);
            }
            let ring = (pair.buffer + RQ_BYTES, 64 << LOG_SQ);
            rules.grant(grant(What::SendRing, pair.qpn), &[ring]);
            rules.grant(grant(What::Record, pair.qpn), &[(pair.record, 8)]);
        }
        let (buffer, record, _) = self.pool;
        rules.grant(grant(What::SharedRing, self.pool_number), &[(buffer, 8 * 64)]);
        rules.grant(grant(What::Record, self.pool_number), &[(record, 8)]);
    }

    /// Regions with some rights only, one that begins and ends within a page, one of another domain;
    /// and, half of the time, windows.
    pub fn register_more(&mut self, rules: &mut Rules) {
        use uses::*;
        let all = READS | WRITES;
        let pages = self.it.pages.clone();
        add_region(rules, self.it.key, all, &pages, (0, 16 * PAGE));
        let other = self.it.machine.command(&AllocPdIn::new(), &[]).pd();
        let regions = [
            (LOCAL_READ | REMOTE_READ, self.it.pd, (0, 2 * PAGE)),
            (LOCAL_READ | LOCAL_WRITE, self.it.pd, (0, 2 * PAGE)),
            (REMOTE_WRITE, self.it.pd, (0, PAGE)),
            (ATOMIC, self.it.pd, (0, PAGE)),
            (all, self.it.pd, (0x123, 0x2345)),
            (0, other, (0, 2 * PAGE)),
        ];
        for (uses, pd, (inside, length)) in regions {
            let mut pages: Vec<u64> = (0..3).map(|_| self.it.machine.page()).collect();
            pages.reverse();
            let address = VIRTUAL + 0x100_0000 * (1 + self.keys.len() as u64) + inside;
            let right = |right| uses & right != 0 || pd == other;
            let key = register(&mut self.it.machine, pd, &pages, |context| {
                context.set_start_addr(address).set_length(length);
                context.set_lr(right(LOCAL_READ)).set_lw(right(LOCAL_WRITE));
                context.set_rr(right(REMOTE_READ)).set_rw(right(REMOTE_WRITE)).set_a(right(ATOMIC));
            });
            add_region(rules, key, uses, &pages, (inside, length));
            self.keys.push(Key { key, address, length });
        }
        for type_2 in [false, true].into_iter().filter(|_| self.random.once_in(2)) {
            let mut input = CreateMkeyIn::new();
            input
                .memory_key_mkey_entry_mut()
                .set_free(true)
                .set_translations_octword_size(4)
                .set_pd(self.it.pd)
                .set_umr_en(true)
                .set_lr(true)
                .set_access_mode_1_0(MkeyAccessMode::Indirect.code())
                .set_en_rinval(type_2)
                .set_qpn(0xff_ffff)
                .set_mkey_7_0(0x10);
            let key = self.it.machine.command(&input, &[]).mkey_index() << 8 | 0x10;
            self.windows.push(key);
            self.keys.push(Key { key, address: VIRTUAL, length: 0x1000 });
        }
    }
}

/// Hands over `length` bytes from `inside` the first page on, to be used as the key says. Memory that
/// nobody may use stays nobody's.
fn add_region(rules: &mut Rules, key: u32, may: u8, pages: &[u64], (inside, length): (u64, u64)) {
    if may == 0 {
        return;
    }
    let (mut at, end) = (inside, inside + length);
    let mut stretches = Vec::new();
    while at < end {
        let size = (end - at).min(PAGE - at % PAGE);
        stretches.push((pages[(at / PAGE) as usize] + at % PAGE, size));
        at += size;
    }
    rules.grant(Grant { what: What::Data, number: key >> 8, uses: may }, &stretches);
    for (address, length) in stretches {
        if may & uses::WRITES != 0 {
            rules.allow_writes(address, length, may & uses::READS != 0);
        }
    }
}

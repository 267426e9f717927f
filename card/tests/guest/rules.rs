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
    let base = match random.once_in(2) {
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
    /// Ten queue pairs, of which the first two are reliable connections to each other already; the two ends of an
    /// extended one, which this card has on InfiniBand only; and a send queue of its own.
    pub fn create_pairs(&mut self) {
        use QpServiceType::*;
        let form = Form::Whole;
        let kind = |service, peer, shares| Kind { service, peer, shares, form };
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
        let has_extended = self.it.machine.card.config().link != Link::Ethernet;
        if has_extended {
            self.kinds.push(kind(ExtendedReliableConnection, Some(11), true));
        }
        self.create_pool();
        self.create_extended_pool();
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
                let extended = kind.service == ExtendedReliableConnection;
                let number = self.pools[usize::from(extended)].number;
                input.qpc_mut().set_rq_type(1).set_srqn_rmpn_xrqn(number).set_log_rq_size(0);
                input.qpc_mut().set_xrcd(if extended { self.xrcd } else { 0 });
            }
            input.qpc_mut().set_page_offset((into / 64) as u8);
            let list = pages.map(u64::to_be_bytes).concat();
            let qpn = self.it.machine.command(&input, &list).qpn();
            self.it.pairs.push(Pair { qpn, buffer, record, cq, posted: 0, received: 0 });
        }
        if has_extended {
            self.create_target();
        }
        self.create_send_queue();
        for at in 2..self.kinds.len() {
            for input in self.transitions(at) {
                let output = self.it.machine.raw(&input, 64);
                assert_eq!(output[0], 0, "a transition of queue pair {at} is refused");
            }
        }
    }

    /// Neither queue nor record: what the driver of the tests writes is not handed over.
    fn create_target(&mut self) {
        let (service, cq) = (QpServiceType::ExtendedReliableConnection, 5);
        let [buffer, record] = [0; 2].map(|_| self.it.machine.page());
        let mut input = self.it.qp_input(cq, 0);
        let context = input.qpc_mut();
        context.set_st(service.code()).set_rq_type(1).set_srqn_rmpn_xrqn(self.pools[1].number);
        context.set_log_rq_size(0).set_log_rq_stride(0).set_xrcd(self.xrcd);
        context.set_no_sq(true).set_log_sq_size(0).set_uar_page(0);
        let qpn = self.it.machine.command(&input, &[]).qpn();
        self.it.pairs.push(Pair { qpn, buffer, record, cq, posted: 0, received: 0 });
        self.kinds.push(Kind { service, peer: Some(10), shares: true, form: Form::Target });
    }

    fn create_send_queue(&mut self) {
        let cq = 5;
        let [buffer, record] = [0; 2].map(|_| self.it.machine.page());
        let mut input = CreateSqIn::new();
        let context = input.ctx_mut().set_cqn(self.it.cqs[cq].number).set_flush_in_error_en(true);
        let queue = context.wq_mut().set_wq_type(1).set_log_wq_sz(LOG_SQ as u8);
        queue.set_log_wq_stride(6).set_uar_page(self.it.uar).set_dbr_addr(record);
        // Where a queue pair has its send queue, behind a receive queue that is none here.
        queue.set_page_offset((RQ_BYTES / 64) as u8);
        let qpn = self.it.machine.command(&input, &buffer.to_be_bytes()).sqn();
        self.it.pairs.push(Pair { qpn, buffer, record, cq, posted: 0, received: 0 });
        let (service, form) = (QpServiceType::ReliableConnection, Form::SendQueue);
        self.kinds.push(Kind { service, peer: None, shares: false, form });
    }

    /// The commands that bring a queue pair to RESET; of a send queue the one that fits its state.
    pub fn resets(&self, at: usize) -> Vec<Vec<u8>> {
        let qpn = self.it.pairs[at].qpn;
        if self.kinds[at].form == Form::SendQueue {
            let from = [SqState::Ready, SqState::Error];
            return from.map(|now| change_send_queue(qpn, now, SqState::Reset)).to_vec();
        }
        let mut reset = ToRstQpIn::new();
        reset.set_qpn(qpn);
        vec![reset.as_bytes().to_vec()]
    }

    /// The commands that bring a queue pair from RESET to RTS.
    pub fn transitions(&self, at: usize) -> Vec<Vec<u8>> {
        let (qpn, peer) = (self.it.pairs[at].qpn, self.kinds[at].peer);
        if self.kinds[at].form == Form::SendQueue {
            return vec![change_send_queue(qpn, SqState::Reset, SqState::Ready)];
        }
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
        let number = machine.command(&input, &buffer.to_be_bytes()).rmpn();
        self.add_pool(number, buffer, record);
    }

    /// The shared receive queue of the target, in a domain of theirs.
    fn create_extended_pool(&mut self) {
        let machine = &mut self.it.machine;
        self.xrcd = machine.command(&AllocXrcdIn::new(), &[]).xrcd();
        let (buffer, record) = (machine.page(), machine.page());
        let mut input = CreateXrcSrqIn::new();
        input
            .xrc_srq_context_entry_mut()
            .set_xrcd(self.xrcd)
            .set_pd(self.it.pd)
            .set_cqn(self.it.cqs[5].number)
            .set_log_xrc_srq_size(3)
            .set_log_rq_stride(2)
            .set_db_record_addr_h((record >> 32) as u32)
            .set_db_record_addr_l((record >> 2) as u32 & 0x3fff_ffff);
        let number = machine.command(&input, &buffer.to_be_bytes()).xrc_srqn();
        self.add_pool(number, buffer, record);
    }

    /// Eight receives of 64 bytes, each of which names the next.
    fn add_pool(&mut self, number: u32, buffer: u64, record: u64) {
        for index in 0..8_u16 {
            let mut next = NextSegment::zeroed();
            next.next_wqe_index = ((index + 1) % 8).into();
            self.it.machine.memory.put(buffer + u64::from(index) * 64, next.as_bytes());
        }
        self.pools.push(Pool { number, buffer, record, posted: 0 });
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
            if kind.form == Form::Target {
                continue;
            }
            if !kind.shares && kind.form == Form::Whole {
                rules.grant(grant(What::ReceiveRing, pair.qpn), &[(pair.buffer, RQ_BYTES)]);
            }
            let ring = (pair.buffer + RQ_BYTES, 64 << LOG_SQ);
            rules.grant(grant(What::SendRing, pair.qpn), &[ring]);
            rules.grant(grant(What::Record, pair.qpn), &[(pair.record, 8)]);
        }
        for pool in &self.pools {
            rules.grant(grant(What::SharedRing, pool.number), &[(pool.buffer, 8 * 64)]);
            rules.grant(grant(What::Record, pool.number), &[(pool.record, 8)]);
        }
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

/// The command that changes the state of a send queue of its own.
fn change_send_queue(sqn: u32, now: SqState, next: SqState) -> Vec<u8> {
    let mut modify = ModifySqIn::new();
    modify.set_sqn(sqn).set_sq_state(now.code()).ctx_mut().set_state(next.code());
    modify.as_bytes().to_vec()
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

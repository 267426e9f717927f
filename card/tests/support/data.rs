//! Queue pairs and work requests for the tests.

pub use super::posting::*;
use super::*;
use doorbell_card::Link;
use doorbell_prm::cqe::CQE_INITIAL_OP_OWN;
use doorbell_prm::eqe::{EQE_INITIAL_OWNER, Eqe, EventType};

/// An event queue or completion queue of the test's driver.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    pub number: u32,
    pub buffer: u64,
    pub log_size: u32,
    pub consumer: u32,
    /// Doorbell record.
    pub record: u64,
}

/// A queue pair of the test's driver.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub qpn: u32,
    pub buffer: u64,
    pub record: u64,
    pub cq: usize,
    pub posted: u16,
    pub received: u16,
}

/// Two connected queue pairs, each with a completion queue, and memory that both may use.
pub struct Setup {
    pub machine: Machine,
    pub uar: u32,
    pub pd: u32,
    pub eq: Queue,
    pub cqs: Vec<Queue>,
    pub pairs: Vec<Pair>,
    /// Key of 16 pages that begin at virtual address [`VIRTUAL`], in reverse order in memory.
    pub key: u32,
    pub pages: Vec<u64>,
}

/// Where the registered memory begins for the program.
pub const VIRTUAL: u64 = 0x7f00_0000_0000;
/// Blocks of a send queue, WQEs of a receive queue, entries of a completion queue.
pub const LOG_SQ: u32 = 4;
pub const LOG_RQ: u32 = 3;
pub const LOG_CQ: u32 = 4;
/// Send queues begin behind the receive queue.
pub const RQ_BYTES: u64 = (1 << LOG_RQ) * 64;

/// What a connection is made with; tests change a field.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    pub mtu: u8,
    pub retry_count: u8,
    pub rnr_retry: u8,
    pub first_psn: u32,
    pub log_msg_max: u8,
    /// log2 of reads and atomics under way, as requester and as responder.
    pub log_sra_max: u8,
    pub log_rra_max: u8,
    pub log_ack_req_freq: u8,
    pub ack_timeout: u8,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            mtu: 1,
            retry_count: 3,
            rnr_retry: 2,
            first_psn: 0xff_fffe,
            log_msg_max: 30,
            log_sra_max: 2,
            log_rra_max: 2,
            log_ack_req_freq: 0,
            ack_timeout: 14,
        }
    }
}

impl Setup {
    pub fn new() -> Self {
        Self::with(Machine::up(), Connection::default())
    }

    pub fn connected(connection: Connection) -> Self {
        Self::with(Machine::up(), connection)
    }

    pub fn with(mut machine: Machine, connection: Connection) -> Self {
        let uar = machine.command(&AllocUarIn::new(), &[]).uar();
        let pd = machine.command(&AllocPdIn::new(), &[]).pd();
        let everything = !(1 << EventType::Command.code());
        let eq = create_eq(&mut machine, uar, everything);
        let cqs =
            vec![create_cq(&mut machine, uar, eq.number), create_cq(&mut machine, uar, eq.number)];
        let mut pages: Vec<u64> = (0..16).map(|_| machine.page()).collect();
        pages.reverse();
        let key = register(&mut machine, pd, &pages, |_| ());
        let mut setup = Self { machine, uar, pd, eq, cqs, pairs: Vec::new(), key, pages };
        setup.pairs = vec![setup.create_pair(0), setup.create_pair(1)];
        setup.connect(0, 1, connection);
        setup.connect(1, 0, connection);
        setup
    }

    /// A queue pair in RESET, on completion queue `cq`.
    pub fn create_pair(&mut self, cq: usize) -> Pair {
        let (buffer, record) = (self.machine.page(), self.machine.page());
        let input = self.qp_input(cq, record);
        let qpn = self.machine.command(&input, &buffer.to_be_bytes()).qpn();
        Pair { qpn, buffer, record, cq, posted: 0, received: 0 }
    }

    pub fn qp_input(&self, cq: usize, record: u64) -> CreateQpIn {
        let mut input = CreateQpIn::new();
        input
            .qpc_mut()
            .set_pd(self.pd)
            .set_uar_page(self.uar)
            .set_cqn_snd(self.cqs[cq].number)
            .set_cqn_rcv(self.cqs[cq].number)
            .set_log_sq_size(LOG_SQ as u8)
            .set_log_rq_size(LOG_RQ as u8)
            .set_log_rq_stride(2)
            .set_user_index(0xabcd)
            .set_dbr_addr(record);
        input
    }

    pub fn to_init(&self, qpn: u32) -> Rst2initQpIn {
        let mut input = Rst2initQpIn::new();
        input.set_qpn(qpn);
        let context = input.qpc_mut();
        context.set_rre(true).set_rwe(true).set_rae(true);
        context.primary_address_path_mut().set_vhca_port_num(1);
        input
    }

    pub fn to_rtr(&self, qpn: u32, remote: u32, connection: Connection) -> Init2rtrQpIn {
        let config = self.machine.card.config();
        let lid = match config.link {
            Link::InfiniBand { lid } => lid,
            Link::Ethernet => 0,
        };
        let [a, b, c, d, e, f] = config.mac;
        let mut gid = [0; 16];
        gid[10..12].fill(0xff);
        gid[12..].copy_from_slice(&config.ipv4);
        let mut input = Init2rtrQpIn::new();
        input.set_qpn(qpn);
        let context = input.qpc_mut();
        context
            .set_mtu(connection.mtu)
            .set_log_msg_max(connection.log_msg_max)
            .set_remote_qpn(remote)
            .set_min_rnr_nak(12)
            .set_log_rra_max(connection.log_rra_max)
            .set_next_rcv_psn(connection.first_psn);
        context
            .primary_address_path_mut()
            .set_vhca_port_num(1)
            .set_rlid(lid)
            .set_rgid_rip(gid)
            .set_rmac_47_32(u16::from_be_bytes([a, b]))
            .set_rmac_31_0(u32::from_be_bytes([c, d, e, f]));
        input
    }

    pub fn to_rts(&self, qpn: u32, connection: Connection) -> Rtr2rtsQpIn {
        let mut input = Rtr2rtsQpIn::new();
        input.set_qpn(qpn);
        let context = input.qpc_mut();
        context
            .set_retry_count(connection.retry_count)
            .set_rnr_retry(connection.rnr_retry)
            .set_log_sra_max(connection.log_sra_max)
            .set_log_ack_req_freq(connection.log_ack_req_freq)
            .set_next_send_psn(connection.first_psn);
        context.primary_address_path_mut().set_ack_timeout(connection.ack_timeout);
        input
    }

    pub fn connect(&mut self, pair: usize, remote: usize, connection: Connection) {
        let (qpn, remote) = (self.pairs[pair].qpn, self.pairs[remote].qpn);
        let init = self.to_init(qpn);
        self.machine.command(&init, &[]);
        let rtr = self.to_rtr(qpn, remote, connection);
        self.machine.command(&rtr, &[]);
        let rts = self.to_rts(qpn, connection);
        self.machine.command(&rts, &[]);
    }
}

pub fn next_event(machine: &Machine, queue: &mut Queue) -> Option<Eqe> {
    let index = queue.consumer % (1 << queue.log_size);
    let bytes = machine.memory.get(queue.buffer + u64::from(index) * 64, 64);
    let eqe = Eqe::read_from_bytes(bytes).unwrap();
    if u32::from(eqe.owner()) != queue.consumer >> queue.log_size & 1 {
        return None;
    }
    queue.consumer += 1;
    Some(eqe)
}

pub fn create_eq(machine: &mut Machine, uar: u32, events: u64) -> Queue {
    let buffer = machine.page();
    for entry in 0..64 {
        machine.memory.put(buffer + entry * 64 + 63, &[EQE_INITIAL_OWNER]);
    }
    let mut input = CreateEqIn::new();
    input.set_event_bitmask([events, 0, 0, 0]);
    input.eq_context_entry_mut().set_log_eq_size(6).set_uar_page(uar).set_intr(3);
    let number = machine.command(&input, &buffer.to_be_bytes()).eq_number().into();
    Queue { number, buffer, log_size: 6, consumer: 0, record: 0 }
}

pub fn create_cq(machine: &mut Machine, uar: u32, eqn: u32) -> Queue {
    let (buffer, record) = (machine.page(), machine.page());
    for entry in 0..1 << LOG_CQ {
        machine.memory.put(buffer + entry * 64 + 63, &[CQE_INITIAL_OP_OWN]);
    }
    let mut input = CreateCqIn::new();
    input
        .cq_context_mut()
        .set_log_cq_size(LOG_CQ as u8)
        .set_uar_page(uar)
        .set_c_eqn_or_apu_element(eqn)
        .set_dbr_addr(record);
    let number = machine.command(&input, &buffer.to_be_bytes()).cqn();
    Queue { number, buffer, log_size: LOG_CQ, consumer: 0, record }
}

/// The input that registers pages at [`VIRTUAL`] with all rights, and its list of translations.
pub fn key_input(pd: u32, pages: &[u64]) -> (CreateMkeyIn, Vec<u8>) {
    let mut input = CreateMkeyIn::new();
    input.set_translations_octword_actual_size(pages.len().div_ceil(2) as u32);
    input
        .memory_key_mkey_entry_mut()
        .set_access_mode_1_0(MkeyAccessMode::Translated.code())
        .set_lr(true)
        .set_lw(true)
        .set_rr(true)
        .set_rw(true)
        .set_a(true)
        .set_qpn(0xff_ffff)
        .set_mkey_7_0(0x42)
        .set_pd(pd)
        .set_start_addr(VIRTUAL)
        .set_length(pages.len() as u64 * PAGE)
        .set_log_page_size(12)
        .set_translations_octword_size(pages.len().div_ceil(2) as u32);
    let entry = |page: &u64| (page | TRANSLATION_READ | TRANSLATION_WRITE).to_be_bytes();
    let mut list: Vec<u8> = pages.iter().flat_map(entry).collect();
    list.resize(list.len().next_multiple_of(16), 0);
    (input, list)
}

/// Registers pages; `change` may take rights away. Answers the key.
pub fn register(
    machine: &mut Machine,
    pd: u32,
    pages: &[u64],
    change: impl Fn(&mut MkeyContext),
) -> u32 {
    let (mut input, list) = key_input(pd, pages);
    change(input.memory_key_mkey_entry_mut());
    machine.command(&input, &list).mkey_index() << 8 | 0x42
}

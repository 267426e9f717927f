//! A context whose card is cached memory, and the calls that are counted.

use doorbell_driver::bus::{Bus, MappedPage, Memory};
use doorbell_driver::control::{
    Control, ControlError, CqRequest, Events, Granted, Link, Mapping, MkeyRequest, PortAddress,
    QpRequest, Query, QueueLimits, QueuePairs, SharedReceives, Ways, Windows,
};
use doorbell_driver::mlx5::{BlueFlameSettings, open_with};
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A case: its name, work requests of one call, and what libmlx5 as Debian 44.0 ships it needs,
/// counted in the same way on the same kind of machine.
pub struct Case {
    /// Name.
    pub name: &'static str,
    /// Work requests, or completions, of one call.
    pub requests: u64,
    /// Instructions of libmlx5 for one of them, if they were counted so.
    pub libmlx5: Option<f64>,
    /// The most that ours may need: what they need now.
    pub limit: f64,
}

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "rc-write, single", requests: 1, libmlx5: Some(310.0), limit: 98.5 },
    Case { name: "rc-write, list of 32", requests: 32, libmlx5: Some(165.0), limit: 50.8 },
    Case { name: "rc-send, 32 bytes inline", requests: 1, libmlx5: Some(329.0), limit: 107.5 },
    Case { name: "rc-send-imm, single", requests: 1, libmlx5: None, limit: 175.5 },
    Case { name: "rc-write, 3 elements", requests: 1, libmlx5: None, limit: 240.5 },
    Case { name: "rc-send, list of 32", requests: 32, libmlx5: None, limit: 49.0 },
    Case { name: "rc-send, 100 bytes inline", requests: 1, libmlx5: None, limit: 270.5 },
    Case { name: "rc-send, list of 32 inline", requests: 32, libmlx5: None, limit: 169.5 },
    Case { name: "ud-send, list of 16", requests: 16, libmlx5: None, limit: 135.8 },
    Case { name: "ud-send, single", requests: 1, libmlx5: Some(332.0), limit: 132.5 },
    Case { name: "wr_rdma_write, single", requests: 1, libmlx5: Some(266.0), limit: 151.0 },
    Case { name: "wr_rdma_write, batch of 32", requests: 32, libmlx5: Some(137.0), limit: 66.9 },
    Case { name: "poll_cq, one", requests: 1, libmlx5: Some(193.0), limit: 64.3 },
    Case { name: "poll_cq, 16", requests: 16, libmlx5: Some(109.0), limit: 36.0 },
    Case { name: "poll_cq, empty", requests: 1, libmlx5: Some(99.0), limit: 31.5 },
];

/// Registers that are a page of memory.
struct PlainRegisters {
    memory: Arc<Memory>,
    page: u64,
}

impl Bus for PlainRegisters {
    type Page = MappedPage;
}

impl PlainRegisters {
    fn map_uar(&self, _: u32) -> MappedPage {
        let base = self.memory.find(self.page, 4096).expect("the page was taken from this memory");
        // SAFETY: the page belongs to nobody else for as long as the program runs, and no
        // reference into it exists.
        unsafe { MappedPage::new(base) }
    }
}

/// A control path that says yes.
struct PlainControl {
    registers: PlainRegisters,
    rings: Arc<Mutex<Vec<u64>>>,
    next: AtomicU64,
}

impl PlainControl {
    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed) as u32
    }
}

impl Query for PlainControl {}

impl Events for PlainControl {}

impl SharedReceives for PlainControl {}

impl Ways for PlainControl {}

impl Windows for PlainControl {}

impl Control<PlainRegisters> for PlainControl {
    fn memory(&self) -> &Arc<Memory> {
        &self.registers.memory
    }
    fn relax(&self) {}
    fn address(&self) -> PortAddress {
        PortAddress { gid: [0; 16], gid_index: 0, lid: 0, link: Link::Ethernet, mac: [0; 6] }
    }
    fn has_blueflame(&self) -> bool {
        true
    }
    fn alloc_uar(&self, _: Mapping) -> Result<Granted<MappedPage>, ControlError> {
        Ok(Granted { index: 1, page: self.registers.map_uar(1), write_combining: true })
    }
    fn dealloc_uar(&self, _: u32) {}
    fn alloc_pd(&self) -> Result<u32, ControlError> {
        Ok(self.number())
    }
    fn dealloc_pd(&self, _: u32) {}
    fn create_mkey(&self, _: &MkeyRequest) -> Result<u32, ControlError> {
        Ok(self.number())
    }
    fn destroy_mkey(&self, _: u32) {}
    fn create_cq(&self, request: &CqRequest) -> Result<u32, ControlError> {
        self.rings.lock().expect("one thread").push(request.buffer);
        Ok(self.number())
    }
    fn destroy_cq(&self, _: u32) {}
}

impl QueuePairs for PlainControl {
    fn limits(&self) -> QueueLimits {
        QueueLimits::new(1024, 512, 1 << 15, 1 << 15)
    }
    fn create_qp(&self, _: &QpRequest) -> Result<u32, ControlError> {
        Ok(self.number())
    }
    fn destroy_qp(&self, _: u32) {}
    fn modify_qp(&self, _: u32, _: &Transition) -> Result<(), ControlError> {
        Ok(())
    }
    fn query_qp(&self, _: u32) -> Result<QueuePairAttributes, ControlError> {
        Err(ControlError::NotOffered { request: "query_qp" })
    }
}

/// The provider that opens it.
struct PlainProvider {
    rings: Arc<Mutex<Vec<u64>>>,
    memory: Arc<Memory>,
}

impl Provider for PlainProvider {
    fn name(&self) -> &'static str {
        "plain memory"
    }
    fn matches(&self, _: &DeviceInfo) -> bool {
        true
    }
    fn open(&self, _: &Device, tracer: &Tracer) -> Result<Opened, VerbsError> {
        let page = self.memory.allocate(4096)?;
        let registers = PlainRegisters { memory: Arc::clone(&self.memory), page: page.address() };
        std::mem::forget(page);
        let rings = Arc::clone(&self.rings);
        let control = PlainControl { registers, rings, next: AtomicU64::new(1) };
        open_with(Arc::new(control), BlueFlameSettings::default(), tracer)
    }
}

/// The place where it is found.
struct PlainDoor;

impl Door for PlainDoor {
    fn place(&self) -> String {
        "this program".to_owned()
    }
    fn devices(&self) -> Result<Vec<DeviceInfo>, NothingThere> {
        Ok(vec![DeviceInfo { name: "plain0".to_owned(), vendor: 0x15b3, device: 0x101b }])
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// What the calls work on.
pub struct Bench {
    qp: QueuePair,
    datagrams: QueuePair,
    handle: AddressHandle,
    cq: Arc<CompletionQueue>,
    context: Arc<Context>,
    memory: Arc<Memory>,
    ring: u64,
    address: u64,
    /// Blocks posted, completions written.
    posted: u32,
    completed: u32,
}

/// Entries of the completion queue: a power of two.
const ENTRIES: u32 = 64;

impl Bench {
    /// A context with one queue pair and one completion queue, and nobody who traces.
    pub fn new() -> Self {
        Self::traced(Tracer::off())
    }

    /// The same, whose events go to `tracer` while tracing is on.
    pub fn traced(tracer: Tracer) -> Self {
        let memory = Memory::new(4096, 0x10_0000_0000);
        let rings = Arc::new(Mutex::new(Vec::new()));
        let provider = PlainProvider { rings: Arc::clone(&rings), memory: Arc::clone(&memory) };
        let mut providers = Providers::new();
        providers.register(Box::leak(Box::new(provider)), &tracer);
        let doors: Vec<Arc<dyn Door>> = vec![Arc::new(PlainDoor)];
        let devices = get_device_list(&doors, &tracer);
        let context = open_device(&devices[0], &providers, &tracer).expect("it always opens");
        let pd = context.alloc_pd().expect("it always says yes");
        let cq = context.create_cq(ENTRIES - 1).expect("it always says yes");
        let capabilities = QueuePairCapabilities {
            max_send_wr: 64,
            max_recv_wr: 1,
            max_send_sge: 3,
            max_recv_sge: 1,
            max_inline_data: 100,
        };
        let request = QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities,
            signal_all: false,
        };
        let qp = pd.create_qp(&request).expect("it always says yes");
        let transport = Transport::UnreliableDatagram;
        let request = QueuePairRequest { transport, ..request };
        let datagrams = pd.create_qp(&request).expect("it always says yes");
        let way = AddressVector {
            gid: [1; 16],
            global: true,
            lid: 0,
            mac: [2; 6],
            hop_limit: 64,
            source_gid_index: 0,
            service_level: 0,
        };
        let handle = pd.create_ah(&way).expect("it always says yes");
        start(&qp, &way);
        datagrams.init(QueueKey(1)).expect("it always says yes");
        datagrams.connect(Peer::Anyone).expect("it always says yes");
        datagrams.start(FirstPsn(0)).expect("it always says yes");
        let buffer = context.alloc_buffer(4096, "data").expect("there is room");
        let address = buffer.address();
        std::mem::forget(buffer);
        let ring = rings.lock().expect("one thread")[0];
        Self { qp, datagrams, handle, cq, context, memory, ring, address, posted: 0, completed: 0 }
    }

    /// Runs one case.
    pub fn run(&mut self, case: &str, calls: u64) {
        // Both tables hold the same queue pair; the one without probes is measured.
        self.context.set_tracing(false);
        for _ in 0..calls {
            match case {
                "rc-write, single" => self.write(1),
                "rc-write, list of 32" => self.write(32),
                "rc-send, 32 bytes inline" => self.send_inline(32),
                "rc-send, 100 bytes inline" => self.send_inline(100),
                "rc-send, list of 32 inline" => self.send_list(32, true),
                "rc-send, list of 32" => self.send_list(32, false),
                "rc-send-imm, single" => self.send_immediate(),
                "rc-write, 3 elements" => self.write_elements(),
                "ud-send, single" => self.send_datagrams(1),
                "ud-send, list of 16" => self.send_datagrams(16),
                "wr_rdma_write, single" => self.write_batch(1),
                "wr_rdma_write, batch of 32" => self.write_batch(32),
                "poll_cq, one" => self.poll(1),
                "poll_cq, 16" => self.poll(16),
                "poll_cq, empty" => self.poll_empty(),
                other => panic!("no case {other}"),
            }
        }
    }

    fn request<'a>(&self, elements: &'a [ScatterGatherElement], inline: bool) -> SendRequest<'a> {
        let flags = if inline { SendFlags::INLINE } else { SendFlags::empty() };
        SendRequest {
            wr_id: 7,
            sg_list: elements,
            opcode: if inline { Opcode::Send } else { Opcode::RdmaWrite },
            send_flags: SendFlags::SIGNALED | flags,
            remote: RemoteAddress { address: 0x1000, rkey: 0x42 },
            ..SendRequest::default()
        }
    }

    fn elements(&self, length: u32) -> [ScatterGatherElement; 1] {
        [ScatterGatherElement { address: self.address, length, lkey: 0x42 }]
    }

    /// Switches tracing on or off, by choosing the table.
    pub fn set_tracing(&self, on: bool) {
        self.context.set_tracing(on);
    }

    /// So many calls of the single write, one after the other, and how long they took together.
    pub fn timed_writes(&mut self, calls: u32) -> Duration {
        let elements = self.elements(64);
        let requests = [self.request(&elements, false)];
        let start = Instant::now();
        for _ in 0..calls {
            let result = measured_call(&self.qp, black_box(&requests));
            result.expect("there is room");
        }
        let taken = start.elapsed();
        self.posted += calls;
        taken
    }

    /// Takes what [`Bench::timed_writes`] posted out of the queue, without tracing.
    pub fn make_room(&mut self) {
        self.context.set_tracing(false);
        self.retire(1);
    }

    /// Posts requests whose WQEs have `blocks` blocks each, in one call, and retires them.
    fn post(&mut self, requests: &[SendRequest<'_>], blocks: u32) {
        let result = measured_call(&self.qp, black_box(requests));
        result.expect("there is room");
        self.posted += blocks * requests.len() as u32;
        self.retire(blocks);
    }

    fn write(&mut self, count: usize) {
        let elements = self.elements(64);
        self.post(&vec![self.request(&elements, false); count], 1);
    }

    fn write_batch(&mut self, count: usize) {
        let [element] = self.elements(64);
        let remote = RemoteAddress { address: 0x1000, rkey: 0x42 };
        let data = black_box((element, remote));
        let result = match count {
            1 => measured_call_batch_of_one(&self.qp, &data),
            _ => measured_call_batch(&self.qp, black_box(count), &data),
        };
        result.expect("there is room");
        self.posted += count as u32;
        self.retire(1);
    }

    fn send_inline(&mut self, length: u32) {
        let elements = self.elements(length);
        // Control segment, header and data, in whole blocks.
        self.post(&[self.request(&elements, true)], (16 + 4 + length).div_ceil(64));
    }

    fn send_list(&mut self, count: usize, inline: bool) {
        let elements = self.elements(32);
        let request = SendRequest { opcode: Opcode::Send, ..self.request(&elements, inline) };
        self.post(&vec![request; count], 1);
    }

    fn send_immediate(&mut self) {
        let elements = self.elements(64);
        let request = SendRequest {
            opcode: Opcode::SendWithImmediate,
            immediate: 0x1234_5678,
            ..self.request(&elements, false)
        };
        self.post(&[request], 1);
    }

    fn write_elements(&mut self) {
        let [element] = self.elements(64);
        self.post(&[self.request(&[element; 3], false)], 2);
    }

    fn send_datagrams(&mut self, count: usize) {
        let elements = self.elements(64);
        let request = SendRequest {
            opcode: Opcode::Send,
            operands: Operands::Datagram {
                handle: &self.handle,
                remote_qpn: 0x42,
                remote_qkey: 0x1111_1111,
            },
            ..self.request(&elements, false)
        };
        let requests = vec![request; count];
        let result = measured_call(&self.datagrams, black_box(&requests));
        result.expect("there is room");
        // WQEs of two blocks.
        self.posted += 2 * count as u32;
        self.complete(self.posted - 2, 1);
        self.poll_one();
    }

    /// Completes the last work request, of `blocks` blocks, and polls it, uncounted: the queue is empty again.
    fn retire(&mut self, blocks: u32) {
        self.complete(self.posted - blocks, 0);
        self.poll_one();
    }

    fn poll_one(&mut self) {
        let mut completions = [WorkCompletion::default()];
        assert_eq!(poll_cq(&self.cq, &mut completions), Ok(1));
        assert_eq!(completions[0].status, WorkStatus::Success);
    }

    fn poll(&mut self, count: usize) {
        let elements = self.elements(64);
        let requests = vec![self.request(&elements, false); count];
        post_send(&self.qp, &requests).expect("there is room");
        for index in 0..count as u32 {
            self.complete(self.posted + index, 0);
        }
        self.posted += count as u32;
        let mut completions = [WorkCompletion::default(); 16];
        let polled = measured_call_poll(&self.cq, &mut completions[..count]);
        assert_eq!(polled, Ok(count as u32));
    }

    fn poll_empty(&mut self) {
        let mut completions = [WorkCompletion::default()];
        assert_eq!(measured_call_poll(&self.cq, &mut completions), Ok(0));
    }

    /// Writes a CQE as the card would: of the WQE that begins at `block`, of the context's first or
    /// second queue pair.
    fn complete(&mut self, block: u32, user_index: u32) {
        let mut entry = [0; 64];
        entry[32..36].copy_from_slice(&user_index.to_be_bytes());
        entry[56..60].copy_from_slice(&(8 << 24 | self.qp.number()).to_be_bytes());
        entry[60..62].copy_from_slice(&(block as u16).to_be_bytes());
        entry[63] = ((self.completed / ENTRIES) & 1) as u8;
        let place = u64::from(self.completed % ENTRIES);
        assert!(self.memory.write(self.ring + place * 64, &entry));
        self.completed += 1;
    }
}

/// What is counted: a post.
#[inline(never)]
fn measured_call(qp: &QueuePair, requests: &[SendRequest<'_>]) -> Result<(), PostError> {
    post_send(qp, requests)
}

/// What is counted: a batch, with the calls that fill it.
#[inline(never)]
fn measured_call_batch(
    qp: &QueuePair,
    count: usize,
    (element, remote): &(ScatterGatherElement, RemoteAddress),
) -> Result<(), BatchError> {
    wr_start(qp, |batch| {
        batch.wr_flags = SendFlags::SIGNALED;
        for wr_id in 0..count as u64 {
            batch.wr_id = wr_id;
            batch.rdma_write(*remote).set_sge(*element);
        }
        End::Complete
    })
}

/// What is counted: a batch of one, as a program that posts one writes it.
#[inline(never)]
fn measured_call_batch_of_one(
    qp: &QueuePair,
    (element, remote): &(ScatterGatherElement, RemoteAddress),
) -> Result<(), BatchError> {
    wr_start(qp, |batch| {
        batch.wr_flags = SendFlags::SIGNALED;
        batch.wr_id = 7;
        batch.rdma_write(*remote).set_sge(*element);
        End::Complete
    })
}

/// Brings a reliable connection to RTS.
fn start(qp: &QueuePair, way: &AddressVector) {
    let to = ConnectTo {
        qp_num: 1,
        path_mtu: 5,
        first_psn: 0,
        max_dest_rd_atomic: 1,
        min_rnr_timer: 1,
        address: *way,
    };
    let parameters = SendParameters {
        first_psn: 0,
        timeout: 10,
        retry_count: 1,
        rnr_retry: 1,
        max_rd_atomic: 1,
    };
    qp.init(Access::empty()).expect("it always says yes");
    qp.connect(&to).expect("it always says yes");
    qp.start(&parameters).expect("it always says yes");
}

/// What is counted: a poll.
#[inline(never)]
fn measured_call_poll(
    cq: &CompletionQueue,
    completions: &mut [WorkCompletion],
) -> Result<u32, PollError> {
    poll_cq(cq, completions)
}

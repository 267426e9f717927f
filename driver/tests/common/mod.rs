//! Two connected queue pairs on a software card, for the tests.
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod loops;
pub mod sides;

use doorbell_card::CardConfig;
use doorbell_driver::bus::CardBus;
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5};
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::sync::Arc;

/// Sizes that a test may change.
pub const SIZES: QueuePairCapabilities = QueuePairCapabilities {
    max_send_wr: 4,
    max_recv_wr: 4,
    max_send_sge: 2,
    max_recv_sge: 2,
    max_inline_data: 64,
};

/// All rights but those for atomics and windows.
pub const ALL: Access = Access::LOCAL_WRITE.union(Access::REMOTE_WRITE).union(Access::REMOTE_READ);

/// A reliable queue pair in RESET, which sends and receives into one completion queue.
pub fn unconnected(context: &Arc<Context>) -> QueuePair {
    let pd = context.alloc_pd().expect("a protection domain");
    let cq = context.create_cq(15).expect("a completion queue");
    let request = QueuePairRequest {
        transport: Transport::ReliableConnection,
        send_cq: &cq,
        recv_cq: &cq,
        capabilities: SIZES,
        signal_all: false,
    };
    pd.create_qp(&request).expect("a queue pair")
}

/// A context on a card of its own.
pub fn context(blueflame: BlueFlameSettings, tracer: &Tracer) -> Arc<Context> {
    let bus = CardBus::new(CardConfig::default(), tracer);
    let doors: Vec<Arc<dyn Door>> = vec![Arc::new(CardDoor::new(bus, blueflame))];
    let mut providers = Providers::new();
    providers.register(&Mlx5, tracer);
    let devices = get_device_list(&doors, tracer);
    open_device(&devices[0], &providers, tracer).expect("the card comes up")
}

/// Two connected queue pairs, each with a completion queue of its own.
pub struct Pair {
    pub a: QueuePair,
    pub b: QueuePair,
    pub a_cq: Arc<CompletionQueue>,
    pub b_cq: Arc<CompletionQueue>,
    pub pd: Arc<ProtectionDomain>,
    pub context: Arc<Context>,
}

impl Pair {
    /// With these sizes, without a trace.
    pub fn new(sizes: QueuePairCapabilities) -> Self {
        Self::on(context(BlueFlameSettings::default(), &Tracer::off()), sizes)
    }

    /// On a context that is there already.
    pub fn on(context: Arc<Context>, sizes: QueuePairCapabilities) -> Self {
        let pd = context.alloc_pd().expect("a protection domain");
        let [a_cq, b_cq] = [0; 2].map(|_| context.create_cq(15).expect("a completion queue"));
        let create = |cq| {
            let request = QueuePairRequest {
                transport: Transport::ReliableConnection,
                send_cq: cq,
                recv_cq: cq,
                capabilities: sizes,
                signal_all: false,
            };
            pd.create_qp(&request).expect("a queue pair")
        };
        let (a, b) = (create(&a_cq), create(&b_cq));
        for (own, other) in [(&a, &b), (&b, &a)] {
            connect(&context, own, other.number());
        }
        Self { a, b, a_cq, b_cq, pd, context }
    }

    /// Registered memory with these bytes.
    pub fn memory(&self, bytes: &[u8]) -> MemoryRegion {
        let buffer = self.context.alloc_buffer(bytes.len(), "test").expect("room");
        assert!(buffer.write(0, bytes));
        self.pd.reg_mr(buffer, ALL).expect("a key")
    }

    /// Lets the card work and takes everything out of a completion queue.
    pub fn drain(&self, cq: &CompletionQueue) -> Vec<WorkCompletion> {
        self.context.relax();
        let mut all = Vec::new();
        let mut some = [WorkCompletion::default(); 4];
        loop {
            let count = poll_cq(cq, &mut some).expect("a completion queue that can be polled");
            all.extend_from_slice(&some[..count as usize]);
            if count == 0 {
                return all;
            }
        }
    }
}

/// RESET to RTS.
pub fn connect(context: &Context, own: &QueuePair, other: u32) {
    own.init(ALL).expect("INIT");
    let address = context.query_gid().expect("an address");
    own.connect(&ConnectTo {
        qp_num: other,
        path_mtu: 1,
        first_psn: 7,
        max_dest_rd_atomic: 1,
        min_rnr_timer: 1,
        address,
    })
    .expect("RTR");
    own.start(&SendParameters {
        first_psn: 7,
        timeout: 10,
        retry_count: 2,
        rnr_retry: 1,
        max_rd_atomic: 1,
    })
    .expect("RTS");
}

/// A signalled RDMA WRITE.
pub fn write<'a>(
    wr_id: u64,
    sg_list: &'a [ScatterGatherElement],
    target: &MemoryRegion,
) -> SendRequest<'a> {
    SendRequest {
        wr_id,
        sg_list,
        opcode: Opcode::RdmaWrite,
        send_flags: SendFlags::SIGNALED,
        remote: RemoteAddress { address: target.buffer().address(), rkey: target.rkey() },
        ..SendRequest::default()
    }
}

/// Bytes that differ from place to place and from `seed` to `seed`.
pub fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + seed * 31 + 1) as u8).collect()
}

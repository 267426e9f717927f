//! Two queue pairs of any transport that are each other's other side, ready to send.

use super::{ALL, SIZES, context};
use doorbell_driver::mlx5::BlueFlameSettings;
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::sync::Arc;

/// All rights, atomics and windows included.
pub const EVERYTHING: Access = ALL.union(Access::REMOTE_ATOMIC).union(Access::MW_BIND);

/// The queue key of datagrams.
pub const QUEUE_KEY: u32 = 0x1122_3344;

const FIRST_PSN: u32 = 0xff_ffff;

/// Two queue pairs.
pub struct Sides {
    pub qps: [QueuePair; 2],
    /// Where the sends of each complete, and the receives.
    pub sent: [Arc<CompletionQueue>; 2],
    pub received: [Arc<CompletionQueue>; 2],
    pub pd: Arc<ProtectionDomain>,
    pub context: Arc<Context>,
}

impl Sides {
    /// Queue pairs of this transport that let the other side do everything.
    pub fn new(transport: Transport) -> Self {
        Self::allowing(transport, EVERYTHING - Access::MW_BIND)
    }

    /// The same, with these rights for the other side.
    pub fn allowing(transport: Transport, access: Access) -> Self {
        let context = context(BlueFlameSettings::default(), &Tracer::off());
        let pd = context.alloc_pd().expect("a protection domain");
        let cqs = || [0; 2].map(|_| context.create_cq(15).expect("a completion queue"));
        let (sent, received) = (cqs(), cqs());
        let qps = [0, 1].map(|side| {
            let (send_cq, recv_cq) = (&sent[side], &received[side]);
            let (capabilities, signal_all) = (SIZES, true);
            let request =
                QueuePairRequest { transport, send_cq, recv_cq, capabilities, signal_all };
            pd.create_qp(&request).expect("a queue pair")
        });
        for (own, other) in [(&qps[0], &qps[1]), (&qps[1], &qps[0])] {
            start(&context, own, other.number(), access);
        }
        Self { qps, sent, received, pd, context }
    }

    /// Registered memory with these bytes, and with all rights.
    pub fn memory(&self, bytes: &[u8]) -> MemoryRegion {
        self.memory_for(bytes, EVERYTHING)
    }

    /// The same with these rights.
    pub fn memory_for(&self, bytes: &[u8], access: Access) -> MemoryRegion {
        let buffer = self.context.alloc_buffer(bytes.len(), "test").expect("room");
        assert!(buffer.write(0, bytes));
        self.pd.reg_mr(buffer, access).expect("a key")
    }

    /// Posts one request of side 0, lets the card work, and answers its only completion.
    pub fn done(&self, request: &SendRequest<'_>) -> WorkCompletion {
        self.done_by(0, request)
    }

    /// The same of any side.
    pub fn done_by(&self, side: usize, request: &SendRequest<'_>) -> WorkCompletion {
        post_send(&self.qps[side], &[*request]).expect("posted");
        only(&self.drain(&self.sent[side]))
    }

    /// Why a request of side 0 is refused.
    pub fn refused(&self, request: &SendRequest<'_>) -> PostCause {
        post_send(&self.qps[0], &[*request]).expect_err("refused").cause
    }

    /// Posts a receive of side 1.
    pub fn receive(&self, wr_id: u64, sg_list: &[ScatterGatherElement]) {
        post_recv(&self.qps[1], &[ReceiveRequest { wr_id, sg_list }]).expect("posted");
    }

    /// What side 1 has received.
    pub fn arrived(&self) -> Vec<WorkCompletion> {
        self.drain(&self.received[1])
    }

    /// Lets the card work, and takes all out of a completion queue.
    pub fn drain(&self, cq: &CompletionQueue) -> Vec<WorkCompletion> {
        self.context.relax();
        let mut all = [WorkCompletion::default(); 16];
        let count = poll_cq(cq, &mut all).expect("a queue that can be polled");
        all[..count as usize].to_vec()
    }

    /// The states of both as the card has them.
    pub fn states(&self) -> [QueuePairState; 2] {
        self.qps.each_ref().map(|qp| qp.query().expect("an answer").state)
    }
}

/// The bytes of a region, from an offset on.
pub fn bytes(region: &MemoryRegion, offset: usize, length: usize) -> Vec<u8> {
    region.buffer().read(offset, length).expect("inside")
}

/// Where bytes of a region are for the other side.
pub fn remote(region: &MemoryRegion, offset: usize) -> RemoteAddress {
    RemoteAddress { address: region.buffer().address() + offset as u64, rkey: region.rkey() }
}

/// The only one.
pub fn only(completions: &[WorkCompletion]) -> WorkCompletion {
    let [one] = completions else { panic!("not one completion: {completions:?}") };
    *one
}

/// RESET to RTS.
fn start(context: &Context, own: &QueuePair, other: u32, access: Access) {
    let address = context.query_gid().expect("an address");
    match own.transport() {
        Transport::ReliableConnection => {
            own.init(access).expect("INIT");
            let (path_mtu, max_dest_rd_atomic, min_rnr_timer) = (1, 4, 1);
            own.connect(&ConnectTo {
                qp_num: other,
                path_mtu,
                first_psn: FIRST_PSN,
                max_dest_rd_atomic,
                min_rnr_timer,
                address,
            })
            .expect("RTR");
            let (timeout, retry_count, rnr_retry, max_rd_atomic) = (10, 2, 1, 4);
            let first_psn = FIRST_PSN;
            let how = SendParameters { first_psn, timeout, retry_count, rnr_retry, max_rd_atomic };
            own.start(&how).expect("RTS");
        }
        Transport::UnreliableConnection => {
            own.init(access).expect("INIT");
            let (qp_num, path_mtu, first_psn) = (other, 1, FIRST_PSN);
            let to = ConnectUnreliably { qp_num, path_mtu, first_psn, address };
            own.connect(&to).expect("RTR");
            own.start(FirstPsn(FIRST_PSN)).expect("RTS");
        }
        Transport::UnreliableDatagram => {
            own.init(QueueKey(QUEUE_KEY)).expect("INIT");
            own.connect(Peer::Anyone).expect("RTR");
            own.start(FirstPsn(FIRST_PSN)).expect("RTS");
        }
    }
}

//! The real thing: queue pairs and memory on a software card, driven by this driver.

use super::program::{Flaw, LENGTH, Piece, Receive, Request, SIZES, Setting, is_atomic};
use super::reference::Refused;
use crate::common;
use doorbell_driver::verbs::*;
use std::sync::Arc;

/// All rights that the programs use.
const RIGHTS: Access = common::ALL.union(Access::REMOTE_ATOMIC).union(Access::MW_BIND);

/// The queue key of datagrams.
const QUEUE_KEY: u32 = 0x1111_2222;

/// Sequence number of the first packet: the numbers wrap soon.
const FIRST_PSN: u32 = 0xff_fffe;

/// One side. The window goes before the memory that it may be bound to.
pub struct Real {
    pub window: MemoryWindow,
    pub qp: QueuePair,
    pub send_cq: Arc<CompletionQueue>,
    pub recv_cq: Arc<CompletionQueue>,
    pub source: MemoryRegion,
    pub landing: MemoryRegion,
    pub target: MemoryRegion,
    pub inbox: MemoryRegion,
    srq: Option<Arc<SharedReceiveQueue>>,
    /// The way to the other side, for datagrams.
    way: Option<AddressHandle>,
}

impl Real {
    pub fn new(context: &Arc<Context>, setting: Setting, source: &[u8]) -> Self {
        let pd = context.alloc_pd().expect("a protection domain");
        let cq = || context.create_cq(255).expect("a completion queue");
        let (send_cq, recv_cq) = (cq(), cq());
        let request = QueuePairRequest {
            transport: setting.transport,
            send_cq: &send_cq,
            recv_cq: &recv_cq,
            capabilities: SIZES,
            signal_all: false,
        };
        let srq = setting.shared.then(|| {
            pd.create_srq(SIZES.max_recv_wr, SIZES.max_recv_sge).expect("a shared receive queue")
        });
        let qp = match &srq {
            Some(srq) => pd.create_qp_with_srq(&request, srq),
            None => pd.create_qp(&request),
        };
        let memory = |bytes: &[u8]| {
            let buffer = context.alloc_buffer(LENGTH, "model").expect("room");
            assert!(buffer.write(0, bytes));
            pd.reg_mr(buffer, RIGHTS).expect("a key")
        };
        let [landing, target, inbox] = [0; 3].map(|_| memory(&[0; LENGTH]));
        Self {
            qp: qp.expect("a queue pair"),
            source: memory(source),
            landing,
            target,
            inbox,
            window: pd.alloc_mw(WindowKind::Two).expect("a window"),
            srq,
            way: None,
            send_cq,
            recv_cq,
        }
    }

    /// RESET to RTS. A reliable send waits for its receive without end.
    ///
    /// Where packets may be lost it asks seldom, every 5 ms: with each time that it asks, something may
    /// be lost, and such tries are counted until there is progress.
    pub fn connect(&mut self, lossy: bool, other: u32, address: AddressVector) {
        let (qp_num, path_mtu, first_psn) = (other, 1, FIRST_PSN);
        let qp = &self.qp;
        let (max_dest_rd_atomic, min_rnr_timer) = (1, if lossy { 18 } else { 1 });
        match qp.transport() {
            Transport::ReliableConnection => {
                qp.init(RIGHTS - Access::MW_BIND).expect("INIT");
                qp.connect(&ConnectTo {
                    qp_num,
                    path_mtu,
                    first_psn,
                    max_dest_rd_atomic,
                    min_rnr_timer,
                    address,
                })
                .expect("RTR");
                let (timeout, retry_count, rnr_retry, max_rd_atomic) = (8, 7, 7, 1);
                let how =
                    SendParameters { first_psn, timeout, retry_count, rnr_retry, max_rd_atomic };
                qp.start(&how).expect("RTS");
            }
            Transport::UnreliableConnection => {
                qp.init(RIGHTS - Access::MW_BIND).expect("INIT");
                let to = ConnectUnreliably { qp_num, path_mtu, first_psn, address };
                qp.connect(&to).expect("RTR");
                qp.start(FirstPsn(first_psn)).expect("RTS");
            }
            Transport::UnreliableDatagram => {
                qp.init(QueueKey(QUEUE_KEY)).expect("INIT");
                qp.connect(Peer::Anyone).expect("RTR");
                qp.start(FirstPsn(first_psn)).expect("RTS");
                self.way = Some(qp.pd().create_ah(&address).expect("a way"));
            }
        }
    }

    /// Posts requests that are for the other side.
    pub fn post(&self, other: &Self, requests: &[Request]) -> Result<(), Refused> {
        let lists: Vec<_> = requests.iter().map(|request| self.elements(request)).collect();
        let binds: Vec<_> = requests.iter().map(|request| self.bind(request)).collect();
        let built = requests.iter().zip(&lists).zip(&binds);
        let built: Vec<_> = built
            .map(|((request, list), bind)| SendRequest {
                wr_id: request.wr_id,
                sg_list: list,
                opcode: request.opcode,
                send_flags: flags(request),
                immediate: match request.opcode {
                    Opcode::LocalInvalidate | Opcode::SendWithInvalidate => request.key,
                    _ => request.immediate,
                },
                remote: remote(&other.target, request),
                operands: self.operands(other, request, bind),
            })
            .collect();
        post_send(&self.qp, &built).map_err(|error| (error.index as usize, error.cause.errno()))
    }

    pub fn post_receives(&self, receives: &[Receive]) -> Result<(), Refused> {
        let lists: Vec<_> =
            receives.iter().map(|receive| list(&self.inbox, &receive.pieces)).collect();
        let built = receives.iter().zip(&lists);
        let built: Vec<_> = built
            .map(|(receive, list)| ReceiveRequest { wr_id: receive.wr_id, sg_list: list })
            .collect();
        let posted = match &self.srq {
            Some(srq) => post_srq_recv(srq, &built),
            None => post_recv(&self.qp, &built),
        };
        posted.map_err(|error| (error.index as usize, error.cause.errno()))
    }

    fn elements(&self, request: &Request) -> Vec<ScatterGatherElement> {
        let fetches = request.opcode == Opcode::RdmaRead || is_atomic(request.opcode);
        let region = if fetches { &self.landing } else { &self.source };
        let mut elements = list(region, &request.pieces);
        if request.flaw == Some(Flaw::LocalKey) {
            elements.iter_mut().for_each(|element| element.lkey ^= 0x7f_0000);
        }
        elements
    }

    /// The binding of this side's window that a request may ask for.
    fn bind(&self, request: &Request) -> Bind {
        Bind {
            window: WindowKind::Two,
            key: request.old_key,
            new_key: request.key,
            lkey: self.target.lkey(),
            address: self.target.buffer().address() + request.part.offset as u64,
            length: request.part.length as u64,
            access: common::ALL | Access::REMOTE_ATOMIC,
            zero_based: false,
        }
    }

    fn operands<'a>(&'a self, other: &Self, request: &Request, bind: &'a Bind) -> Operands<'a> {
        let [compare_add, swap] = request.operands;
        match (&self.way, request.opcode) {
            (Some(handle), _) => Operands::Datagram {
                handle,
                remote_qpn: other.qp.number(),
                remote_qkey: match request.flaw {
                    Some(Flaw::RemoteKey) => QUEUE_KEY + 1,
                    _ => QUEUE_KEY,
                },
            },
            (None, Opcode::BindMemoryWindow) => Operands::Bind(bind),
            (None, opcode) if is_atomic(opcode) => Operands::Atomic { compare_add, swap },
            _ => Operands::None,
        }
    }
}

fn list(region: &MemoryRegion, pieces: &[Piece]) -> Vec<ScatterGatherElement> {
    pieces.iter().map(|piece| region.element(piece.offset, piece.length as u32)).collect()
}

fn remote(target: &MemoryRegion, request: &Request) -> RemoteAddress {
    let rkey = match request.through {
        true => request.key,
        false => target.rkey(),
    };
    let rkey = if request.flaw == Some(Flaw::RemoteKey) { rkey ^ 0x7f_0000 } else { rkey };
    RemoteAddress { address: target.buffer().address() + request.remote as u64, rkey }
}

fn flags(request: &Request) -> SendFlags {
    let flags = [
        (request.signaled, SendFlags::SIGNALED),
        (request.inline, SendFlags::INLINE),
        (request.fence, SendFlags::FENCE),
        (request.solicited, SendFlags::SOLICITED),
    ];
    flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect()
}

/// Polls up to so many, some at a time.
pub fn polled(cq: &CompletionQueue, most: usize) -> Vec<WorkCompletion> {
    let mut all = Vec::new();
    while all.len() < most {
        let mut some = [WorkCompletion::default(); 3];
        let wanted = some.len().min(most - all.len());
        let count = poll_cq(cq, &mut some[..wanted]).expect("a queue that can be polled") as usize;
        all.extend_from_slice(&some[..count]);
        if count < wanted {
            break;
        }
    }
    all
}

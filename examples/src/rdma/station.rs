//! One side: its queue pair and its buffer, and how it comes together with the other.

use super::options::{Operation, Plan};
use crate::World;
use crate::peer::{
    Destination, Endpoint, Patience, Peer, PeerError, Terms, as_client, as_server, first_psn,
};
use doorbell_driver::verbs::{
    Access, CompletionQueue, MemoryRegion, Opcode, QueuePair, QueuePairCapabilities,
    QueuePairRequest, ReceiveRequest, RemoteAddress, SendFlags, SendRequest, Transport,
    WorkCompletion, WorkStatus, poll_cq, post_recv, post_send,
};
use std::sync::Arc;

/// Receives that the server of sends keeps posted.
const RECEIVES: u32 = 512;

/// RDMA reads outstanding at a time, if the device has no fewer.
const READS: u32 = 16;

/// What a receive's `wr_id` is; those of sends count from 0.
pub const RECEIVE: u64 = u64::MAX;

/// Completions taken at a time.
const POLLED: usize = 16;

/// One side.
pub struct Station {
    end: Endpoint,
    cq: Arc<CompletionQueue>,
    qp: QueuePair,
    /// What goes out is in its first half, what comes in goes into the other.
    memory: MemoryRegion,
    /// Bytes of a half.
    half: u32,
    destination: Destination,
    terms: Terms,
    operation: Operation,
    /// Bytes of a message, up to a half.
    size: u32,
    flags: SendFlags,
    /// Receives posted and not completed.
    receives: u32,
    patience: Patience,
}

/// Completions of one poll.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Came {
    /// Of what was posted to the send queue.
    pub sent: u32,
    /// Of receives.
    pub received: u32,
}

impl Station {
    // ANCHOR: rdma_resources
    /// Creates what a side needs. The server's memory may be read and written by the other side.
    pub fn new(world: &World, plan: &Plan) -> Result<Self, PeerError> {
        let context = world.open()?;
        let end = Endpoint::of(world, &context, plan.gid_index)?;
        end.check_wire()?;
        let pd = context.alloc_pd()?;
        let buffer = context.alloc_buffer(plan.size as usize * 2, "message")?;
        let access = Access::LOCAL_WRITE | Access::REMOTE_WRITE | Access::REMOTE_READ;
        let memory = pd.reg_mr(buffer, access)?;
        let cq = context.create_cq(plan.tx_depth + RECEIVES)?;
        let qp = pd.create_qp(&QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: QueuePairCapabilities {
                max_send_wr: plan.tx_depth,
                max_recv_wr: RECEIVES,
                max_send_sge: 1,
                max_recv_sge: 1,
                max_inline_data: 0,
            },
            signal_all: false,
        })?;
        qp.init(access)?;
        let reads = context.query_device()?.max_qp_rd_atom.min(READS);
        let mut station = Self {
            destination: end.destination(&qp, first_psn()),
            terms: Terms { path_mtu: plan.path_mtu, service_level: 0, rd_atomic: reads as u8 },
            end,
            cq,
            qp,
            memory,
            operation: plan.operation,
            half: plan.size,
            size: plan.size,
            flags: SendFlags::SIGNALED,
            receives: 0,
            patience: Patience::of(plan.timeout),
        };
        if plan.operation == Operation::Send {
            station.post_receives()?;
        }
        Ok(station)
    }
    // ANCHOR_END: rdma_resources

    // ANCHOR: rdma_meet
    /// Comes together with the other side: queue pairs first, then what is measured and where the
    /// memory is.
    pub fn meet(&mut self, plan: &Plan) -> Result<(Peer, RemoteAddress), PeerError> {
        let own = self.destination;
        let connect = |other| self.end.connect(&self.qp, own.psn, other, self.terms);
        let mut peer = match &plan.host {
            Some(host) => {
                let peer = as_client((host, plan.port), own, plan.timeout)?;
                connect(peer.destination)?;
                peer
            }
            None => as_server(plan.port, own, plan.timeout, connect)?,
        };
        let Plan { program, operation, size, iterations, .. } = plan;
        let all = if plan.all { " -a" } else { "" };
        let what = format!("{program} --op {operation} -s {size} -n {iterations}{all}");
        let remote = peer.offer(what, &self.memory)?;
        self.patience.renew();
        Ok((peer, remote))
    }
    // ANCHOR_END: rdma_meet

    // ANCHOR: rdma_post
    /// Posts one message: the outgoing half to the other side's incoming one, or, of a read, the other
    /// side's outgoing half into our incoming one.
    pub fn post(&self, number: u64, remote: RemoteAddress) -> Result<(), PeerError> {
        let size = self.size;
        let half = self.incoming();
        let (opcode, local, place) = match self.operation {
            Operation::Write => (Opcode::RdmaWrite, 0, half as u64),
            Operation::Read => (Opcode::RdmaRead, half, 0),
            Operation::Send => (Opcode::Send, 0, 0),
        };
        let remote = match self.operation {
            Operation::Send => RemoteAddress::default(),
            _ => RemoteAddress { address: remote.address.wrapping_add(place), ..remote },
        };
        Ok(post_send(
            &self.qp,
            &[SendRequest {
                wr_id: number,
                sg_list: &[self.memory.element(local, size)],
                opcode,
                send_flags: self.flags,
                remote,
                ..SendRequest::default()
            }],
        )?)
    }
    // ANCHOR_END: rdma_post

    /// Posts as many receives as are missing.
    fn post_receives(&mut self) -> Result<(), PeerError> {
        let list = [self.memory.element(self.incoming(), self.half)];
        let request = ReceiveRequest { wr_id: RECEIVE, sg_list: &list };
        while self.receives < RECEIVES {
            post_recv(&self.qp, &[request])?;
            self.receives += 1;
        }
        Ok(())
    }

    // ANCHOR: rdma_poll
    /// Polls once; gives the device its turn if nothing has come, and ends in an error if nothing has
    /// for too long.
    pub fn poll(&mut self) -> Result<Came, PeerError> {
        let mut completions = [WorkCompletion::default(); POLLED];
        let count = poll_cq(&self.cq, &mut completions)? as usize;
        let mut came = Came::default();
        for completion in &completions[..count] {
            let is_receive = completion.wr_id == RECEIVE;
            if completion.status != WorkStatus::Success {
                return Err(PeerError::Failed {
                    what: if is_receive { "receive" } else { "request" },
                    status: completion.status,
                    vendor_err: completion.vendor_err,
                });
            }
            match is_receive {
                true => came.received += 1,
                false => came.sent += 1,
            }
        }
        self.receives -= came.received;
        if came.received > 0 {
            self.post_receives()?;
        }
        match came == Came::default() {
            true => self.wait()?,
            false => self.patience.renew(),
        }
        Ok(came)
    }
    // ANCHOR_END: rdma_poll

    /// Nothing has come: the device has its turn.
    pub fn wait(&mut self) -> Result<(), PeerError> {
        self.end.context.relax();
        self.patience.strain()
    }

    /// Something has come that is no completion.
    pub fn came(&mut self) {
        self.patience.renew();
    }

    /// Hangs up, and lets the other side use this side's memory until it does, too.
    pub fn part(&self, peer: Peer) -> Result<(), PeerError> {
        Ok(peer.part(None, || self.end.turn())?)
    }

    /// Where the incoming half begins.
    fn incoming(&self) -> usize {
        self.half as usize
    }

    /// Messages have so many bytes from now on, which no buffer has by itself; both sides begin at the same
    /// time.
    pub fn begin(&mut self, size: u32, peer: &mut Peer) -> Result<(), PeerError> {
        self.size = size;
        self.fill();
        self.keep_step(peer)
    }

    /// Waits until the other side has come as far, and lets it use this side's memory until it has.
    pub fn keep_step(&mut self, peer: &mut Peer) -> Result<(), PeerError> {
        peer.keep_step(|| self.end.turn())?;
        self.patience.renew();
        Ok(())
    }

    /// Fills the outgoing half.
    fn fill(&self) {
        let bytes: Vec<u8> = (0..self.size as usize).map(pattern).collect();
        self.memory.buffer().write(0, &bytes);
    }

    /// Changes the last byte of the outgoing message.
    pub fn mark(&self, mark: u8) {
        self.memory.buffer().write(self.size as usize - 1, &[mark]);
    }

    /// The last byte of the incoming message.
    pub fn last_byte(&self) -> u8 {
        let last = self.incoming() + self.size as usize - 1;
        self.memory.buffer().read(last, 1).map_or(0, |bytes| bytes[0])
    }

    /// Looks whether every byte of the incoming message is what the other side filled in, but for the
    /// last if it is a mark.
    pub fn check(&self, marked: bool) -> Result<(), PeerError> {
        let length = self.size as usize - usize::from(marked);
        let bytes = self.memory.buffer().read(self.incoming(), length).unwrap_or_default();
        match bytes.iter().enumerate().find(|(at, byte)| **byte != pattern(*at)) {
            Some((at, byte)) => Err(PeerError::Invalid { at, byte: *byte, right: pattern(at) }),
            None => Ok(()),
        }
    }
}

/// The byte of a message at this place.
fn pattern(at: usize) -> u8 {
    (at % 251) as u8 + 1
}

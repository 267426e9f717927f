//! What both sides have: a queue pair, its completion queue, and the other side.

use super::options::Plan;
use crate::World;
use crate::peer::{Endpoint, Patience, Peer, PeerError, Terms, as_client, as_server, first_psn};
use doorbell_driver::verbs::{
    Access, CompletionQueue, MemoryRegion, ProtectionDomain, QueuePair, QueuePairCapabilities,
    QueuePairRequest, ReceiveRequest, Transport, WorkCompletion, WorkStatus, poll_cq, post_recv,
};
use std::sync::Arc;

/// What both sides agree on: MTU 1024, no reads and no atomics.
const TERMS: Terms = Terms { path_mtu: 3, service_level: 0, rd_atomic: 1 };

/// Completions taken at a time.
const POLLED: usize = 16;

/// `wr_id` of a receive: this, and its slot. That of a send is its slot.
const RECEIVE: u64 = 1 << 32;

/// Something that is done, and of which slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A send.
    Sent(usize),
    /// A receive, and the key that it has invalidated, if one.
    Received(usize, Option<u32>),
}

/// One side.
pub struct Side {
    /// This side's port.
    pub end: Endpoint,
    /// The protection domain of all.
    pub pd: Arc<ProtectionDomain>,
    /// The queue pair.
    pub qp: QueuePair,
    cq: Arc<CompletionQueue>,
    patience: Patience,
}

impl Side {
    // ANCHOR: nvmf_side
    /// A queue pair for so many sends and receives, whose memory the other side may write to by a key.
    pub fn new(world: &World, plan: &Plan, sends: u32, receives: u32) -> Result<Self, PeerError> {
        let context = world.open()?;
        let end = Endpoint::of(world, &context, plan.gid_index)?;
        end.check_wire()?;
        let pd = context.alloc_pd()?;
        let cq = context.create_cq(sends + receives)?;
        let qp = pd.create_qp(&QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: QueuePairCapabilities {
                max_send_wr: sends,
                max_recv_wr: receives,
                max_send_sge: 1,
                max_recv_sge: 1,
                max_inline_data: 0,
            },
            signal_all: false,
        })?;
        qp.init(Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;
        Ok(Self { end, pd, qp, cq, patience: Patience::of(plan.timeout) })
    }

    /// Comes together with the other side, which must have the same plan. What memory is told of is of no
    /// use to it: keys come with the capsules.
    pub fn meet(&mut self, plan: &Plan, memory: &MemoryRegion) -> Result<Peer, PeerError> {
        let own = self.end.destination(&self.qp, first_psn());
        let connect = |other| self.end.connect(&self.qp, own.psn, other, TERMS);
        let mut peer = match &plan.host {
            Some(host) => {
                let peer = as_client((host, plan.port), own, plan.timeout)?;
                connect(peer.destination)?;
                peer
            }
            None => as_server(plan.port, own, plan.timeout, connect)?,
        };
        let Plan { size, iterations, depth, .. } = plan;
        peer.offer(format!("nvmf_read -s {size} -n {iterations} -q {depth}"), memory)?;
        self.patience.renew();
        Ok(peer)
    }
    // ANCHOR_END: nvmf_side

    /// Memory for so many slots of `bytes` each.
    pub fn memory(
        &self,
        name: &str,
        bytes: usize,
        access: Access,
    ) -> Result<MemoryRegion, PeerError> {
        Ok(self.pd.reg_mr(self.end.context.alloc_buffer(bytes, name)?, access)?)
    }

    /// Posts the receive of a slot, which has `length` bytes.
    pub fn receive(
        &self,
        memory: &MemoryRegion,
        slot: usize,
        length: usize,
    ) -> Result<(), PeerError> {
        let list = [memory.element(slot * length, length as u32)];
        let wr_id = RECEIVE + slot as u64;
        Ok(post_recv(&self.qp, &[ReceiveRequest { wr_id, sg_list: &list }])?)
    }

    /// Polls once; gives the device its turn if nothing has come, and ends in an error if nothing has
    /// for too long.
    pub fn poll(&mut self) -> Result<Vec<Done>, PeerError> {
        let mut completions = [WorkCompletion::default(); POLLED];
        let count = poll_cq(&self.cq, &mut completions)? as usize;
        if count == 0 {
            self.end.context.relax();
            self.patience.strain()?;
        } else {
            self.patience.renew();
        }
        completions[..count].iter().map(done).collect()
    }
}

/// What a completion tells.
fn done(completion: &WorkCompletion) -> Result<Done, PeerError> {
    let WorkCompletion { wr_id, status, vendor_err, .. } = *completion;
    let is_receive = wr_id >= RECEIVE;
    if status != WorkStatus::Success {
        let what = if is_receive { "receive" } else { "request" };
        return Err(PeerError::Failed { what, status, vendor_err });
    }
    Ok(match is_receive {
        true => Done::Received((wr_id - RECEIVE) as usize, completion.arrival.invalidated),
        false => Done::Sent(wr_id as usize),
    })
}

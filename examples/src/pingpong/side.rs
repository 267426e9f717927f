//! One side: its queue pair, its buffer, and what it does with each completion.

use super::play::Plan;
use crate::peer::{Destination, Endpoint, PeerError, Terms};
use doorbell_driver::verbs::{
    Access, AddressHandle, CompletionChannel, CompletionQueue, MemoryRegion, Opcode, Operands,
    QueueKey, QueuePair, QueuePairCapabilities, QueuePairRequest, ReceiveRequest, SendFlags,
    SendRequest, Transport, WorkCompletion, WorkStatus, poll_cq, post_recv, post_send,
    req_notify_cq,
};
use std::sync::Arc;

/// Names of the two kinds of work requests, which are also bits of what is pending.
const RECEIVE: u64 = 1;
const SEND: u64 = 2;

/// What the buffer is filled with, but for the bytes that are checked.
const FILL: u8 = 0x7b;

/// What a receiver's buffer holds before anything has come.
const NOTHING: u8 = 0xee;

/// Distance of the bytes that the original checks: a page.
const PAGE: usize = 4096;

/// Bytes before a received datagram: room for a global header, which RoCE v2 fills with its IP header.
const GLOBAL_HEADER: usize = 40;

/// The queue key of the original.
const QKEY: QueueKey = QueueKey(0x1111_1111);

/// Messages up to this length travel in the WQE.
const INLINE: u32 = 60;

/// One side of the game.
pub struct Side {
    end: Arc<Endpoint>,
    /// Where everything of it completes.
    pub cq: Arc<CompletionQueue>,
    qp: QueuePair,
    /// The way to the other side, of datagrams.
    handle: Option<AddressHandle>,
    remote_qpn: u32,
    memory: MemoryRegion,
    /// Where the message begins in the buffer: datagrams arrive behind their global header.
    offset: usize,
    /// How it is called.
    pub destination: Destination,
    size: u32,
    depth: u32,
    flags: SendFlags,
    /// Receives posted and not completed.
    outstanding: u32,
    /// Messages sent and received.
    sent: u32,
    received: u32,
    iterations: u32,
    /// What must complete before the next message goes out.
    pending: u64,
    /// Completion events.
    pub events: u32,
}

impl Side {
    // ANCHOR: pingpong_resources
    /// Creates what a side needs, and posts its receives. (`pp_init_ctx`)
    pub fn new(
        end: &Arc<Endpoint>,
        channel: Option<&Arc<CompletionChannel>>,
        plan: &Plan,
        psn: u32,
    ) -> Result<Self, PeerError> {
        let context = &end.context;
        let pd = context.alloc_pd()?;
        let is_datagram = plan.transport == Transport::UnreliableDatagram;
        let offset = if is_datagram { GLOBAL_HEADER } else { 0 };
        let buffer = context.alloc_buffer(offset + plan.size as usize, "message")?;
        let memory = pd.reg_mr(buffer, Access::LOCAL_WRITE)?;
        let cq = match channel {
            Some(channel) => context.create_cq_on(plan.rx_depth + 1, channel)?,
            None => context.create_cq(plan.rx_depth + 1)?,
        };
        let inline = plan.size <= INLINE;
        let qp = pd.create_qp(&QueuePairRequest {
            transport: plan.transport,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: QueuePairCapabilities {
                max_send_wr: 1,
                max_recv_wr: plan.rx_depth,
                max_send_sge: 1,
                max_recv_sge: 1,
                max_inline_data: if inline { plan.size } else { 0 },
            },
            signal_all: false,
        })?;
        match is_datagram {
            true => qp.init(QKEY)?,
            false => qp.init(Access::empty())?,
        }
        let mut side = Self {
            destination: end.destination(&qp, psn),
            end: Arc::clone(end),
            cq,
            qp,
            handle: None,
            remote_qpn: 0,
            memory,
            offset,
            size: plan.size,
            depth: plan.rx_depth,
            flags: if inline {
                SendFlags::SIGNALED | SendFlags::INLINE
            } else {
                SendFlags::SIGNALED
            },
            outstanding: 0,
            sent: 0,
            received: 0,
            iterations: plan.iterations,
            pending: RECEIVE,
            events: 0,
        };
        side.post_receives()?;
        if channel.is_some() {
            req_notify_cq(&side.cq, false)?;
        }
        Ok(side)
    }
    // ANCHOR_END: pingpong_resources

    /// Brings the queue pair from INIT to RTS; datagrams need the way to the other side beside it.
    pub fn connect(&mut self, to: Destination, plan: &Plan) -> Result<(), PeerError> {
        let terms =
            Terms { path_mtu: plan.path_mtu, service_level: plan.service_level, rd_atomic: 1 };
        self.end.connect(&self.qp, self.destination.psn, to, terms)?;
        if plan.transport == Transport::UnreliableDatagram {
            let way = self.end.way_to(to, plan.service_level)?;
            self.handle = Some(self.qp.pd().create_ah(&way)?);
            self.remote_qpn = to.qpn;
        }
        Ok(())
    }

    /// Posts as many receives as are missing. (`pp_post_recv`)
    fn post_receives(&mut self) -> Result<(), PeerError> {
        let list = [self.memory.element(0, self.offset as u32 + self.size)];
        let request = ReceiveRequest { wr_id: RECEIVE, sg_list: &list };
        while self.outstanding < self.depth {
            post_recv(&self.qp, &[request])?;
            self.outstanding += 1;
        }
        Ok(())
    }

    /// Sends the message. (`pp_post_send`)
    fn send(&self) -> Result<(), PeerError> {
        let operands = self.handle.as_ref().map_or(Operands::None, |handle| Operands::Datagram {
            handle,
            remote_qpn: self.remote_qpn,
            remote_qkey: QKEY.0,
        });
        Ok(post_send(
            &self.qp,
            &[SendRequest {
                wr_id: SEND,
                sg_list: &[self.memory.element(self.offset, self.size)],
                opcode: Opcode::Send,
                send_flags: self.flags,
                operands,
                ..SendRequest::default()
            }],
        )?)
    }

    /// The first message, from the client.
    pub fn begin(&mut self) -> Result<(), PeerError> {
        self.send()?;
        self.pending |= SEND;
        Ok(())
    }

    /// Whether all messages have gone both ways.
    pub fn is_done(&self) -> bool {
        self.sent >= self.iterations && self.received >= self.iterations
    }

    /// Arms the completion queue again after an event.
    pub fn arm(&mut self) -> Result<(), PeerError> {
        self.events += 1;
        Ok(req_notify_cq(&self.cq, false)?)
    }

    // ANCHOR: pingpong_advance
    /// Polls once, and does what follows from it; says whether there was anything.
    pub fn advance(&mut self) -> Result<bool, PeerError> {
        let mut completions = [WorkCompletion::default(); 2];
        let count = poll_cq(&self.cq, &mut completions)? as usize;
        for completion in &completions[..count] {
            self.complete(completion)?;
        }
        Ok(count > 0)
    }

    /// One completion: when the message has come and ours has gone, ours goes again.
    /// (`parse_single_wc`)
    fn complete(&mut self, completion: &WorkCompletion) -> Result<(), PeerError> {
        if completion.status != WorkStatus::Success {
            return Err(PeerError::Failed {
                what: if completion.wr_id == SEND { "send" } else { "receive" },
                status: completion.status,
                vendor_err: completion.vendor_err,
            });
        }
        if completion.wr_id == SEND {
            self.sent += 1;
        } else {
            self.outstanding -= 1;
            if self.outstanding <= 1 {
                self.post_receives()?;
            }
            self.received += 1;
        }
        self.pending &= !completion.wr_id;
        if self.sent < self.iterations && self.pending == 0 {
            self.send()?;
            self.pending = RECEIVE | SEND;
        }
        Ok(())
    }
    // ANCHOR_END: pingpong_advance

    // ANCHOR: pingpong_check
    /// The message that the client sends: with `marked` the bytes that the original's server checks.
    pub fn fill(&self, marked: bool) {
        let mut bytes = vec![FILL; self.size as usize];
        if marked {
            bytes.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0);
        }
        self.memory.buffer().write(self.offset, &bytes);
    }

    /// What is in the server's buffer before anything has come: no byte of it is right.
    pub fn spoil(&self) {
        self.memory.buffer().write(self.offset, &vec![NOTHING; self.size as usize]);
    }

    /// Looks whether every byte is what the client filled in.
    pub fn check(&self) -> Result<(), PeerError> {
        let bytes = self.memory.buffer().read(self.offset, self.size as usize).unwrap_or_default();
        let right = |at: usize| if at.is_multiple_of(PAGE) { 0 } else { FILL };
        match bytes.iter().enumerate().find(|(at, byte)| **byte != right(*at)) {
            Some((at, byte)) => Err(PeerError::Invalid { at, byte: *byte, right: right(at) }),
            None => Ok(()),
        }
    }
    // ANCHOR_END: pingpong_check

    /// Acknowledges all events.
    pub fn acknowledge(&self) {
        if self.events > 0 {
            self.cq.ack_events(self.events);
        }
    }

    /// What a program does when there was nothing.
    pub fn relax(&self) {
        self.end.context.relax();
    }
}

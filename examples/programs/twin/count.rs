//! Makes the calls of one case, for callgrind to count what happens in [`measured_call`] and
//! [`measured_call_poll`]: one call of a verb, from its first instruction to its return. Everything
//! else, waiting for the card above all, happens outside.

use crate::Failure;
use crate::connect::connect;
use crate::own_memory::OwnMemory;
use crate::places::Places;
use clap::{Args, ValueEnum};
use doorbell_driver::verbs::{
    Access, CompletionQueue, Context, MemoryRegion, Opcode, PollError, PostError, ProtectionDomain,
    QueuePair, QueuePairCapabilities, QueuePairRequest, ReceiveRequest, RemoteAddress, SendFlags,
    SendRequest, Transport, WorkCompletion, WorkStatus, poll_cq, post_recv, post_send,
};
use doorbell_examples::{Device, World};
use doorbell_tracer::{Clock, Full, Role, Tracer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the program is told.
#[derive(Args, Debug)]
pub struct Options {
    /// A device that the kernel drives.
    device: Device,

    /// What is counted.
    case: Case,

    /// How often.
    calls: u32,
}

/// What can be counted.
#[derive(ValueEnum, Debug, Clone, Copy)]
enum Case {
    Write,
    List,
    Inline,
    Immediate,
    Elements,
    #[value(name = "poll-1")]
    Poll1,
    #[value(name = "poll-16")]
    Poll16,
    PollEmpty,
}

/// What a work request is like.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// An RDMA WRITE of one element.
    Plain,
    /// A SEND whose data is in the WQE.
    Inline,
    /// A SEND with immediate data.
    Immediate,
    /// An RDMA WRITE of [`ELEMENTS`] elements.
    Elements,
}

impl Form {
    fn opcode(self) -> Opcode {
        match self {
            Self::Plain | Self::Elements => Opcode::RdmaWrite,
            Self::Inline => Opcode::Send,
            Self::Immediate => Opcode::SendWithImmediate,
        }
    }

    /// Whether the other side must have posted a receive.
    fn is_received(self) -> bool {
        matches!(self, Self::Inline | Self::Immediate)
    }
}

/// Elements of a work request that has several.
const ELEMENTS: usize = 3;

/// Calls that are not counted, before those that are.
const WARM: u32 = 3;

/// Size of either buffer, and entries of a completion queue that can be used.
const LENGTH: usize = 4096;
const ENTRIES: u32 = 63;

/// How long a completion may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the calls.
pub fn run(options: &Options) -> Result<(), Failure> {
    let mut bench = Bench::new(&options.device)?;
    for _ in 0..WARM {
        bench.run(options.case, false)?;
    }
    for _ in 0..options.calls {
        bench.run(options.case, true)?;
    }
    Ok(())
}

/// What is counted: a post.
#[inline(never)]
fn measured_call(qp: &QueuePair, requests: &[SendRequest<'_>]) -> Result<(), PostError> {
    post_send(qp, requests)
}

/// What is counted: a poll.
#[inline(never)]
fn measured_call_poll(
    cq: &CompletionQueue,
    completions: &mut [WorkCompletion],
) -> Result<u32, PollError> {
    poll_cq(cq, completions)
}

/// Two connected queue pairs and their memory.
struct Bench {
    sender: Side,
    receiver: Side,
    local: MemoryRegion,
    remote: MemoryRegion,
    memory: OwnMemory,
}

/// One of the two sides.
struct Side {
    qp: QueuePair,
    cq: Arc<CompletionQueue>,
    /// Address of the completion queue, and its entries.
    ring: u64,
    entries: u32,
    polled: u32,
}

impl Bench {
    fn new(device: &Device) -> Result<Self, Failure> {
        let tracer = Tracer::new(Full::new(), Clock::Logical);
        let context = World::new(device.clone(), &tracer).open()?;
        let pd = context.alloc_pd()?;
        let memory = |name, access| -> Result<MemoryRegion, Failure> {
            Ok(pd.reg_mr(context.alloc_buffer(LENGTH, name)?, access)?)
        };
        let local = memory("local", Access::LOCAL_WRITE)?;
        let remote = memory("remote", Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;
        let sender = Side::new(&context, &pd, &tracer)?;
        let receiver = Side::new(&context, &pd, &tracer)?;
        connect(&context, &sender.qp, &receiver.qp)?;
        // The table without probes is what is counted.
        context.set_tracing(false);
        Ok(Self { sender, receiver, local, remote, memory: OwnMemory::open()? })
    }

    fn run(&mut self, case: Case, measured: bool) -> Result<(), Failure> {
        match case {
            Case::Write => self.post(1, Form::Plain, measured, false),
            Case::List => self.post(32, Form::Plain, measured, false),
            Case::Inline => self.post(1, Form::Inline, measured, false),
            Case::Immediate => self.post(1, Form::Immediate, measured, false),
            Case::Elements => self.post(1, Form::Elements, measured, false),
            Case::Poll1 => self.post(1, Form::Plain, false, measured),
            Case::Poll16 => self.post(16, Form::Plain, false, measured),
            Case::PollEmpty => {
                let mut none = [WorkCompletion::default()];
                let cq = &self.sender.cq;
                let found = if measured {
                    measured_call_poll(cq, &mut none)?
                } else {
                    poll_cq(cq, &mut none)?
                };
                if found == 0 { Ok(()) } else { Err("there was a completion".into()) }
            }
        }
    }

    /// A call that posts so many, and their completions.
    fn post(
        &mut self,
        count: usize,
        form: Form,
        measure_post: bool,
        measure_poll: bool,
    ) -> Result<(), Failure> {
        let inline = form == Form::Inline;
        let elements = [self.local.element(0, if inline { 32 } else { 64 }); ELEMENTS];
        let given = if form == Form::Elements { ELEMENTS } else { 1 };
        let flags = if inline { SendFlags::INLINE } else { SendFlags::empty() };
        let request = SendRequest {
            wr_id: 7,
            sg_list: &elements[..given],
            opcode: form.opcode(),
            send_flags: SendFlags::SIGNALED | flags,
            remote: RemoteAddress {
                address: self.remote.buffer().address(),
                rkey: self.remote.rkey(),
            },
            ..SendRequest::default()
        };
        let requests = vec![request; count];
        if form.is_received() {
            let into = [self.remote.element(0, 64)];
            post_recv(&self.receiver.qp, &[ReceiveRequest { wr_id: 0, sg_list: &into }])?;
        }
        let qp = &self.sender.qp;
        if measure_post {
            measured_call(qp, &requests)?
        } else {
            post_send(qp, &requests)?
        }
        self.sender.poll(&self.memory, count, measure_poll)?;
        if form.is_received() {
            self.receiver.poll(&self.memory, 1, false)?;
        }
        Ok(())
    }
}

impl Side {
    fn new(
        context: &Arc<Context>,
        pd: &Arc<ProtectionDomain>,
        tracer: &Tracer,
    ) -> Result<Self, Failure> {
        let cq = context.create_cq(ENTRIES)?;
        let capabilities = QueuePairCapabilities {
            max_send_wr: 64,
            max_recv_wr: 1,
            max_send_sge: ELEMENTS as u32,
            max_recv_sge: 1,
            max_inline_data: 32,
        };
        let request = QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities,
            signal_all: false,
        };
        let qp = pd.create_qp(&request)?;
        let queue = Places::told(tracer).find(Role::CompletionQueue, cq.number(), "")?;
        let entries = u32::try_from(queue.length)? / queue.stride;
        Ok(Self { qp, cq, ring: queue.address, entries, polled: 0 })
    }

    /// Waits until the card has written the CQE that the `count`-th poll from now will find.
    fn wait_for(&self, memory: &OwnMemory, count: u32) -> Result<(), Failure> {
        let index = self.polled + count - 1;
        let place = self.ring + u64::from(index % self.entries) * 64 + 63;
        let turn = (index / self.entries % 2) as u8;
        let until = Instant::now() + PATIENCE;
        loop {
            let op_own = memory.read(place, 1)?[0];
            if op_own >> 4 != 15 && op_own & 1 == turn {
                return Ok(());
            }
            if Instant::now() > until {
                return Err("no completion came".into());
            }
        }
    }

    /// A poll that must find so many.
    fn poll(&mut self, memory: &OwnMemory, count: usize, measured: bool) -> Result<(), Failure> {
        self.wait_for(memory, count as u32)?;
        let mut completions = vec![WorkCompletion::default(); count];
        let found = if measured {
            measured_call_poll(&self.cq, &mut completions)?
        } else {
            poll_cq(&self.cq, &mut completions)?
        };
        let succeeded = |completion: &WorkCompletion| completion.status == WorkStatus::Success;
        if found as usize != count || !completions.iter().all(succeeded) {
            return Err(format!("a poll found {found}: {completions:?}").into());
        }
        self.polled += found;
        Ok(())
    }
}

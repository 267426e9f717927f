//! Two connected queue pairs, and what each call on them wrote.

use crate::Failure;
use crate::batch::add;
use crate::cases::{Piece, Send, Sizes};
use crate::connect::{QKEY, connect};
use crate::grid::Bench;
use crate::own_memory::OwnMemory;
use crate::places::{Places, Watched};
use doorbell_driver::verbs::{
    Access, Bind, Completed, CompletionQueue, Context, End, MemoryRegion, Opcode, Operands,
    PostCause, PostError, ProtectionDomain, QueuePair, QueuePairRequest, ReceiveRequest,
    RemoteAddress, ScatterGatherElement, SendRequest, Transport, WindowKind, WorkCompletion,
    poll_cq, post_recv, post_send, wr_start,
};
use doorbell_tracer::Role;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Size of either buffer.
const HALF: usize = 1 << 19;

/// How long completions may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Entries of a completion queue.
const COMPLETIONS: u32 = 1023;

/// The memory on both sides.
pub struct Buffers {
    local: MemoryRegion,
    remote: MemoryRegion,
}

impl Buffers {
    pub fn new(context: &Arc<Context>, pd: &Arc<ProtectionDomain>) -> Result<Self, Failure> {
        let bytes: Vec<u8> = (0..HALF).map(|i| (i * 7 + (i >> 8) * 13 + 1) as u8).collect();
        let memory = |name, access| -> Result<MemoryRegion, Failure> {
            let buffer = context.alloc_buffer(HALF, name)?;
            buffer.write(0, &bytes);
            Ok(pd.reg_mr(buffer, access)?)
        };
        let all = Access::LOCAL_WRITE | Access::REMOTE_WRITE | Access::REMOTE_READ;
        Ok(Self { local: memory("local", Access::LOCAL_WRITE)?, remote: memory("remote", all)? })
    }
}

/// One of the two sides.
struct Side {
    qp: QueuePair,
    cq: Arc<CompletionQueue>,
    send: Watched,
    receive: Watched,
    /// Addresses of the doorbell records, and entries of the completion queue.
    record: u64,
    cq_record: u64,
    completions: usize,
}

/// The sender and the receiver.
pub struct Pair {
    sender: Side,
    receiver: Side,
    by_batch: bool,
    next_id: u64,
}

impl Pair {
    pub fn new(bench: &Bench, sizes: &Sizes, out: &mut impl Write) -> Result<Self, Failure> {
        bench.context.set_tracing(true);
        let (sender, receiver) = (Side::new(bench, sizes)?, Side::new(bench, sizes)?);
        connect(&bench.context, &sender.qp, &receiver.qp)?;
        bench.context.set_tracing(bench.probes);
        let Buffers { local, remote } = &bench.buffers;
        writeln!(
            out,
            "pair {} {} {} {} {} {} {} {} {} {} {} {} -",
            sender.qp.number(),
            receiver.qp.number(),
            local.lkey(),
            remote.rkey(),
            bench.window.rkey(),
            local.buffer().address(),
            remote.buffer().address(),
            sender.send.entries(),
            receiver.receive.entries(),
            receiver.receive.stride,
            sender.completions,
            receiver.completions,
        )?;
        Ok(Self { sender, receiver, by_batch: sizes.by_batch, next_id: 1 })
    }

    /// Sets every byte of the rings that are compared.
    pub fn fill(&mut self, bench: &Bench, byte: u8) -> Result<(), Failure> {
        self.sender.send.fill(&bench.memory, byte)?;
        self.receiver.receive.fill(&bench.memory, byte)
    }

    /// One call of `post_send`, or one batch.
    pub fn send(
        &mut self,
        bench: &Bench,
        sends: &[Send],
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let remote = &bench.buffers.remote;
        let lists: Vec<_> =
            sends.iter().map(|send| elements(&bench.buffers.local, &send.pieces)).collect();
        let binds: Vec<_> = sends.iter().map(|send| bind(&bench.buffers.local, send)).collect();
        let requests: Vec<_> = sends
            .iter()
            .zip(lists.iter().zip(&binds))
            .map(|(send, (list, bind))| SendRequest {
                wr_id: self.id(),
                sg_list: list,
                opcode: send.opcode,
                send_flags: send.flags,
                immediate: send.immediate,
                remote: RemoteAddress {
                    address: remote.buffer().address() + send.remote as u64,
                    rkey: remote.rkey(),
                },
                operands: self.operands(bench, send, bind),
            })
            .collect();
        match self.by_batch {
            true => {
                let result = wr_start(&self.sender.qp, |batch| {
                    let keys = (&bench.window, &bench.buffers.local);
                    sends.iter().zip(&requests).for_each(|request| add(batch, request, keys));
                    End::Complete
                });
                // Nothing of it is posted: from the first request on.
                let result = result.map_err(|error| PostError { index: 0, cause: error.cause });
                say_result(out, "send", &result, |cause| cause.errno())?;
            }
            false => {
                let result = post_send(&self.sender.qp, &requests);
                say_result(out, "send", &result, |cause| cause.errno())?;
            }
        }
        say_changes(out, 's', self.sender.send.changes(&bench.memory)?)?;
        say_record(out, 'd', &bench.memory, self.sender.record, 8)?;
        if bench.probes {
            bench.tracer.take();
        }
        Ok(())
    }

    /// One call of `post_recv`, on the receiver.
    pub fn receive(
        &mut self,
        bench: &Bench,
        receives: &[Vec<Piece>],
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let lists: Vec<_> =
            receives.iter().map(|pieces| elements(&bench.buffers.remote, pieces)).collect();
        let requests: Vec<_> =
            lists.iter().map(|list| ReceiveRequest { wr_id: self.id(), sg_list: list }).collect();
        let result = post_recv(&self.receiver.qp, &requests);
        say_result(out, "recv", &result, |cause| match cause {
            PostCause::TooManyElements { .. } => 22,
            other => other.errno(),
        })?;
        say_changes(out, 'r', self.receiver.receive.changes(&bench.memory)?)?;
        say_record(out, 'd', &bench.memory, self.receiver.record, 8)
    }

    /// Waits for completions of the sender, or of the receiver.
    pub fn wait(
        &mut self,
        bench: &Bench,
        of_sender: bool,
        count: u32,
        out: &mut impl Write,
    ) -> Result<(), Failure> {
        let side = if of_sender { &self.sender } else { &self.receiver };
        let (until, mut done) = (Instant::now() + PATIENCE, 0);
        while done < count {
            let mut completions = [WorkCompletion::default(); 16];
            let most = (count - done).min(16) as usize;
            let polled = poll_cq(&side.cq, &mut completions[..most])?;
            for completion in &completions[..polled as usize] {
                say_completion(out, completion)?;
                let is_receive = matches!(
                    completion.opcode,
                    Completed::Receive | Completed::ReceiveRdmaWithImmediate
                );
                if side.qp.transport() == Transport::UnreliableDatagram && is_receive {
                    let way = completion.arrival;
                    let is_own = way.src_qp == self.sender.qp.number();
                    let (grh, is_own) = (u8::from(way.grh), u8::from(is_own));
                    write!(out, " {grh} {is_own} {} {}", way.slid, way.sl)?;
                }
                writeln!(out)?;
            }
            done += polled;
            if polled == 0 && Instant::now() > until {
                writeln!(out, "stuck {done} of {count}")?;
                out.flush()?;
                return Err(format!("only {done} of {count} completions came").into());
            }
        }
        say_record(out, 'c', &bench.memory, side.cq_record, 4)
    }

    /// What a request needs besides, worked out of its other numbers as the twin in C does.
    fn operands<'a>(&self, bench: &'a Bench, send: &Send, bind: &'a Bind) -> Operands<'a> {
        let compare_add = u64::from(send.immediate).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match send.opcode {
            Opcode::AtomicCompareAndSwap | Opcode::AtomicFetchAndAdd => {
                Operands::Atomic { compare_add, swap: !compare_add }
            }
            Opcode::BindMemoryWindow => Operands::Bind(bind),
            _ if self.sender.qp.transport() == Transport::UnreliableDatagram => {
                Operands::Datagram {
                    handle: &bench.handles[send.remote % bench.handles.len()],
                    remote_qpn: self.receiver.qp.number(),
                    remote_qkey: QKEY,
                }
            }
            _ => Operands::None,
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }
}

impl Side {
    fn new(bench: &Bench, sizes: &Sizes) -> Result<Self, Failure> {
        let cq = bench.context.create_cq(COMPLETIONS)?;
        let qp = bench.pd.create_qp(&QueuePairRequest {
            transport: sizes.transport,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: sizes.capabilities,
            signal_all: sizes.signal_all,
        })?;
        let places = Places::told(&bench.tracer);
        let (qpn, cqn) = (qp.number(), cq.number());
        let record = places.find(Role::DoorbellRecord, qpn, "doorbell record of QP")?;
        let cq_record = places.find(Role::DoorbellRecord, cqn, "doorbell record of CQ")?;
        let queue = places.find(Role::CompletionQueue, cqn, "")?;
        Ok(Self {
            send: Watched::new(&places.find(Role::SendQueue, qpn, "")?, &bench.memory)?,
            receive: Watched::new(&places.find(Role::ReceiveQueue, qpn, "")?, &bench.memory)?,
            record: record.address,
            cq_record: cq_record.address,
            completions: usize::try_from(queue.length)? / queue.stride as usize,
            qp,
            cq,
        })
    }
}

/// What a request binds, worked out in the same way.
fn bind(local: &MemoryRegion, send: &Send) -> Bind {
    let number = send.immediate;
    Bind {
        window: if number & 1 == 0 { WindowKind::One } else { WindowKind::Two },
        key: number,
        new_key: number ^ 0x5a,
        lkey: local.lkey(),
        address: local.buffer().address() + send.remote as u64,
        length: if number & 2 == 0 { 0 } else { u64::from(number >> 1 | 1) },
        access: Access::from_bits_truncate(number >> 4 & 15),
        zero_based: number >> 8 & 1 == 1,
    }
}

/// The list of elements of some pieces of a memory region.
fn elements(region: &MemoryRegion, pieces: &[Piece]) -> Vec<ScatterGatherElement> {
    pieces.iter().map(|(offset, length)| region.element(*offset, *length)).collect()
}

fn say_result(
    out: &mut impl Write,
    call: &str,
    result: &Result<(), PostError>,
    errno: impl Fn(&PostCause) -> i32,
) -> Result<(), Failure> {
    match result {
        Ok(()) => writeln!(out, "{call} 0 -")?,
        Err(error) => writeln!(out, "{call} {} {}", errno(&error.cause), error.index)?,
    }
    Ok(())
}

fn say_changes(
    out: &mut impl Write,
    name: char,
    changes: Vec<(usize, Vec<u8>)>,
) -> Result<(), Failure> {
    for (offset, bytes) in changes {
        writeln!(out, "{name} {offset} {}", hex(&bytes))?;
    }
    Ok(())
}

fn say_record(
    out: &mut impl Write,
    name: char,
    memory: &OwnMemory,
    address: u64,
    length: usize,
) -> Result<(), Failure> {
    Ok(writeln!(out, "{name} {}", hex(&memory.read(address, length)?))?)
}

/// A completion with the verbs' numbers, without the line's end.
fn say_completion(out: &mut impl Write, completion: &WorkCompletion) -> Result<(), Failure> {
    let has_length = !matches!(
        completion.opcode,
        Completed::Send
            | Completed::RdmaWrite
            | Completed::BindMemoryWindow
            | Completed::LocalInvalidate
    );
    let opcode = completion.opcode as u8;
    let length = if has_length { completion.byte_len } else { 0 };
    let immediate = completion.immediate.map_or("-".to_owned(), |number| number.to_string());
    let (id, status) = (completion.wr_id, completion.status as u8);
    Ok(write!(out, "w {id} {status} {opcode} {length} {immediate}")?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

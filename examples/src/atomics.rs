//! Two processes count in one place, at the same time: eight bytes of the server's memory.
//!
//! Each side adds with fetch-and-add, and counts up with compare-and-swap, which fails whenever the
//! other side was faster and is then tried again. The client's card asks over the wire; the server's
//! asks itself, by a queue pair that is connected with itself. At the end not one count may be missing.

use crate::peer::{
    Endpoint, Patience, PeerError, Terms, as_client, as_server, device_or_default, first_psn,
    main_with,
};
use crate::{Device, TraceOptions, World};
use clap::Parser;
use doorbell_driver::verbs::{
    Access, CompletionQueue, MemoryRegion, Opcode, Operands, ProtectionDomain, QueuePair,
    QueuePairCapabilities, QueuePairRequest, RemoteAddress, SendFlags, SendRequest, Transport,
    WorkCompletion, WorkStatus, poll_cq, post_send,
};
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Bytes that an atomic operation works on.
const WORD: usize = 8;

/// What each fetch-and-add adds: it shows in the sum which operations were lost.
const STEP: u64 = 1 << 32;

/// What both sides agree on: MTU 1024, one operation at a time.
const TERMS: Terms = Terms { path_mtu: 3, service_level: 0, rd_atomic: 1 };

/// Counts in one place from two processes, with fetch-and-add and compare-and-swap.
///
/// Without a host it is the server, whose memory is counted in; with one it connects to the server
/// there. Start both with the same number of operations.
#[derive(Parser, Debug)]
#[command(name = "atomics")]
struct Options {
    /// The server to connect to [default: be the server]
    host: Option<String>,

    /// "card,address=127.0.0.2" (a software card with a wire) or "mlx5_0" (a card that the kernel
    /// drives) [default: a software card, of the server with address 127.0.0.2, of the client with
    /// 127.0.0.3]
    #[arg(short, long)]
    device: Option<Device>,

    /// TCP port to listen on or to connect to
    #[arg(short, long, default_value_t = 18515)]
    port: u16,

    /// Operations of each kind, by each side
    #[arg(short = 'n', long = "iters", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,

    /// Address the other side by GID, with this entry of our port's table as our own; over Ethernet
    /// the port's own entry is the default
    #[arg(short = 'x', long = "gid-index", value_name = "INDEX")]
    gid_index: Option<u8>,

    /// How many seconds to wait for the other side, or for a completion
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,

    /// How the run is traced.
    #[command(flatten)]
    tracing: TraceOptions,
}

/// The program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    let device = device_or_default(options.device.as_ref(), options.host.is_some());
    main_with("atomics", &device, &options.tracing, |world| run(world, &options))
}

/// What came of it.
#[derive(Debug)]
struct Summary {
    iterations: u32,
    /// Swaps that came too late, and were tried again.
    late: u64,
    /// The sum, at the side that has it.
    sum: Option<u64>,
}

impl fmt::Display for Summary {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iterations, late, .. } = self;
        write!(to, "{iterations} fetch-and-adds and {iterations} swaps, {late} more too late")?;
        match self.sum {
            Some(sum) => write!(to, "\nthe sum is {sum:#x}: nothing is missing"),
            None => Ok(()),
        }
    }
}

// ANCHOR: atomics_run
/// One side: connects, counts, and waits until the other side has counted, too.
fn run(world: &World, options: &Options) -> Result<Summary, PeerError> {
    let timeout = Duration::from_secs(options.timeout);
    let context = world.open()?;
    let end = Endpoint::of(world, &context, options.gid_index)?;
    end.check_wire()?;
    let pd = context.alloc_pd()?;
    let access = Access::LOCAL_WRITE | Access::REMOTE_ATOMIC;
    let sum = pd.reg_mr(context.alloc_buffer(WORD, "sum")?, access)?;
    let mut counter = Counter::new(&end, &pd, timeout)?;

    let own = end.destination(&counter.qp, first_psn());
    let connect = |other| end.connect(&counter.qp, own.psn, other, TERMS);
    let mut peer = match &options.host {
        Some(host) => {
            let peer = as_client((host, options.port), own, timeout)?;
            connect(peer.destination)?;
            peer
        }
        None => as_server(options.port, own, timeout, connect)?,
    };
    let theirs = peer.offer(format!("atomics -n {}", options.iterations), &sum)?;
    if options.host.is_some() {
        let late = counter.count(theirs, options.iterations)?;
        peer.part(None, || end.turn())?;
        return Ok(Summary { iterations: options.iterations, late, sum: None });
    }
    let mut own = Counter::new(&end, &pd, timeout)?;
    let itself = end.destination(&own.qp, 0);
    end.connect(&own.qp, 0, itself, TERMS)?;
    let place = RemoteAddress { address: sum.buffer().address(), rkey: sum.rkey() };
    let late = own.count(place, options.iterations)?;
    peer.part(None, || end.turn())?;
    let found = word(&sum);
    let right = u64::from(options.iterations) * 2 * (STEP + 1);
    match found == right {
        true => Ok(Summary { iterations: options.iterations, late, sum: Some(found) }),
        false => Err(PeerError::WrongSum { found, right }),
    }
}
// ANCHOR_END: atomics_run

/// A queue pair that counts, and where it finds what was there before.
struct Counter {
    context: Arc<doorbell_driver::verbs::Context>,
    qp: QueuePair,
    cq: Arc<CompletionQueue>,
    before: MemoryRegion,
    patience: Patience,
}

impl Counter {
    fn new(
        end: &Endpoint,
        pd: &Arc<ProtectionDomain>,
        timeout: Duration,
    ) -> Result<Self, PeerError> {
        let context = Arc::clone(&end.context);
        let cq = context.create_cq(4)?;
        let qp = pd.create_qp(&QueuePairRequest {
            transport: Transport::ReliableConnection,
            send_cq: &cq,
            recv_cq: &cq,
            capabilities: QueuePairCapabilities {
                max_send_wr: 1,
                max_recv_wr: 1,
                max_send_sge: 1,
                max_recv_sge: 1,
                max_inline_data: 0,
            },
            signal_all: false,
        })?;
        qp.init(Access::REMOTE_ATOMIC)?;
        let before = pd.reg_mr(context.alloc_buffer(WORD, "before")?, Access::LOCAL_WRITE)?;
        Ok(Self { context, qp, cq, before, patience: Patience::of(timeout) })
    }

    // ANCHOR: atomics_count
    /// Adds and swaps in turns; says how many swaps came too late.
    fn count(&mut self, sum: RemoteAddress, iterations: u32) -> Result<u64, PeerError> {
        let mut late = 0;
        for _ in 0..iterations {
            let mut seen = self.atomic(Opcode::AtomicFetchAndAdd, sum, (STEP, 0))? + STEP;
            loop {
                let operands = (seen, seen + 1);
                let found = self.atomic(Opcode::AtomicCompareAndSwap, sum, operands)?;
                if found == seen {
                    break;
                }
                (seen, late) = (found, late + 1);
            }
        }
        Ok(late)
    }

    /// One atomic operation: what was there before.
    fn atomic(
        &mut self,
        opcode: Opcode,
        sum: RemoteAddress,
        (compare_add, swap): (u64, u64),
    ) -> Result<u64, PeerError> {
        post_send(
            &self.qp,
            &[SendRequest {
                wr_id: 1,
                sg_list: &[self.before.element(0, WORD as u32)],
                opcode,
                send_flags: SendFlags::SIGNALED,
                remote: sum,
                operands: Operands::Atomic { compare_add, swap },
                ..SendRequest::default()
            }],
        )?;
        self.patience.renew();
        let mut completions = [WorkCompletion::default()];
        while poll_cq(&self.cq, &mut completions)? == 0 {
            self.context.relax();
            self.patience.strain()?;
        }
        let [WorkCompletion { status, vendor_err, .. }] = completions;
        match status {
            WorkStatus::Success => Ok(word(&self.before)),
            _ => Err(PeerError::Failed { what: opcode.name(), status, vendor_err }),
        }
    }
    // ANCHOR_END: atomics_count
}

/// The eight bytes of a memory region, as this machine's CPU reads them.
fn word(memory: &MemoryRegion) -> u64 {
    let bytes = memory.buffer().read(0, WORD).unwrap_or_default();
    bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

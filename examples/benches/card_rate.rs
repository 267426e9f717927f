//! How fast the software card is: RDMA WRITEs of one process through the driver and the card, from the
//! post to the polled completion, with everything on one thread and nothing traced.
//!
//! `cargo bench -p doorbell-examples --bench card_rate` prints messages and bytes a second by message size,
//! and by the number of queue pairs that take turns; with `-- --json` in a form for a script. It says
//! what the software costs here, and nothing of any real card.

use doorbell_card::CardConfig;
use doorbell_driver::bus::CardBus;
use doorbell_driver::mlx5::{BlueFlameSettings, CardDoor, Mlx5};
use doorbell_driver::verbs::*;
use doorbell_tracer::Tracer;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sizes of messages, in bytes.
const SIZES: [u32; 6] = [8, 64, 512, 4096, 65_536, 1 << 20];

/// Numbers of queue pairs, half of them sending.
const QUEUE_PAIRS: [usize; 5] = [2, 10, 100, 1000, 10_000];

/// From so many queue pairs on their making is told of.
const SHOWN: usize = 1000;

/// What each is measured for.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

/// Work requests under way in a queue pair.
const DEPTH: usize = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (sizes, queue_pairs, time) = match asked("--test") {
        true => (&SIZES[..2], &QUEUE_PAIRS[..2], Duration::ZERO),
        false => (&SIZES[..], &QUEUE_PAIRS[..], LONG_ENOUGH),
    };
    match report(sizes, queue_pairs, time, asked("--json")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(
    sizes: &[u32],
    queue_pairs: &[usize],
    time: Duration,
    json: bool,
) -> Result<(), Box<dyn Error>> {
    let sizes = sizes.iter().map(|&size| (2, size));
    let queue_pairs = queue_pairs.iter().map(|&count| (count, 64));
    for (count, size) in sizes.chain(queue_pairs) {
        if count >= SHOWN {
            eprintln!("connecting {count} queue pairs ...");
        }
        let rate = Network::new(count / 2, size)?.rate(time)?;
        let megabytes = rate * f64::from(size) / 1e6;
        match json {
            true => println!(
                "{{\"queue_pairs\":{count},\"bytes\":{size},\"messages_per_second\":{rate:.0}}}"
            ),
            false => println!(
                "{count:>6} queue pairs, {size:>8} bytes: {rate:>10.0} messages/s {megabytes:>9.1} MB/s"
            ),
        }
    }
    Ok(())
}

/// Pairs of connected queue pairs on one card, and memory to write from and to.
struct Network {
    context: Arc<Context>,
    cq: Arc<CompletionQueue>,
    /// Each sender and its peer, which only has to stay.
    pairs: Vec<(QueuePair, QueuePair)>,
    source: MemoryRegion,
    target: MemoryRegion,
}

impl Network {
    fn new(pairs: usize, size: u32) -> Result<Self, Box<dyn Error>> {
        let tracer = Tracer::off();
        // The rings of a queue pair take three pages, and a page has the doorbell records of many.
        let pages = 4096 + pairs * 7 + size as usize / 2048;
        let bus = CardBus::with_memory(CardConfig::default(), pages, &tracer);
        let doors: Vec<Arc<dyn Door>> =
            vec![Arc::new(CardDoor::new(bus, BlueFlameSettings::default()))];
        let mut providers = Providers::new();
        providers.register(&Mlx5, &tracer);
        let devices = get_device_list(&doors, &tracer);
        let device = devices.first().ok_or("the software card was not found")?;
        let context = open_device(device, &providers, &tracer)?;
        context.set_tracing(false);
        let pd = context.alloc_pd()?;
        let cq = context.create_cq(DEPTH as u32 * 2)?;
        let memory = |access| pd.reg_mr(context.alloc_buffer(size as usize, "data")?, access);
        let source = memory(Access::empty())?;
        let target = memory(Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;
        let queue_pair = || {
            pd.create_qp(&QueuePairRequest {
                transport: Transport::ReliableConnection,
                send_cq: &cq,
                recv_cq: &cq,
                capabilities: QueuePairCapabilities {
                    max_send_wr: DEPTH as u32 + 1,
                    max_recv_wr: 1,
                    max_send_sge: 1,
                    max_recv_sge: 1,
                    max_inline_data: 0,
                },
                signal_all: false,
            })
        };
        let pairs = (0..pairs).map(|_| {
            let (left, right) = (queue_pair()?, queue_pair()?);
            connect(&context, &left, &right)?;
            connect(&context, &right, &left)?;
            Ok::<_, VerbsError>((left, right))
        });
        let pairs = pairs.collect::<Result<_, _>>()?;
        Ok(Self { cq, pairs, source, target, context })
    }

    /// Messages a second: each queue pair in turn posts a list, of which the last request completes.
    fn rate(&self, time: Duration) -> Result<f64, Box<dyn Error>> {
        let length = self.source.buffer().length() as u32;
        let element = [self.source.element(0, length)];
        let request = |signaled| SendRequest {
            wr_id: 0,
            sg_list: &element,
            opcode: Opcode::RdmaWrite,
            send_flags: if signaled { SendFlags::SIGNALED } else { SendFlags::empty() },
            immediate: 0,
            remote: RemoteAddress {
                address: self.target.buffer().address(),
                rkey: self.target.rkey(),
            },
            ..Default::default()
        };
        let list: Vec<_> = (1..=DEPTH).map(|number| request(number == DEPTH)).collect();
        let start = Instant::now();
        let mut sent = 0;
        while sent == 0 || start.elapsed() < time {
            for (sender, _) in &self.pairs {
                post_send(sender, &list)?;
                self.wait()?;
                sent += DEPTH;
                if !time.is_zero() && start.elapsed() > time * 4 {
                    break;
                }
            }
        }
        Ok(sent as f64 / start.elapsed().as_secs_f64())
    }

    fn wait(&self) -> Result<(), Box<dyn Error>> {
        let mut completions = [WorkCompletion::default()];
        while poll_cq(&self.cq, &mut completions)? == 0 {
            self.context.relax();
        }
        match completions[0].status {
            WorkStatus::Success => Ok(()),
            status => Err(format!("a write ended with {}", status.name()).into()),
        }
    }
}

/// RESET to RTS.
fn connect(context: &Context, own: &QueuePair, other: &QueuePair) -> Result<(), VerbsError> {
    own.init(Access::LOCAL_WRITE | Access::REMOTE_WRITE)?;
    own.connect(&ConnectTo {
        qp_num: other.number(),
        path_mtu: 5,
        first_psn: 0,
        max_dest_rd_atomic: 1,
        min_rnr_timer: 12,
        address: context.query_gid()?,
    })?;
    own.start(&SendParameters {
        first_psn: 0,
        timeout: 14,
        retry_count: 7,
        rnr_retry: 7,
        max_rd_atomic: 1,
    })
}

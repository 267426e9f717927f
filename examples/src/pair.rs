//! Two connected queue pairs on one card, and waiting for completions.

use crate::Settings;
use crate::guest::MachineError;
use doorbell_card_network::NetworkError;
use doorbell_driver::verbs::{
    Access, BatchError, CompletionChannel, CompletionQueue, ConnectTo, ConnectUnreliably, Context,
    FirstPsn, MemoryRegion, Peer, PollError, PostCause, PostError, ProtectionDomain, QueueKey,
    QueuePair, QueuePairCapabilities, QueuePairRequest, SendParameters, Transport, VerbsError,
    WorkCompletion, WorkStatus, poll_cq,
};
use doorbell_tracer::{Group, Relation, Tracer, probe};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

const PROBE_GROUP: Group = Group::Program;

/// How often an empty completion queue is polled before the card is given up.
const POLLS: u32 = 1_000_000;

/// The same where a card needs seconds: half a minute in all.
const LONG_POLLS: u32 = 6_000;
const BETWEEN_LONG_POLLS: Duration = Duration::from_millis(5);

/// Why a scenario ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExampleError {
    /// The device list is empty.
    #[error(
        "no device was found; looked at: {places}. Load mlx5_ib on a machine with a card, or use --device card"
    )]
    NoDevice {
        /// The places looked at.
        places: String,
    },
    /// The software card cannot be plugged in.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A verb failed.
    #[error(transparent)]
    Verbs(#[from] VerbsError),
    /// A post failed.
    #[error(transparent)]
    Post(#[from] PostError),
    /// A batch was refused.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A poll failed.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// No completion came.
    #[error(
        "no completion came within {0} polls; was the work request signalled, and is the other side there?"
    )]
    NoCompletion(u32),
    /// A completion with an error.
    #[error("work request {wr_id} ended with {}, vendor syndrome {vendor_err:#x}", status.name())]
    Failed {
        /// Of the work request.
        wr_id: u64,
        /// How it ended.
        status: WorkStatus,
        /// The card's own word.
        vendor_err: u8,
    },
    /// The data did not arrive as it was sent.
    #[error("the data did not arrive: {0}")]
    NotArrived(&'static str),
    /// The scenario orders the stores of threads, and this device's bus cannot be held.
    #[error(
        "two threads can be held at a chosen store on the software card's bus only; use --device card"
    )]
    SoftwareCardOnly,
    /// The machine could not be changed as the scenario needs it.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A program that had to fail did not.
    #[error("there was {0}: this machine is not as the scenario left it")]
    Unexpected(&'static str),
}

impl ExampleError {
    /// What was wrong with a work request, however it was posted.
    pub fn post_cause(&self) -> Option<&PostCause> {
        match self {
            Self::Post(error) => Some(&error.cause),
            Self::Batch(error) => Some(&error.cause),
            _ => None,
        }
    }
}

/// Two connected queue pairs with a completion queue each.
pub struct Pair {
    /// The side that posts sends.
    pub sender: QueuePair,
    /// The side that receives.
    pub receiver: QueuePair,
    /// Where the sender's work completes.
    pub send_cq: Arc<CompletionQueue>,
    /// Where the receiver's work completes.
    pub recv_cq: Arc<CompletionQueue>,
    /// The protection domain of both.
    pub pd: Arc<ProtectionDomain>,
    /// The device.
    pub context: Arc<Context>,
}

/// Sizes that suit a scenario with these settings: small ones, unless it needs more.
fn capabilities(settings: &Settings) -> QueuePairCapabilities {
    let behind = u32::from(settings.is_silent());
    QueuePairCapabilities {
        max_send_wr: (settings.list + behind).max(4),
        max_recv_wr: settings.list.max(4),
        max_send_sge: settings.sges,
        max_recv_sge: 1,
        max_inline_data: if settings.inline { settings.length.max(32) } else { 32 },
    }
}

impl Pair {
    /// A pair for the usual settings, connected.
    pub fn new(context: &Arc<Context>) -> Result<Self, ExampleError> {
        Self::of(context, &Settings::DEFAULT)
    }

    /// A pair for these settings, connected.
    pub fn of(context: &Arc<Context>, settings: &Settings) -> Result<Self, ExampleError> {
        let pair = Self::unconnected(context, settings)?;
        pair.connect(settings, PATIENT)?;
        Ok(pair)
    }

    /// The same, and the receiver's completion queue tells a channel.
    pub(crate) fn on_channel(
        context: &Arc<Context>,
        channel: &Arc<CompletionChannel>,
        settings: &Settings,
    ) -> Result<Self, ExampleError> {
        let pair = Self::created(context.alloc_pd()?, settings, Some(channel))?;
        pair.connect(settings, PATIENT)?;
        Ok(pair)
    }

    /// A pair of this protection domain, connected.
    pub(crate) fn of_domain(
        pd: &Arc<ProtectionDomain>,
        settings: &Settings,
    ) -> Result<Self, ExampleError> {
        let pair = Self::created(Arc::clone(pd), settings, None)?;
        pair.connect(settings, PATIENT)?;
        Ok(pair)
    }

    /// A pair that is not connected.
    pub(crate) fn unconnected(
        context: &Arc<Context>,
        settings: &Settings,
    ) -> Result<Self, ExampleError> {
        Self::created(context.alloc_pd()?, settings, None)
    }

    // ANCHOR: program_resources
    /// Creates the resources, in the order in which they need each other.
    fn created(
        pd: Arc<ProtectionDomain>,
        settings: &Settings,
        channel: Option<&Arc<CompletionChannel>>,
    ) -> Result<Self, ExampleError> {
        let context = Arc::clone(pd.context());
        let send_cq = context.create_cq((settings.list + 1).max(8))?;
        let entries = settings.list.max(8);
        let recv_cq = match channel {
            Some(channel) => context.create_cq_on(entries, channel)?,
            None => context.create_cq(entries)?,
        };
        let create = |cq| {
            pd.create_qp(&QueuePairRequest {
                transport: settings.transport,
                send_cq: cq,
                recv_cq: cq,
                capabilities: capabilities(settings),
                signal_all: settings.signal_all,
            })
        };
        Ok(Self {
            sender: create(&send_cq)?,
            receiver: create(&recv_cq)?,
            send_cq,
            recv_cq,
            pd,
            context,
        })
    }
    // ANCHOR_END: program_resources

    // ANCHOR: program_connect
    /// Brings both queue pairs from RESET to RTS, each connected to the other. On two machines the
    /// numbers would go back and forth over a socket; here both sides are at hand.
    pub(crate) fn connect(
        &self,
        settings: &Settings,
        patience: Patience,
    ) -> Result<(), ExampleError> {
        let sides = [
            (&self.sender, &self.receiver, FIRST_PSN, SECOND_PSN),
            (&self.receiver, &self.sender, SECOND_PSN, FIRST_PSN),
        ];
        for (own, other, own_psn, other_psn) in sides {
            let way = self.way_to(other, other_psn, settings)?;
            match settings.transport {
                Transport::ReliableConnection => {
                    let atomics = Access::REMOTE_ATOMIC;
                    own.init(if settings.atomics { ACCESS } else { ACCESS - atomics })?;
                    own.connect(&way)?;
                    own.start(&patience.parameters(own_psn))?;
                }
                Transport::UnreliableConnection => {
                    let ConnectTo { qp_num, path_mtu, first_psn, address, .. } = way;
                    own.init(ACCESS - Access::REMOTE_READ - Access::REMOTE_ATOMIC)?;
                    own.connect(&ConnectUnreliably { qp_num, path_mtu, first_psn, address })?;
                    own.start(FirstPsn(own_psn))?;
                }
                Transport::UnreliableDatagram => {
                    own.init(QUEUE_KEY)?;
                    own.connect(Peer::Anyone)?;
                    own.start(FirstPsn(own_psn))?;
                }
            }
        }
        Ok(())
    }

    /// Who the other side is, how to reach it, and which packet to expect first.
    fn way_to(
        &self,
        other: &QueuePair,
        other_psn: u32,
        settings: &Settings,
    ) -> Result<ConnectTo, ExampleError> {
        Ok(ConnectTo {
            qp_num: other.number(),
            path_mtu: settings.path_mtu(),
            first_psn: other_psn,
            max_dest_rd_atomic: 1,
            min_rnr_timer: 12,
            address: self.context.query_gid()?,
        })
    }
    // ANCHOR_END: program_connect

    /// The way from the sender to the receiver.
    pub(crate) fn way_to_receiver(&self, settings: &Settings) -> Result<ConnectTo, ExampleError> {
        self.way_to(&self.receiver, SECOND_PSN, settings)
    }

    /// Brings the sender alone to RTS: the other side knows nothing of it.
    pub(crate) fn connect_sender(
        &self,
        settings: &Settings,
        patience: Patience,
    ) -> Result<(), ExampleError> {
        self.sender.init(ACCESS)?;
        self.sender.connect(&self.way_to_receiver(settings)?)?;
        Ok(self.sender.start(&patience.parameters(FIRST_PSN))?)
    }

    // ANCHOR: program_memory
    /// Takes memory, fills it, and lets the card in.
    pub fn memory(
        &self,
        name: &str,
        bytes: &[u8],
        access: Access,
    ) -> Result<MemoryRegion, ExampleError> {
        let buffer = self.context.alloc_buffer(bytes.len().max(1), name)?;
        buffer.write(0, bytes);
        Ok(self.pd.reg_mr(buffer, access)?)
    }
    // ANCHOR_END: program_memory
}

/// What the other side may do with our memory, as far as the memory itself allows it.
pub(crate) const ACCESS: Access = Access::LOCAL_WRITE
    .union(Access::REMOTE_WRITE)
    .union(Access::REMOTE_READ)
    .union(Access::REMOTE_ATOMIC);

/// The queue key of datagram queue pairs.
pub(crate) const QUEUE_KEY: QueueKey = QueueKey(0x1111_1111);

/// How long a sender waits for the other side, and how often it tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Code of the time to wait for an acknowledgement: 4.096 us times 2 to its power.
    pub(crate) timeout: u8,
    /// Times to send again without an answer.
    pub(crate) retry_count: u8,
    /// Times to send again when the other side has no receive; 7 is without end.
    pub(crate) rnr_retry: u8,
}

/// The usual.
pub(crate) const PATIENT: Patience = Patience { timeout: 14, retry_count: 7, rnr_retry: 7 };

impl Patience {
    /// The parameters for RTS.
    pub(crate) fn parameters(self, first_psn: u32) -> SendParameters {
        SendParameters {
            first_psn,
            timeout: self.timeout,
            retry_count: self.retry_count,
            rnr_retry: self.rnr_retry,
            max_rd_atomic: 1,
        }
    }
}

/// The first packet sequence numbers of the two sides: any two will do, and two that differ can be
/// told apart in a listing.
const FIRST_PSN: u32 = 0x00_1000;
const SECOND_PSN: u32 = 0x00_2000;

// ANCHOR: program_wait
/// Polls until a completion comes, and expects success of it.
pub fn wait_for(cq: &CompletionQueue, context: &Context) -> Result<WorkCompletion, ExampleError> {
    let mut completions = [WorkCompletion::default()];
    for _ in 0..POLLS {
        if poll_cq(cq, &mut completions)? == 1 {
            let [completion] = completions;
            return succeeded(completion);
        }
        context.relax();
    }
    Err(ExampleError::NoCompletion(POLLS))
}

/// The completion, if it tells of success.
fn succeeded(completion: WorkCompletion) -> Result<WorkCompletion, ExampleError> {
    match completion.status {
        WorkStatus::Success => Ok(completion),
        status => Err(ExampleError::Failed {
            wr_id: completion.wr_id,
            status,
            vendor_err: completion.vendor_err,
        }),
    }
}
// ANCHOR_END: program_wait

/// The same where a card of metal needs seconds to give up: after some polls it sleeps in between.
pub(crate) fn wait_long_for(
    cq: &CompletionQueue,
    context: &Context,
) -> Result<WorkCompletion, ExampleError> {
    let mut completions = [WorkCompletion::default()];
    for turn in 0..LONG_POLLS {
        if poll_cq(cq, &mut completions)? == 1 {
            let [completion] = completions;
            return succeeded(completion);
        }
        context.relax();
        if turn > LONG_POLLS / 100 {
            sleep(BETWEEN_LONG_POLLS);
        }
    }
    Err(ExampleError::NoCompletion(LONG_POLLS))
}

// ANCHOR: program_compare
/// Looks whether `expected` has arrived at the beginning of a buffer.
pub fn expect_arrived(
    target: &MemoryRegion,
    expected: &[u8],
    tracer: &Tracer,
) -> Result<(), ExampleError> {
    expect_same(target.buffer().read(0, expected.len()), expected, tracer)
}

/// Compares what was found in a buffer with what was sent.
pub(crate) fn expect_same(
    arrived: Option<Vec<u8>>,
    expected: &[u8],
    tracer: &Tracer,
) -> Result<(), ExampleError> {
    let same = arrived.as_deref() == Some(expected);
    let count = arrived.map_or(0, |bytes| matching(&bytes, expected));
    probe!(
        *tracer,
        check(
            "the bytes have arrived in the other queue pair's buffer",
            ("bytes that match", count),
            Relation::Equal,
            ("bytes sent", expected.len()),
            same
        )
    );
    if same { Ok(()) } else { Err(ExampleError::NotArrived("the buffer holds other bytes")) }
}
// ANCHOR_END: program_compare

/// Number of places where two stretches of bytes are the same.
fn matching(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).filter(|(left, right)| left == right).count()
}

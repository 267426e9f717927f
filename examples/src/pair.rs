//! Two connected queue pairs on one card, and waiting for completions.

use crate::guest::MachineError;
use doorbell_card_network::NetworkError;
use doorbell_driver::verbs::{
    Access, CompletionQueue, ConnectTo, Context, MemoryRegion, PollError, PostError,
    ProtectionDomain, QueuePair, QueuePairCapabilities, QueuePairRequest, SendParameters,
    Transport, VerbsError, WorkCompletion, WorkStatus, poll_cq,
};
use doorbell_tracer::{Group, Relation, Tracer, probe};
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Program;

/// How often an empty completion queue is polled before the card is given up.
const POLLS: u32 = 1_000_000;

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
    /// The machine could not be changed as the scenario needs it.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A program that had to fail did not.
    #[error("there was {0}: this machine is not as the scenario left it")]
    Unexpected(&'static str),
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

/// Sizes that suit every scenario.
const CAPABILITIES: QueuePairCapabilities = QueuePairCapabilities {
    max_send_wr: 4,
    max_recv_wr: 4,
    max_send_sge: 1,
    max_recv_sge: 1,
    max_inline_data: 32,
};

impl Pair {
    // ANCHOR: program_resources
    /// Creates the resources, in the order in which they need each other.
    pub fn new(context: &Arc<Context>) -> Result<Self, ExampleError> {
        let pd = context.alloc_pd()?;
        let send_cq = context.create_cq(8)?;
        let recv_cq = context.create_cq(8)?;
        let create = |cq| {
            pd.create_qp(&QueuePairRequest {
                transport: Transport::ReliableConnection,
                send_cq: cq,
                recv_cq: cq,
                capabilities: CAPABILITIES,
                signal_all: false,
            })
        };
        let pair = Self {
            sender: create(&send_cq)?,
            receiver: create(&recv_cq)?,
            send_cq,
            recv_cq,
            pd,
            context: Arc::clone(context),
        };
        pair.connect()?;
        Ok(pair)
    }
    // ANCHOR_END: program_resources

    // ANCHOR: program_connect
    /// Brings both queue pairs from RESET to RTS, each connected to the other. On two machines the
    /// numbers would go back and forth over a socket; here both sides are at hand.
    fn connect(&self) -> Result<(), ExampleError> {
        let access = Access::LOCAL_WRITE | Access::REMOTE_WRITE | Access::REMOTE_READ;
        let sides = [
            (&self.sender, &self.receiver, FIRST_PSN, SECOND_PSN),
            (&self.receiver, &self.sender, SECOND_PSN, FIRST_PSN),
        ];
        for (own, other, own_psn, other_psn) in sides {
            own.init(access)?;
            own.connect(&ConnectTo {
                qp_num: other.number(),
                path_mtu: 3,
                first_psn: other_psn,
                max_dest_rd_atomic: 1,
                min_rnr_timer: 12,
                address: self.context.query_gid()?,
            })?;
            own.start(&SendParameters {
                first_psn: own_psn,
                timeout: 14,
                retry_count: 7,
                rnr_retry: 7,
                max_rd_atomic: 1,
            })?;
        }
        Ok(())
    }
    // ANCHOR_END: program_connect

    // ANCHOR: program_memory
    /// Takes memory, fills it, and lets the card in.
    pub fn memory(
        &self,
        name: &str,
        bytes: &[u8],
        access: Access,
    ) -> Result<MemoryRegion, ExampleError> {
        let buffer = self.context.alloc_buffer(bytes.len(), name)?;
        buffer.write(0, bytes);
        Ok(self.pd.reg_mr(buffer, access)?)
    }
    // ANCHOR_END: program_memory
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
            return match completion.status {
                WorkStatus::Success => Ok(completion),
                status => Err(ExampleError::Failed {
                    wr_id: completion.wr_id,
                    status,
                    vendor_err: completion.vendor_err,
                }),
            };
        }
        context.relax();
    }
    Err(ExampleError::NoCompletion(POLLS))
}
// ANCHOR_END: program_wait

// ANCHOR: program_compare
/// Looks whether `expected` has arrived at the beginning of a buffer.
pub fn expect_arrived(
    target: &MemoryRegion,
    expected: &[u8],
    tracer: &Tracer,
) -> Result<(), ExampleError> {
    let arrived = target.buffer().read(0, expected.len());
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

//! The completion queue: what it consists of, and how it is created.

use super::doorbell::DoorbellRecord;
use super::entries::{CQE_SIZE, Entries, Next};
use super::events::{Arming, channel_number};
use super::lock::take;
use super::outstanding::Outstanding;
use super::parse_cqe::Last;
use super::records::Record;
use super::shared_receive::List;
use super::tables::Mlx5Context;
use crate::bus::{Bus, DmaRegion, Purpose};
use crate::control::{Control, CqRequest};
use crate::verbs::{self, CompletionChannel, Context, VerbsError};
use doorbell_prm::cqe::CqeOpcode;
use doorbell_tracer::{Group, Probe, RegionId, Role, Site, Tracer, probe, site};
use spin::mutex::SpinMutex as Mutex;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Control;

/// Offset of the word of the doorbell record that arms the queue (`MLX5_CQ_ARM_DB`).
const ARM_OFFSET: usize = 4;

/// libmlx5's part of a completion queue (`struct mlx5_cq`).
pub struct Mlx5CompletionQueue<B: Bus> {
    /// What polls work on.
    pub queue: Arc<Mutex<CqState>>,
    /// Where events of this queue go.
    pub tracer: Tracer,
    /// What arms it.
    pub arming: Arming<B>,
    _keeper: Keeper<B>,
}

/// What keeps the queue alive on the card; destroys it there before its memory goes.
struct Keeper<B: Bus> {
    control: Arc<dyn Control<B>>,
    number: u32,
    _buffer: DmaRegion,
    _record: Record,
}

impl<B: Bus> Drop for Keeper<B> {
    fn drop(&mut self) {
        self.control.destroy_cq(self.number);
    }
}

/// What polls work on, under the queue's lock.
pub struct CqState {
    /// The entries.
    pub entries: Entries,
    /// The entry to be consumed next.
    pub next: Next,
    /// Where the card reads how far we have come.
    pub record: DoorbellRecord,
    /// The ring's number in the trace.
    pub region: RegionId,
    /// The work requests of the queue pairs whose sends complete here, by user index.
    pub senders: Vec<Option<Arc<Outstanding>>>,
    /// And of those whose receives do.
    pub receivers: Vec<Option<Receives>>,
    /// Of one of them, that the next entry is likely to be of.
    pub last: Last,
    /// Those taken out of `senders`, since their completions must be looked at closely.
    pub watched: Vec<Option<Arc<Outstanding>>>,
}

/// A queue pair that completes here.
#[derive(Clone)]
pub struct Member {
    /// Its send queue's work requests, if sends complete here.
    pub send: Option<Arc<Outstanding>>,
    /// Its receives, if they do.
    pub receive: Option<Receives>,
}

/// Where the receives of a queue pair were posted.
#[derive(Clone)]
pub enum Receives {
    /// To its own receive queue.
    Own(Arc<Outstanding>),
    /// To a shared one.
    Shared(Arc<Mutex<List>>),
}

impl Receives {
    /// The receive in the WQE of this counter, or of this index, is done: its `wr_id`.
    pub fn retire<P: Probe>(&self, counter: u32, probe: &P) -> u64 {
        match self {
            Self::Own(outstanding) => outstanding.retire(counter),
            Self::Shared(list) => take(list).retire(counter, probe),
        }
    }
}

impl CqState {
    /// Lets a queue pair complete here. One that sends and receives here joins once for both.
    pub fn join(&mut self, user_index: u32, joining: Member) {
        add(&mut self.senders, user_index, joining.send);
        add(&mut self.receivers, user_index, joining.receive);
    }

    /// The next entry is consumed.
    #[inline(always)]
    pub fn consume(&mut self) {
        self.next.consume(self.entries);
    }

    // ANCHOR: cq_record
    /// Tells the card which entries it may write again: those in front of the next one.
    /// No barrier before it: the entries have been read, and the card's writes to them come after its
    /// read of this record.
    /// (`update_cons_index`)
    #[inline(always)]
    pub fn update_record<P: Probe>(&mut self, probe: &P) {
        let bytes = self.record.store(self.next.index & 0xff_ffff);
        probe!(P: *probe, store(self.record.region, self.record.offset, "", &bytes);
            from "consumer_index" = "cq.consumer_index & 0xffffff");
    }
    // ANCHOR_END: cq_record
}

/// Adds a member, if there is one.
pub fn add<T: Clone>(members: &mut Vec<Option<T>>, user_index: u32, joining: Option<T>) {
    let place = user_index as usize;
    if members.len() <= place {
        members.resize(place + 1, None);
    }
    members[place] = members[place].take().or(joining);
}

impl<B: Bus> Mlx5CompletionQueue<B> {
    /// libmlx5's part of a completion queue of the verbs (`to_mcq`).
    #[inline(always)]
    pub fn of(cq: &verbs::CompletionQueue) -> &Self {
        cq.provider().expect("a context's table is of its own provider")
    }
}

// ANCHOR: create_cq
/// Creates a completion queue of at least `entries` entries (`mlx5_create_cq`).
pub fn create_cq<B: Bus>(
    context: &Arc<Context>,
    entries: u32,
    channel: Option<&Arc<CompletionChannel>>,
) -> Result<verbs::CompletionQueue, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(context);
    let tracer = context.tracer();
    probe!(*tracer, call("ibv_create_cq", [("cqe", entries.into())]));
    let log_size = log_size(entries)?;
    let buffer = mlx5.memory.allocate(CQE_SIZE << log_size)?;
    let record = mlx5.records.take(&mlx5.memory)?;
    let purpose = |object| Purpose {
        role: Role::CompletionQueue,
        name: "completion queue",
        stride: CQE_SIZE as u32,
        object,
    };
    static RING: Site = site!();
    let region = tracer.map(&RING, buffer.request(0, buffer.length(), purpose(0)));
    let record_region = record.announce("doorbell record of a CQ", tracer);
    mark_invalid(&buffer, region, tracer);
    let number = mlx5.control.create_cq(&CqRequest {
        buffer: buffer.address(),
        pages: buffer.pages().collect(),
        log_size,
        record: record.address(),
        uar: mlx5.uar.index,
        channel: channel.map(|channel| channel_number::<B>(channel)),
    })?;
    tracer.remap(&RING, region, buffer.request(0, buffer.length(), purpose(number)));
    record.name(record_region, number, "doorbell record of CQ", tracer);
    let entries = Entries::of(&buffer, log_size);
    let state = CqState {
        next: entries.next(0),
        entries,
        record: record.word(0, record_region),
        region,
        last: Last::NONE,
        watched: Vec::new(),
        senders: Vec::new(),
        receivers: Vec::new(),
    };
    let arming = Arming::new(record.word(ARM_OFFSET, record_region), &mlx5.uar);
    let keeper =
        Keeper { control: Arc::clone(&mlx5.control), number, _buffer: buffer, _record: record };
    let queue = Mlx5CompletionQueue {
        queue: Arc::new(Mutex::new(state)),
        tracer: tracer.clone(),
        arming,
        _keeper: keeper,
    };
    probe!(*tracer, returned("ibv_create_cq", doorbell_tracer::Value::Hex(number.into())));
    Ok(verbs::CompletionQueue::new(context, number, channel, queue))
}
// ANCHOR_END: create_cq

/// The logarithm of the number of entries: one more than asked for, as libmlx5 does, to the next
/// power of two.
fn log_size(entries: u32) -> Result<u32, VerbsError> {
    const LARGEST: u32 = (1 << 22) - 1;
    if entries == 0 || entries > LARGEST {
        return Err(VerbsError::Invalid {
            what: "the number of completion queue entries",
            value: entries.into(),
            why: "is not between 1 and 4194303",
        });
    }
    Ok((entries + 1).next_power_of_two().trailing_zeros())
}

// ANCHOR: mark_invalid
/// Marks every entry as never written, so that the first turn of the ring is not mistaken for a
/// turn that the card has made. (`mlx5_alloc_cq_buf`)
fn mark_invalid(buffer: &DmaRegion, region: RegionId, tracer: &Tracer) {
    let mut entry = [0; CQE_SIZE];
    entry[CQE_SIZE - 1] = (CqeOpcode::Invalid as u8) << 4;
    let bytes = entry.repeat(buffer.length() / CQE_SIZE);
    buffer.write_bytes(0, &bytes);
    probe!(*tracer, store(region, 0, "", &bytes); from "op_own" = "MLX5_CQE_INVALID << 4");
}
// ANCHOR_END: mark_invalid

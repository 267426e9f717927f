//! The completion queue: a ring that the card writes and the driver reads.
//!
//! Who owns an entry is said by one bit in its last byte. The card flips the value that means
//! "yours" each time it goes around the ring, so that neither side has to clear anything.
//! (PRM, "Completion Queue Element Ownership")

use super::doorbell::DoorbellRecord;
use super::events::{Arming, channel_number};
use super::outstanding::Outstanding;
use super::parse_cqe::Last;
use super::records::Record;
use super::settings::take;
use super::shared_receive::List;
use super::tables::Mlx5Context;
use crate::bus::{Bus, DmaRegion, Purpose};
use crate::control::{Control, CqRequest};
use crate::verbs::{self, CompletionChannel, Context, VerbsError};
use doorbell_prm::cqe::{Cqe, CqeOpcode};
use doorbell_tracer::{Group, Probe, RegionId, Role, Site, Tracer, probe, site};
use spin::mutex::SpinMutex as Mutex;
use std::ptr::NonNull;
use std::sync::Arc;

const PROBE_GROUP: Group = Group::Control;

/// Size of an entry in bytes.
pub const CQE_SIZE: usize = 64;

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

/// The ring of entries: an address and a size.
#[derive(Clone, Copy)]
pub struct Entries {
    /// The first entry.
    first: NonNull<Cqe>,
    /// The number of bytes, a power of two, less one.
    mask: u32,
    /// The number of entries: of a counter, the bit that says whether the turn of the ring is odd.
    pub(super) size: u32,
}

/// An entry that has not been consumed yet.
#[derive(Clone, Copy)]
pub struct Next {
    /// Entries consumed before it since the beginning: masked, its place.
    pub index: u32,
    /// That place.
    pub entry: Entry,
    /// The owner bit by which it is ours.
    pub turn: u8,
}

/// The place of one entry of the ring. Like a copy of the ring, it lives no longer than the queue.
#[derive(Clone, Copy)]
pub struct Entry(NonNull<Cqe>);

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

// SAFETY: the entries are read by volatile copies under the queue's lock, and live as long as the
// `Keeper` beside it.
unsafe impl Send for Entries {}
// SAFETY: as for the ring that it is of.
unsafe impl Send for Entry {}

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

impl Entries {
    /// Offset in bytes of the entry that `index` counts.
    #[inline(always)]
    pub fn offset(self, index: u32) -> usize {
        (index.wrapping_mul(CQE_SIZE as u32) & self.mask) as usize
    }

    /// The entry that `index` counts.
    #[inline(always)]
    pub fn at(self, index: u32) -> Entry {
        // SAFETY: the masked place lies in the ring.
        Entry(unsafe { self.first.byte_add(self.offset(index)) })
    }

    /// The entry that `index` counts, with what is to be known of it.
    #[inline(always)]
    pub fn next(self, index: u32) -> Next {
        Next { index, entry: self.at(index), turn: self.turn(index) }
    }

    // ANCHOR: owner_bit
    /// Whether the entry that `index` counts has been written by the card in this turn of the ring.
    #[inline(always)]
    pub fn is_ours(self, index: u32, op_own: u8) -> bool {
        Self::is_ours_in(self.turn(index), op_own)
    }

    /// The same of a turn by its owner bit.
    #[inline(always)]
    pub fn is_ours_in(turn: u8, op_own: u8) -> bool {
        op_own >> 4 != CqeOpcode::Invalid as u8 && (op_own ^ turn) & 1 == 0
    }

    /// The owner bit that means "yours" in the turn of the ring that `index` is in.
    #[inline(always)]
    pub fn turn(self, index: u32) -> u8 {
        u8::from(index & self.size != 0)
    }
    // ANCHOR_END: owner_bit
}

impl Entry {
    /// Its last byte: opcode and owner bit, written last.
    #[inline(always)]
    pub fn op_own(self) -> u8 {
        self.byte::<{ CQE_SIZE - 1 }>()
    }

    /// One of its words, big endian as it lies there; `OFFSET` is in bytes.
    #[inline(always)]
    pub fn word<const OFFSET: usize>(self) -> u32 {
        u32::from_be(self.big_endian::<OFFSET>())
    }

    /// The same, left in the card's byte order.
    #[inline(always)]
    pub fn big_endian<const OFFSET: usize>(self) -> u32 {
        const { assert!(OFFSET.is_multiple_of(4) && OFFSET < CQE_SIZE) };
        // SAFETY: the entry lies in the ring, the word in the entry, aligned to 4.
        unsafe { self.0.cast::<u32>().byte_add(OFFSET).read_volatile() }
    }

    /// One of its bytes.
    #[inline(always)]
    pub fn byte<const OFFSET: usize>(self) -> u8 {
        const { assert!(OFFSET < CQE_SIZE) };
        // SAFETY: the entry lies in the ring, the byte in the entry.
        unsafe { self.0.cast::<u8>().add(OFFSET).read_volatile() }
    }

    /// A copy of it.
    pub fn copy(self) -> Cqe {
        // SAFETY: the entry lies in the ring; a `Cqe` is bytes, whatever they are.
        unsafe { self.0.read_volatile() }
    }

    /// Puts another in its place, of an entry that is the driver's.
    pub fn put(self, entry: Cqe) {
        // SAFETY: the entry lies in the ring; the card writes none that is the driver's.
        unsafe { self.0.write_volatile(entry) };
    }
}

impl CqState {
    /// Lets a queue pair complete here. One that sends and receives here joins once for both.
    pub fn join(&mut self, user_index: u32, joining: Member) {
        add(&mut self.senders, user_index, joining.send);
        add(&mut self.receivers, user_index, joining.receive);
    }

    // ANCHOR: cq_record
    /// Tells the card which entries it may write again: those in front of the one that `index` counts.
    /// No barrier before it: the entries have been read, and the card's writes to them come after its
    /// read of this record.
    /// (`update_cons_index`)
    #[inline(always)]
    pub fn update_record<P: Probe>(&mut self, index: u32, probe: &P) {
        let bytes = self.record.store(index & 0xff_ffff);
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
    let entries = Entries {
        first: buffer.pointer(0, buffer.length()).cast(),
        mask: (CQE_SIZE << log_size) as u32 - 1,
        size: 1 << log_size,
    };
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

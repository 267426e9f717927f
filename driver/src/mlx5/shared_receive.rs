//! The shared receive queue: WQEs in a linked list.
//!
//! Messages come to many queue pairs at once, and so receives are given back in any order. A ring
//! with two counters will not do: each WQE says in its first segment which one the card takes next.
//! The driver takes free WQEs from the front of the list and links those that come back to its
//! end; the doorbell record counts how many have been posted. (PRM, "Shared Receive Queue")

use super::barrier::TO_DEVICE;
use super::doorbell::DoorbellRecord;
use super::lock::take;
use super::records::Record;
use super::ring::{Ring, UNIT};
use super::send_queue::small;
use super::tables::Mlx5Context;
use crate::bus::{Bus, DmaRegion, Purpose};
use crate::control::{Control, SrqRequest};
use crate::verbs::{
    PostCause, PostError, ProtectionDomain, ReceiveRequest, SharedReceiveAttributes,
    SharedReceiveQueue, VerbsError,
};
use doorbell_prm::wqe::{DataSegment, NextSegment};
use doorbell_tracer::{Group, Probe, RegionId, Relation, Role, Site, Tracer, Value, probe, site};
use spin::mutex::SpinMutex as Mutex;
use std::sync::Arc;
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostReceive;

/// The smallest WQE in bytes: a link and one pointer.
const SMALLEST: u32 = 32;

/// The largest WQE in bytes, and the most WQEs (`max_wqe_sz_rq`, `log_max_srq_sz`).
const LARGEST: u32 = 512;
const MOST: u32 = 1 << 15;

/// libmlx5's part of a shared receive queue (`struct mlx5_srq`).
pub struct Mlx5SharedReceiveQueue<B: Bus> {
    /// The list, shared with the completion queues where its receives complete.
    pub list: Arc<Mutex<List>>,
    tracer: Tracer,
    keeper: Keeper<B>,
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
        self.control.destroy_srq(self.number);
    }
}

/// The list of WQEs.
pub struct List {
    ring: Ring,
    /// Units of a WQE, its link included.
    units: u32,
    max_sge: usize,
    /// The free WQE that is filled next, and the last one. The two are never the same while there
    /// is room: the last one is where those that come back are linked to.
    head: u16,
    tail: u16,
    /// Which WQE follows which: what the links in memory say.
    next: Box<[u16]>,
    /// The work requests by WQE.
    wr_id: Box<[u64]>,
    /// Receives posted since the beginning.
    counter: u16,
    record: DoorbellRecord,
    region: RegionId,
}

impl<B: Bus> Mlx5SharedReceiveQueue<B> {
    /// libmlx5's part of a shared receive queue of the verbs (`to_msrq`).
    pub fn of(srq: &SharedReceiveQueue) -> &Self {
        srq.provider().expect("a context's table is of its own provider")
    }
}

/// How large a queue becomes: base-2 logarithms of its WQEs and of the size of one in bytes.
fn sizes(wanted: SharedReceiveAttributes) -> Result<(u32, u32), VerbsError> {
    let refuse =
        |what, value: u32, why| Err(VerbsError::Invalid { what, value: value.into(), why });
    if wanted.max_wr == 0 || wanted.max_wr >= MOST {
        return refuse("max_wr", wanted.max_wr, "is not between 1 and 32767");
    }
    let bytes = wanted.max_sge.saturating_add(1).saturating_mul(UNIT as u32);
    if wanted.max_sge == 0 || bytes > LARGEST {
        return refuse("max_sge", wanted.max_sge, "is not between 1 and 31");
    }
    let stride = bytes.next_power_of_two().max(SMALLEST);
    Ok(((wanted.max_wr + 1).next_power_of_two().trailing_zeros(), stride.trailing_zeros()))
}

// ANCHOR: create_srq
/// Creates a shared receive queue for at least that many receives (`mlx5_create_srq`): a buffer
/// whose WQEs are linked in their order, and a doorbell record.
pub fn create_srq<B: Bus>(
    pd: &Arc<ProtectionDomain>,
    wanted: SharedReceiveAttributes,
) -> Result<SharedReceiveQueue, VerbsError> {
    let mlx5 = Mlx5Context::<B>::of(pd.context());
    let tracer = pd.context().tracer();
    probe!(
        *tracer,
        call(
            "ibv_create_srq",
            [("max_wr", wanted.max_wr.into()), ("max_sge", wanted.max_sge.into())]
        )
    );
    let (log_size, log_stride) = sizes(wanted)?;
    let buffer = mlx5.memory.allocate(1 << (log_size + log_stride))?;
    let record = mlx5.records.take(&mlx5.memory)?;
    static RING: Site = site!();
    let purpose = |object| Purpose {
        role: Role::ReceiveQueue,
        name: "shared receive queue",
        stride: 1 << log_stride,
        object,
    };
    let region = tracer.map(&RING, buffer.request(0, buffer.length(), purpose(0)));
    let record_region = record.announce("doorbell record of an SRQ", tracer);
    let entries = 1_usize << log_size;
    let mut list = List {
        // SAFETY: the keeper holds the buffer for as long as the queue lives, and who else has the
        // list holds the queue.
        ring: unsafe { Ring::new(&buffer, 0, buffer.length()) },
        units: 1 << log_stride >> UNIT.trailing_zeros(),
        max_sge: wanted.max_sge as usize,
        head: 0,
        tail: 0,
        next: vec![0; entries].into(),
        wr_id: vec![0; entries].into(),
        counter: 0,
        record: record.word(0, record_region),
        region,
    };
    for index in 1..entries as u16 {
        list.give_back(index, tracer);
    }
    let number = mlx5.control.create_srq(&SrqRequest {
        pd: pd.number(),
        buffer: buffer.address(),
        pages: buffer.pages().collect(),
        log_size,
        log_stride,
        max_sge: wanted.max_sge,
        record: record.address(),
    })?;
    tracer.remap(&RING, region, buffer.request(0, buffer.length(), purpose(number)));
    record.name(record_region, number, "doorbell record of SRQ", tracer);
    probe!(*tracer, returned("ibv_create_srq", Value::Hex(number.into())));
    let attributes =
        SharedReceiveAttributes { max_wr: (1 << log_size) - 1, srq_limit: 0, ..wanted };
    let control = Arc::clone(&mlx5.control);
    let queue = Mlx5SharedReceiveQueue::<B> {
        list: Arc::new(Mutex::new(list)),
        tracer: tracer.clone(),
        keeper: Keeper { control, number, _buffer: buffer, _record: record },
    };
    Ok(SharedReceiveQueue::new(pd, number, attributes, queue))
}
// ANCHOR_END: create_srq

// ANCHOR: modify_srq
/// Sets the limit (`mlx5_modify_srq`).
pub fn modify_srq<B: Bus>(srq: &SharedReceiveQueue, limit: u32) -> Result<(), VerbsError> {
    let mlx5 = Mlx5SharedReceiveQueue::<B>::of(srq);
    let told = [("srq", Value::Hex(srq.number().into())), ("srq_limit", limit.into())];
    probe!(mlx5.tracer, call("ibv_modify_srq", told));
    if limit > srq.attributes().max_wr {
        let value = limit.into();
        let why = "is more than the queue has room for";
        return Err(VerbsError::Invalid { what: "srq_limit", value, why });
    }
    mlx5.keeper.control.set_srq_limit(srq.number(), limit)?;
    probe!(mlx5.tracer, returned("ibv_modify_srq", 0_u32));
    Ok(())
}

/// Asks for the limit that is left (`mlx5_query_srq`).
pub fn query_srq<B: Bus>(srq: &SharedReceiveQueue) -> Result<u32, VerbsError> {
    let mlx5 = Mlx5SharedReceiveQueue::<B>::of(srq);
    probe!(mlx5.tracer, call("ibv_query_srq", [("srq", Value::Hex(srq.number().into()))]));
    let limit = mlx5.keeper.control.srq_limit(srq.number())?;
    probe!(mlx5.tracer, returned("ibv_query_srq", limit));
    Ok(limit)
}
// ANCHOR_END: modify_srq

// ANCHOR: post_srq_recv
/// Posts work requests to a shared receive queue, in their order. (`mlx5_post_srq_recv`)
pub fn post_srq_recv<B: Bus, P: Probe>(
    srq: &SharedReceiveQueue,
    requests: &[ReceiveRequest<'_>],
) -> Result<(), PostError> {
    let mlx5 = Mlx5SharedReceiveQueue::<B>::of(srq);
    let probe = P::of(&mlx5.tracer);
    let number = Value::Hex(srq.number().into());
    probe!(
        P: probe,
        call("ibv_post_srq_recv", [("srq", number), ("requests", requests.len().into())])
    );
    let mut list = take(&mlx5.list);
    probe!(P: probe, locked("srq.lock"));
    let (posted, result) = list.fill_all(requests, probe);
    if posted > 0 {
        list.update_record(posted, probe);
    }
    drop(list);
    probe!(P: probe, unlocked("srq.lock"));
    probe!(P: probe, returned("ibv_post_srq_recv", u32::from(result.is_err())));
    result
}
// ANCHOR_END: post_srq_recv

impl List {
    /// Fills WQEs until one is refused; says how many.
    fn fill_all<P: Probe>(
        &mut self,
        requests: &[ReceiveRequest<'_>],
        probe: &P,
    ) -> (u16, Result<(), PostError>) {
        let mut posted = 0;
        for request in requests {
            if let Err(cause) = self.fill(request, probe) {
                return (posted, Err(PostError { index: posted.into(), cause }));
            }
            posted += 1;
        }
        (posted, Ok(()))
    }

    // ANCHOR: fill_shared_receive
    /// Fills the free WQE at the front of the list: the pointers behind its link, which stays as it
    /// is, and an end mark if there is place for one.
    fn fill<P: Probe>(&mut self, request: &ReceiveRequest<'_>, probe: &P) -> Result<(), PostCause> {
        let (given, limit) = (request.sg_list.len(), self.max_sge);
        probe!(
            P: *probe,
            check(
                "elements fit the WQE",
                ("wr.num_sge", given),
                Relation::LessOrEqual,
                ("max_gs", limit),
                given <= limit
            )
        );
        if given > limit {
            return Err(PostCause::TooManyElements { limit: small(limit) });
        }
        let has_room = self.head != self.tail;
        probe!(
            P: *probe,
            check(
                "room in the list",
                ("srq.head", u32::from(self.head)),
                Relation::NotEqual,
                ("srq.tail", u32::from(self.tail)),
                has_room
            )
        );
        if !has_room {
            return Err(PostCause::QueueFull { limit: small(self.next.len() - 1) });
        }
        let first = u32::from(self.head) * self.units;
        let mut written = 1;
        for element in request.sg_list.iter().filter(|element| element.length > 0) {
            let segment = DataSegment::new(element.length, element.lkey, element.address);
            self.store_pointer(first + written, segment, probe);
            written += 1;
        }
        if written < self.units {
            self.store_pointer(first + written, DataSegment::end_of_list(), probe);
        }
        self.wr_id[usize::from(self.head)] = request.wr_id;
        self.head = self.next[usize::from(self.head)];
        probe!(P: *probe, index(self.region, "srq.head", u32::from(self.head)));
        Ok(())
    }

    /// Stores one pointer.
    fn store_pointer<P: Probe>(&self, unit: u32, segment: DataSegment, probe: &P) {
        let bytes: [u8; UNIT] = transmute!(segment);
        self.ring.store(unit, &bytes);
        probe!(P: *probe, store(self.region, self.ring.offset(unit), "wqe_data_segment", &bytes);
            from "byte_count" = "wr.sg_list[i].length", "lkey" = "wr.sg_list[i].lkey",
                "address" = "wr.sg_list[i].address");
    }
    // ANCHOR_END: fill_shared_receive

    // ANCHOR: shared_receive_record
    /// Tells the card how many receives have been posted: the record alone, after a barrier.
    fn update_record<P: Probe>(&mut self, posted: u16, probe: &P) {
        self.counter = self.counter.wrapping_add(posted);
        (TO_DEVICE.pass)();
        probe!(P: *probe, barrier(TO_DEVICE.name, TO_DEVICE.instruction));
        let bytes = self.record.store(self.counter.into());
        probe!(P: *probe, store(self.record.region, self.record.offset, "", &bytes);
            from "receive_counter" = "srq.counter");
    }
    // ANCHOR_END: shared_receive_record

    // ANCHOR: free_shared_receive
    /// A WQE has come back: it is linked to the end of the list. (`mlx5_free_srq_wqe`)
    pub fn give_back<P: Probe>(&mut self, index: u16, probe: &P) {
        let mut link = NextSegment::zeroed();
        link.next_wqe_index = index.into();
        let unit = u32::from(self.tail) * self.units;
        let bytes: [u8; UNIT] = transmute!(link);
        self.ring.store(unit, &bytes);
        probe!(P: *probe, store(self.region, self.ring.offset(unit), "wqe_srq_next_segment", &bytes);
            from "next_wqe_index" = "the WQE that is free again");
        self.next[usize::from(self.tail)] = index;
        self.tail = index;
        probe!(P: *probe, index(self.region, "srq.tail", u32::from(self.tail)));
    }

    /// The receive in the WQE of this index is done: its `wr_id`. The index comes from the card.
    pub fn retire<P: Probe>(&mut self, index: u32, probe: &P) -> u64 {
        let index = index as u16 & (self.next.len() - 1) as u16;
        self.give_back(index, probe);
        self.wr_id[usize::from(index)]
    }
    // ANCHOR_END: free_shared_receive
}

#[cfg(test)]
mod tests;

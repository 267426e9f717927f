//! `mlx5_post_recv`: buffers for what the other side will send.
//!
//! Much less than a send: no control segment, no register. The card reads the record when a
//! message arrives, so nobody has to wake it.

use super::barrier::TO_DEVICE;
use super::queue_pair::Mlx5QueuePair;
use super::receive_queue::ReceiveQueue;
use super::ring::UNIT;
use super::send_queue::small;
use super::signature::{FRONT_UNITS, clear_receive, sign_receive};
use crate::bus::Bus;
use crate::verbs::{self, PostCause, PostError, QueuePair, ReceiveRequest};
use doorbell_prm::wqe::DataSegment;
use doorbell_tracer::{Group, Probe, Relation, Value, probe};
use zerocopy::transmute;

const PROBE_GROUP: Group = Group::PostReceive;

// ANCHOR: post_recv
/// Posts work requests to the receive queue, in their order. (`mlx5_post_recv`)
pub fn post_recv<B: Bus, P: Probe>(
    qp: &QueuePair,
    requests: &[ReceiveRequest<'_>],
) -> Result<(), PostError> {
    let queue_pair = Mlx5QueuePair::<B>::of(qp);
    let probe = P::of(&queue_pair.user);
    probe!(
        at & verbs::POST_RECV_CALL,
        P: probe,
        call(
            "ibv_post_recv",
            [("qp", Value::Hex(qp.number().into())), ("requests", requests.len().into())]
        )
    );

    let mut queue = queue_pair.receive.lock();
    probe!(P: probe, locked("rq.lock"));
    let (built, result) = build_all(&queue, requests, probe);
    if built > 0 {
        update_record(&mut queue, built, probe);
    }
    drop(queue);
    probe!(P: probe, unlocked("rq.lock"));

    probe!(
        at & verbs::POST_RECV_CALL,
        P: probe,
        returned("ibv_post_recv", u32::from(result.is_err()))
    );
    result
}
// ANCHOR_END: post_recv

/// Builds WQEs until one is refused; says how many.
#[inline(always)]
fn build_all<P: Probe>(
    queue: &ReceiveQueue,
    requests: &[ReceiveRequest<'_>],
    probe: &P,
) -> (u32, Result<(), PostError>) {
    let mut built = 0;
    for request in requests {
        if let Err(cause) = build(queue, request, built, probe) {
            return (built, Err(PostError { index: built, cause }));
        }
        built += 1;
    }
    (built, Ok(()))
}

// ANCHOR: build_receive
/// One receive: room, number of elements, pointers, and an end mark if there is place for one.
#[inline(always)]
fn build<P: Probe>(
    queue: &ReceiveQueue,
    request: &ReceiveRequest<'_>,
    built: u32,
    probe: &P,
) -> Result<(), PostCause> {
    let (outstanding, limit) = (queue.outstanding.count(queue.head) + built, queue.max_post);
    probe!(
        P: *probe,
        check(
            "room in the queue",
            ("head - tail + built", outstanding),
            Relation::Less,
            ("max_post", limit),
            outstanding < limit
        )
    );
    if outstanding >= limit {
        return Err(PostCause::QueueFull { limit: small(limit as usize) });
    }
    let (given, limit) = (request.sg_list.len(), queue.max_sge as usize);
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
    let counter = queue.head.wrapping_add(built);
    if queue.signed {
        clear_receive(queue, counter, probe);
    }
    write_pointers(queue, request, counter, probe);
    if queue.signed {
        sign_receive(queue, counter, given as u32, queue.head as u16, probe);
    }
    queue.outstanding.remember(counter, request.wr_id, counter);
    Ok(())
}

/// The pointers; a list that is shorter than the WQE ends with the invalid lkey.
#[inline(always)]
fn write_pointers<P: Probe>(
    queue: &ReceiveQueue,
    request: &ReceiveRequest<'_>,
    counter: u32,
    probe: &P,
) {
    let first = queue.unit(counter) + if queue.signed { FRONT_UNITS } else { 0 };
    let mut written = 0;
    for element in request.sg_list.iter().filter(|element| element.length > 0) {
        let segment = DataSegment::new(element.length, element.lkey, element.address);
        store_segment(queue, first + written, segment, probe);
        written += 1;
    }
    if written < queue.max_sge {
        store_segment(queue, first + written, DataSegment::end_of_list(), probe);
    }
}

/// Stores one pointer.
#[inline(always)]
fn store_segment<P: Probe>(queue: &ReceiveQueue, unit: u32, segment: DataSegment, probe: &P) {
    let bytes: [u8; UNIT] = transmute!(segment);
    queue.ring.store(unit, &bytes);
    probe!(P: *probe, store(queue.region, queue.ring.offset(unit), "wqe_data_segment", &bytes);
        from "byte_count" = "wr.sg_list[i].length", "lkey" = "wr.sg_list[i].lkey",
            "address" = "wr.sg_list[i].address");
}
// ANCHOR_END: build_receive

// ANCHOR: receive_record
/// Tells the card how many receives there are: the record alone, after a barrier.
#[inline(always)]
fn update_record<P: Probe>(queue: &mut ReceiveQueue, built: u32, probe: &P) {
    queue.head = queue.head.wrapping_add(built);
    probe!(P: *probe, index(queue.region, "rq.head", queue.head));
    (TO_DEVICE.pass)();
    probe!(P: *probe, barrier(TO_DEVICE.name, TO_DEVICE.instruction));
    let bytes = queue.record.store(queue.head & 0xffff);
    probe!(P: *probe, store(queue.record.region, queue.record.offset, "", &bytes);
        from "receive_counter" = "rq.head & 0xffff");
}
// ANCHOR_END: receive_record

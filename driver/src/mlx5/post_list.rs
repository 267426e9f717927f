//! Lists: any number of work requests of any kind, in one call.

use super::checks::why;
use super::common::build_common;
use super::doorbell::{Alone, ring_doorbell};
use super::long::build_any;
use super::opcodes::{CONTROL_ONLY, WITH_REMOTE};
use super::post_send::{begin, build_run, end, is_inline, tell_call, usual_in_list};
use super::queue_pair::Mlx5QueuePair;
use super::send_queue::{Built, SendQueue};
use crate::bus::{Bus, UarPage};
use crate::verbs::{PostError, QueuePair, SendRequest};
use doorbell_tracer::{Group, Probe, probe};
use spin::mutex::SpinMutexGuard as MutexGuard;
use std::hint::cold_path;

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: post_list
/// Any number of requests of any kind. `SHARED` if the queue's doorbell register has a lock.
#[inline(never)]
pub fn post_list<B: Bus, P: Probe, const SHARED: bool>(
    qp: &QueuePair,
    mlx5: &Mlx5QueuePair<B>,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    let probe = P::of(&mlx5.user);
    tell_call::<B, P>(qp, requests, probe);
    let mut queue = begin::<B, P>(mlx5);
    let begun = queue.nothing_built(queue.head);
    let count = build_run::<_, _, WITH_REMOTE>(&mut queue, requests, begun, probe);
    if count as usize != requests.len() {
        return post_all::<B, P, SHARED>(mlx5, requests, count, queue);
    }
    let built = begun.and_run(count, WITH_REMOTE + 1);
    ring_for::<_, _, SHARED>(&mut queue, requests, built, probe);
    end::<B, P>(queue, Ok(()), probe)
}

/// The same where somebody else has the queue's lock.
#[cold]
#[inline(never)]
pub fn wait_and_post<B: Bus, P: Probe>(
    mlx5: &Mlx5QueuePair<B>,
    requests: &[SendRequest<'_>],
) -> Result<(), PostError> {
    post_all::<B, P, false>(mlx5, requests, 0, begin::<B, P>(mlx5))
}
// ANCHOR_END: post_list

// ANCHOR: post_all
/// Builds a WQE for each request, but for the first `count`, which have theirs; then rings once for all of
/// them. Where one is refused, it ends there: then it rings for those before it, and names it.
#[inline(never)]
pub fn post_all<B: Bus, P: Probe, const SHARED: bool>(
    mlx5: &Mlx5QueuePair<B>,
    requests: &[SendRequest<'_>],
    count: u32,
    mut queue: MutexGuard<'_, SendQueue<B::Page>>,
) -> Result<(), PostError> {
    let probe = P::of(&mlx5.user);
    let mut built = queue.nothing_built(queue.head).and_run(count, WITH_REMOTE + 1);
    let (mut rest, mut result) = (&requests[count as usize..], Ok(()));
    while let [request, behind @ ..] = rest {
        let (count, units) = next_run(&mut queue, rest, built, probe);
        if count > 0 {
            (built, rest) = (built.and_run(count, units), &rest[count as usize..]);
            continue;
        }
        let units = match build_common(&mut queue, request, built.cur_post, built.head, probe) {
            Some(units) => Ok(units),
            None => build_any(&mut queue, request, built.cur_post, built.head, probe),
        };
        match units {
            Ok(units) => (built, rest) = (built.and(units.get()), behind),
            Err(refusal) => {
                result = Err(why(&queue, request, refusal));
                break;
            }
        }
        probe!(P: *probe, index(queue.region, "sq.cur_post", built.cur_post));
    }
    let index = built.head.wrapping_sub(queue.head);
    ring_for::<_, _, SHARED>(&mut queue, &requests[..index as usize], built, probe);
    match result {
        Ok(()) => end::<B, P>(queue, Ok(()), probe),
        Err(cause) => {
            cold_path();
            end::<B, P>(queue, Err(PostError { index, cause }), probe)
        }
    }
}

/// The WQEs of the usual requests that `rest` begins with, if it does so: how many they are, and the units of each.
#[inline(always)]
fn next_run<U: UarPage, P: Probe>(
    queue: &mut SendQueue<U>,
    rest: &[SendRequest<'_>],
    built: Built,
    probe: &P,
) -> (u32, u32) {
    let [request, ..] = rest else { return (0, 0) };
    if request.sg_list.len() != 1 {
        return (0, 0);
    }
    if usual_in_list::<_, WITH_REMOTE>(queue, request).is_some() {
        return (build_run::<_, _, WITH_REMOTE>(queue, rest, built, probe), WITH_REMOTE + 1);
    }
    if usual_in_list::<_, CONTROL_ONLY>(queue, request).is_some() {
        return (build_run::<_, _, CONTROL_ONLY>(queue, rest, built, probe), CONTROL_ONLY + 1);
    }
    (0, 0)
}

/// Rings for the requests that have been built.
#[inline(always)]
fn ring_for<U: UarPage, P: Probe, const SHARED: bool>(
    queue: &mut SendQueue<U>,
    requests: &[SendRequest<'_>],
    built: Built,
    probe: &P,
) {
    let alone = match requests {
        [] => return,
        // Without elements there is nothing to be inline.
        [one] => Some(Alone { inline: is_inline(one) && !one.sg_list.is_empty() }),
        _ => None,
    };
    let (last, count) = (built.last(false), requests.len() as u32);
    ring_doorbell::<_, _, SHARED>(queue, built, last, count, alone, probe);
}
// ANCHOR_END: post_all

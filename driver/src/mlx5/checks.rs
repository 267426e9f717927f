//! What a request is refused for.

use super::inline;
use super::send_queue::{SendQueue, small};
use crate::bus::UarPage;
use crate::verbs::{PostCause, SendRequest};
use doorbell_tracer::{Group, Probe, Relation, Value, probe};

const PROBE_GROUP: Group = Group::PostSend;

// ANCHOR: check_elements
/// A WQE has room for as many elements as the queue was created for; before the queue pair sends it
/// has room for none, and for no request either. (`wr->num_sge > qp_state_max_gs`)
#[inline(always)]
pub fn elements_fit<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    probe: &P,
) -> bool {
    tell_elements(queue, request, probe);
    request.sg_list.len() < queue.elements_below
}

/// Tells whether they fit.
#[inline(always)]
pub fn tell_elements<U: UarPage, P: Probe>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    probe: &P,
) {
    let (given, below) = (request.sg_list.len(), queue.elements_below);
    probe!(
        P: *probe,
        check(
            "elements fit the WQE",
            ("wr.num_sge", given),
            Relation::LessOrEqual,
            ("max_gs", state_limit(below)),
            given < below
        )
    );
}

/// The limit as libmlx5 has it.
#[inline(always)]
fn state_limit(below: usize) -> Value {
    below.checked_sub(1).map_or("-1: not in RTS".into(), Value::from)
}
// ANCHOR_END: check_elements

/// Which step refused a request.
#[derive(Clone, Copy)]
pub enum Refusal {
    /// The transport has no such opcode.
    Opcode,
    /// The queue is full.
    Room,
    /// Too many elements.
    Elements,
    /// The data cannot be inline.
    Inline,
    /// The operands are not those of the opcode.
    Operands,
    /// A memory window would be too long.
    Window,
    /// The device has no atomic operations.
    Atomics,
}

/// Why a request is refused, with the numbers. They are gathered here and not on the way, so that a
/// request which is not refused pays nothing for them.
#[cold]
#[inline(never)]
pub fn why<U: UarPage>(
    queue: &SendQueue<U>,
    request: &SendRequest<'_>,
    refusal: Refusal,
) -> PostCause {
    let opcode = request.opcode;
    match refusal {
        Refusal::Opcode => PostCause::Opcode { opcode, transport: queue.opcodes.transport },
        Refusal::Room => PostCause::QueueFull { limit: small(queue.limits.max_post as usize) },
        Refusal::Elements if !queue.takes_requests() => PostCause::NotReadyToSend,
        Refusal::Elements => PostCause::TooManyElements { limit: small(queue.limits.max_sge) },
        Refusal::Inline => inline::why_not(queue, request.sg_list),
        Refusal::Operands => PostCause::Operands { opcode },
        Refusal::Window => PostCause::WindowTooLong,
        Refusal::Atomics => PostCause::NoAtomics,
    }
}

//! Two ways to hand over the same work requests.

use crate::{Api, ExampleError, Settings};
use doorbell_driver::verbs::{
    Batch, End, Filled, Opcode, Operands, QueuePair, Request, ScatterGatherElement, SendFlags,
    SendRequest, post_send, wr_start,
};

// ANCHOR: posting
/// Posts work requests as the settings say: as one list, or by one call for each step.
pub fn post(
    qp: &QueuePair,
    settings: &Settings,
    requests: &[SendRequest<'_>],
) -> Result<(), ExampleError> {
    match settings.api {
        Api::List => Ok(post_send(qp, requests)?),
        Api::Batch => Ok(wr_start(qp, |batch| {
            requests.iter().for_each(|request| add(batch, request));
            End::Complete
        })?),
    }
}

/// Makes the calls for a work request of whichever opcode, but for a bind, whose window has a call of its own.
fn add(batch: &mut Batch<'_>, request: &SendRequest<'_>) {
    if let Some(begun) = begin(batch, request) {
        address_and_data(begun, request, request.send_flags.contains(SendFlags::INLINE));
    }
}

/// Makes the call for the opcode. Nothing is left to be filled in of an invalidation.
pub fn begin<'q, 'b>(
    batch: &'b mut Batch<'q>,
    request: &SendRequest<'_>,
) -> Option<Request<'b, 'q>> {
    (batch.wr_id, batch.wr_flags) = (request.wr_id, request.send_flags);
    let SendRequest { remote, immediate, .. } = *request;
    Some(match (request.opcode, request.operands) {
        (Opcode::RdmaWrite, _) => batch.rdma_write(remote),
        (Opcode::RdmaWriteWithImmediate, _) => batch.rdma_write_imm(remote, immediate),
        (Opcode::RdmaRead, _) => batch.rdma_read(remote),
        (Opcode::SendWithImmediate, _) => batch.send_imm(immediate),
        (Opcode::SendWithInvalidate, _) => batch.send_inv(immediate),
        (Opcode::AtomicCompareAndSwap, Operands::Atomic { compare_add, swap }) => {
            batch.atomic_cmp_swp(remote, compare_add, swap)
        }
        (Opcode::AtomicFetchAndAdd, Operands::Atomic { compare_add, .. }) => {
            batch.atomic_fetch_add(remote, compare_add)
        }
        (Opcode::LocalInvalidate, _) => {
            batch.local_inv(immediate);
            return None;
        }
        _ => batch.send(),
    })
}

/// A datagram's address may come before its data or behind it: every other one has it behind.
fn address_and_data(begun: Request<'_, '_>, request: &SendRequest<'_>, is_inline: bool) {
    let Operands::Datagram { handle, remote_qpn, remote_qkey } = request.operands else {
        data(begun, request.sg_list, is_inline, as_one(request));
        return;
    };
    match request.wr_id % 2 {
        0 => {
            let filled = data(begun, request.sg_list, is_inline, as_one(request));
            filled.set_ud_addr(handle, remote_qpn, remote_qkey);
        }
        _ => {
            let addressed = begun.set_ud_addr(handle, remote_qpn, remote_qkey);
            data(addressed, request.sg_list, is_inline, as_one(request));
        }
    }
}

/// One element has a call of its own, and may as well be a list: every other one is.
fn as_one(request: &SendRequest<'_>) -> bool {
    request.wr_id % 2 == 1
}

/// Gives a request its data; `as_one` if a single element is to go by the call for one.
pub fn data<'q, 'b>(
    begun: Request<'q, 'b>,
    elements: &[ScatterGatherElement],
    is_inline: bool,
    as_one: bool,
) -> Filled<'q, 'b> {
    match (elements, is_inline) {
        ([element], true) if as_one => begun.set_inline_data(*element),
        ([element], false) if as_one => begun.set_sge(*element),
        (_, true) => begun.set_inline_data_list(elements),
        (_, false) => begun.set_sge_list(elements),
    }
}
// ANCHOR_END: posting

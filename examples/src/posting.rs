//! Two ways to hand over the same work requests.

use crate::{Api, ExampleError, Settings};
use doorbell_driver::verbs::{
    Batch, End, Filled, Opcode, Operands, QueuePair, Request, SendFlags, SendRequest, post_send,
    wr_start,
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
    (batch.wr_id, batch.wr_flags) = (request.wr_id, request.send_flags);
    let SendRequest { remote, immediate, .. } = *request;
    let begun = match (request.opcode, request.operands) {
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
        (Opcode::LocalInvalidate, _) => return batch.local_inv(immediate),
        _ => batch.send(),
    };
    let is_inline = request.send_flags.contains(SendFlags::INLINE);
    address_and_data(begun, request, is_inline);
}

/// A datagram's address may come before its data or behind it: every other one has it behind.
fn address_and_data(begun: Request<'_, '_>, request: &SendRequest<'_>, is_inline: bool) {
    let Operands::Datagram { handle, remote_qpn, remote_qkey } = request.operands else {
        data(begun, request, is_inline);
        return;
    };
    match request.wr_id % 2 {
        0 => {
            let filled = data(begun, request, is_inline);
            filled.set_ud_addr(handle, remote_qpn, remote_qkey);
        }
        _ => {
            let addressed = begun.set_ud_addr(handle, remote_qpn, remote_qkey);
            data(addressed, request, is_inline);
        }
    }
}

/// One element has a call of its own, and may as well be a list: every other one is.
fn data<'q, 'b>(
    begun: Request<'q, 'b>,
    request: &SendRequest<'_>,
    is_inline: bool,
) -> Filled<'q, 'b> {
    let elements = request.sg_list;
    match (elements, is_inline) {
        ([element], true) if request.wr_id % 2 == 1 => begun.set_inline_data(*element),
        ([element], false) if request.wr_id % 2 == 1 => begun.set_sge(*element),
        (_, true) => begun.set_inline_data_list(elements),
        (_, false) => begun.set_sge_list(elements),
    }
}
// ANCHOR_END: posting

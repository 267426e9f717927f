//! The requests of one call as the calls of a batch, as the twin in C makes them.

use crate::cases::Send;
use doorbell_driver::verbs::{
    Batch, MemoryRegion, MemoryWindow, Opcode, Operands, Request, ScatterGatherElement, SendFlags,
    SendRequest, WindowPart,
};

/// Adds a request to a batch: `request` is what the call that takes lists would post.
pub fn add(
    batch: &mut Batch<'_>,
    (send, request): (&Send, &SendRequest<'_>),
    (window, region): (&MemoryWindow, &MemoryRegion),
) {
    (batch.wr_id, batch.wr_flags) = (request.wr_id, request.send_flags);
    let SendRequest { remote, immediate, .. } = *request;
    let begun = match (request.opcode, request.operands) {
        (Opcode::RdmaWrite, _) => batch.rdma_write(remote),
        (Opcode::RdmaWriteWithImmediate, _) => batch.rdma_write_imm(remote, immediate),
        (Opcode::RdmaRead, _) => batch.rdma_read(remote),
        (Opcode::Send, _) => batch.send(),
        (Opcode::SendWithImmediate, _) => batch.send_imm(immediate),
        (Opcode::SendWithInvalidate, _) => batch.send_inv(immediate),
        (Opcode::AtomicCompareAndSwap, Operands::Atomic { compare_add, swap }) => {
            batch.atomic_cmp_swp(remote, compare_add, swap)
        }
        (Opcode::AtomicFetchAndAdd, Operands::Atomic { compare_add, .. }) => {
            batch.atomic_fetch_add(remote, compare_add)
        }
        (Opcode::LocalInvalidate, _) => return batch.local_inv(immediate),
        (Opcode::BindMemoryWindow, Operands::Bind(bind)) => {
            let (address, length, access) = (bind.address, bind.length, bind.access);
            let part = WindowPart { region, address, length, access };
            return batch.bind_mw(window, bind.new_key, &part);
        }
        // The cases have no other opcode, and the two above always have their operands.
        _ => return,
    };
    let begun = match request.operands {
        Operands::Datagram { handle, remote_qpn, remote_qkey } => {
            begun.set_ud_addr(handle, remote_qpn, remote_qkey)
        }
        _ => begun,
    };
    set_data(begun, send, request.sg_list);
}

/// Gives it its data: a single element as such, or as a list if the immediate data is odd.
fn set_data(begun: Request<'_, '_>, send: &Send, elements: &[ScatterGatherElement]) {
    let is_inline = send.flags.contains(SendFlags::INLINE);
    match (elements, is_inline) {
        ([element], true) if send.immediate & 1 == 0 => begun.set_inline_data(*element),
        ([element], false) if send.immediate & 1 == 0 => begun.set_sge(*element),
        (_, true) => begun.set_inline_data_list(elements),
        (_, false) => begun.set_sge_list(elements),
    };
}

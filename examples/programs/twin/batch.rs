//! The requests of one call as the calls of a batch, as the twin in C makes them.

use crate::cases::Send;
use doorbell_driver::verbs::{
    Batch, MemoryRegion, MemoryWindow, Operands, SendFlags, SendRequest, WindowPart,
};
use doorbell_examples::posting;

/// Adds a request to a batch: `request` is what the call that takes lists would post.
pub fn add(
    batch: &mut Batch<'_>,
    (send, request): (&Send, &SendRequest<'_>),
    (window, region): (&MemoryWindow, &MemoryRegion),
) {
    if let Operands::Bind(bind) = request.operands {
        (batch.wr_id, batch.wr_flags) = (request.wr_id, request.send_flags);
        let (address, length, access) = (bind.address, bind.length, bind.access);
        let part = WindowPart { region, address, length, access };
        return batch.bind_mw(window, bind.new_key, &part);
    }
    let Some(begun) = posting::begin(batch, request) else { return };
    let begun = match request.operands {
        Operands::Datagram { handle, remote_qpn, remote_qkey } => {
            begun.set_ud_addr(handle, remote_qpn, remote_qkey)
        }
        _ => begun,
    };
    // A single element as such, or as a list if the immediate data is odd.
    let is_inline = send.flags.contains(SendFlags::INLINE);
    posting::data(begun, request.sg_list, is_inline, send.immediate & 1 == 0);
}

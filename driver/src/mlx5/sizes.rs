//! How large the queues of a queue pair become.
//!
//! A program asks for work requests; the card counts blocks. The rules between the two are
//! libmlx5's (`mlx5_calc_sq_size`, `mlx5_calc_rq_size`), because they decide when a post answers
//! ENOMEM: a send queue is sized for the largest WQE that its opcodes could need.

use super::ring::UNIT;
use crate::verbs::{QueuePairCapabilities, VerbsError};

/// Size of a send block in bytes.
const BLOCK: u32 = 64;

/// Bytes in front of the data of the largest WQE of a reliable connection: the control segment and
/// what binding a memory window needs (UMR control 48, mkey context 64, KLM entries 64).
/// libmlx5 reserves that much even if no window is ever bound.
const OVERHEAD: u32 = 16 + 48 + 64 + 64;

/// Size of an inline segment's header in bytes.
const INLINE_HEADER: u32 = 4;

/// Largest WQEs that the card takes, in bytes (`max_wqe_sz_sq`, `max_wqe_sz_rq`).
const MAX_SEND_WQE: u32 = 1024;
const MAX_RECEIVE_WQE: u32 = 512;

/// Largest queue, in entries (`log_max_qp_sz`).
const MAX_ENTRIES: u32 = 1 << 15;

/// The sizes of a queue pair's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Base-2 logarithm of the number of send blocks.
    pub log_send_blocks: u32,
    /// Work requests that a send queue of that size is good for, less one.
    pub max_post: u32,
    /// Scatter/gather elements of a send.
    pub max_send_sge: u32,
    /// Bytes of inline data: what the largest WQE has room for.
    pub max_inline: u32,
    /// Base-2 logarithm of the number of receive WQEs.
    pub log_receive_wqes: u32,
    /// Base-2 logarithm of a receive WQE's size in units.
    pub log_receive_units: u32,
    /// Receives come from a shared queue: there is no receive queue.
    pub shared: bool,
}

impl Sizes {
    // ANCHOR: queue_sizes
    /// The sizes for what a program asked for.
    pub fn of(wanted: &QueuePairCapabilities) -> Result<Self, VerbsError> {
        let wqe = send_wqe_size(wanted)?;
        let bytes = bounded("max_send_wr", wanted.max_send_wr, MAX_ENTRIES)?.max(1) * wqe;
        let bytes = bytes.next_power_of_two();
        bounded("the send queue's number of blocks", bytes / BLOCK, MAX_ENTRIES)?;
        let units = wanted.max_recv_sge.max(1);
        bounded("max_recv_sge", units, MAX_RECEIVE_WQE / UNIT as u32)?;
        let units = units.next_power_of_two();
        let receives = bounded("max_recv_wr", wanted.max_recv_wr, MAX_ENTRIES)?.max(1);
        let receives = receives.next_power_of_two().max(BLOCK / (units * UNIT as u32));
        Ok(Self {
            log_send_blocks: (bytes / BLOCK).trailing_zeros(),
            max_post: bytes / wqe,
            max_send_sge: wanted.max_send_sge,
            max_inline: (wqe - OVERHEAD).saturating_sub(INLINE_HEADER),
            log_receive_wqes: receives.trailing_zeros(),
            log_receive_units: units.trailing_zeros(),
            shared: false,
        })
    }
    // ANCHOR_END: queue_sizes

    /// The same without a receive queue.
    pub fn without_receives(self) -> Self {
        Self { log_receive_wqes: 0, log_receive_units: 0, shared: true, ..self }
    }

    /// Bytes of the send queue.
    pub fn send_bytes(&self) -> usize {
        (BLOCK as usize) << self.log_send_blocks
    }

    /// Bytes of the receive queue.
    pub fn receive_bytes(&self) -> usize {
        match self.shared {
            true => 0,
            false => UNIT << (self.log_receive_wqes + self.log_receive_units),
        }
    }
}

/// Bytes of the largest send WQE, in whole blocks.
fn send_wqe_size(wanted: &QueuePairCapabilities) -> Result<u32, VerbsError> {
    let sges =
        bounded("max_send_sge", wanted.max_send_sge, (MAX_SEND_WQE - OVERHEAD) / UNIT as u32)?;
    let inline = bounded(
        "max_inline_data",
        wanted.max_inline_data,
        MAX_SEND_WQE - OVERHEAD - INLINE_HEADER,
    )?;
    let pointers = OVERHEAD + sges * UNIT as u32;
    let inline = match inline {
        0 => 0,
        inline => OVERHEAD + (INLINE_HEADER + inline).next_multiple_of(UNIT as u32),
    };
    Ok(pointers.max(inline).next_multiple_of(BLOCK))
}

/// `value`, if it is not above `most`.
fn bounded(what: &'static str, value: u32, most: u32) -> Result<u32, VerbsError> {
    if value > most {
        let value = value.into();
        let why = "is more than the card takes";
        return Err(VerbsError::Invalid { what, value, why });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> QueuePairCapabilities {
        QueuePairCapabilities {
            max_send_wr: 16,
            max_recv_wr: 16,
            max_send_sge: 1,
            max_recv_sge: 1,
            max_inline_data: 0,
        }
    }

    #[test]
    fn one_element_needs_four_blocks_because_of_the_window_overhead() {
        let sizes = Sizes::of(&wanted()).expect("ordinary sizes");
        assert_eq!(sizes.log_send_blocks, 6);
        assert_eq!(sizes.max_post, 16);
        assert_eq!(sizes.max_inline, 60);
    }

    #[test]
    fn a_queue_without_elements_has_no_room_for_inline_data() {
        let sizes = Sizes::of(&QueuePairCapabilities { max_send_sge: 0, ..wanted() });
        let sizes = sizes.expect("a queue for requests without data");
        assert_eq!((sizes.max_send_sge, sizes.max_inline), (0, 0));
    }

    #[test]
    fn a_receive_queue_is_never_smaller_than_a_block() {
        let sizes =
            Sizes::of(&QueuePairCapabilities { max_recv_wr: 1, ..wanted() }).expect("small");
        assert_eq!(sizes.receive_bytes(), 64);
    }

    #[test]
    fn too_much_is_refused_by_name() {
        let error = Sizes::of(&QueuePairCapabilities { max_send_sge: 53, ..wanted() });
        assert!(error.unwrap_err().to_string().starts_with("max_send_sge is 53"));
        let error = Sizes::of(&QueuePairCapabilities { max_send_wr: 40_000, ..wanted() });
        assert!(error.unwrap_err().to_string().starts_with("max_send_wr is 40000"));
    }
}

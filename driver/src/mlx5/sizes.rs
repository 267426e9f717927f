//! How large the queues of a queue pair become.
//!
//! A program asks for work requests; the card counts blocks. The rules between the two are
//! libmlx5's (`mlx5_calc_sq_size`, `mlx5_calc_rq_size`), because they decide when a post answers
//! ENOMEM: a send queue is sized for the largest WQE that its opcodes could need.

use super::ring::UNIT;
use super::signature::FRONT_UNITS;
use crate::control::QueueLimits;
use crate::verbs::{QueuePairCapabilities, Transport, VerbsError};

/// Size of a send block in bytes.
const BLOCK: u32 = 64;

/// Size of an inline segment's header in bytes.
const INLINE_HEADER: u32 = 4;

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
    /// WQEs carry signatures: a receive WQE has a unit for it in front of its pointers.
    pub signed: bool,
}

impl Sizes {
    // ANCHOR: queue_sizes
    /// The sizes for what a program asked for, on a card with these limits.
    pub fn of(
        wanted: &QueuePairCapabilities,
        transport: Transport,
        limits: &QueueLimits,
    ) -> Result<Self, VerbsError> {
        Self::with(wanted, transport, limits, false)
    }

    /// The same for a queue pair whose WQEs carry signatures.
    pub fn signed(
        wanted: &QueuePairCapabilities,
        transport: Transport,
        limits: &QueueLimits,
    ) -> Result<Self, VerbsError> {
        Self::with(wanted, transport, limits, true)
    }

    fn with(
        wanted: &QueuePairCapabilities,
        transport: Transport,
        limits: &QueueLimits,
        signed: bool,
    ) -> Result<Self, VerbsError> {
        let wqe = send_wqe_size(wanted, transport, limits)?;
        let bytes = bounded("max_send_wr", wanted.max_send_wr, limits.send_blocks)?.max(1) * wqe;
        let bytes = bytes.next_power_of_two();
        bounded("the send queue's number of blocks", bytes / BLOCK, limits.send_blocks)?;
        let (elements, front) = (wanted.max_recv_sge.max(1), u32::from(signed) * FRONT_UNITS);
        let most = (limits.receive_wqe / UNIT as u32).saturating_sub(front);
        let units = (bounded("max_recv_sge", elements, most)? + front).next_power_of_two();
        let receives = bounded("max_recv_wr", wanted.max_recv_wr, limits.receive_wqes)?.max(1);
        let receives = receives.next_power_of_two().max(BLOCK / (units * UNIT as u32));
        Ok(Self {
            log_send_blocks: (bytes / BLOCK).trailing_zeros(),
            max_post: bytes / wqe,
            max_send_sge: wanted.max_send_sge,
            max_inline: (wqe - overhead(transport)).saturating_sub(INLINE_HEADER),
            log_receive_wqes: receives.trailing_zeros(),
            log_receive_units: units.trailing_zeros(),
            shared: false,
            signed,
        })
    }
    // ANCHOR_END: queue_sizes

    /// The same without a receive queue.
    pub fn without_receives(self) -> Self {
        Self { log_receive_wqes: 0, log_receive_units: 0, shared: true, ..self }
    }

    /// The same as the verbs have it. A receive queue takes as many work requests as it has WQEs.
    pub fn capabilities(&self) -> QueuePairCapabilities {
        let own = |size: u32| if self.shared { 0 } else { size };
        QueuePairCapabilities {
            max_send_wr: self.max_post,
            max_recv_wr: own(1 << self.log_receive_wqes),
            max_send_sge: self.max_send_sge,
            max_recv_sge: own(self.receive_elements()),
            max_inline_data: self.max_inline,
        }
    }

    /// Scatter/gather elements of a receive.
    pub fn receive_elements(&self) -> u32 {
        (1 << self.log_receive_units) - if self.signed { FRONT_UNITS } else { 0 }
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

// ANCHOR: sq_overhead
/// Bytes in front of the data of the largest WQE that a transport's opcodes could need: the control
/// segment, and what goes with each opcode. libmlx5 reserves that much even if none of them is ever
/// posted. (`sq_overhead`)
fn overhead(transport: Transport) -> u32 {
    const CONTROL: u32 = 16;
    match transport {
        // Binding a memory window: UMR control 48, mkey context 64, KLM entries 64.
        Transport::ReliableConnection | Transport::UnreliableConnection => CONTROL + 48 + 64 + 64,
        // The address vector.
        Transport::UnreliableDatagram => CONTROL + 48,
    }
}
// ANCHOR_END: sq_overhead

/// Bytes of the largest send WQE, in whole blocks. (`mlx5_calc_send_wqe`)
fn send_wqe_size(
    wanted: &QueuePairCapabilities,
    transport: Transport,
    limits: &QueueLimits,
) -> Result<u32, VerbsError> {
    let overhead = overhead(transport);
    let room = limits.send_wqe.saturating_sub(overhead);
    let sges = bounded("max_send_sge", wanted.max_send_sge, room / UNIT as u32)?;
    let inline =
        bounded("max_inline_data", wanted.max_inline_data, room.saturating_sub(INLINE_HEADER))?;
    let pointers = overhead + sges * UNIT as u32;
    let inline = match inline {
        0 => 0,
        inline => overhead + (INLINE_HEADER + inline).next_multiple_of(UNIT as u32),
    };
    let size = pointers.max(inline).next_multiple_of(BLOCK);
    // The whole blocks, too, must not be longer than the card takes.
    bounded("the size of the largest send WQE in bytes", size, limits.send_wqe)
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

    /// What the software card says of itself.
    const LIMITS: QueueLimits = QueueLimits {
        send_wqe: 1008,
        receive_wqe: 2048,
        send_blocks: 1 << 15,
        receive_wqes: 1 << 15,
    };

    fn sizes(wanted: QueuePairCapabilities) -> Result<Sizes, VerbsError> {
        Sizes::of(&wanted, Transport::ReliableConnection, &LIMITS)
    }

    fn refusal(wanted: QueuePairCapabilities) -> String {
        sizes(wanted).unwrap_err().to_string()
    }

    #[test]
    fn one_element_needs_four_blocks_because_of_the_window_overhead() {
        for transport in [Transport::ReliableConnection, Transport::UnreliableConnection] {
            let sizes = Sizes::of(&wanted(), transport, &LIMITS).expect("ordinary sizes");
            assert_eq!(sizes.log_send_blocks, 6);
            assert_eq!(sizes.max_post, 16);
            assert_eq!(sizes.max_inline, 60);
        }
    }

    #[test]
    fn a_datagram_needs_two_blocks_because_of_its_address_vector() {
        let of = |wanted| Sizes::of(&wanted, Transport::UnreliableDatagram, &LIMITS);
        let sizes = of(wanted()).expect("ordinary sizes");
        assert_eq!((sizes.log_send_blocks, sizes.max_post, sizes.max_inline), (5, 16, 60));
        // Three blocks a WQE: 16 of them are 48 blocks, and 64 blocks are good for 21.
        let inline = of(QueuePairCapabilities { max_inline_data: 61, ..wanted() });
        let sizes = inline.expect("ordinary sizes");
        assert_eq!((sizes.log_send_blocks, sizes.max_post, sizes.max_inline), (6, 21, 124));
    }

    #[test]
    fn a_queue_without_elements_has_no_room_for_inline_data() {
        let sizes = sizes(QueuePairCapabilities { max_send_sge: 0, ..wanted() });
        let sizes = sizes.expect("a queue for requests without data");
        assert_eq!((sizes.max_send_sge, sizes.max_inline), (0, 0));
    }

    #[test]
    fn a_receive_queue_is_never_smaller_than_a_block() {
        let sizes = sizes(QueuePairCapabilities { max_recv_wr: 1, ..wanted() }).expect("small");
        assert_eq!(sizes.receive_bytes(), 64);
    }

    #[test]
    fn too_much_is_refused_by_name() {
        let error = refusal(QueuePairCapabilities { max_send_sge: 53, ..wanted() });
        assert!(error.starts_with("max_send_sge is 53"), "{error}");
        let error = refusal(QueuePairCapabilities { max_send_wr: 40_000, ..wanted() });
        assert!(error.starts_with("max_send_wr is 40000"), "{error}");
        let error = refusal(QueuePairCapabilities { max_recv_sge: 129, ..wanted() });
        assert!(error.starts_with("max_recv_sge is 129"), "{error}");
    }

    #[test]
    fn a_wqe_in_whole_blocks_must_not_be_longer_than_the_card_takes() {
        // 192 and 48 times 16 bytes are 960, which is 15 blocks; with one more the 16th block would
        // end at 1024, and this card takes 1008.
        assert!(sizes(QueuePairCapabilities { max_send_sge: 48, ..wanted() }).is_ok());
        let error = refusal(QueuePairCapabilities { max_send_sge: 49, ..wanted() });
        assert!(error.contains("largest send WQE in bytes is 1024"), "{error}");
    }

    #[test]
    fn a_larger_card_takes_more() {
        let limits = QueueLimits { send_wqe: 2048, ..LIMITS };
        let wanted = QueuePairCapabilities { max_send_sge: 100, ..wanted() };
        let sizes = Sizes::of(&wanted, Transport::ReliableConnection, &limits);
        assert_eq!(sizes.expect("room").max_send_sge, 100);
    }
}

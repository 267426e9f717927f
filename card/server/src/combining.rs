//! What a CPU's write-combining buffer would do, for registers whose writes are seen one by one.
//!
//! A program copies a WQE to a BlueFlame register, which is mapped write-combining: the CPU gathers
//! the stores in a buffer and sends them as one burst. A machine whose registers are trapped sends
//! each store by itself, so the buffer is here. Stores that ascend within one buffer of a BlueFlame
//! register are gathered. They leave together when the WQE that begins with them is whole; for then
//! the program flushes its CPU's buffer, and of that nothing can be seen here. They leave one by
//! one, as from a buffer that is emptied before it is full, when a store or a load goes elsewhere,
//! or when nothing follows for [`PATIENCE`]. So a lone doorbell stays a doorbell, and nothing is
//! lost or overtaken.
//!
//! A store to a register that the guest maps uncached looks the same, and is gathered too.

use doorbell_card::FIRST_UAR;
use doorbell_prm::registers::uar::{BLUEFLAME_BUFFER_SIZE, UAR_PAGE_SIZE, UarRegister};
use doorbell_prm::wqe::{ControlSegment, SEGMENT_UNIT, SEND_BLOCK};
use doorbell_prm::zerocopy::FromBytes;
use std::time::{Duration, Instant};

/// How long after the last store the next one may come: many stores of a machine that is translated,
/// and little for a doorbell that is alone.
const PATIENCE: Duration = Duration::from_micros(500);

/// What leaves a buffer that is not full is cut into pieces of this size, as CPUs do.
const PIECE: usize = 8;

/// A write as the card gets it: offset in BAR 0, and bytes.
pub(crate) type Write = (u64, Vec<u8>);

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct Combining {
    gathered: Option<Gathered>,
}

/// Stores that ascend from the beginning of a buffer of a BlueFlame register.
#[derive(Debug)]
struct Gathered {
    offset: u64,
    bytes: Vec<u8>,
    last: Instant,
}

impl Combining {
    /// Takes a store; gives what leaves now, in the order of the stores.
    pub(crate) fn store(&mut self, offset: u64, bytes: &[u8], now: Instant) -> Vec<Write> {
        if let Some(open) = &mut self.gathered
            && offset == open.offset + open.bytes.len() as u64
            && open.bytes.len() + bytes.len() <= open.whole()
        {
            open.bytes.extend(bytes);
            open.last = now;
            return if open.bytes.len() == open.whole() { self.flush() } else { Vec::new() };
        }
        let mut leaving = self.flush();
        match begins_a_buffer(offset) && bytes.len() <= PIECE {
            true => {
                self.gathered = Some(Gathered { offset, bytes: bytes.to_vec(), last: now });
            }
            false => leaving.push((offset, bytes.to_vec())),
        }
        leaving
    }

    /// Empties the buffer.
    pub(crate) fn flush(&mut self) -> Vec<Write> {
        let Some(open) = self.gathered.take() else {
            return Vec::new();
        };
        if open.bytes.len() == open.whole() {
            return vec![(open.offset, open.bytes)];
        }
        let pieces = (open.offset..).step_by(PIECE).zip(open.bytes.chunks(PIECE));
        pieces.map(|(offset, piece)| (offset, piece.to_vec())).collect()
    }

    /// Whether it holds anything.
    pub(crate) fn is_gathering(&self) -> bool {
        self.gathered.is_some()
    }

    /// How long the buffer may still be kept; `None` when it is empty.
    pub(crate) fn patience(&self, now: Instant) -> Option<Duration> {
        let open = self.gathered.as_ref()?;
        Some(PATIENCE.saturating_sub(now.saturating_duration_since(open.last)))
    }
}

impl Gathered {
    /// How many bytes the burst has when it is whole: the blocks of the WQE that begins with what is
    /// gathered, as far as they fit; at least one.
    fn whole(&self) -> usize {
        let mut head = [0; ControlSegment::SIZE];
        let known = self.bytes.len().min(head.len());
        head[..known].copy_from_slice(&self.bytes[..known]);
        let units = ControlSegment::ref_from_bytes(&head).map_or(0, |control| control.ds());
        let bytes = units as usize * SEGMENT_UNIT;
        bytes.next_multiple_of(SEND_BLOCK).clamp(SEND_BLOCK, BLUEFLAME_BUFFER_SIZE as usize)
    }
}

/// Whether a buffer of a BlueFlame register begins at this byte of BAR 0.
fn begins_a_buffer(offset: u64) -> bool {
    let page = offset / UAR_PAGE_SIZE;
    page >= u64::from(FIRST_UAR)
        && matches!(UarRegister::at(offset), UarRegister::SendDoorbell { offset: 0, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: u64 = ((FIRST_UAR as u64) << 12) + 0x800;

    /// A WQE of so many 16-byte units, in whole blocks.
    fn wqe(units: u8) -> Vec<u8> {
        let length = (usize::from(units) * 16).next_multiple_of(64);
        let mut bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        bytes[7] = units;
        bytes
    }

    /// Stores of `size` bytes each; what left with each of them.
    fn copy(buffer: &mut Combining, at: u64, bytes: &[u8], size: usize) -> Vec<Write> {
        let now = Instant::now();
        let stores = (at..).step_by(size).zip(bytes.chunks(size));
        stores.flat_map(|(at, part)| buffer.store(at, part, now)).collect()
    }

    #[test]
    fn a_wqe_leaves_as_one_burst_whatever_the_size_of_the_stores() {
        for size in [4, 8] {
            for units in [1, 3, 4, 5, 9, 16] {
                let mut buffer = Combining::default();
                let burst = wqe(units);
                assert_eq!(copy(&mut buffer, REGISTER, &burst, size), [(REGISTER, burst)]);
                assert_eq!(buffer.patience(Instant::now()), None, "the buffer is empty");
            }
        }
    }

    #[test]
    fn what_is_longer_than_the_buffer_leaves_when_that_is_full() {
        let mut buffer = Combining::default();
        let burst = wqe(20);
        let left = copy(&mut buffer, REGISTER, &burst[..256], 8);
        assert_eq!(left, [(REGISTER, burst[..256].to_vec())]);
    }

    #[test]
    fn a_lone_doorbell_stays_one_and_waits_a_little() {
        let mut buffer = Combining::default();
        let (now, head) = (Instant::now(), &wqe(3)[..8]);
        assert!(buffer.store(REGISTER, head, now).is_empty());
        assert_eq!(buffer.patience(now), Some(PATIENCE));
        assert_eq!(buffer.patience(now + PATIENCE), Some(Duration::ZERO));
        assert_eq!(buffer.flush(), [(REGISTER, head.to_vec())]);
        assert_eq!(buffer.patience(now), None);
    }

    #[test]
    fn a_store_elsewhere_empties_the_buffer_first() {
        let head = wqe(3)[..8].to_vec();
        let first = (REGISTER, head.clone());
        for elsewhere in [0x18, REGISTER - 0x800 + 0x40, REGISTER + 8 + 8, REGISTER + 0x28] {
            let mut buffer = Combining::default();
            assert!(buffer.store(REGISTER, &head, Instant::now()).is_empty());
            let left = buffer.store(elsewhere, &[1; 8], Instant::now());
            assert_eq!(left, [first.clone(), (elsewhere, vec![1; 8])], "{elsewhere:#x}");
        }
        // Another register, the other buffer, the same one again: that one is gathered next.
        for register in [REGISTER + 0x200, REGISTER + 0x100, REGISTER] {
            let mut buffer = Combining::default();
            assert!(buffer.store(REGISTER, &head, Instant::now()).is_empty());
            assert_eq!(buffer.store(register, &head, Instant::now()), std::slice::from_ref(&first));
            assert_eq!(buffer.flush(), [(register, head.clone())]);
        }
    }

    #[test]
    fn a_burst_that_is_cut_off_leaves_in_pieces() {
        let mut buffer = Combining::default();
        let burst = wqe(3);
        assert!(copy(&mut buffer, REGISTER, &burst[..20], 4).is_empty());
        let pieces = [
            (REGISTER, burst[..8].to_vec()),
            (REGISTER + 8, burst[8..16].to_vec()),
            (REGISTER + 16, burst[16..20].to_vec()),
        ];
        assert_eq!(buffer.flush(), pieces);
    }

    #[test]
    fn no_byte_is_lost_or_overtaken() {
        // A simple generator of pseudo-random numbers: the same stores each time.
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        let mut buffer = Combining::default();
        let (mut stored, mut left) = (Vec::new(), Vec::new());
        for number in 0..10_000_u32 {
            let at = REGISTER + random(4) * 0x100 + random(12) * 8;
            let bytes = u64::from(number).to_be_bytes();
            stored.extend(bytes.iter().enumerate().map(|(place, byte)| (at + place as u64, *byte)));
            left.extend(buffer.store(at, &bytes, Instant::now()));
        }
        left.extend(buffer.flush());
        let bytes = left.iter().flat_map(|(at, bytes)| (*at..).zip(bytes.iter().copied()));
        assert_eq!(bytes.collect::<Vec<_>>(), stored);
    }
}

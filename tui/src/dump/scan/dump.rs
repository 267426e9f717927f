//! A dump that has ended: what its bytes are.

use super::*;
use crate::dump::kinds::number;
use doorbell_prm::wqe::{SEGMENT_UNIT, SEND_BLOCK};

/// Entries of a completion queue that are shown each.
const MOST_ENTRIES: usize = 8;

/// Hex without a message that is longer than this is no structure.
const LONGEST: usize = 64 << 10;

/// Bytes of a CQE, and of the last row of its dump, which tells nearly all.
const CQE: usize = 64;
const LAST_ROW: usize = 16;

/// Where a dump stands, and what was odd about it.
struct Place {
    first: u64,
    last: u64,
    unit: usize,
    notes: Vec<String>,
}

impl Place {
    /// That of a block, with one more note.
    fn of(block: &Block, note: Option<String>) -> Self {
        let notes = block.notes.iter().cloned().chain(note).collect();
        Self { first: block.first, last: block.last, unit: block.unit, notes }
    }
}

impl Scanner<'_> {
    /// Ends the dump under way, if there is one.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let Some(block) = self.block.take() else { return Ok(()) };
        let pending = match &self.pending {
            Some(pending) if pending.expected.is_some() => self.pending.take(),
            _ => {
                self.flush()?;
                None
            }
        };
        let expected = pending.as_ref().and_then(|pending| pending.expected).unwrap_or_default();
        match expected.ring {
            Some(ring) => self.ring(ring, block, pending),
            None => self.structure(block, pending, expected),
        }
    }

    /// A dump of one structure, or of several that follow on each other.
    fn structure(
        &mut self,
        mut block: Block,
        pending: Option<Pending>,
        expected: Expected,
    ) -> io::Result<()> {
        if let Some(limit) = block.limit()
            && block.bytes.len() < limit
        {
            let note = format!("{} of {limit} bytes are there", block.bytes.len());
            block.notes.push(note);
        }
        let named = expected.kind.or(self.kind);
        let (readings, padded) = readings(&block, named);
        if padded {
            block.notes.push(
                "only the last 16 bytes of a CQE are there; those before are taken as zero".into(),
            );
        }
        if readings.is_empty() {
            self.seen.unknown += 1;
            if self.seen.unknown_at.len() < MOST_KEPT {
                self.seen.unknown_at.push((block.first, block.bytes.len()));
            }
            return Ok(());
        }
        let several = match readings.as_slice() {
            [only] if only.kind == Kind::Cqe && only.bytes.len() > CQE => Some(only.bytes.clone()),
            _ => None,
        };
        if let Some(bytes) = several {
            let count = bytes.len() / CQE;
            for (index, entry) in (1..).zip(bytes.chunks_exact(CQE)).take(MOST_ENTRIES) {
                let reading = Reading::new(Kind::Cqe, readings[0].reversed, entry.to_vec());
                let note = format!("entry {index} of {count} in this dump");
                let own = Place::of(&block, Some(note));
                self.put(own, None, vec![reading], named.is_some(), expected)?;
            }
            return Ok(());
        }
        self.put(Place::of(&block, None), pending, readings, named.is_some(), expected)
    }

    /// Puts a finding together from the message and the bytes.
    fn put(
        &mut self,
        place: Place,
        pending: Option<Pending>,
        readings: Vec<Reading>,
        named: bool,
        expected: Expected,
    ) -> io::Result<()> {
        let mut notes = place.notes;
        let told = pending.as_ref().map(|pending| pending.what.clone()).unwrap_or_default();
        let read = readings.first().and_then(Reading::failure);
        let what = match (told, read) {
            (What::Completion(told), Some(read)) => What::Completion(both(told, read, &mut notes)),
            (What::Structure, Some(read)) => What::Completion(read),
            (told, _) => told,
        };
        let dump = Dump {
            unit: place.unit,
            readings,
            named,
            ethernet: expected.ethernet,
            command: expected.command,
        };
        self.found(Found {
            first: pending.as_ref().map_or(place.first, |pending| pending.line),
            last: place.last,
            mark: pending.as_ref().map(|pending| pending.mark),
            facts: pending.map_or_else(Vec::new, |pending| pending.facts),
            what,
            dump: Some(dump),
            notes,
            repeats: 0,
            repeated_to: 0,
        })
    }

    /// A dump of a whole ring: of its entries those are shown that failed.
    fn ring(&mut self, ring: Ring, block: Block, pending: Option<Pending>) -> io::Result<()> {
        let size = match ring {
            Ring::Completions => CQE,
            Ring::Sends => SEND_BLOCK,
            Ring::Receives => SEGMENT_UNIT,
        };
        let count = block.bytes.len() / size;
        let failed = |entry: &[u8]| matches!(entry.last().map(|last| last >> 4), Some(13 | 14));
        let named = self.counter.map(usize::from).and_then(|counter| counter.checked_rem(count));
        let chosen: Vec<usize> = match ring {
            Ring::Completions => {
                let entries = block.bytes.chunks_exact(size).enumerate();
                entries.filter(|(_, entry)| failed(entry)).map(|(index, _)| index).collect()
            }
            _ => named.or((count > 0).then_some(0)).into_iter().collect(),
        };
        let expected = pending.as_ref().and_then(|pending| pending.expected).unwrap_or_default();
        if chosen.is_empty() {
            let own = Place::of(&block, Some(format!("none of its {count} entries is an error")));
            return self.put(own, pending, Vec::new(), true, expected);
        }
        for index in chosen.iter().take(MOST_ENTRIES) {
            let rest = block.bytes.get(index * size..).unwrap_or(&[]);
            let length = match ring {
                // As long as it says, in whole blocks.
                Ring::Sends => {
                    let ds = number(rest, 7, 1) as usize & 0x3f;
                    (ds * SEGMENT_UNIT).next_multiple_of(size).max(size)
                }
                _ => size,
            };
            let bytes = rest.get(..length.min(rest.len())).unwrap_or(rest).to_vec();
            let note = match ring {
                Ring::Completions if chosen.len() > MOST_ENTRIES => format!(
                    "entry {index} of {count}; {} of them are errors, and the first {MOST_ENTRIES} \
                     are shown",
                    chosen.len()
                ),
                Ring::Completions => format!("entry {index} of {count}"),
                _ if named.is_some() => format!(
                    "entry {index} of {count}: the WQE counter of the message, modulo {count}"
                ),
                _ => {
                    format!("entry {index} of {count}: no message before it says which one failed")
                }
            };
            let kind = expected.kind.unwrap_or(Kind::Cqe);
            let reading = Reading::new(kind, false, bytes);
            let own = Place::of(&block, Some(note));
            self.put(own, pending.clone(), vec![reading], true, expected)?;
        }
        Ok(())
    }
}

/// Every reading that fits, and whether the bytes had to be padded for it. If it is said what the
/// bytes are, that reading stands first, fitting or not.
fn readings(block: &Block, named: Option<Kind>) -> (Vec<Reading>, bool) {
    let reversed = block.reversed();
    let mut orders = vec![(false, block.bytes.clone())];
    orders.extend(reversed.map(|bytes| (true, bytes)));
    let mut found = Vec::new();
    if let Some(kind) = named {
        let short = kind == Kind::Cqe && block.bytes.len() == LAST_ROW;
        for (reversed, bytes) in orders {
            let bytes = if short { last_row(&bytes) } else { bytes };
            let reading = Reading::new(kind, reversed, bytes);
            // Said is said; turned round it is only offered where that alone makes sense.
            if !reversed || (reading.fits() && !found.iter().any(Reading::fits)) {
                found.push(reading);
            }
        }
        return (found, short);
    }
    if block.bytes.len() > LONGEST {
        return (found, false);
    }
    for (reversed, bytes) in &orders {
        for kind in Kind::value_variants() {
            let reading = Reading::new(*kind, *reversed, bytes.clone());
            if reading.fits() {
                found.push(reading);
            }
        }
    }
    if found.is_empty() && block.bytes.len() == LAST_ROW {
        let padded = orders
            .into_iter()
            .map(|(turned, bytes)| Reading::new(Kind::Cqe, turned, last_row(&bytes)));
        found.extend(padded.filter(|reading| reading.fits() && reading.failure().is_some()));
        return (found, true);
    }
    (found, false)
}

/// A CQE of which only the last row is known.
fn last_row(bytes: &[u8]) -> Vec<u8> {
    let mut cqe = vec![0; CQE - LAST_ROW];
    cqe.extend_from_slice(bytes);
    cqe
}

/// What message and CQE tell together. Where they differ both are kept in a note, and the CQE is
/// believed.
fn both(told: Failure, read: Failure, notes: &mut Vec<String>) -> Failure {
    let mut differ = |name: &str, told: Option<u64>, read: Option<u64>| {
        if let (Some(told), Some(read)) = (told, read)
            && told != read
        {
            notes.push(format!("the message says {name} {told:#x}, the CQE {read:#x}"));
        }
    };
    differ("syndrome", told.syndrome.map(u64::from), read.syndrome.map(u64::from));
    differ("vendor syndrome", told.vendor.map(u64::from), read.vendor.map(u64::from));
    Failure {
        status: told.status,
        cqn: told.cqn,
        // A receive of the network interface has no queue number in its CQE.
        queue: told.queue.or(read.queue),
        queue_is: if told.queue.is_some() { told.queue_is } else { read.queue_is },
        ..read
    }
}

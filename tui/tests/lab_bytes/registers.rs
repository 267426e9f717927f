//! What reached the doorbell registers, as the card's side saw it.

use doorbell_prm::registers::uar::UarRegister;
use doorbell_tracer::{Kind, Record, Recorder, RegionId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Offset of the QPN in what CREATE_QP puts out.
const QPN: usize = 9;

/// What is kept of a run.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A queue pair was created.
    Created(u32),
    /// A send doorbell register was written.
    Written(Write),
}

/// One write to a send doorbell register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The page, and the register in it.
    pub register: (u32, u64),
    /// Which of the register's two buffers.
    pub buffer: u64,
    /// How far into it.
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// A recorder that keeps no more than that: a run has millions of other events.
#[derive(Clone, Default)]
pub struct Registers {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The UAR pages, by their regions.
    pages: HashMap<RegionId, u32>,
}

impl Registers {
    /// What was seen.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

impl Recorder for Registers {
    fn record(&mut self, record: Record) {
        let seen = match record.kind {
            Kind::Command(command) if command.name == "CREATE_QP" && command.status == 0 => {
                let qpn = &command.output[QPN..QPN + 3];
                Seen::Created(u32::from_be_bytes([0, qpn[0], qpn[1], qpn[2]]))
            }
            Kind::Map(region) => {
                self.pages.insert(region.region, region.object);
                return;
            }
            Kind::RegisterWrite { region, offset: place, bytes, .. } => {
                let UarRegister::SendDoorbell { register, buffer, offset } = UarRegister::at(place)
                else {
                    return;
                };
                let register = (self.pages[&region], register);
                Seen::Written(Write { register, buffer, offset, bytes: bytes.to_vec() })
            }
            _ => return,
        };
        self.seen.lock().expect("no panic").push(seen);
    }

    fn take(&mut self) -> Vec<Record> {
        Vec::new()
    }

    fn snapshot(&self) -> Vec<Record> {
        Vec::new()
    }
}

/// What was written to the registers of some queue pairs, given by their QPNs in the order in which
/// they were made: for each of them all writes to its register until the next was made.
pub fn of_pairs(seen: &[Seen], qpns: &[u32]) -> Vec<Vec<Write>> {
    let mut places = Vec::new();
    for qpn in qpns {
        let from = places.last().map_or(0, |last| last + 1);
        let is_own = |seen: &Seen| matches!(seen, Seen::Created(created) if created == qpn);
        let found = seen[from..].iter().position(is_own);
        places.push(from + found.unwrap_or_else(|| panic!("no CREATE_QP made {qpn:#x}")));
    }
    let ends = places.iter().skip(1).copied().chain([seen.len()]);
    let spans = places.iter().zip(ends).map(|(from, end)| &seen[*from..end]);
    qpns.iter().zip(spans).map(|(qpn, span)| of_register(*qpn, span)).collect()
}

/// The writes to the register of a queue pair: the one that its first doorbell went to.
fn of_register(qpn: u32, seen: &[Seen]) -> Vec<Write> {
    let written = |seen: &Seen| match seen {
        Seen::Written(write) => Some(write.clone()),
        Seen::Created(_) => None,
    };
    let writes: Vec<Write> = seen.iter().filter_map(written).collect();
    let first = writes.iter().find(|write| names(write, qpn));
    let register = first.unwrap_or_else(|| panic!("no doorbell of {qpn:#x}")).register;
    writes.into_iter().filter(|write| write.register == register).collect()
}

/// Whether a write begins with a control segment of this queue pair.
fn names(write: &Write, qpn: u32) -> bool {
    write.offset == 0 && write.bytes.get(4..7) == Some(&qpn.to_be_bytes()[1..])
}

/// What one doorbell wrote: the buffer, and the bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    pub buffer: u64,
    pub bytes: Vec<u8>,
}

/// Writes put together: one that goes on where the last ended belongs to it.
pub fn bursts(writes: &[Write]) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    for write in writes {
        match bursts.last_mut() {
            Some(burst) if write.offset > 0 => {
                let place = (burst.buffer, burst.bytes.len() as u64);
                assert_eq!((write.buffer, write.offset), place, "a burst in ascending order");
                burst.bytes.extend(&write.bytes);
            }
            _ => {
                assert_eq!(write.offset, 0, "a burst begins at the beginning of a buffer");
                bursts.push(Burst { buffer: write.buffer, bytes: write.bytes.clone() });
            }
        }
    }
    bursts
}

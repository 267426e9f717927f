//! The guest's memory as the card may use it: every byte has at most one owner, and each owner says
//! who may read and write it, and what for.

use crate::support::{BASE, Memory};
use doorbell_card::{DmaFault, Host, VECTORS};

/// What a stretch of memory was handed to the card as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Slots,
    Mailboxes,
    Pages,
    EventQueue,
    CompletionQueue,
    SendRing,
    ReceiveRing,
    SharedRing,
    Record,
    Data,
}

/// What registered memory may be used for. Everything else has no uses.
pub mod uses {
    pub const LOCAL_READ: u8 = 1;
    pub const LOCAL_WRITE: u8 = 2;
    pub const REMOTE_READ: u8 = 4;
    pub const REMOTE_WRITE: u8 = 8;
    pub const ATOMIC: u8 = 16;
    pub const READS: u8 = LOCAL_READ | REMOTE_READ | ATOMIC;
    pub const WRITES: u8 = LOCAL_WRITE | REMOTE_WRITE | ATOMIC;
}

/// One thing that was handed over, with its number among those of its kind.
#[derive(Debug, Clone, Copy)]
pub struct Grant {
    pub what: What,
    pub number: u32,
    pub uses: u8,
}

const READ: u8 = 1;
const WRITE: u8 = 2;

/// Who may do what with which byte.
pub struct Rules {
    /// Of each byte of memory: the place of its grant, from 1 on; 0 for none.
    owner: Vec<u16>,
    rights: Vec<u8>,
    grants: Vec<Grant>,
}

impl Rules {
    /// For memory of so many bytes, none of which is anybody's.
    pub fn new(bytes: usize) -> Self {
        Self { owner: vec![0; bytes], rights: vec![0; bytes], grants: Vec::new() }
    }

    /// Hands over stretches of memory, by address and length, to be read.
    pub fn grant(&mut self, grant: Grant, stretches: &[(u64, u64)]) {
        self.grants.push(grant);
        let owner = self.grants.len() as u16;
        for (address, length) in stretches {
            let from = (address - BASE) as usize;
            let bytes = from..from + *length as usize;
            assert!(self.owner[bytes.clone()].iter().all(|owner| *owner == 0), "handed over twice");
            self.owner[bytes.clone()].fill(owner);
            self.rights[bytes].fill(READ);
        }
    }

    /// The card may write here, too; or may do nothing else.
    pub fn allow_writes(&mut self, address: u64, length: u64, reads: bool) {
        let from = (address - BASE) as usize;
        let rights = if reads { READ | WRITE } else { WRITE };
        self.rights[from..from + length as usize].fill(rights);
    }

    /// Takes back all that is of this kind and has this number.
    pub fn revoke(&mut self, what: What, number: u32) {
        self.revoke_all(|grant| (grant.what, grant.number) == (what, number));
    }

    pub fn revoke_all(&mut self, gone: impl Fn(&Grant) -> bool) {
        let gone: Vec<bool> = self.grants.iter().map(gone).collect();
        for (owner, rights) in self.owner.iter_mut().zip(&mut self.rights) {
            if *owner > 0 && gone[usize::from(*owner) - 1] {
                (*owner, *rights) = (0, 0);
            }
        }
    }

    /// The grant that an access keeps to, or what is wrong with it.
    pub fn check(&self, address: u64, length: usize, is_write: bool) -> Result<Grant, String> {
        let act = if is_write { "a write" } else { "a read" };
        let wrong = |why: &str| Err(format!("{act} of {length} bytes at {address:#x} {why}"));
        let from = address.checked_sub(BASE).and_then(|from| usize::try_from(from).ok());
        let bytes = from.and_then(|from| Some(from..from.checked_add(length)?));
        let Some(owners) = bytes.clone().and_then(|bytes| self.owner.get(bytes)) else {
            return wrong("goes outside the memory");
        };
        let Some(first) = owners.first() else { return wrong("is empty") };
        if *first == 0 {
            return wrong("begins where nothing was handed over");
        }
        let grant = self.grants[usize::from(*first) - 1];
        if owners.iter().any(|owner| owner != first) {
            return wrong(&format!("begins in {grant:?} and goes beyond it"));
        }
        let right = if is_write { WRITE } else { READ };
        let rights = bytes.map_or(&[][..], |bytes| &self.rights[bytes]);
        match rights.iter().all(|rights| rights & right != 0) {
            true => Ok(grant),
            false => wrong(&format!("in {grant:?}, which has no right to it")),
        }
    }
}

/// What the watcher has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub reads: u64,
    pub writes: u64,
    pub bytes: u64,
    pub interrupts: u64,
    /// Accesses that were not carried out, because nothing is there.
    pub refused: u64,
    /// Accesses since the step began.
    pub in_step: u64,
    /// What no card may do.
    pub wrong: Vec<String>,
}

/// The guest's memory on the other side of the card's DMA. With rules, each access is held to them;
/// without, there is only memory and what is none, as an IOMMU has it.
pub struct Watched<'a> {
    pub memory: &'a mut Memory,
    pub rules: Option<&'a Rules>,
    pub seen: &'a mut Seen,
    /// How many accesses one step may have.
    pub most_in_step: u64,
}

impl Watched<'_> {
    fn place(
        &mut self,
        address: u64,
        length: usize,
        is_write: bool,
    ) -> Result<std::ops::Range<usize>, DmaFault> {
        self.seen.in_step += 1;
        assert!(self.seen.in_step <= self.most_in_step, "a hang: one step of the card has no end");
        if let Some(rules) = self.rules
            && let Err(wrong) = rules.check(address, length, is_write)
        {
            self.seen.wrong.push(wrong);
            return Err(DmaFault);
        }
        let from = address.checked_sub(BASE).and_then(|from| usize::try_from(from).ok());
        let end = from.and_then(|from| from.checked_add(length));
        match (from, end) {
            (Some(from), Some(end)) if end <= self.memory.bytes.len() => {
                self.seen.bytes += length as u64;
                Ok(from..end)
            }
            _ => {
                self.seen.refused += 1;
                Err(DmaFault)
            }
        }
    }
}

impl Host for Watched<'_> {
    fn dma_read(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        let place = self.place(address, into.len(), false)?;
        self.seen.reads += 1;
        into.copy_from_slice(&self.memory.bytes[place]);
        Ok(())
    }

    fn dma_write(&mut self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        let place = self.place(address, bytes.len(), true)?;
        self.seen.writes += 1;
        self.memory.bytes[place].copy_from_slice(bytes);
        Ok(())
    }

    fn interrupt(&mut self, vector: u32) {
        self.seen.interrupts += 1;
        if vector >= VECTORS.into() {
            self.seen.wrong.push(format!("interrupt {vector}: there are {VECTORS}"));
        }
    }
}

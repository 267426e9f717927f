//! Memory keys: from a key and a virtual address to bus addresses, or to a refusal.

use doorbell_prm::commands::{MkeyAccessMode, MkeyContext};
use std::collections::BTreeMap;

/// What somebody wants to do with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    LocalRead,
    LocalWrite,
    RemoteRead,
    RemoteWrite,
    RemoteAtomic,
}

/// Why a key does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// No key has this index, or its variant byte is another one.
    Unknown,
    /// The key is free: it stands for no memory.
    Free,
    /// The key belongs to another protection domain.
    WrongDomain,
    /// The key is for another queue pair.
    WrongQueuePair,
    /// The key does not allow this.
    NoRight,
    /// Some of the bytes lie outside the region.
    OutOfBounds,
}

impl KeyFault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "no such key",
            Self::Free => "the key is free: it stands for no memory",
            Self::WrongDomain => "the key belongs to another protection domain",
            Self::WrongQueuePair => "the key is for another queue pair",
            Self::NoRight => "the key does not allow this",
            Self::OutOfBounds => "the address is outside the region",
        }
    }
}

/// Who asks: a queue pair and its protection domain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) qpn: u32,
    pub(crate) pd: u32,
}

/// A run of virtual addresses under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) key: u32,
    pub(crate) address: u64,
    pub(crate) length: u64,
}

/// A memory key, with its pages or with the stretches of other keys that it is made of.
#[derive(Debug, Clone)]
pub(crate) struct MemoryKey {
    pub(crate) context: MkeyContext,
    pub(crate) entries: Vec<u64>,
    pub(crate) parts: Vec<Span>,
    /// How many parts of other keys lie in it.
    pub(crate) held: u32,
}

/// All memory keys, by index.
pub(crate) type MemoryKeys = BTreeMap<u32, MemoryKey>;

// ANCHOR: card_translation
/// Checks a span against its key: index, variant, state, domain, queue pair, right, bounds, in this
/// order.
pub(crate) fn check(
    keys: &MemoryKeys,
    asker: Asker,
    span: Span,
    right: Right,
) -> Result<&MemoryKey, KeyFault> {
    let key = keys.get(&(span.key >> 8)).ok_or(KeyFault::Unknown)?;
    let context = &key.context;
    if context.mkey_7_0() != span.key as u8 {
        return Err(KeyFault::Unknown);
    }
    if context.free() {
        return Err(KeyFault::Free);
    }
    if context.pd() != asker.pd {
        return Err(KeyFault::WrongDomain);
    }
    if context.qpn() != ANY_QUEUE_PAIR && context.qpn() != asker.qpn {
        return Err(KeyFault::WrongQueuePair);
    }
    let allowed = match right {
        Right::LocalRead => context.lr(),
        Right::LocalWrite => context.lw(),
        Right::RemoteRead => context.rr(),
        Right::RemoteWrite => context.rw(),
        Right::RemoteAtomic => context.a(),
    };
    if !allowed {
        return Err(KeyFault::NoRight);
    }
    if context.length64() {
        let end = span.address.checked_add(span.length);
        return end.map(|_| key).ok_or(KeyFault::OutOfBounds);
    }
    let into = span.address.checked_sub(context.start_addr());
    match into.and_then(|into| context.length().checked_sub(into)) {
        Some(left) if span.length <= left => Ok(key),
        _ => Err(KeyFault::OutOfBounds),
    }
}

/// Translates a span: the bus addresses and lengths that it stands for.
pub(crate) fn translate(
    keys: &MemoryKeys,
    asker: Asker,
    span: Span,
    right: Right,
) -> Result<Vec<(u64, u64)>, KeyFault> {
    let key = check(keys, asker, span, right)?;
    match is_indirect(&key.context) {
        true => through(keys, asker, (key, span), right),
        false => places(key, span),
    }
}

/// A key that is made of others: each of them is asked for its part, with its local rights.
fn through(
    keys: &MemoryKeys,
    asker: Asker,
    (key, span): (&MemoryKey, Span),
    right: Right,
) -> Result<Vec<(u64, u64)>, KeyFault> {
    let right = match right {
        Right::LocalRead | Right::RemoteRead => Right::LocalRead,
        _ => Right::LocalWrite,
    };
    let (mut skip, mut left) = (span.address - key.context.start_addr(), span.length);
    let mut pieces = Vec::new();
    for part in &key.parts {
        if left == 0 {
            break;
        }
        if skip >= part.length {
            skip -= part.length;
            continue;
        }
        let length = (part.length - skip).min(left);
        let address = part.address.checked_add(skip).ok_or(KeyFault::OutOfBounds)?;
        let wanted = Span { key: part.key, address, length };
        let whole = check(keys, asker, wanted, right)?;
        // Its index may have been given out again since.
        if is_indirect(&whole.context) {
            return Err(KeyFault::Unknown);
        }
        pieces.extend(places(whole, wanted)?);
        (skip, left) = (0, left - length);
    }
    match left {
        0 => Ok(pieces),
        _ => Err(KeyFault::OutOfBounds),
    }
}

/// Whether a key is made of others.
pub(crate) fn is_indirect(context: &MkeyContext) -> bool {
    context.access_mode_1_0() == MkeyAccessMode::Indirect.code()
}

/// The bus addresses of a span that was checked, under a key of its own pages.
fn places(key: &MemoryKey, span: Span) -> Result<Vec<(u64, u64)>, KeyFault> {
    if key.context.access_mode_1_0() == MkeyAccessMode::Physical.code() {
        return Ok(vec![(span.address, span.length)]);
    }
    let shift = u32::from(key.context.log_page_size());
    let page = 1_u64 << shift;
    let start = key.context.start_addr();
    // The first entry is the page that holds the first byte of the region.
    let mut at = (start & (page - 1)) + (span.address - start);
    let end = at + span.length;
    let mut pieces: Vec<(u64, u64)> = Vec::new();
    while at < end {
        let entry = key.entries.get((at >> shift) as usize);
        let entry = entry.ok_or(KeyFault::OutOfBounds)?;
        // The low bits would say which pages are present, with on-demand paging; without it,
        // which this card has not, every page is, and a driver may leave them out.
        let size = (end - at).min(page - (at & (page - 1)));
        let address = (entry & !(page - 1)) + (at & (page - 1));
        match pieces.last_mut() {
            Some(last) if last.0 + last.1 == address => last.1 += size,
            _ => pieces.push((address, size)),
        }
        at += size;
    }
    Ok(pieces)
}
// ANCHOR_END: card_translation

/// In a key's `qpn`: any queue pair may use it.
pub(crate) const ANY_QUEUE_PAIR: u32 = 0xff_ffff;

#[cfg(test)]
mod tests;

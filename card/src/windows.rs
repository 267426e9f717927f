//! Memory windows: keys that are made of stretches of other keys, and are given out and taken back
//! by work requests.
//!
//! A window begins free. It is bound to a stretch of a memory region, and whoever has its key then
//! reaches that stretch, with the rights that the window gives. The memory region needs no remote
//! rights for it: the card reaches through the region's local key, with its local rights. So a
//! window with remote writes or atomics needs a region with local writes, as the verbs have it.
//!
//! A window of type 1 serves every queue pair of its domain. One of type 2 serves the queue pair
//! that bound it, must be free to be bound, and can be invalidated by either side. The type is in
//! the key's `en_rinval` and in the conditions that libmlx5 sets. Which of the specification's
//! checks a ConnectX makes at the binding is not public; this card makes all of them.

use crate::card::Card;
use crate::dma::{Bus, PROBE_GROUP};
use crate::packets::Packet;
use crate::queue_pair::{Failure, QueuePair};
use crate::translation::{
    ANY_QUEUE_PAIR, Asker, KeyFault, MemoryKey, MemoryKeys, Right, Span, check, is_indirect,
};
use crate::umr::{KeyChange, tell_fault};
use doorbell_prm::commands::MkeyContext;
use doorbell_prm::cqe::CqeSyndrome;
use doorbell_tracer::probe;

/// Whether a key stands for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyState {
    Free,
    InUse,
}

impl KeyState {
    fn of(context: &MkeyContext) -> Self {
        if context.free() { Self::Free } else { Self::InUse }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::InUse => "in use",
        }
    }
}

/// Why a key is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowFault {
    Unknown,
    WrongDomain,
    NotMadeOfOthers,
    NotFree,
    AlreadyFree,
    NotThisQueuePair,
    NoRemoteInvalidation,
    TooManyParts,
    TooShort,
    PartOfPart,
    Part(KeyFault),
}

impl WindowFault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "key not changed: no such key",
            Self::WrongDomain => "key not changed: it belongs to another protection domain",
            Self::NotMadeOfOthers => "key not changed: it is not made of other keys",
            Self::NotFree => "key not changed: it is in use",
            Self::AlreadyFree => "key not changed: it is free already",
            Self::NotThisQueuePair => "key not changed: it is not this queue pair's",
            Self::NoRemoteInvalidation => "key not changed: the other side must not invalidate it",
            Self::TooManyParts => "key not changed: it has no room for so many parts",
            Self::TooShort => "key not changed: its parts are shorter than it is",
            Self::PartOfPart => "key not changed: a part is made of other keys itself",
            Self::Part(KeyFault::Unknown) => "key not changed: a part has no such key",
            Self::Part(KeyFault::Free) => "key not changed: a part's key is free",
            Self::Part(KeyFault::WrongDomain) => "key not changed: a part is of another domain",
            Self::Part(KeyFault::WrongQueuePair) => {
                "key not changed: a part is for another queue pair"
            }
            Self::Part(KeyFault::NoRight) => "key not changed: a part lacks a local right",
            Self::Part(KeyFault::OutOfBounds) => "key not changed: a part lies outside its region",
        }
    }
}

// ANCHOR: card_window
/// Changes a key as a work request of `asker` says; answers its state before and after. Nothing
/// changes when a condition does not hold.
///
/// The low byte of the key is compared only while the key is in use. libmlx5 invalidates with 0 as
/// the new low byte, and names the old key when it binds again.
pub(crate) fn change(
    keys: &mut MemoryKeys,
    asker: Asker,
    change: &KeyChange,
) -> Result<(KeyState, KeyState), WindowFault> {
    let index = change.key >> 8;
    let key = keys.get(&index).ok_or(WindowFault::Unknown)?;
    check_conditions(key, asker, change)?;
    let changed = applied(key, change);
    check_parts(keys, asker, &changed)?;
    let states = (KeyState::of(&key.context), KeyState::of(&changed.context));
    let (before, after) = (key.parts.clone(), changed.parts.clone());
    keys.insert(index, changed);
    hold(keys, &after);
    release(keys, &before);
    Ok(states)
}

fn check_conditions(key: &MemoryKey, asker: Asker, change: &KeyChange) -> Result<(), WindowFault> {
    let context = &key.context;
    let in_use = !context.free();
    if in_use && context.mkey_7_0() != change.key as u8 {
        return Err(WindowFault::Unknown);
    }
    if context.pd() != asker.pd {
        return Err(WindowFault::WrongDomain);
    }
    if !is_indirect(context) || !context.umr_en() {
        return Err(WindowFault::NotMadeOfOthers);
    }
    if change.control.check_free() == 1 && in_use {
        return Err(WindowFault::NotFree);
    }
    if change.control.check_qpn() == 1 && context.qpn() != asker.qpn {
        return Err(if in_use { WindowFault::NotThisQueuePair } else { WindowFault::AlreadyFree });
    }
    match change.parts.len() > context.translations_octword_size() as usize {
        true => Err(WindowFault::TooManyParts),
        false => Ok(()),
    }
}

/// The key with the new values of all that the mask names.
fn applied(key: &MemoryKey, change: &KeyChange) -> MemoryKey {
    let (mask, new) = (&change.control, &change.context);
    let mut changed = key.clone();
    let context = &mut changed.context;
    if mask.changes_free() == 1 {
        context.set_free(new.free() == 1);
    }
    if mask.changes_atomic() == 1 {
        context.set_a(new.atomic() == 1);
    }
    if mask.changes_remote_write() == 1 {
        context.set_rw(new.remote_write() == 1);
    }
    if mask.changes_remote_read() == 1 {
        context.set_rr(new.remote_read() == 1);
    }
    if mask.changes_local_write() == 1 {
        context.set_lw(new.local_write() == 1);
    }
    if mask.changes_qpn() == 1 {
        context.set_qpn(new.qpn());
    }
    if mask.changes_mkey() == 1 {
        context.set_mkey_7_0(new.mkey() as u8);
    }
    if mask.changes_start() == 1 {
        context.set_start_addr(new.start_address.get());
    }
    if mask.changes_length() == 1 {
        context.set_length(new.length.get());
    }
    if context.free() {
        changed.parts.clear();
    } else if !change.parts.is_empty() {
        changed.parts.clone_from(&change.parts);
    }
    changed
}

/// A key in use must have all of its bytes, and its parts the local rights that its remote rights
/// come down to.
fn check_parts(keys: &MemoryKeys, asker: Asker, key: &MemoryKey) -> Result<(), WindowFault> {
    let context = &key.context;
    if context.free() {
        return Ok(());
    }
    let there: u64 = key.parts.iter().map(|part| part.length).sum();
    let end = context.start_addr().checked_add(context.length());
    if end.is_none() || context.length() == 0 || there < context.length() {
        return Err(WindowFault::TooShort);
    }
    let mut rights = vec![Right::LocalRead];
    if context.rw() || context.a() || context.lw() {
        rights.push(Right::LocalWrite);
    }
    for part in &key.parts {
        for right in &rights {
            let whole = check(keys, asker, *part, *right).map_err(WindowFault::Part)?;
            if is_indirect(&whole.context) {
                return Err(WindowFault::PartOfPart);
            }
        }
    }
    Ok(())
}

/// Frees a key on behalf of the other side of `asker`: one that allows it, and was bound by this
/// queue pair.
fn invalidate(keys: &mut MemoryKeys, asker: Asker, key: u32) -> Result<(), WindowFault> {
    let found = keys.get_mut(&(key >> 8)).filter(|found| found.context.mkey_7_0() == key as u8);
    let found = found.ok_or(WindowFault::Unknown)?;
    let context = &mut found.context;
    if context.pd() != asker.pd {
        return Err(WindowFault::WrongDomain);
    }
    if !context.en_rinval() {
        return Err(WindowFault::NoRemoteInvalidation);
    }
    if context.free() {
        return Err(WindowFault::AlreadyFree);
    }
    if context.qpn() != asker.qpn {
        return Err(WindowFault::NotThisQueuePair);
    }
    context.set_free(true).set_qpn(ANY_QUEUE_PAIR);
    let parts = std::mem::take(&mut found.parts);
    release(keys, &parts);
    Ok(())
}
// ANCHOR_END: card_window

/// Keeps the keys that these parts lie in from being destroyed.
fn hold(keys: &mut MemoryKeys, parts: &[Span]) {
    for part in parts {
        if let Some(key) = keys.get_mut(&(part.key >> 8)) {
            key.held += 1;
        }
    }
}

/// The same keys, when the parts are none any more.
pub(crate) fn release(keys: &mut MemoryKeys, parts: &[Span]) {
    for part in parts {
        if let Some(key) = keys.get_mut(&(part.key >> 8)) {
            key.held -= 1;
        }
    }
}

impl Card {
    // ANCHOR: card_invalidate
    /// Frees the key that a message which came in whole asks to invalidate, if it asks for one.
    /// `false` when that failed: then the receive has failed, and the queue pair. The message itself
    /// has arrived, so it is acknowledged (specification 9.9.3, class J).
    pub(crate) fn invalidate_asked(
        &mut self,
        qp: &mut QueuePair,
        index: u16,
        packet: &Packet,
        bus: &mut Bus<'_>,
    ) -> bool {
        let Some(key) = packet.invalidate else {
            return true;
        };
        match invalidate(&mut self.memory_keys, qp.asker(), key) {
            Ok(()) => {
                let (before, after) = (KeyState::InUse.label(), KeyState::Free.label());
                probe!(bus.tracer, state("MKEY", key >> 8, before, after));
                true
            }
            Err(fault) => {
                tell_fault(key, fault, bus);
                let syndrome = CqeSyndrome::RemoteInvalidRequest;
                self.complete_with_error(qp, Failure { syndrome, index, opcode: None }, bus);
                self.enter_error(qp, bus);
                false
            }
        }
    }
    // ANCHOR_END: card_invalidate
}

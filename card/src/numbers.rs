//! Numbers of objects: each new one gets the lowest that is free.

use crate::capabilities::*;
use crate::config::{CardConfig, FIRST_UAR};
use crate::reason::Reason;
use std::collections::BTreeSet;

/// First numbers of each kind; apart, so that a reader sees which is which.
const FIRST_PD: u32 = 0x10;
const FIRST_MKEY: u32 = 0x200;
const FIRST_EQ: u32 = 1;
const FIRST_CQ: u32 = 0x80;
const FIRST_SHARED: u32 = 0x20;
const FIRST_QP: u32 = 0x40;

/// The numbers of one kind of object.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    first: u32,
    /// At most so many are given out at a time.
    count: u32,
    /// How many were given out at least once; they follow one another.
    begun: u32,
    /// Those of them that were given back.
    returned: BTreeSet<u32>,
}

impl Numbers {
    pub(crate) fn new(first: u32, count: u32) -> Self {
        Self { first, count, begun: 0, returned: BTreeSet::new() }
    }

    /// Gives out the lowest number that is free.
    pub(crate) fn take(&mut self) -> Result<u32, Reason> {
        if let Some(lowest) = self.returned.pop_first() {
            return Ok(lowest);
        }
        if self.begun == self.count {
            return Err(Reason::TooMany);
        }
        self.begun += 1;
        Ok(self.first + self.begun - 1)
    }

    /// Takes a number back. `false` when it is not given out.
    pub(crate) fn give_back(&mut self, number: u32) -> bool {
        self.contains(number) && self.returned.insert(number)
    }

    /// Whether a number is given out.
    pub(crate) fn contains(&self, number: u32) -> bool {
        let begun = self.first..self.first + self.begun;
        begun.contains(&number) && !self.returned.contains(&number)
    }
}

/// The numbers of all objects of a card.
#[derive(Debug, Clone)]
pub(crate) struct AllNumbers {
    pub(crate) uars: Numbers,
    pub(crate) domains: Numbers,
    pub(crate) memory_keys: Numbers,
    pub(crate) event_queues: Numbers,
    pub(crate) completion_queues: Numbers,
    /// Of queue pairs, and of send queues of their own.
    pub(crate) queue_pairs: Numbers,
    pub(crate) shared_receives: Numbers,
    pub(crate) counters: Numbers,
    pub(crate) xrc_domains: Numbers,
    pub(crate) transport_domains: Numbers,
    pub(crate) users: Numbers,
}

impl AllNumbers {
    pub(crate) fn new(config: &CardConfig) -> Self {
        // There is no number 0 of these.
        let from_one = |log: u8| Numbers::new(1, (1 << log) - 1);
        Self {
            uars: Numbers::new(FIRST_UAR, config.uars),
            domains: Numbers::new(FIRST_PD, 1 << LOG_MAX_PD),
            memory_keys: Numbers::new(FIRST_MKEY, 1 << LOG_MAX_MKEY),
            event_queues: Numbers::new(FIRST_EQ, 1 << LOG_MAX_EQ),
            completion_queues: Numbers::new(FIRST_CQ, 1 << LOG_MAX_CQ),
            queue_pairs: Numbers::new(FIRST_QP, 1 << LOG_MAX_QP),
            shared_receives: Numbers::new(FIRST_SHARED, 1 << LOG_MAX_SRQ),
            counters: Numbers::new(1, u32::from(MAX_COUNTER_SETS) - 1),
            xrc_domains: from_one(LOG_MAX_XRCD),
            transport_domains: from_one(LOG_MAX_TRANSPORT_DOMAIN),
            users: from_one(LOG_MAX_USER_CONTEXT),
        }
    }

    /// Whether a command may come from this user context; 0 is the kernel itself, and one number
    /// stands for all contexts together.
    pub(crate) fn has_user(&self, uid: u16) -> bool {
        uid == 0 || uid == SHARED_USER || self.users.contains(uid.into())
    }
}

/// What belongs to this user context can be used by every other (`mlx5_core`,
/// `MLX5_SHARED_RESOURCE_UID`).
const SHARED_USER: u16 = 0xffff;

#[cfg(test)]
mod tests;

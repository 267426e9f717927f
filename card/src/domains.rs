//! Commands for resources that are just numbers: XRC domains, transport domains, and user
//! contexts, with which the kernel marks what it asks for on behalf of a program.

use crate::administration::{Answer, Given, plain};
use crate::capabilities::{LOG_MAX_TRANSPORT_DOMAIN, LOG_MAX_USER_CONTEXT, LOG_MAX_XRCD};
use crate::card::Card;
use crate::objects::lowest_free;
use crate::queue_pairs::Used;
use crate::reason::Reason;
use doorbell_prm::commands::*;
use std::collections::BTreeSet;

/// The numbers that are given out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Domains {
    pub(crate) xrc: BTreeSet<u32>,
    transport: BTreeSet<u32>,
    users: BTreeSet<u32>,
}

impl Domains {
    /// Whether a command may come from this user context; 0 is the kernel itself, and one number
    /// stands for all contexts together.
    pub(crate) fn has_user(&self, uid: u16) -> bool {
        uid == 0 || uid == SHARED_USER || self.users.contains(&uid.into())
    }
}

/// What belongs to this user context can be used by every other (`mlx5_core`,
/// `MLX5_SHARED_RESOURCE_UID`).
const SHARED_USER: u16 = 0xffff;

/// Takes the lowest number, from 1 on, out of 2 to the power of `log`.
fn take(numbers: &mut BTreeSet<u32>, log: u8) -> Result<u32, Reason> {
    let number = lowest_free(1, (1 << log) - 1, |number| numbers.contains(&number))?;
    numbers.insert(number);
    Ok(number)
}

fn give_back(numbers: &mut BTreeSet<u32>, number: u32) -> Result<(), Reason> {
    match numbers.remove(&number) {
        true => Ok(()),
        false => Err(Reason::NoSuchDomain),
    }
}

impl Card {
    pub(crate) fn alloc_xrcd(&mut self, _: Given<'_, AllocXrcdIn>) -> Answer<AllocXrcdOut> {
        let mut output = AllocXrcdOut::zeroed();
        output.set_xrcd(take(&mut self.numbers.xrc, LOG_MAX_XRCD)?);
        plain(output)
    }

    pub(crate) fn dealloc_xrcd(
        &mut self,
        given: Given<'_, DeallocXrcdIn>,
    ) -> Answer<DeallocXrcdOut> {
        let xrcd = given.input.xrcd();
        let queues = self.shared_receives.values().any(|queue| queue.xrcd == Some(xrcd));
        if queues || self.queue_pairs.any_uses(Used::XrcDomain(xrcd)) {
            return Err(Reason::InUse);
        }
        give_back(&mut self.numbers.xrc, xrcd)?;
        plain(DeallocXrcdOut::zeroed())
    }

    pub(crate) fn alloc_transport_domain(
        &mut self,
        _: Given<'_, AllocTransportDomainIn>,
    ) -> Answer<AllocTransportDomainOut> {
        let mut output = AllocTransportDomainOut::zeroed();
        output.set_transport_domain(take(&mut self.numbers.transport, LOG_MAX_TRANSPORT_DOMAIN)?);
        plain(output)
    }

    pub(crate) fn dealloc_transport_domain(
        &mut self,
        given: Given<'_, DeallocTransportDomainIn>,
    ) -> Answer<DeallocTransportDomainOut> {
        give_back(&mut self.numbers.transport, given.input.transport_domain())?;
        plain(DeallocTransportDomainOut::zeroed())
    }

    pub(crate) fn create_user(&mut self, _: Given<'_, CreateUctxIn>) -> Answer<CreateUctxOut> {
        let mut output = CreateUctxOut::zeroed();
        output.set_uid(take(&mut self.numbers.users, LOG_MAX_USER_CONTEXT)? as u16);
        plain(output)
    }

    pub(crate) fn destroy_user(
        &mut self,
        given: Given<'_, DestroyUctxIn>,
    ) -> Answer<DestroyUctxOut> {
        give_back(&mut self.numbers.users, given.input.uid().into())?;
        plain(DestroyUctxOut::zeroed())
    }
}

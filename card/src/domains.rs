//! Commands for resources that are just numbers: XRC domains, transport domains, and user
//! contexts, with which the kernel marks what it asks for on behalf of a program.

use crate::administration::{Answer, Given, plain};
use crate::card::Card;
use crate::numbers::Numbers;
use crate::queue_pairs::Used;
use crate::reason::Reason;
use doorbell_prm::commands::*;

fn give_back(numbers: &mut Numbers, number: u32) -> Result<(), Reason> {
    match numbers.give_back(number) {
        true => Ok(()),
        false => Err(Reason::NoSuchDomain),
    }
}

impl Card {
    pub(crate) fn alloc_xrcd(&mut self, _: Given<'_, AllocXrcdIn>) -> Answer<AllocXrcdOut> {
        let mut output = AllocXrcdOut::zeroed();
        output.set_xrcd(self.numbers.xrc_domains.take()?);
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
        give_back(&mut self.numbers.xrc_domains, xrcd)?;
        plain(DeallocXrcdOut::zeroed())
    }

    pub(crate) fn alloc_transport_domain(
        &mut self,
        _: Given<'_, AllocTransportDomainIn>,
    ) -> Answer<AllocTransportDomainOut> {
        let mut output = AllocTransportDomainOut::zeroed();
        output.set_transport_domain(self.numbers.transport_domains.take()?);
        plain(output)
    }

    pub(crate) fn dealloc_transport_domain(
        &mut self,
        given: Given<'_, DeallocTransportDomainIn>,
    ) -> Answer<DeallocTransportDomainOut> {
        give_back(&mut self.numbers.transport_domains, given.input.transport_domain())?;
        plain(DeallocTransportDomainOut::zeroed())
    }

    pub(crate) fn create_user(&mut self, _: Given<'_, CreateUctxIn>) -> Answer<CreateUctxOut> {
        let mut output = CreateUctxOut::zeroed();
        output.set_uid(self.numbers.users.take()? as u16);
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

//! The card's side of PCIe: reads and writes of host memory, each told to the tracer.

use crate::host::{DmaFault, Host};
use doorbell_tracer::{Direction, Group, Site, Tracer, Value, probe};

/// The card's way to host memory and interrupts during one step of work.
pub(crate) struct Bus<'a> {
    host: &'a mut dyn Host,
    pub(crate) tracer: Tracer,
}

impl<'a> Bus<'a> {
    pub(crate) fn new(host: &'a mut dyn Host, tracer: Tracer) -> Self {
        Self { host, tracer }
    }

    // ANCHOR: card_dma
    /// Reads host memory, for the reason and in the shape given. Use `read_host!`.
    pub(crate) fn read(
        &mut self,
        site: &'static Site,
        address: u64,
        into: &mut [u8],
        (why, layout): (&'static str, &'static str),
    ) -> Result<(), DmaFault> {
        if into.is_empty() {
            return Ok(());
        }
        let done = in_range(address, into.len()).and_then(|()| self.host.dma_read(address, into));
        match done {
            Ok(()) => {
                probe!(at site, self.tracer, dma(Direction::Read, address, why, layout, into));
            }
            Err(_) => self.refused(site, "DMA read refused by the host", address, into.len()),
        }
        done
    }

    /// Writes host memory, for the reason and in the shape given. Use `write_host!`.
    pub(crate) fn write(
        &mut self,
        site: &'static Site,
        address: u64,
        bytes: &[u8],
        (why, layout): (&'static str, &'static str),
    ) -> Result<(), DmaFault> {
        if bytes.is_empty() {
            return Ok(());
        }
        let done =
            in_range(address, bytes.len()).and_then(|()| self.host.dma_write(address, bytes));
        match done {
            Ok(()) => {
                probe!(at site, self.tracer, dma(Direction::Write, address, why, layout, bytes));
            }
            Err(_) => self.refused(site, "DMA write refused by the host", address, bytes.len()),
        }
        done
    }

    /// Reads host memory without a word: for looks that mostly find nothing new.
    pub(crate) fn peek(&mut self, address: u64, into: &mut [u8]) -> Result<(), DmaFault> {
        in_range(address, into.len().max(1)).and_then(|()| self.host.dma_read(address, into))
    }

    fn refused(&self, site: &'static Site, what: &'static str, address: u64, length: usize) {
        probe!(at site, self.tracer, note(what, [
            ("address", Value::Hex(address)),
            ("length", Value::from(length)),
        ]));
    }
    // ANCHOR_END: card_dma

    /// Raises an interrupt.
    pub(crate) fn interrupt(&mut self, vector: u32) {
        self.host.interrupt(vector);
    }
}

/// An address range that wraps around is mapped nowhere.
fn in_range(address: u64, length: usize) -> Result<(), DmaFault> {
    match address.checked_add(length as u64 - 1) {
        Some(_) => Ok(()),
        None => Err(DmaFault),
    }
}

/// The group of all the card's probes.
pub(crate) const PROBE_GROUP: Group = Group::Card;

// ANCHOR: card_dma_sites
/// `read_host!(bus, address, into, "why", "layout")`: a DMA read whose site is this line.
macro_rules! read_host {
    ($bus:expr, $address:expr, $into:expr, $why:literal, $layout:literal) => {{
        use $crate::dma::PROBE_GROUP;
        static SITE: doorbell_tracer::Site = doorbell_tracer::site!();
        $bus.read(&SITE, $address, $into, ($why, $layout))
    }};
}
pub(crate) use read_host;

/// `write_host!(bus, address, bytes, "why", "layout")`: a DMA write whose site is this line.
macro_rules! write_host {
    ($bus:expr, $address:expr, $bytes:expr, $why:literal, $layout:expr) => {{
        use $crate::dma::PROBE_GROUP;
        static SITE: doorbell_tracer::Site = doorbell_tracer::site!();
        $bus.write(&SITE, $address, $bytes, ($why, $layout))
    }};
}
pub(crate) use write_host;
// ANCHOR_END: card_dma_sites

//! Masking: what must not travel in a bug report is taken out of events as they are written.
//!
//! Which bytes are the program's data is decided by following them: those of buffers are, plain
//! data stored in a send queue is (inline data), and so is every copy that the card fetches from
//! there or the program writes to a register. Addresses are replaced region by region, so that
//! whatever points into a region still does, at the same place in it.

mod addresses;
mod packet;
mod payload;

use super::write::Options;
use crate::timeline::State;
use crate::{Bytes, Event, EventSource, Kind};
use addresses::Addresses;
use payload::Payload;

/// What a byte of a layout belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldClass {
    /// Neither of the others.
    Other,
    /// A field of eight bytes that holds an address.
    Address,
    /// Data of the program.
    Payload,
}

/// Says what a byte of a layout belongs to: `(layout, offset in it) -> class`.
pub type Classify<'a> = &'a dyn Fn(&str, usize) -> FieldClass;

/// Masks the events of a trace one after the other.
pub(super) struct Mask<'a> {
    /// The unmasked state before the next event.
    state: State,
    addresses: Option<Addresses<'a>>,
    payload: Option<Payload<'a>>,
}

impl<'a> Mask<'a> {
    /// A mask for these events, or none if nothing is to be masked.
    pub(super) fn new(events: &(impl EventSource + ?Sized), options: &Options<'a>) -> Option<Self> {
        let field = options.field;
        let addresses = options.mask_addresses.then(|| Addresses::new(events, field));
        let payload = options.mask_payload.then(|| Payload::new(field));
        let some = addresses.is_some() || payload.is_some();
        some.then(|| Self { state: State::default(), addresses, payload })
    }

    /// The event, masked. Events must come in order.
    pub(super) fn event(&mut self, step: usize, event: &Event) -> Event {
        let mut masked = event.clone();
        // Payload first: it is recognized by the addresses and bytes that were recorded.
        if let Some(payload) = &mut self.payload {
            payload.mask(&self.state, step, event, &mut masked);
        }
        if let Some(addresses) = &mut self.addresses {
            addresses.mask(step, event, &mut masked);
        }
        self.state.apply(step, event);
        masked
    }
}

/// The bytes that an event carries, with their layout and the offset or address of the first;
/// `None` for the kinds that carry none or several.
fn bytes_of(kind: &mut Kind) -> Option<(&str, u64, &mut Bytes)> {
    match kind {
        Kind::Store { offset, layout, bytes, .. }
        | Kind::Load { offset, layout, bytes, .. }
        | Kind::RegisterWrite { offset, layout, bytes, .. } => Some((layout, *offset, bytes)),
        Kind::RegisterRead { offset, bytes, .. } => Some(("", *offset, bytes)),
        Kind::Dma { address, layout, bytes, .. } => Some((layout, *address, bytes)),
        _ => None,
    }
}

//! What the compiler may know of a call of `post_send` before it runs.

use super::address_handle::segment_at_once;
use super::datagram::{self, write_segment};
use super::inline::{Copied, Short};
use super::opcodes::Posted;
use super::segments::{store_pointer, write_data_pointers, write_first_pointer};
use super::send_queue::{SendQueue, Wqe, blocks};
use crate::bus::UarPage;
use crate::verbs::{Operands, ScatterGatherElement, SendFlags, SendRequest};
use doorbell_prm::wqe::DatagramSegment;
use doorbell_tracer::Probe;

// ANCHOR: kinds
/// The data of a usual request: one element, which is there. Most calls post one such request, and there is
/// a copy of the code for each of the three kinds: in it the loop and most of the branches are gone. A fourth is
/// for those that are nearly usual.
pub trait Usual<'r>: Sized {
    /// Whether the data is copied into the WQE.
    const INLINE: bool;
    /// Whether it can be more than one unit.
    const UNITS_VARY: bool;
    /// Whether a number may go along.
    const IMMEDIATE: bool = false;

    /// Blocks of a WQE of `units` units, which most kinds know without a look at them.
    #[inline(always)]
    fn blocks(units: u32) -> u32 {
        blocks(units)
    }

    /// The data of a request behind the first `front` units of its WQE, if it is of this kind. Of a connection's
    /// request it was asked before whether its data is inline.
    fn of<U: UarPage>(queue: &SendQueue<U>, request: &SendRequest<'r>, front: u32) -> Option<Self>;

    /// Writes it, and returns how many units the WQE has then.
    fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        front: u32,
        probe: &P,
    ) -> u32;
}

/// A usual request that is posted alone: the kinds that `post_one` has copies for.
pub trait Single<'r>: Usual<'r> {
    /// What the table says of its opcode, if it has a remote address.
    const WITH_REMOTE: Posted;
    /// And if not.
    const OTHER: Posted;
}

/// The card will fetch it.
#[derive(Clone, Copy)]
pub struct Pointer<'r>(&'r ScatterGatherElement);

impl<'r> Usual<'r> for Pointer<'r> {
    const INLINE: bool = false;
    const UNITS_VARY: bool = false;

    #[inline(always)]
    fn blocks(_: u32) -> u32 {
        1
    }

    #[inline(always)]
    fn of<U: UarPage>(_: &SendQueue<U>, request: &SendRequest<'r>, _: u32) -> Option<Self> {
        only_element(request).map(Self)
    }

    #[inline(always)]
    fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        front: u32,
        probe: &P,
    ) -> u32 {
        write_first_pointer(queue, wqe, self.0, front, probe)
    }
}

impl<'r> Single<'r> for Pointer<'r> {
    const WITH_REMOTE: Posted = Posted::USUAL_REMOTE;
    const OTHER: Posted = Posted::USUAL_SEND;
}

/// It is short, and copied into the WQE.
impl<'r> Usual<'r> for Short {
    const INLINE: bool = true;
    const UNITS_VARY: bool = true;

    #[inline(always)]
    fn blocks(_: u32) -> u32 {
        1
    }

    #[inline(always)]
    fn of<U: UarPage>(queue: &SendQueue<U>, request: &SendRequest<'r>, front: u32) -> Option<Self> {
        let [element] = request.sg_list else { return None };
        Self::of(queue, element, front)
    }

    #[inline(always)]
    fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        front: u32,
        probe: &P,
    ) -> u32 {
        self.write(queue, wqe, front, probe)
    }
}

impl<'r> Single<'r> for Short {
    const WITH_REMOTE: Posted = Posted::USUAL_REMOTE;
    const OTHER: Posted = Posted::USUAL_SEND;
}

/// The card will fetch it, and it has several elements, or a number goes along: not quite as usual.
#[derive(Clone, Copy)]
pub struct Several<'r>(&'r [ScatterGatherElement]);

impl<'r> Usual<'r> for Several<'r> {
    const INLINE: bool = false;
    const UNITS_VARY: bool = true;
    const IMMEDIATE: bool = true;

    #[inline(always)]
    fn of<U: UarPage>(queue: &SendQueue<U>, request: &SendRequest<'r>, _: u32) -> Option<Self> {
        let [first, ..] = request.sg_list else { return None };
        let fits = request.sg_list.len() < queue.elements_below;
        (first.length != 0 && fits).then_some(Self(request.sg_list))
    }

    #[inline(always)]
    fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        front: u32,
        probe: &P,
    ) -> u32 {
        write_data_pointers(queue, wqe, self.0, front, probe)
    }
}

/// It is copied into the WQE, and not short, or a number goes along.
impl<'r> Usual<'r> for Copied {
    const INLINE: bool = true;
    const UNITS_VARY: bool = true;
    const IMMEDIATE: bool = true;

    #[inline(always)]
    fn of<U: UarPage>(queue: &SendQueue<U>, request: &SendRequest<'r>, _: u32) -> Option<Self> {
        let [element] = request.sg_list else { return None };
        Self::of(queue, element)
    }

    #[inline(always)]
    fn write<U: UarPage, P: Probe>(
        self,
        queue: &SendQueue<U>,
        wqe: Wqe,
        front: u32,
        probe: &P,
    ) -> u32 {
        self.write(queue, wqe, front, probe)
    }
}

/// It is a datagram's, which the card will fetch: the WQE's first block is control segment and address.
#[derive(Clone, Copy)]
pub struct Datagram<'r> {
    address: &'r DatagramSegment,
    remote_qpn: u32,
    remote_qkey: u32,
    element: &'r ScatterGatherElement,
}

impl<'r> Usual<'r> for Datagram<'r> {
    const INLINE: bool = false;
    const UNITS_VARY: bool = false;

    #[inline(always)]
    fn blocks(_: u32) -> u32 {
        2
    }

    #[inline(always)]
    fn of<U: UarPage>(_: &SendQueue<U>, request: &SendRequest<'r>, _: u32) -> Option<Self> {
        let Operands::Datagram { handle, remote_qpn, remote_qkey } = request.operands else {
            return None;
        };
        if request.send_flags.contains(SendFlags::INLINE) {
            return None;
        }
        let (address, element) = (segment_at_once(handle)?, only_element(request)?);
        Some(Self { address, remote_qpn, remote_qkey, element })
    }

    #[inline(always)]
    fn write<U: UarPage, P: Probe>(self, queue: &SendQueue<U>, wqe: Wqe, _: u32, probe: &P) -> u32 {
        write_segment(queue, wqe, self.address, self.remote_qpn, self.remote_qkey, probe);
        store_pointer(queue, wqe, self.element, datagram::UNITS, probe)
    }
}

impl<'r> Single<'r> for Datagram<'r> {
    const WITH_REMOTE: Posted = Posted::empty();
    const OTHER: Posted = Posted::USUAL_DATAGRAM;
}

/// The element of a request that has one, and something in it.
#[inline(always)]
fn only_element<'r>(request: &SendRequest<'r>) -> Option<&'r ScatterGatherElement> {
    let [element] = request.sg_list else { return None };
    (element.length != 0).then_some(element)
}

/// Which copies a queue pair's posts take: known when it is created, and asked once in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Those of a connection with a register of its own.
    Plain,
    /// That of a register with a lock.
    Shared,
    /// Those of datagrams with a register of their own.
    Datagrams,
}
// ANCHOR_END: kinds

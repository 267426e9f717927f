//! What the compiler may know of a call of `post_send` before it runs.

use crate::verbs::{SendFlags, SendRequest};

// ANCHOR: kinds
/// What is known of a call, for a copy of the code that makes use of it: most calls post one
/// request, and in their copies the loop and half of the branches are gone.
pub trait Kind {
    /// The requests: of a call that posts one, an array of one.
    type List<'a>: AsRef<[SendRequest<'a>]> + ?Sized;

    /// The call posts one request.
    const ONE: bool;
    /// Whether data is inline, if that is known.
    const INLINE: Option<bool>;
    /// The queue's doorbell register has a lock, since other queues ring it, too.
    const SHARED: bool = false;
    /// The queue sends datagrams.
    const DATAGRAM: bool = false;

    /// Is the data to be copied into the WQE?
    #[inline(always)]
    fn is_inline(request: &SendRequest<'_>) -> bool {
        Self::INLINE.unwrap_or_else(|| request.send_flags.contains(SendFlags::INLINE))
    }
}

/// One request, whose data the card will fetch.
pub struct One;

impl Kind for One {
    type List<'a> = [SendRequest<'a>; 1];
    const ONE: bool = true;
    const INLINE: Option<bool> = Some(false);
}

/// One request, whose data is copied into the WQE.
pub struct OneInline;

impl Kind for OneInline {
    type List<'a> = [SendRequest<'a>; 1];
    const ONE: bool = true;
    const INLINE: Option<bool> = Some(true);
}

/// Any number of requests of either kind.
pub struct Any;

impl Kind for Any {
    type List<'a> = [SendRequest<'a>];
    const ONE: bool = false;
    const INLINE: Option<bool> = None;
}

/// Any number of requests of either kind, on a queue whose register has a lock.
pub struct Shared;

impl Kind for Shared {
    type List<'a> = [SendRequest<'a>];
    const ONE: bool = false;
    const INLINE: Option<bool> = None;
    const SHARED: bool = true;
}

/// One datagram with one element of data, which the card will fetch.
pub struct OneDatagram;

impl Kind for OneDatagram {
    type List<'a> = [SendRequest<'a>; 1];
    const ONE: bool = true;
    const INLINE: Option<bool> = Some(false);
    const DATAGRAM: bool = true;
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

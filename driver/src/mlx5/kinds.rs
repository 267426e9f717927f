//! What the compiler may know of a call of `post_send` before it runs.

use crate::verbs::{SendFlags, SendRequest};

// ANCHOR: kinds
/// What is known of a call, for a copy of the code that makes use of it: most calls post one
/// request, and in their copies the loop and half of the branches are gone.
pub trait Kind {
    /// The call posts one request.
    const ONE: bool;
    /// Whether data is inline, if that is known.
    const INLINE: Option<bool>;

    /// The requests, with what is known of their number.
    #[inline(always)]
    fn requests<'a, 'b>(requests: &'a [SendRequest<'b>]) -> &'a [SendRequest<'b>] {
        match requests {
            [first, ..] if Self::ONE => std::slice::from_ref(first),
            any => any,
        }
    }

    /// Is the data to be copied into the WQE?
    #[inline(always)]
    fn is_inline(request: &SendRequest<'_>) -> bool {
        Self::INLINE.unwrap_or_else(|| request.send_flags.contains(SendFlags::INLINE))
    }
}

/// One request, whose data the card will fetch.
pub struct One;

impl Kind for One {
    const ONE: bool = true;
    const INLINE: Option<bool> = Some(false);
}

/// One request, whose data is copied into the WQE.
pub struct OneInline;

impl Kind for OneInline {
    const ONE: bool = true;
    const INLINE: Option<bool> = Some(true);
}

/// Any number of requests of either kind.
pub struct Any;

impl Kind for Any {
    const ONE: bool = false;
    const INLINE: Option<bool> = None;
}
// ANCHOR_END: kinds

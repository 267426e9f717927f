//! Memory windows: keys to a part of a region, which posts can move.

use super::ControlError;
use crate::verbs::WindowKind;

/// The requests of memory windows. A control path without them says so.
pub trait Windows {
    /// Asks for a window of a protection domain that is bound to nothing; its rkey is the answer.
    fn alloc_mw(&self, pd: u32, kind: WindowKind) -> Result<u32, ControlError> {
        let _ = (pd, kind);
        Err(ControlError::NotOffered { request: "alloc_mw" })
    }

    /// Gives a window back, by the rkey that it was given with.
    fn dealloc_mw(&self, rkey: u32) {
        let _ = rkey;
    }
}

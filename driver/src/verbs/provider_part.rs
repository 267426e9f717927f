//! The provider's own part of an object of the verbs.
//!
//! C puts `struct ibv_qp` inside of `struct mlx5_qp` and casts from the one to the other; whether
//! the cast is right is nobody's to check. Here the verbs' object owns the provider's, and each
//! access compares one stored number with the type that is wanted.

use std::any::{Any, TypeId};
use std::hint::cold_path;

/// A provider's part, and its type.
pub struct ProviderPart {
    kind: &'static TypeId,
    part: Box<dyn Any + Send + Sync>,
}

impl ProviderPart {
    /// Keeps a provider's part.
    pub fn new<T: Any + Send + Sync>(part: T) -> Self {
        Self { kind: id::<T>(), part: Box::new(part) }
    }

    /// The part, if it is a `T`. What `Any::downcast_ref` does, without its call: every post and
    /// every poll begins here.
    #[inline(always)]
    pub fn get<T: Any>(&self) -> Option<&T> {
        // The same place means the same number; only another place needs a look at it.
        if !std::ptr::eq(self.kind, id::<T>()) {
            cold_path();
            if *self.kind != TypeId::of::<T>() {
                return None;
            }
        }
        // SAFETY: `kind` is the type of what `part` points to, and it is `T`.
        Some(unsafe { self.assume() })
    }

    /// The same without the look: `None` may also mean that the number is the same at another place. Asks
    /// nobody, so that a function that goes on elsewhere in that case has nothing to keep.
    #[inline(always)]
    pub fn get_at_once<T: Any>(&self) -> Option<&T> {
        // SAFETY: as in `get`.
        std::ptr::eq(self.kind, id::<T>()).then(|| unsafe { self.assume() })
    }

    /// The part.
    ///
    /// # Safety
    /// - It is a `T`.
    #[inline(always)]
    unsafe fn assume<T: Any>(&self) -> &T {
        let part: *const (dyn Any + Send + Sync) = &*self.part;
        // SAFETY: by the caller's word; `part` lives as long as `self`, and nobody else can reach it.
        unsafe { &*part.cast::<T>() }
    }
}

/// The number of a type.
#[inline(always)]
fn id<T: Any>() -> &'static TypeId {
    const { &TypeId::of::<T>() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_type_comes_out() {
        let part = ProviderPart::new(7_u32);
        assert_eq!(part.get::<u32>(), Some(&7));
        assert_eq!(part.get::<i32>(), None);
        assert_eq!(part.get_at_once::<i32>(), None);
        assert!(matches!(part.get_at_once::<u32>(), None | Some(&7)));
        assert!(part.get::<Box<dyn Any + Send + Sync>>().is_none());
    }
}

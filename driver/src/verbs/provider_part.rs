//! The provider's own part of an object of the verbs.
//!
//! C puts `struct ibv_qp` inside of `struct mlx5_qp` and casts from the one to the other; whether
//! the cast is right is nobody's to check. Here the verbs' object owns the provider's, and each
//! access compares one stored number with the type that is wanted.

use std::any::{Any, TypeId};

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
        if !std::ptr::eq(self.kind, id::<T>()) && !same(self.kind, id::<T>()) {
            return None;
        }
        let part: *const (dyn Any + Send + Sync) = &*self.part;
        // SAFETY: `kind` is the type of what `part` points to, and it is `T`; `part` lives as long
        // as `self`, and nobody else can reach it.
        Some(unsafe { &*part.cast::<T>() })
    }
}

/// The number of a type.
#[inline(always)]
fn id<T: Any>() -> &'static TypeId {
    const { &TypeId::of::<T>() }
}

/// Whether two types are the same.
#[cold]
#[inline(never)]
fn same(one: &TypeId, other: &TypeId) -> bool {
    one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_type_comes_out() {
        let part = ProviderPart::new(7_u32);
        assert_eq!(part.get::<u32>(), Some(&7));
        assert_eq!(part.get::<i32>(), None);
        assert!(part.get::<Box<dyn Any + Send + Sync>>().is_none());
    }
}

//! The provider's own part of an object of the verbs.
//!
//! C puts `struct ibv_qp` inside of `struct mlx5_qp` and casts from the one to the other; whether
//! the cast is right is nobody's to check. Here the verbs' object owns the provider's, and each
//! access compares one stored number with the type that is wanted.

use std::any::{Any, TypeId};

/// A provider's part, and its type.
pub struct ProviderPart {
    kind: TypeId,
    part: Box<dyn Any + Send + Sync>,
}

impl ProviderPart {
    /// Keeps a provider's part.
    pub fn new(part: Box<dyn Any + Send + Sync>) -> Self {
        Self { kind: (*part).type_id(), part }
    }

    /// The part, if it is a `T`. What `Any::downcast_ref` does, without its call: every post and
    /// every poll begins here.
    #[inline(always)]
    pub fn get<T: Any>(&self) -> Option<&T> {
        if self.kind != TypeId::of::<T>() {
            return None;
        }
        let part: *const (dyn Any + Send + Sync) = &*self.part;
        // SAFETY: `kind` is the type of what `part` points to, and it is `T`; `part` lives as long
        // as `self`, and nobody else can reach it.
        Some(unsafe { &*part.cast::<T>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_type_comes_out() {
        let part = ProviderPart::new(Box::new(7_u32));
        assert_eq!(part.get::<u32>(), Some(&7));
        assert_eq!(part.get::<i32>(), None);
        assert!(part.get::<Box<dyn Any + Send + Sync>>().is_none());
    }
}

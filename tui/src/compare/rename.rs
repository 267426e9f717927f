//! Names that two runs have for the same things: A's QP 0x40 is B's QP 0x123, everywhere.

use std::collections::HashMap;

/// Pairs of names that belong together, by space.
#[derive(Debug, Default)]
pub(super) struct Renames {
    /// From A to B, and where the pair was first met.
    forth: HashMap<(&'static str, String), Pair>,
    /// From B to A.
    back: HashMap<(&'static str, String), Pair>,
}

#[derive(Debug, Clone)]
struct Pair {
    other: String,
    /// The step of A at which it was first met, and that of B.
    at: (u64, u64),
}

impl Renames {
    /// Whether two names can stand for each other, at these steps. The first time they are met they
    /// can, unless one of them stands for another; then that is told.
    pub(super) fn match_up(
        &mut self,
        space: &'static str,
        a: &str,
        b: &str,
        at: (u64, u64),
    ) -> Result<(), String> {
        let (of_a, of_b) = ((space, a.to_owned()), (space, b.to_owned()));
        match (self.forth.get(&of_a), self.back.get(&of_b)) {
            (None, None) => {
                self.forth.insert(of_a, Pair { other: b.to_owned(), at });
                self.back.insert(of_b, Pair { other: a.to_owned(), at });
                Ok(())
            }
            (Some(pair), _) if pair.other == b => Ok(()),
            (Some(pair), _) => Err(told(space, ("A", a), ("B", &pair.other), pair.at)),
            (None, Some(pair)) => Err(told(space, ("B", b), ("A", &pair.other), pair.at)),
        }
    }

    /// Forgets a name of each side: what it stood for is gone, and its number may come again.
    pub(super) fn forget(&mut self, space: &'static str, a: &str, b: &str) {
        if let Some(pair) = self.forth.remove(&(space, a.to_owned())) {
            self.back.remove(&(space, pair.other));
        }
        if let Some(pair) = self.back.remove(&(space, b.to_owned())) {
            self.forth.remove(&(space, pair.other));
        }
    }
}

/// What a name stands for, and since when.
fn told(space: &str, own: (&str, &str), other: (&str, &str), at: (u64, u64)) -> String {
    let ((side, name), (opposite, meant)) = (own, other);
    format!("{side}'s {space} {name} was {opposite}'s {meant} at steps {} and {}", at.0, at.1)
}

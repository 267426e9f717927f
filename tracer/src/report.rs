//! What a probe hands on: the operands of an event, as they are at hand where it happens.
//!
//! A [`Kind`] owns what it tells of, and is as large as the largest event. Making one and moving it
//! would cost more than all else that a recorder does. So a probe makes a [`Report`]: a few numbers,
//! static names, and a view of the bytes, without all that its [`Point`](crate::Point) says already.
//! It is written straight into its place.

mod constructors;
mod parts;
mod values;

pub use constructors::*;
pub use parts::Fixed;

use crate::recorder::{ActorCode, Beside, Depths, HEAD, Head, Room};
use crate::{Kind, Site};
use parts::{Names, Numbers};
use values::Values;

/// What a probe hands on: made by the constructors of this module, which are those of [`Kind`].
pub trait Report {
    /// It is kept as it is, beside the bytes.
    #[doc(hidden)]
    const WHOLE: bool;

    /// The bytes that it needs.
    #[doc(hidden)]
    fn size(&self) -> usize;

    /// Writes it down, beginning with this head; `site` if its point has none.
    #[doc(hidden)]
    fn keep(
        self,
        room: Room<'_>,
        beside: &mut Beside,
        depths: &mut Depths,
        head: Head,
        site: Option<&'static Site>,
    );
}

/// What an event does to the depth of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nesting {
    /// Events after it are one deeper.
    Enters,
    /// It and events after it are one less deep.
    Leaves,
    /// Nothing.
    Stays,
}

impl Nesting {
    /// Does it.
    #[inline(always)]
    fn follow(self, depths: &mut Depths, actor: ActorCode) {
        match self {
            Self::Enters => _ = depths.enter(actor),
            Self::Leaves => _ = depths.leave(actor),
            Self::Stays => {}
        }
    }
}

/// A report of numbers, static names, values, and bytes that are still where the program has them.
pub struct Draft<'a, M, N, V> {
    nesting: Nesting,
    /// What the head's flag says.
    flag: bool,
    numbers: M,
    names: N,
    values: V,
    bytes: &'a [u8],
}

impl<M: Numbers, N: Names, V: Values> Report for Draft<'_, M, N, V> {
    const WHOLE: bool = false;

    #[inline(always)]
    fn size(&self) -> usize {
        HEAD + M::SIZE + V::SIZE + self.bytes.len()
    }

    #[inline(always)]
    fn keep(
        self,
        mut room: Room<'_>,
        beside: &mut Beside,
        depths: &mut Depths,
        head: Head,
        site: Option<&'static Site>,
    ) {
        room.put(head.flagged(self.flag).bytes());
        if let Some(site) = site {
            beside.push_site(site);
        }
        self.numbers.put(&mut room);
        self.names.tell(beside);
        self.values.put(&mut room, beside);
        if !self.bytes.is_empty() {
            room.end(self.bytes);
        }
        self.nesting.follow(depths, head.actor());
    }
}

impl Report for Kind {
    const WHOLE: bool = true;

    fn size(&self) -> usize {
        HEAD
    }

    #[inline(never)]
    fn keep(
        self,
        mut room: Room<'_>,
        beside: &mut Beside,
        depths: &mut Depths,
        head: Head,
        site: Option<&'static Site>,
    ) {
        let nesting = match self {
            Self::Call { .. } => Nesting::Enters,
            Self::Return { .. } => Nesting::Leaves,
            _ => Nesting::Stays,
        };
        room.put(head.bytes());
        if let Some(site) = site {
            beside.push_site(site);
        }
        beside.push_whole(self);
        nesting.follow(depths, head.actor());
    }
}

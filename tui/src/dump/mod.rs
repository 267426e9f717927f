//! Dumps and error messages of mlx5, found in any text: what [`crate::command`]'s `decode` reads.
//!
//! [`scan()`] goes through a text once, line by line, and hands out what it finds, one at a time: the
//! memory it takes does not grow with the text. A line is either a mark ([`marks`]: it announces a
//! dump, or tells an error in words), a row of hex ([`rows`]), or neither. Rows become a
//! [`block`]; what the bytes of a block can be is decided by checks ([`kinds`]), and each reading
//! that passes them is kept. [`meaning`] says what happened; its table of causes is [`causes`].
//!
//! Nothing here is guessed silently: what was decided, and by which checks, is part of the answer.

pub mod block;
pub mod causes;
pub mod found;
pub mod kinds;
pub mod marks;
pub mod meaning;
pub mod rows;
pub mod scan;

pub use found::{Dump, Fact, Failure, Found, Reading, What};
pub use kinds::Kind;
pub use scan::{Foreign, ScanError, Seen, scan};

//! Trace files: JSON Lines, a header and then one event a line.
//!
//! **Writing** goes straight to the path. If the disk fills up, what was written stays: whole lines
//! that can be opened, and an error that says how many. Payload and addresses can be masked.
//!
//! **Reading** trusts nothing. A file is read once from its beginning to its end; each line is held
//! against a bound, decoded, and folded into the [`Timeline`](crate::timeline::Timeline). Whatever
//! is wrong with the header is an error, since without it nothing can be shown. Whatever is wrong
//! after it is a [`Warning`], and the events before it can be used. Of a large file only an index
//! stays in memory: where each event begins and what it is at a glance ([`Brief`]). An event of
//! which more is wanted is read again. Who needs each event once only reads a [`Stream`].

mod error;
mod line;
mod loaded;
mod mask;
mod notes;
mod open;
mod parse;
mod stream;
mod write;

pub use error::{Damage, TraceFileError, Warning};
pub use loaded::{Brief, Loaded};
pub use mask::{Classify, FieldClass};
pub use open::{Limits, Progress, open, open_with, read};
pub use stream::Stream;
pub use write::{Options, write, write_file};

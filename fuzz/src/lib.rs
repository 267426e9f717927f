//! What the fuzz targets do, one module each: the tests of `card`, `tracer` and `tui` take those as they are, and do
//! the same with every input of the corpus. And what they share: the small machine that the card's own tests
//! use, and the part of another crate that is not public.

/// The machine around the card.
#[path = "../../card/tests/support/mod.rs"]
pub mod support;

/// What `doorbell decode` finds in a text, without the command around it.
#[allow(dead_code)]
#[path = "../../tui/src/dump/mod.rs"]
pub mod dump;

pub mod card_commands;
pub mod card_packets;
pub mod card_wqes;
pub mod corpus;
pub mod decode;
pub mod tools;
pub mod trace_reader;

//! The book, and the notes that book and terminal share.
//!
//! The driver's and the card's source carry [anchors](anchors()): named stretches. Every stretch
//! has one [`Note`]. A step of a trace has a file and a line, so it lies in a stretch, so it has a
//! note; that is how the same words stand beside the same code in both faces.
//!
//! The chapters are Markdown with directives. When the book is built, the scenarios that they name
//! run on the software card; a recorded run becomes a [`walk`], and from it come the players, the
//! printed steps, the links to steps and the numbers in the text ([`preprocess`], [`player`]).
//! mdBook makes the pages ([`build`]), and [`serve()`] shows them to a browser on this machine.

mod anchors;
mod files;
mod notes;

pub mod walk;

mod highlight;
pub mod player;
pub mod preprocess;

mod error;
mod make;
mod scenarios;
mod serve;

pub use anchors::{Anchor, AnchorError, anchor_at, anchors, innermost, is_anchor_line};
pub use error::{BookError, DirectiveError};
pub use make::{BuildReport, Chapters, build, build_from};
pub use notes::{
    Note, NoteError, Upstream, check as check_notes, note, notes, parse as parse_notes,
};
pub use scenarios::Scenarios;
pub use serve::{Server, Stop, serve, serve_folder};

/// The code of the guide to probes is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../chapters/probes.md")]
pub struct GuideToProbes;

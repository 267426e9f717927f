//! Notes: what is said beside a stretch of source, in the terminal and in the book alike.
//!
//! A note belongs to one anchor. Notes are written in Markdown in `book/notes/*.md`:
//!
//! ```text
//! ## post_send_overflow: Is there room?
//!
//! The ring holds so many blocks of 64 bytes ...
//!
//! Upstream: rdma-core providers/mlx5/qp.c mlx5_wq_overflow
//! ```
//!
//! The heading names the anchor, and after a colon a title if it needs one. The last line may
//! point into the original sources: `PROJECT FILE FUNCTION`, more of them after semicolons.

mod parse;
mod plain;

pub use parse::{NoteError, parse};

use crate::files;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What is said about one anchored stretch of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The anchor that it belongs to.
    pub anchor: String,
    /// Its title, where it has one of its own.
    pub title: Option<String>,
    /// The text: Markdown, without the heading and the pointers into the originals.
    pub body: String,
    /// Where the originals do the same.
    pub upstream: Vec<Upstream>,
    /// The file of `book/notes/` that it was read from.
    pub file: String,
    /// The line of its heading there.
    pub line: u32,
}

/// A function in the original sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The project and its version, as `libmlx5 1.2.1` or `rdma-core`.
    pub project: String,
    /// The file, from the project's root.
    pub file: String,
    /// The function, or the name of a table or structure.
    pub function: String,
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { project, file, function } = self;
        write!(formatter, "{project}: {function} ({file})")
    }
}

/// All notes, by file and in the order in which they are written there. Files that cannot be
/// read give no notes; [`check`] says why.
pub fn notes() -> &'static [Note] {
    &ALL.0
}

/// The note of this anchor.
pub fn note(anchor: &str) -> Option<&'static Note> {
    ALL.0.get(*ALL.1.get(anchor)?)
}

/// Reads every embedded file of notes and tells the first error: a damaged file, or two notes of
/// one anchor.
pub fn check() -> Result<(), NoteError> {
    let mut seen: HashMap<String, (String, u32)> = HashMap::new();
    for (path, bytes) in files::NOTES {
        for note in parse(path, &String::from_utf8_lossy(bytes))? {
            let here = (note.file.clone(), note.line);
            if let Some((file, line)) = seen.insert(note.anchor.clone(), here) {
                return Err(NoteError::Duplicate {
                    anchor: note.anchor,
                    file: note.file,
                    line: note.line,
                    first: format!("{file}:{line}"),
                });
            }
        }
    }
    Ok(())
}

/// The notes, and the place of each one by its anchor.
static ALL: LazyLock<(Vec<Note>, HashMap<String, usize>)> = LazyLock::new(|| {
    let notes: Vec<Note> = files::NOTES
        .iter()
        .filter_map(|(path, bytes)| parse(path, &String::from_utf8_lossy(bytes)).ok())
        .flatten()
        .collect();
    let places = notes.iter().map(|note| note.anchor.clone()).zip(0..).collect();
    (notes, places)
});

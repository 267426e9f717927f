//! Reading a file of notes.

use super::{Note, Upstream};

/// What is wrong with a file of notes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Text before the first heading.
    #[error(
        "book/notes/{file}:{line}: text before the first `## anchor` heading belongs to no note"
    )]
    Stray {
        /// The file.
        file: String,
        /// The line.
        line: u32,
    },
    /// A heading without an anchor's name.
    #[error(
        "book/notes/{file}:{line}: the heading names no anchor; write `## anchor_name` or `## anchor_name: Title`"
    )]
    Nameless {
        /// The file.
        file: String,
        /// The line.
        line: u32,
    },
    /// A heading with nothing below it.
    #[error(
        "book/notes/{file}:{line}: the note of `{anchor}` is empty; write what the reader should know"
    )]
    Empty {
        /// The anchor.
        anchor: String,
        /// The file.
        file: String,
        /// The line of the heading.
        line: u32,
    },
    /// A pointer that is not `PROJECT FILE FUNCTION`.
    #[error(
        "book/notes/{file}:{line}: `{text}` does not point into an original; write `PROJECT FILE FUNCTION`, as `rdma-core providers/mlx5/qp.c mlx5_post_send`"
    )]
    Upstream {
        /// What stands there.
        text: String,
        /// The file.
        file: String,
        /// The line.
        line: u32,
    },
    /// Two notes of one anchor.
    #[error(
        "book/notes/{file}:{line}: `{anchor}` has a note already, in book/notes/{first}; join the two"
    )]
    Duplicate {
        /// The anchor.
        anchor: String,
        /// The file of the second.
        file: String,
        /// The line of the second.
        line: u32,
        /// File and line of the first.
        first: String,
    },
}

/// The notes that a file holds. `file` is its name, for errors and for [`Note::file`].
///
/// A level-one heading at the top names the file for its writers and is skipped.
pub fn parse(file: &str, text: &str) -> Result<Vec<Note>, NoteError> {
    let mut notes: Vec<Note> = Vec::new();
    let mut fenced = false;
    for (line, content) in (1_u32..).zip(text.lines()) {
        fenced ^= content.trim_start().starts_with("```");
        if let Some(heading) = content.strip_prefix("## ").filter(|_| !fenced) {
            notes.push(begin(file, line, heading)?);
        } else if let Some(note) = notes.last_mut() {
            take(note, file, line, content)?;
        } else if !content.trim().is_empty() && !content.starts_with("# ") {
            return Err(NoteError::Stray { file: file.to_owned(), line });
        }
    }
    notes.into_iter().map(finish).collect()
}

/// A note that begins at a heading.
fn begin(file: &str, line: u32, heading: &str) -> Result<Note, NoteError> {
    let (anchor, title) = heading
        .split_once(':')
        .map_or((heading, None), |(anchor, title)| (anchor, Some(title.trim())));
    let anchor = anchor.trim().trim_matches('`');
    if anchor.is_empty() || anchor.contains(char::is_whitespace) {
        return Err(NoteError::Nameless { file: file.to_owned(), line });
    }
    Ok(Note {
        anchor: anchor.to_owned(),
        title: title.filter(|title| !title.is_empty()).map(str::to_owned),
        body: String::new(),
        upstream: Vec::new(),
        file: file.to_owned(),
        line,
    })
}

/// Adds a line below the heading to a note.
fn take(note: &mut Note, file: &str, line: u32, content: &str) -> Result<(), NoteError> {
    let Some(pointers) = content.strip_prefix("Upstream:") else {
        note.body.push_str(content);
        note.body.push('\n');
        return Ok(());
    };
    for text in pointers.split(';').map(str::trim) {
        note.upstream.push(upstream(text).ok_or_else(|| NoteError::Upstream {
            text: text.to_owned(),
            file: file.to_owned(),
            line,
        })?);
    }
    Ok(())
}

/// Reads `PROJECT FILE FUNCTION`; the project may have several words.
fn upstream(text: &str) -> Option<Upstream> {
    let text = text.replace('`', "");
    let (rest, function) = text.trim_end_matches('.').rsplit_once(' ')?;
    let (project, file) = rest.trim().rsplit_once(' ')?;
    (file.contains('.') || file.contains('/')).then(|| Upstream {
        project: project.trim().to_owned(),
        file: file.to_owned(),
        function: function.trim_end_matches("()").to_owned(),
    })
}

/// A note with all its lines.
fn finish(mut note: Note) -> Result<Note, NoteError> {
    note.body = note.body.trim().to_owned();
    if note.body.is_empty() {
        return Err(NoteError::Empty { anchor: note.anchor, file: note.file, line: note.line });
    }
    Ok(note)
}

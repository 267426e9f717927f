//! Anchors: the marked stretches of a source file.
//!
//! A stretch begins at a comment `// ANCHOR: name` and ends at `// ANCHOR_END: name`. One name
//! serves three readers: a chapter that includes the stretch, the note that explains it, and a
//! step of a trace whose line lies in it. Stretches may lie inside each other, and then the
//! innermost one counts; they may not overlap in part.

/// A marked stretch of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Its name.
    pub name: String,
    /// The line of its first comment, from 1.
    pub start_line: u32,
    /// The line of its last comment.
    pub end_line: u32,
}

/// What is wrong with the anchors of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// A name that is used twice.
    #[error(
        "line {line}: the anchor `{name}` began on line {first} already; rename one of the two"
    )]
    Duplicate {
        /// The name.
        name: String,
        /// The line of the second beginning.
        line: u32,
        /// The line of the first.
        first: u32,
    },
    /// A beginning without an end.
    #[error("line {line}: the anchor `{name}` has no end; add `// ANCHOR_END: {name}`")]
    Unclosed {
        /// The name.
        name: String,
        /// The line of its beginning.
        line: u32,
    },
    /// An end without a beginning.
    #[error(
        "line {line}: the anchor `{name}` ends but never began; add `// ANCHOR: {name}` before"
    )]
    Unopened {
        /// The name.
        name: String,
        /// The line of its end.
        line: u32,
    },
    /// An end that cuts through a stretch inside.
    #[error("line {line}: the anchor `{name}` ends inside `{inner}`; end `{inner}` first")]
    Crossed {
        /// The name.
        name: String,
        /// The stretch that is still open.
        inner: String,
        /// The line of the end.
        line: u32,
    },
}

/// What a line says about anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark<'a> {
    Begin(&'a str),
    End(&'a str),
}

/// The anchors of a source text, in the order in which they begin.
pub fn anchors(text: &str) -> Result<Vec<Anchor>, AnchorError> {
    let mut found: Vec<Anchor> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for (line, content) in (1_u32..).zip(text.lines()) {
        match mark(content) {
            Some(Mark::Begin(name)) => {
                begin(&mut found, name, line)?;
                open.push(found.len() - 1);
            }
            Some(Mark::End(name)) => end(&mut found, &mut open, name, line)?,
            None => {}
        }
    }
    match open.first().and_then(|index| found.get(*index)) {
        Some(anchor) => {
            Err(AnchorError::Unclosed { name: anchor.name.clone(), line: anchor.start_line })
        }
        None => Ok(found),
    }
}

/// Adds an anchor that begins on `line`.
fn begin(found: &mut Vec<Anchor>, name: &str, line: u32) -> Result<(), AnchorError> {
    if let Some(first) = found.iter().find(|anchor| anchor.name == name) {
        return Err(AnchorError::Duplicate {
            name: name.to_owned(),
            line,
            first: first.start_line,
        });
    }
    found.push(Anchor { name: name.to_owned(), start_line: line, end_line: line });
    Ok(())
}

/// Ends the innermost open anchor, which must be `name`.
fn end(
    found: &mut [Anchor],
    open: &mut Vec<usize>,
    name: &str,
    line: u32,
) -> Result<(), AnchorError> {
    let is_open =
        open.iter().filter_map(|index| found.get(*index)).any(|anchor| anchor.name == name);
    let innermost = open.pop().and_then(|index| found.get_mut(index));
    match innermost {
        Some(anchor) if anchor.name == name => {
            anchor.end_line = line;
            Ok(())
        }
        Some(inner) if is_open => {
            Err(AnchorError::Crossed { name: name.to_owned(), inner: inner.name.clone(), line })
        }
        _ => Err(AnchorError::Unopened { name: name.to_owned(), line }),
    }
}

/// The innermost of `anchors` that holds `line`.
pub fn innermost(anchors: &[Anchor], line: u32) -> Option<&Anchor> {
    anchors
        .iter()
        .filter(|anchor| anchor.start_line <= line && line <= anchor.end_line)
        .max_by_key(|anchor| anchor.start_line)
}

/// The name of the innermost anchor that holds `line` of `text`; `None` outside any, and in a
/// text whose anchors are damaged.
pub fn anchor_at(text: &str, line: u32) -> Option<String> {
    let anchors = anchors(text).ok()?;
    innermost(&anchors, line).map(|anchor| anchor.name.clone())
}

/// Whether a line of source is an anchor's comment, which readers are not shown.
pub fn is_anchor_line(line: &str) -> bool {
    mark(line).is_some()
}

/// What `line` says about anchors.
fn mark(line: &str) -> Option<Mark<'_>> {
    let comment = line.trim().strip_prefix("//")?.trim_start();
    if let Some(name) = comment.strip_prefix("ANCHOR:") {
        name_of(name).map(Mark::Begin)
    } else {
        name_of(comment.strip_prefix("ANCHOR_END:")?).map(Mark::End)
    }
}

/// The name behind a mark: letters, digits, `_` and `-`.
fn name_of(text: &str) -> Option<&str> {
    let name = text.trim();
    let plain = |character: char| character.is_alphanumeric() || "_-".contains(character);
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

//! What can go wrong when the book is built or served.

use std::path::PathBuf;

/// Why the book was not built, or is not served.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A directive in a chapter cannot be carried out.
    #[error("{file}:{line}: {problem}")]
    Directive {
        /// The chapter, from the root of the workspace.
        file: String,
        /// The line that the directive begins on.
        line: usize,
        /// What is wrong with it.
        problem: DirectiveError,
    },
    /// A file of notes is damaged.
    #[error(transparent)]
    Note(#[from] crate::NoteError),
    /// A folder holds something that is not a book of ours, which building would replace.
    #[error("{} is not empty and holds no book made by doorbell; name an empty or a new folder", folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("cannot write the book: {}: {source}; name another folder, or make room", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A book to be served could not be read.
    #[error("cannot read the book in {}: {source}; build it with `doorbell book`", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// mdBook gave up.
    #[error("mdBook could not make the pages: {0}")]
    Pages(String),
    /// The port is taken.
    #[error("port {port} is in use; choose another one with --port, or 0 for any that is free")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The server could not start.
    #[error("cannot listen on 127.0.0.1:{port}: {reason}; choose another port with --port")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        reason: String,
    },
}

/// Why a directive in a chapter cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// `{{#name` without `}}`.
    #[error("a directive has no closing braces on its line; end it with `}}}}`")]
    Unclosed,
    /// A directive that does not exist.
    #[error(
        "no directive is called `{0}`; there are trace, step, value, beside, failure, source and upstream"
    )]
    Unknown(String),
    /// A quote without its second half.
    #[error("a quoted word has no closing quote; add `\"`")]
    Quote,
    /// Too little or too much in it.
    #[error("{0}")]
    Usage(String),
    /// The scenario does not exist.
    #[error("{0}")]
    Scenario(String),
    /// The scenario ran, and failed.
    #[error("scenario `{scenario}` did not end well, so the book cannot tell of it: {reason}")]
    Failed {
        /// The scenario.
        scenario: String,
        /// What it reported.
        reason: String,
    },
    /// The scenario is none of the failure gallery.
    #[error("`{scenario}` is none of the failure gallery; there are: {known}")]
    NoFailure {
        /// The scenario.
        scenario: String,
        /// The names that there are.
        known: String,
    },
    /// No step is like that.
    #[error("no step of `{scenario}` is `{selector}`; {hint}")]
    NoStep {
        /// The scenario.
        scenario: String,
        /// What was looked for.
        selector: String,
        /// What there is instead.
        hint: String,
    },
    /// Two calls that stand beside each other did not do the same.
    #[error(
        "`{left}` and `{right}` do not stand beside each other in `{scenario}`; name two calls of one program"
    )]
    Apart {
        /// The scenario.
        scenario: String,
        /// What the left one did where they part.
        left: String,
        /// What the right one did there.
        right: String,
    },
    /// A step has no such member or field.
    #[error("step {step} of `{scenario}` has no `{name}`; it has {known}")]
    NoMember {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: u64,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A value that the book does not know how to compute.
    #[error("`{0}` is no value; there are steps, count, bytes, number, get and field")]
    Value(String),
    /// The source file is not one of the project's.
    #[error(
        "`{0}` is no source file of driver/, card/ or examples/; write its path from the root of the workspace"
    )]
    Source(String),
    /// The file has no such anchor.
    #[error("{path} has no anchor `{anchor}`; it has {known}")]
    Anchor {
        /// The file.
        path: String,
        /// What was asked for.
        anchor: String,
        /// The anchors there are.
        known: String,
    },
    /// The file's anchors are damaged.
    #[error("{path}: {problem}")]
    Anchors {
        /// The file.
        path: String,
        /// What is wrong.
        problem: crate::AnchorError,
    },
    /// Two players on one page share steps, so that a link would have two targets.
    #[error(
        "steps {first} to {last} of `{scenario}` are on this page already; let the stretches of a page not overlap"
    )]
    Overlap {
        /// The scenario.
        scenario: String,
        /// The first step of this stretch.
        first: u64,
        /// Its last step.
        last: u64,
    },
    /// A link to a step that no player of the page holds.
    #[error(
        "step {step} of `{scenario}` is in no player on this page; widen a `{{{{#trace}}}}`, or name another step"
    )]
    NotShown {
        /// The scenario.
        scenario: String,
        /// The step's number.
        step: u64,
    },
}

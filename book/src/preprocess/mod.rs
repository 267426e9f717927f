//! The preprocessor: turns the directives of a chapter into what they stand for.
//!
//! | directive | becomes |
//! |---|---|
//! | `{{#trace SCENARIO from="SELECTOR" to="SELECTOR"}}` | a player, and every step in print; `from=next` goes on where the last one ended, `until=` leaves its step out |
//! | `{{#step SCENARIO SELECTOR label="TEXT"}}` | a link to the step |
//! | `{{#value SCENARIO ...}}` | a number taken from the run; `value.rs` lists which |
//! | `{{#beside SCENARIO left="SELECTOR" right="SELECTOR" head="A, B, C"}}` | a table of what two calls of the run asked for, verb by verb; `beside.rs` says how |
//! | `{{#failure SCENARIO}}` | how a scenario of the failure gallery ends, why, and what to check |
//! | `{{#source PATH:ANCHOR}}` | the anchored stretch of a source file, highlighted |
//! | `{{#upstream ANCHOR}}` | where the originals do the same |
//!
//! A directive that cannot be carried out stops the build, with the chapter's file and line.

mod beside;
mod directive;
mod failure;
mod page;
mod source;
mod value;

pub use directive::{Piece, pieces, words};

use crate::error::{BookError, DirectiveError};
use crate::walk::Walk;
use doorbell_tracer::Trace;
use page::Page;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Where the book's runs and sources come from.
pub trait Runs {
    /// A recorded run of a scenario.
    fn record(&self, scenario: &str) -> Result<Trace, DirectiveError>;

    /// The text of a source file of the project, by its path from the root of the workspace.
    fn source(&self, path: &str) -> Option<String>;
}

/// The preprocessor. Every scenario is run once, however often the chapters name it.
pub struct Preprocessor<'a> {
    runs: &'a dyn Runs,
    walks: RefCell<HashMap<String, Rc<Walk>>>,
}

impl<'a> Preprocessor<'a> {
    /// A preprocessor that takes its runs from `runs`.
    pub fn new(runs: &'a dyn Runs) -> Self {
        Self { runs, walks: RefCell::default() }
    }

    /// A chapter with every directive carried out. `file` is its path, for errors.
    pub fn chapter(&self, file: &str, text: &str) -> Result<String, BookError> {
        let mut page = Page::default();
        let mut done = String::with_capacity(text.len());
        for piece in pieces(text) {
            let (result, line) = match piece {
                Piece::Text(text) => {
                    done.push_str(text);
                    continue;
                }
                Piece::Directive { name, arguments, line } => {
                    (self.directive(&mut page, name, arguments, line), line)
                }
                Piece::Unclosed { line } => (Err(DirectiveError::Unclosed), line),
            };
            done.push_str(&result.map_err(|problem| problem.at(file, line))?);
        }
        let (line, problem) = match page.finish() {
            Ok(end) => {
                done.push_str(&end);
                return Ok(done);
            }
            Err(problem) => problem,
        };
        Err(problem.at(file, line))
    }

    /// What one directive stands for.
    fn directive(
        &self,
        page: &mut Page,
        name: &str,
        arguments: &str,
        line: usize,
    ) -> Result<String, DirectiveError> {
        let words = words(arguments)?;
        match name {
            "trace" => {
                let (walk, rest) = self.walk(&words, "trace SCENARIO from=\"...\" to=\"...\"")?;
                page.player(walk, rest)
            }
            "step" => {
                let (walk, rest) = self.walk(&words, "step SCENARIO SELECTOR label=\"...\"")?;
                page.link(&walk, rest, line)
            }
            "value" => {
                let (walk, rest) = self.walk(&words, "value SCENARIO WHAT SELECTOR")?;
                value::value(&walk, rest)
            }
            "beside" => {
                let (walk, rest) = self
                    .walk(&words, "beside SCENARIO left=\"...\" right=\"...\" head=\"A, B, C\"")?;
                page.beside(&walk, rest, line)
            }
            "failure" => failure::failure(&words),
            "source" => source::source(self.runs, &words),
            "upstream" => source::upstream(&words),
            _ => Err(DirectiveError::Unknown(name.to_owned())),
        }
    }

    /// The run that a directive's first word names, and the other words.
    fn walk<'w>(
        &self,
        words: &'w [String],
        usage: &str,
    ) -> Result<(Rc<Walk>, &'w [String]), DirectiveError> {
        let (scenario, rest) = words.split_first().ok_or_else(|| {
            DirectiveError::Usage(format!("the directive is empty; write `{{{{#{usage}}}}}`"))
        })?;
        if let Some(walk) = self.walks.borrow().get(scenario) {
            return Ok((Rc::clone(walk), rest));
        }
        let walk = Rc::new(Walk::new(self.runs.record(scenario)?));
        self.walks.borrow_mut().insert(scenario.clone(), Rc::clone(&walk));
        Ok((walk, rest))
    }
}

impl DirectiveError {
    /// The error with its place.
    fn at(self, file: &str, line: usize) -> BookError {
        BookError::Directive { file: file.to_owned(), line, problem: self }
    }
}

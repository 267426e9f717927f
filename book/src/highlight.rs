//! Rust source as HTML with a few short classes, so that one style sheet colours it for light
//! and dark pages and a plain reader loses nothing.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

/// Highlighted lines of source, by the text they were made from.
type Cache = HashMap<String, Arc<Vec<String>>>;

/// The syntaxes that the highlighter knows; read when the first file is highlighted.
static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Files are highlighted once a process.
static DONE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// What a scope of the grammar is shown as: the class, by the beginning of the scope's name.
/// The innermost scope that has a row counts.
static CLASSES: LazyLock<Vec<(Scope, &'static str)>> = LazyLock::new(|| {
    const ROWS: [(&str, &str); 14] = [
        ("comment", "c"),
        ("string", "s"),
        ("constant.character", "s"),
        ("constant.numeric", "n"),
        ("constant", "n"),
        ("entity.name.function", "f"),
        ("support.function", "f"),
        ("support.macro", "m"),
        ("entity.name.macro", "m"),
        ("entity.name", "t"),
        ("storage", "k"),
        ("keyword.operator", ""),
        ("keyword", "k"),
        ("meta.annotation", "a"),
    ];
    ROWS.iter().filter_map(|(name, class)| Some((Scope::new(name).ok()?, *class))).collect()
});

/// The lines of a Rust source as HTML, one entry a line of `text`: escaped, with `<span>`s of
/// class `c` (comment), `s` (string), `n` (constant), `k` (keyword), `f` (function), `t` (type),
/// `m` (macro) and `a` (attribute). A line that the grammar cannot read is escaped only.
pub fn rust(text: &str) -> Arc<Vec<String>> {
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(lines) = done.get(text) {
        return Arc::clone(lines);
    }
    let lines = Arc::new(lines(text));
    done.insert(text.to_owned(), Arc::clone(&lines));
    lines
}

/// Highlights every line.
fn lines(text: &str) -> Vec<String> {
    let Some(syntax) = SYNTAXES.find_syntax_by_extension("rs") else {
        return text.lines().map(escape).collect();
    };
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    text.lines()
        .map(|line| {
            one_line(&format!("{line}\n"), &mut state, &mut stack).unwrap_or_else(|| escape(line))
        })
        .collect()
}

/// Highlights one line, which ends in a newline that the result leaves out.
fn one_line(line: &str, state: &mut ParseState, stack: &mut ScopeStack) -> Option<String> {
    let operations = state.parse_line(line, &SYNTAXES).ok()?;
    let mut pieces = Pieces::default();
    let mut at = 0;
    for (place, operation) in operations {
        pieces.push(line.get(at..place)?, class(stack));
        at = place;
        stack.apply(&operation).ok()?;
    }
    pieces.push(line.get(at..)?, class(stack));
    Some(pieces.finish())
}

/// The class of the innermost scope that has one.
fn class(stack: &ScopeStack) -> &'static str {
    stack
        .as_slice()
        .iter()
        .rev()
        .find_map(|scope| {
            CLASSES.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, class)| *class)
        })
        .unwrap_or_default()
}

/// Text with classes, neighbours of one class joined.
#[derive(Default)]
struct Pieces {
    html: String,
    open: &'static str,
}

impl Pieces {
    fn push(&mut self, text: &str, class: &'static str) {
        let text = text.trim_end_matches('\n');
        if text.is_empty() {
            return;
        }
        if class != self.open {
            self.close();
            if !class.is_empty() {
                self.html.push_str("<span class=\"");
                self.html.push_str(class);
                self.html.push_str("\">");
            }
            self.open = class;
        }
        self.html.push_str(&escape(text));
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.html.push_str("</span>");
            self.open = "";
        }
    }

    fn finish(mut self) -> String {
        self.close();
        self.html
    }
}

/// `text` with the characters that HTML gives a meaning written as entities.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            _ => html.push(character),
        }
    }
    html
}

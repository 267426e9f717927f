//! Source text in its parts, worked out by a thread of its own.
//!
//! Loading a syntax and parsing a file takes longer than a frame may. So a file is shown plain
//! at first, and with its parts as soon as the thread has them. The thread begins with the first
//! file that is asked for.

use crate::view::theme::Class;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

/// The parts of one line: what they are, and their bytes.
pub type Parts = Vec<(Class, Range<usize>)>;

/// A file that the thread is asked for: path and lines.
type Job = (String, Vec<String>);

/// The parts of files, by path.
#[derive(Default)]
pub struct Highlighter {
    /// `None` while the thread works on it.
    files: HashMap<String, Option<Vec<Parts>>>,
    thread: Option<Worker>,
}

/// The thread's two ends: what it is asked for, and what it has finished.
type Worker = (Sender<Job>, Receiver<(String, Vec<Parts>)>);

impl Highlighter {
    /// The parts of a file's lines; `None` until they are known. The first call for a path asks
    /// the thread for it.
    pub fn parts(&mut self, path: &str, lines: &[(u32, String)]) -> Option<&[Parts]> {
        if !self.files.contains_key(path) {
            let own = lines.iter().map(|(_, line)| line.clone()).collect();
            let (jobs, _) = self.thread.get_or_insert_with(start);
            // Without the thread the file stays plain.
            let _ = jobs.send((path.to_owned(), own));
            self.files.insert(path.to_owned(), None);
        }
        self.files.get(path)?.as_deref()
    }

    /// Takes in what the thread has finished. Whether there was anything.
    pub fn take_in(&mut self) -> bool {
        let Some((_, results)) = &self.thread else {
            return false;
        };
        let mut any = false;
        while let Ok((path, parts)) = results.try_recv() {
            self.files.insert(path, Some(parts));
            any = true;
        }
        any
    }

    /// Whether the thread still owes a file.
    pub fn is_waiting(&self) -> bool {
        self.files.values().any(Option::is_none)
    }
}

/// Starts the thread. It ends when the highlighter is dropped.
fn start() -> Worker {
    let (job_sender, jobs) = channel::<Job>();
    let (results, result_receiver) = channel();
    thread::spawn(move || {
        let syntaxes = SyntaxSet::load_defaults_newlines();
        for (path, lines) in jobs {
            let parts = parse(&syntaxes, &path, &lines);
            if results.send((path, parts)).is_err() {
                break;
            }
        }
    });
    (job_sender, result_receiver)
}

/// The parts of all lines. A line that the syntax cannot parse has none.
pub fn parse(syntaxes: &SyntaxSet, path: &str, lines: &[String]) -> Vec<Parts> {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let Some(syntax) = syntaxes.find_syntax_by_extension(extension) else {
        return vec![Parts::new(); lines.len()];
    };
    let classes = Classes::new();
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    let mut parse_line = |line: &String| {
        let Ok(changes) = state.parse_line(&format!("{line}\n"), syntaxes) else {
            return Parts::new();
        };
        let mut parts = Parts::new();
        let mut start = 0;
        for (place, change) in changes {
            push(&mut parts, classes.of(&stack), start..place.min(line.len()));
            start = start.max(place);
            if stack.apply(&change).is_err() {
                break;
            }
        }
        push(&mut parts, classes.of(&stack), start..line.len());
        parts
    };
    lines.iter().map(&mut parse_line).collect()
}

/// Adds a part, or makes the last one longer.
fn push(parts: &mut Parts, class: Class, range: Range<usize>) {
    if range.start >= range.end {
        return;
    }
    match parts.last_mut() {
        Some((last, before)) if *last == class && before.end == range.start => {
            before.end = range.end;
        }
        _ => parts.push((class, range)),
    }
}

/// Which scopes of a syntax mean which class; the first that fits counts.
struct Classes(Vec<(Scope, Class)>);

impl Classes {
    fn new() -> Self {
        const NAMES: [(&str, Class); 14] = [
            ("comment", Class::Comment),
            ("string", Class::Text),
            ("constant", Class::Constant),
            ("entity.name.function", Class::Function),
            ("support.function", Class::Function),
            ("support.macro", Class::Function),
            ("entity.name.macro", Class::Function),
            ("storage.type", Class::Keyword),
            ("storage.modifier", Class::Keyword),
            ("keyword.operator", Class::Plain),
            ("keyword", Class::Keyword),
            ("entity.name", Class::Type),
            ("support.type", Class::Type),
            ("variable.annotation", Class::Attribute),
        ];
        let scopes = NAMES.iter();
        Self(scopes.filter_map(|(name, class)| Some((Scope::new(name).ok()?, *class))).collect())
    }

    /// The class of the innermost scope that has one.
    fn of(&self, stack: &ScopeStack) -> Class {
        let scopes = stack.as_slice().iter().rev();
        let classes = scopes.filter_map(|scope| {
            let found = self.0.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope));
            found.map(|(_, class)| *class)
        });
        classes.into_iter().next().unwrap_or(Class::Plain)
    }
}

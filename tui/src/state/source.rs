//! The source file of a step, as it is shown: without the comments that mark anchors.

use doorbell_book::{Anchor, Note, anchors, innermost, is_anchor_line, note};
use doorbell_tracer::Header;
use std::collections::HashMap;
use std::rc::Rc;

/// A source file.
#[derive(Debug)]
pub struct SourceText {
    /// Path from the root of the workspace.
    pub path: String,
    /// Its whole text.
    pub text: Rc<str>,
    /// The lines that are shown: number in the file, and text with tabs spread.
    pub lines: Vec<(u32, String)>,
    /// Its anchors; none if they are damaged.
    anchors: Vec<Anchor>,
}

impl SourceText {
    /// The file as it is shown.
    fn new(path: &str, text: &str) -> Self {
        let numbered = (1_u32..).zip(text.lines());
        Self {
            path: path.to_owned(),
            text: Rc::from(text),
            lines: numbered
                .filter(|(_, line)| !is_anchor_line(line))
                .map(|(number, line)| (number, printable(line)))
                .collect(),
            anchors: anchors(text).unwrap_or_default(),
        }
    }

    /// The note of the innermost anchor that holds `line`.
    pub fn note(&self, line: u32) -> Option<&'static Note> {
        note(&innermost(&self.anchors, line)?.name)
    }

    /// The innermost anchor that holds `line`: its first and last line.
    pub fn stretch(&self, line: u32) -> Option<(u32, u32)> {
        innermost(&self.anchors, line).map(|anchor| (anchor.start_line, anchor.end_line))
    }

    /// The place of `line` among the lines that are shown.
    pub fn place(&self, line: u32) -> usize {
        self.lines.partition_point(|(number, _)| *number < line)
    }
}

/// A line that a terminal can show: a trace from elsewhere may hold anything.
pub fn printable(line: &str) -> String {
    let spread = line.replace('\t', "    ");
    spread.chars().filter(|character| !character.is_control()).collect()
}

/// The files of a trace, each made ready once.
#[derive(Debug, Default)]
pub struct Sources(HashMap<String, Option<Rc<SourceText>>>);

impl Sources {
    /// The file of that path; `None` if the trace does not bring it along.
    pub fn get(&mut self, header: &Header, path: &str) -> Option<Rc<SourceText>> {
        if let Some(Some(known)) = self.0.get(path) {
            return Some(Rc::clone(known));
        }
        let source = header.sources.iter().find(|source| source.path == path);
        let text = source.map(|source| Rc::new(SourceText::new(path, &source.text)));
        self.0.insert(path.to_owned(), text.clone());
        text
    }
}

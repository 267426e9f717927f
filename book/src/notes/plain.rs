//! A note as plain text, for a terminal.

use super::Note;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use unicode_width::UnicodeWidthStr;

impl Note {
    /// The note as plain text in lines of at most `width` columns: paragraphs are wrapped, list
    /// items indented, marks of emphasis and links dropped, blocks of code kept as they are.
    /// The pointers into the originals follow, one a line. Words wider than a line stay whole.
    pub fn plain(&self, width: usize) -> String {
        let mut page = Page::new(width.max(1));
        for event in Parser::new(&self.body) {
            page.take(event);
        }
        page.end_block();
        if !self.upstream.is_empty() {
            page.blank();
        }
        for pointer in &self.upstream {
            page.indent = 2;
            page.mark = "> ".to_owned();
            page.text.push_str(&pointer.to_string());
            page.end_block();
        }
        page.lines.join("\n")
    }
}

/// Lines being laid out.
struct Page {
    width: usize,
    lines: Vec<String>,
    /// Text of the block that is being read.
    text: String,
    /// What its first line begins with.
    mark: String,
    /// Columns that its lines are indented by.
    indent: usize,
    /// For every open list, the number of its next item; `None` for bullets.
    lists: Vec<Option<u64>>,
}

impl Page {
    fn new(width: usize) -> Self {
        Self {
            width,
            lines: Vec::new(),
            text: String::new(),
            mark: String::new(),
            indent: 0,
            lists: Vec::new(),
        }
    }

    /// Lays out what one piece of Markdown says.
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) => self.text.push_str(&text),
            Event::SoftBreak => self.text.push(' '),
            Event::HardBreak => self.end_block(),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    /// A block begins.
    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } if self.lists.is_empty() => self.blank(),
            Tag::CodeBlock(_) => {
                self.end_block();
                self.blank();
            }
            Tag::List(first) => {
                self.end_block();
                if self.lists.is_empty() {
                    self.blank();
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            _ => {}
        }
    }

    /// A block ends.
    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item => self.end_block(),
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.lists.pop();
                self.indent = 2 * self.lists.len();
            }
            _ => {}
        }
    }

    /// An item of the innermost list begins.
    fn item(&mut self) {
        let outer = 2 * self.lists.len().saturating_sub(1);
        self.mark = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{:outer$}{}. ", "", *number - 1)
            }
            _ => format!("{:outer$}- ", ""),
        };
        self.indent = self.mark.width();
    }

    /// An empty line, except at the top and after another one.
    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// The text read so far becomes lines.
    fn end_block(&mut self) {
        let text = std::mem::take(&mut self.text);
        if text.trim().is_empty() {
            return;
        }
        let mut line = std::mem::take(&mut self.mark);
        let pad = self.indent.saturating_sub(line.width());
        line.extend(std::iter::repeat_n(' ', pad));
        let mut empty = true;
        for word in text.split_whitespace() {
            if !empty && line.width() + 1 + word.width() > self.width {
                self.lines.push(std::mem::take(&mut line));
                line.extend(std::iter::repeat_n(' ', self.indent));
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.lines.push(line);
    }

    /// A block of code becomes lines of its own.
    fn end_code(&mut self) {
        let text = std::mem::take(&mut self.text);
        let indent = self.indent + 2;
        let lines = text.lines().map(|line| format!("{:indent$}{line}", ""));
        self.lines.extend(lines);
        if self.lists.is_empty() {
            self.blank();
        }
    }
}

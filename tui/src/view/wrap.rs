//! Text in lines no wider than a pane.

use unicode_width::UnicodeWidthStr;

/// The words of `text` in lines of at most `width` columns; a longer word has a line of its own.
pub fn wrapped(text: &str, width: u16) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= usize::from(width) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

//! Finding `{{#name arguments}}` in a chapter, and splitting the arguments into words.

use crate::error::DirectiveError;

/// A piece of a chapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that stays as it is.
    Text(&'a str),
    /// A directive, and the line that it begins on, from 1.
    Directive {
        /// Its name.
        name: &'a str,
        /// What follows the name.
        arguments: &'a str,
        /// The line.
        line: usize,
    },
    /// A directive whose braces do not close on its line.
    Unclosed {
        /// The line.
        line: usize,
    },
}

/// Splits a chapter into text and directives. `\{{#` is text, shown without the backslash.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(at) = rest.find("{{#") {
        let (before, directive) = rest.split_at(at);
        line += before.matches('\n').count();
        if let Some(before) = before.strip_suffix('\\') {
            found.push(Piece::Text(before));
            let (braces, after) = directive.split_at(3);
            found.push(Piece::Text(braces));
            rest = after;
            continue;
        }
        found.push(Piece::Text(before));
        let on_this_line = directive.split('\n').next().unwrap_or_default();
        let Some(end) = on_this_line.find("}}") else {
            found.push(Piece::Unclosed { line });
            let (braces, after) = directive.split_at(3);
            found.push(Piece::Text(braces));
            rest = after;
            continue;
        };
        let inside = directive.get(3..end).unwrap_or_default().trim();
        let (name, arguments) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        found.push(Piece::Directive { name, arguments: arguments.trim(), line });
        rest = directive.get(end + 2..).unwrap_or_default();
    }
    found.push(Piece::Text(rest));
    found
}

/// Splits arguments at spaces; what stands in double quotes stays together, without the quotes.
pub fn words(arguments: &str) -> Result<Vec<String>, DirectiveError> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut begun) = (String::new(), false, false);
    for character in arguments.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            _ if character.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            _ => {
                word.push(character);
                begun = true;
            }
        }
    }
    if quoted {
        return Err(DirectiveError::Quote);
    }
    if begun {
        words.push(word);
    }
    Ok(words)
}

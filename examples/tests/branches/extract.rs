//! What decides where C code goes: the conditions of functions, found in its text.
//!
//! No compiler: comments go, blocks that only a debugging build has go, and what is left is read as names,
//! brackets and the rest. A condition is what stands in an `if`, a `while`, in the middle of a `for`, in front
//! of a `?`, or a `case` with what its `switch` looks at. Hints to the compiler are no part of it.

use std::collections::{BTreeMap, BTreeSet};

/// Blocks of these macros are in debugging builds only.
const DEBUGGING: [&str; 2] = ["MLX5_DEBUG", "MW_DEBUG"];

/// A condition of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The function.
    pub function: String,
    /// The condition, without spaces.
    pub text: String,
    /// 8 hexadecimal digits that stand for both, and for which one it is of those that read alike.
    pub mark: String,
}

/// The functions of a file, with the tokens of their bodies.
pub struct Functions(BTreeMap<String, Vec<String>>);

impl Functions {
    /// All of a file.
    pub fn of(text: &str) -> Self {
        let tokens = tokens(&without_comments_and_macros(text));
        let mut functions = BTreeMap::new();
        let mut at = 0;
        while at < tokens.len() {
            let is_definition = tokens[at] == "{" && at > 0 && tokens[at - 1] == ")";
            if tokens[at] != "{" {
                at += 1;
                continue;
            }
            let end = closing(&tokens, at);
            if is_definition
                && let Some(open) = opening(&tokens, at - 1)
                && let Some(name) = open.checked_sub(1).map(|place| &tokens[place])
            {
                functions.insert(name.clone(), tokens[at + 1..end].to_vec());
            }
            at = end + 1;
        }
        Self(functions)
    }

    /// Functions that are stored in a member of `variable` whose name begins so.
    pub fn stored_in(&self, variable: &str, member: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for [name, arrow, to, is, function] in self.0.values().flat_map(|body| body.array_windows())
        {
            let stores = name == variable && arrow == "->" && to.starts_with(member) && is == "=";
            if stores && self.0.contains_key(function) {
                found.insert(function.clone());
            }
        }
        found
    }

    /// These functions and all that they call, as far as this file has them.
    pub fn reached_from(&self, roots: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut left: Vec<String> = roots.into_iter().collect();
        while let Some(name) = left.pop() {
            let Some(body) = self.0.get(&name) else { continue };
            if reached.insert(name) {
                left.extend(body.iter().filter(|token| self.0.contains_key(*token)).cloned());
            }
        }
        reached
    }

    /// The conditions of these functions, in the order of each function's text.
    pub fn conditions(&self, of: &BTreeSet<String>) -> Vec<Condition> {
        let mut all = Vec::new();
        for (function, body) in self.0.iter().filter(|(name, _)| of.contains(*name)) {
            let mut times = BTreeMap::<String, usize>::new();
            for text in conditions(body) {
                let time = times.entry(text.clone()).or_default();
                *time += 1;
                let mark = crc32fast::hash(format!("{function}\n{text}\n{time}").as_bytes());
                let (function, mark) = (function.clone(), format!("{mark:08x}"));
                all.push(Condition { function, text, mark });
            }
        }
        all
    }
}

/// The conditions of a body.
fn conditions(body: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    // What each `switch` that is open looks at, and where it ends.
    let mut switches: Vec<(String, usize)> = Vec::new();
    for (at, token) in body.iter().enumerate() {
        switches.retain(|(_, end)| *end > at);
        match token.as_str() {
            "if" | "while" => found.push(format!("{token} {}", joined(inside(body, at + 1)))),
            "for" => {
                let parts: Vec<_> = inside(body, at + 1).split(|token| token == ";").collect();
                found.push(format!("for {}", joined(parts.get(1).copied().unwrap_or_default())));
            }
            "switch" => {
                let looks_at = inside(body, at + 1);
                let block = at + 1 + looks_at.len() + 2;
                switches.push((joined(looks_at), closing(body, block)));
            }
            "case" | "default" => {
                let label = body[at..].iter().take_while(|token| *token != ":");
                let label: Vec<String> = label.cloned().collect();
                let looks_at = switches.last().map_or("", |(text, _)| text);
                found.push(format!("switch {looks_at} {}", joined(&label)));
            }
            "?" => found.push(format!("? {}", joined(before(body, at)))),
            _ => {}
        }
    }
    found
}

/// What stands between a bracket at `open` and the one that closes it.
fn inside(body: &[String], open: usize) -> &[String] {
    body.get(open + 1..closing(body, open)).unwrap_or_default()
}

/// What stands in front of a `?`: back to where the expression begins.
fn before(body: &[String], at: usize) -> &[String] {
    let mut from = at;
    let mut depth = 0_usize;
    while from > 0 {
        match body[from - 1].as_str() {
            ")" | "]" => depth += 1,
            "(" | "[" if depth == 0 => break,
            "(" | "[" => depth -= 1,
            "=" | ";" | "," | "{" | "}" | "|" | "return" | ":" if depth == 0 => break,
            _ => {}
        }
        from -= 1;
    }
    &body[from..at]
}

/// Tokens without spaces, but where two names would become one; hints to the compiler are left out.
fn joined(tokens: &[String]) -> String {
    let mut text = String::new();
    for token in tokens.iter().filter(|token| !matches!(token.as_str(), "likely" | "unlikely")) {
        let names = |text: &str| text.chars().next_back().is_some_and(is_name);
        if names(&text) && token.starts_with(is_name) {
            text.push(' ');
        }
        text.push_str(token);
    }
    text
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where the bracket that is opened at `open` is closed; the end, if it is not.
fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "{" | "[" => depth += 1,
            ")" | "}" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Where the bracket that is closed at `close` was opened.
fn opening(tokens: &[String], close: usize) -> Option<usize> {
    let mut depth = 0;
    (0..=close).rev().find(|at| {
        match tokens[*at].as_str() {
            ")" => depth += 1,
            "(" => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}

/// Names and numbers, `->`, and single characters for the rest; a text in quotes is one token.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let from = at;
        at += 1;
        if letter.is_whitespace() {
            continue;
        }
        if is_name(letter) {
            while letters.get(at).is_some_and(|letter| is_name(*letter)) {
                at += 1;
            }
        } else if letter == '"' || letter == '\'' {
            while letters.get(at).is_some_and(|other| *other != letter) {
                at += if letters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if letter == '-' && letters.get(at) == Some(&'>') {
            at += 1;
        }
        tokens.push(letters[from..at.min(letters.len())].iter().collect());
    }
    tokens
}

/// The text without comments, without lines for the preprocessor, and without what only a debugging build
/// has.
fn without_comments_and_macros(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find("/*") {
        code.push_str(&rest[..begin]);
        code.push(' ');
        let end = rest[begin..].find("*/").map_or(rest.len(), |end| begin + end + 2);
        // Lines stay lines.
        code.extend(rest[begin..end].matches('\n'));
        rest = &rest[end..];
    }
    code.push_str(rest);
    let mut kept = String::new();
    let (mut hidden, mut goes_on) = (0, false);
    for line in code.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let directive = line.trim_start().strip_prefix('#').map(str::trim);
        let is_macro = directive.is_some() || goes_on;
        goes_on = is_macro && line.ends_with('\\');
        if let Some(directive) = directive {
            let opens = directive.starts_with("if");
            let debugging = DEBUGGING.iter().any(|name| directive == format!("ifdef {name}"));
            if hidden > 0 && directive.starts_with("endif") {
                hidden -= 1;
            } else if opens && (hidden > 0 || debugging) {
                hidden += 1;
            }
        }
        if hidden == 0 && !is_macro {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

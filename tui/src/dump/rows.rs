//! One line of a hex dump, in any of the shapes that dumps have.
//!
//! A row is some prefix, perhaps an offset, tokens of hex that are all as wide, and perhaps the same
//! bytes as text: `print_hex_dump` of the kernel, `rte_hexdump` of DPDK, words of libmlx5, `xxd`,
//! `hexdump -C`, `od`, the `x` of gdb, or an array in C.

use regex::Regex;
use std::sync::LazyLock;

/// A line of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What the line says of its place.
    pub offset: Option<u64>,
    /// Bytes in a token; more than 8 in one long string of digits.
    pub unit: usize,
    /// The bytes, each token with its highest digits first.
    pub bytes: Vec<u8>,
}

/// The longest string of digits without a gap that counts as words; longer ones are bytes.
pub const WIDEST_WORD: usize = 8;

/// An offset with a colon behind it, wherever the line begins to be a dump.
static OFFSET: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?:^|[\s\]>|])(?:0x)?([0-9A-Fa-f]{3,16})(?: *<[^<>]*>)?:(?:\s+|$)";
    Regex::new(pattern).expect("a constant pattern")
});

/// What only separates the elements of an array.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | '{' | '}' | '"' | '\'')
}

/// Reads a line. `goes_on` says that a dump is open: then a few tokens are enough.
pub fn row(line: &str, goes_on: bool) -> Option<Row> {
    // The end of a line of quoted-printable mail.
    let line = line.trim_end();
    let line = line.strip_suffix("=0A=").unwrap_or(line);
    for found in OFFSET.captures_iter(line) {
        let (whole, digits) = (found.get(0)?, found.get(1)?);
        let rest = line.get(whole.end()..)?;
        let offset = u64::from_str_radix(digits.as_str(), 16).ok();
        if let Some((unit, bytes)) = leading(rest)
            && (goes_on || bytes.len() >= 4)
        {
            return Some(Row { offset, unit, bytes });
        }
    }
    trailing(line, goes_on)
}

/// The digits of a token, without `0x` or `\x`; `None` if it is no hex, or half a byte is missing.
fn digits(token: &str) -> Option<&str> {
    let bare = token.strip_prefix("0x").or_else(|| token.strip_prefix("0X")).unwrap_or(token);
    let whole = !bare.is_empty() && bare.len().is_multiple_of(2);
    (whole && bare.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(bare)
}

/// Appends the bytes of some digits.
fn push_bytes(digits: &str, bytes: &mut Vec<u8>) {
    for pair in digits.as_bytes().chunks(2) {
        let text = std::str::from_utf8(pair).unwrap_or("0");
        bytes.push(u8::from_str_radix(text, 16).unwrap_or(0));
    }
}

/// The tokens behind an offset, up to the bytes as text.
fn leading(rest: &str) -> Option<(usize, Vec<u8>)> {
    let (mut unit, mut bytes, mut tokens) = (0, Vec::new(), 0);
    let mut at = 0;
    while let Some(skip) = rest.get(at..)?.find(|c| !is_separator(c)) {
        // Text follows after two spaces; so does the second half of a line of `hexdump -C`.
        let half = unit == 1 && tokens == 8;
        if tokens > 0 && rest.get(at..at + skip)?.matches(' ').count() > 1 && !half {
            break;
        }
        let start = at + skip;
        let length = rest.get(start..)?.find(is_separator).unwrap_or(rest.len() - start);
        let Some(hex) = digits(rest.get(start..start + length)?) else { break };
        if unit == 0 {
            unit = hex.len() / 2;
        }
        if hex.len() != 2 * unit {
            break;
        }
        push_bytes(hex, &mut bytes);
        tokens += 1;
        at = start + length;
    }
    (tokens > 0 && is_unit(unit)).then_some((unit, bytes))
}

/// Whether dumps have tokens of so many bytes.
fn is_unit(unit: usize) -> bool {
    matches!(unit, 1 | 2 | 4 | 8) || unit >= 16
}

/// A line that is tokens up to its end, behind nothing or behind what a log puts first.
fn trailing(line: &str, goes_on: bool) -> Option<Row> {
    // `hexdump -C` and `od` frame the text.
    let framed = line.find(" |").or_else(|| line.find("  >"));
    let line = framed.map_or(line, |at| line.get(..at).unwrap_or(line)).trim_end();
    let escaped;
    let line = if line.contains("\\x") {
        escaped = line.replace("\\x", " ");
        escaped.as_str()
    } else {
        line
    };
    let mut tokens: Vec<&str> = Vec::new();
    let mut prefix = line.trim_end_matches(is_separator);
    while !prefix.is_empty() {
        let start = prefix.rfind(is_separator).map_or(0, |at| at + 1);
        let Some(hex) = prefix.get(start..).and_then(digits) else { break };
        if tokens.first().is_some_and(|first| first.len() != hex.len()) {
            break;
        }
        tokens.push(hex);
        prefix = prefix.get(..start)?.trim_end_matches(is_separator);
    }
    tokens.reverse();
    let unit = tokens.first()?.len() / 2;
    let mut offset = None;
    if let Some(own) = plain_offset(prefix, &tokens) {
        offset = Some(own.0);
        tokens.drain(..own.1);
    } else if !may_stand_first(prefix) {
        return None;
    }
    let enough = match unit {
        _ if goes_on => 1,
        1 | 2 => 4,
        4 | 8 => 2,
        _ => 1,
    };
    if tokens.len() < enough || !is_unit(unit) {
        return None;
    }
    let mut bytes = Vec::new();
    tokens.iter().for_each(|hex| push_bytes(hex, &mut bytes));
    Some(Row { offset, unit, bytes })
}

/// An offset without a colon: another width than the tokens behind it, or the fifth word of a
/// line. Its value, and how many of the tokens it is.
fn plain_offset(prefix: &str, tokens: &[&str]) -> Option<(u64, usize)> {
    let word = prefix.trim_start().strip_prefix("0x").unwrap_or(prefix.trim_start());
    let is_hex = (4..=16).contains(&word.len()) && word.bytes().all(|c| c.is_ascii_hexdigit());
    if is_hex {
        return Some((u64::from_str_radix(word, 16).ok()?, 0));
    }
    let first = tokens.first()?;
    let fifth = prefix.trim().is_empty() && tokens.len() == 5 && first.len() == 8;
    fifth.then(|| Some((u64::from_str_radix(first, 16).ok()?, 1))).flatten()
}

/// Times and dates as logs write them before a line.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^(\d{4}-\d\d-\d\d[T ])?(\w{3} +\d+ )?\d\d:\d\d:\d\d\S*$";
    Regex::new(pattern).expect("a constant pattern")
});

/// Whether a log may put this before a row: nothing, a tag, a quote mark, a time.
fn may_stand_first(prefix: &str) -> bool {
    let prefix = prefix.trim();
    prefix.is_empty() || prefix.ends_with([':', ']', '>', '|', '=', '[']) || TIME.is_match(prefix)
}

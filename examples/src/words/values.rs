//! Numbers, amounts and named values, as engineers read them.

use doorbell_tracer::{Argument, Value};

/// Bytes up to this many are told one by one.
const FEW: usize = 8;

/// A number of unknown purpose: small ones in decimal, large ones in hex, those between in both.
pub fn number(number: u64) -> String {
    match number {
        0..=9 => number.to_string(),
        10..=0xffff => format!("{number:#x} ({number})"),
        _ => format!("{number:#x}"),
    }
}

/// `1 byte`, `16 bytes`.
pub fn count(length: usize) -> String {
    self::length(length as u64)
}

/// The same for lengths that a file gives.
pub(super) fn length(length: u64) -> String {
    if length == 1 { "1 byte".to_owned() } else { format!("{length} bytes") }
}

/// Named values, separated by commas: `qp = 0x40, requests = 1`.
pub fn list(arguments: &[Argument]) -> String {
    let named =
        arguments.iter().map(|argument| format!("{} = {}", argument.name, value(&argument.value)));
    named.collect::<Vec<_>>().join(", ")
}

/// A value. What is too large to be a count is shown in hex; a path of the source without its crate.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => is(*number),
        Value::Text(text) if text.starts_with(OWN) => path(text),
        other => other.to_string(),
    }
}

/// A count in decimal; what is too large to be one, as a pointer that a program took for a `wr_id`,
/// in hex.
pub(super) fn is(number: u64) -> String {
    if number > 0xffff { format!("{number:#x}") } else { number.to_string() }
}

/// One side of a check: a literal stands for itself, everything else is named.
pub(super) fn side(argument: &Argument) -> String {
    let value = value(&argument.value);
    if argument.name.is_empty() || argument.name == value {
        value
    } else {
        format!("{} ({value})", argument.name)
    }
}

/// Bytes that were moved: their layout, or else themselves if they are few.
pub(super) fn moved(layout: &str, bytes: &[u8]) -> String {
    let told: String = match (layout, bytes.len()) {
        ("", 1..=FEW) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ("", length) => return count(length),
        (layout, _) => layout.to_owned(),
    };
    format!("{told} ({})", count(bytes.len()))
}

/// How the names of this project's crates begin.
const OWN: &str = "doorbell_";

/// A path without the crate and without generic arguments, which C's names do not have either.
pub(super) fn path(full: &str) -> String {
    let plain = full.split('<').next().unwrap_or(full);
    match plain.split_once("::") {
        Some((crate_name, rest)) if crate_name.starts_with(OWN) => rest.to_owned(),
        _ => plain.to_owned(),
    }
}

//! One line to a header or an event.

use super::error::{Damage, TraceFileError};
use crate::{Argument, Event, FORMAT, Header, Kind, SCHEMA, Value};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The first line of a file: the header, and what only the file knows.
#[derive(Debug, Deserialize)]
pub(super) struct HeaderLine {
    /// The header.
    #[serde(flatten)]
    pub(super) header: Header,
    /// Number of events that follow; absent where the writer did not know.
    #[serde(default)]
    pub(super) events: Option<u64>,
}

/// [`HeaderLine`] as it is written.
#[derive(Debug, Serialize)]
pub(super) struct HeaderLineRef<'a> {
    /// The header.
    #[serde(flatten)]
    pub(super) header: &'a Header,
    /// Number of events that follow.
    pub(super) events: usize,
}

/// Reads the first line. `whole` says whether it ended with a newline.
pub(super) fn header(path: &Path, line: &[u8], whole: bool) -> Result<HeaderLine, TraceFileError> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let truncated = !whole && looks_like_header(line);
    let value = serde_json::from_slice(line).map_err(|error| {
        if truncated {
            TraceFileError::TruncatedHeader { path: path.to_owned(), bytes: line.len() as u64 }
        } else {
            not_json(path, line, &error)
        }
    })?;
    check_format(path, &value)?;
    serde_json::from_value(value).map_err(|error| TraceFileError::DamagedHeader {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Whether the line begins as a header that this crate writes.
fn looks_like_header(line: &[u8]) -> bool {
    let start = format!("{{\"format\":\"{FORMAT}\"");
    let common = start.len().min(line.len());
    common > 0 && line[..common] == start.as_bytes()[..common]
}

/// What a first line is that is not JSON.
fn not_json(path: &Path, line: &[u8], error: &serde_json::Error) -> TraceFileError {
    let named = |found: &str, advice| TraceFileError::NotJson {
        path: path.to_owned(),
        found: found.to_owned(),
        advice,
    };
    const OTHER: &str = "name a file that `doorbell record` wrote";
    match line {
        [0x1f, 0x8b, ..] => named("compressed by gzip", "unpack it with `gunzip` first"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            named("compressed by zstd", "unpack it with `unzstd` first")
        }
        _ if line.contains(&0) || std::str::from_utf8(line).is_err() => named("binary data", OTHER),
        _ => named(&format!("not JSON ({})", reason(error)), OTHER),
    }
}

/// Whether a header is that of a trace that this build reads.
fn check_format(path: &Path, header: &serde_json::Value) -> Result<(), TraceFileError> {
    let format = header.get("format");
    if format.and_then(serde_json::Value::as_str) != Some(FORMAT) {
        return Err(TraceFileError::NotATrace {
            path: path.to_owned(),
            found: format.map_or_else(|| "missing".to_owned(), shortened),
        });
    }
    let schema = header.get("schema").and_then(serde_json::Value::as_u64);
    let tool = header.get("tool").and_then(serde_json::Value::as_str);
    match schema {
        None => Err(TraceFileError::DamagedHeader {
            path: path.to_owned(),
            reason: "the field `schema` is not a version number".to_owned(),
        }),
        Some(found) if found > u64::from(SCHEMA) => Err(TraceFileError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: SCHEMA,
            tool: tool.unwrap_or("an unnamed tool").to_owned(),
        }),
        Some(_) => Ok(()),
    }
}

/// A value as JSON, its beginning if it is long.
fn shortened(value: &serde_json::Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// An event, and the name of its kind if that is not known: then it is a note.
pub(super) struct Parsed {
    pub(super) event: Event,
    pub(super) unknown: Option<String>,
}

/// Reads the line of an event.
pub(super) fn event(line: &[u8]) -> Result<Parsed, Damage> {
    let text = std::str::from_utf8(line).map_err(|error| Damage::NotText(error.valid_up_to()))?;
    match serde_json::from_str(text) {
        Ok(event) => Ok(Parsed { event, unknown: None }),
        Err(error) => unknown_kind(text).ok_or_else(|| Damage::NotAnEvent(reason(&error))),
    }
}

/// What is wrong with a line. It is a document of its own to the decoder, so that every error would
/// name line 1: only the column says something.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at its byte {column}"),
        None => text,
    }
}

/// What every event has, whatever its kind.
#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "seq")]
    sequence: u64,
    time: u64,
    actor: crate::Actor,
    depth: u16,
    site: u32,
    kind: String,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

/// The line as a note, if it is an event in every respect but its kind.
fn unknown_kind(text: &str) -> Option<Parsed> {
    let frame: Frame = serde_json::from_str(text).ok()?;
    if Kind::NAMES.contains(&frame.kind.as_str()) {
        return None;
    }
    let kind = Kind::Note {
        text: format!("an event of the unknown kind `{}`", frame.kind).into(),
        values: frame.rest.into_iter().map(argument).collect(),
    };
    Some(Parsed {
        event: Event {
            sequence: frame.sequence,
            time: frame.time,
            actor: frame.actor,
            depth: frame.depth,
            site: frame.site,
            kind,
        },
        unknown: Some(frame.kind),
    })
}

/// A field of an unknown event.
fn argument((name, value): (String, serde_json::Value)) -> Argument {
    let value = match value {
        serde_json::Value::String(text) => Value::from(text),
        other => match other.as_u64() {
            Some(number) => Value::Number(number),
            None => Value::from(other.to_string()),
        },
    };
    Argument { name: name.into(), value }
}

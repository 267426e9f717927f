//! The doorbell records in memory and the registers of the card.

use crate::decode::FieldLine;
use crate::state::app::App;
use crate::state::queues::{Record, Register};
use crate::view::bytes::value;
use crate::view::theme::Theme;
use crate::view::wrap::wrapped;
use doorbell_examples::words;
use ratatui::text::{Line, Span};
use std::cmp::Reverse;
use unicode_width::UnicodeWidthStr;

/// The lines of the pane, which is `width` columns wide: what this step is about first, then what was
/// written last.
pub fn lines<'a>(app: &App, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let scene = &app.scene;
    let mut lines = Vec::new();
    let records = scene.records.iter();
    let registers = scene.registers.iter();
    let mut all: Vec<_> = records
        .map(|record| (record.touched, record.step, record_lines(record, width, theme)))
        .chain(registers.map(|register| {
            (register.touched, register.step, register_lines(register, width, theme))
        }))
        .collect();
    all.sort_by_key(|(touched, step, _)| Reverse((*touched, *step)));
    lines.extend(all.into_iter().flat_map(|(_, _, lines)| lines));
    lines.extend(scene.counters.iter().map(|counter| {
        Line::from(format!("  {} = {}", counter.name, words::number(counter.value)))
    }));
    if lines.is_empty() {
        lines.push(Line::from("No record and no register was written yet."));
    }
    lines
}

/// A record: its name, then its bytes and what they say.
fn record_lines<'a>(record: &Record, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let mut lines =
        vec![head(record.touched, record.name.clone(), format!(", step {}", record.step), theme)];
    let said = Span::styled(fields(&record.fields), theme.segment(0));
    lines.extend(body(spaced(&record.bytes), said, width));
    lines
}

/// A register: its name and the step that wrote it, then the bytes and what they say.
fn register_lines<'a>(register: &Register, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let name = format!("register {}", register.name);
    let length = words::count(register.bytes.len());
    let rest = format!(" at {:#x}, {length}, step {}", register.offset, register.step);
    let first = register.bytes.get(..8).unwrap_or(&register.bytes);
    let more = if register.bytes.len() > 8 { " ..." } else { "" };
    let mut lines = vec![head(register.touched, name, rest, theme)];
    let said = Span::styled(fields(&register.fields), theme.segment(1));
    lines.extend(body(format!("{}{more}", spaced(first)), said, width));
    lines
}

/// Bytes and what they say: beside them, or below where that is too long.
fn body<'a>(bytes: String, said: Span<'a>, width: u16) -> Vec<Line<'a>> {
    let bytes = format!("    {bytes}");
    if said.content.is_empty() {
        return vec![Line::from(bytes)];
    }
    if bytes.width() + 2 + said.width() <= usize::from(width) {
        return vec![Line::from(vec![Span::raw(format!("{bytes}  ")), said])];
    }
    let below = wrapped(&said.content, width.saturating_sub(6)).into_iter();
    let style = said.style;
    let below = below.map(|line| Line::from(vec![Span::raw("      "), Span::styled(line, style)]));
    std::iter::once(Line::from(bytes)).chain(below).collect()
}

/// The first line of both.
fn head<'a>(touched: bool, name: String, rest: String, theme: Theme) -> Line<'a> {
    Line::from(vec![
        Span::styled(if touched { "▶ " } else { "  " }, theme.focused()),
        Span::styled(name, theme.strong()),
        Span::raw(rest),
    ])
}

/// Bytes in hex, a space after every fourth.
fn spaced(bytes: &[u8]) -> String {
    let words = bytes.chunks(4);
    let words = words.map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect());
    words.collect::<Vec<String>>().join(" ")
}

/// The fields that are not zero.
fn fields(fields: &[FieldLine]) -> String {
    let set = fields.iter().filter(|field| !field.zero);
    let named = set.map(|field| format!("{} {}", field.name, value(field)));
    named.collect::<Vec<_>>().join(", ")
}

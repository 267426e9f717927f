//! The object that the step is about: its bytes, part by part, then its fields.
//!
//! Each part has a letter and a colour. The bytes that this step wrote or read stand between
//! brackets and in reverse.

use crate::decode::FieldLine;
use crate::decode::object::{HexRow, Object, Section};
use crate::state::app::App;
use crate::view::theme::Theme;
use doorbell_examples::words::count;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Rows of bytes that are shown of one part.
const MOST_ROWS: usize = 64;

/// The widest column of names.
const WIDEST_NAME: usize = 32;

/// Columns from which on a part's name stands beside its bytes, and the meaning of a field beside
/// its value.
const WITH_NAME: u16 = 76;

/// The lines of the pane.
pub fn lines<'a>(app: &App, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let Some(focus) = &app.scene.focus else {
        return vec![Line::from("No bytes were moved yet.")];
    };
    let mut lines = vec![title(app, &focus.object, focus.step, theme)];
    for (number, section) in focus.object.sections.iter().enumerate() {
        lines.extend(section_lines(number, section, width, theme));
    }
    lines.push(Line::default());
    for (number, section) in in_order(&focus.object.sections) {
        let fields = section.telling_fields();
        lines.extend(fields.map(|field| field_line(number, field, section, width, theme)));
    }
    lines
}

/// What the object is, and which step it is of if not of this one.
fn title<'a>(app: &App, object: &Object, step: usize, theme: Theme) -> Line<'a> {
    let mut spans = vec![Span::styled(object.title.clone(), theme.strong())];
    if step != app.session.current()
        && let Some(number) = app.session.number(step)
    {
        spans.push(Span::styled(format!(" (as of step {number})"), theme.dim()));
    }
    Line::from(spans)
}

/// The parts with their numbers, the ones that this step touched first.
fn in_order(sections: &[Section]) -> impl Iterator<Item = (usize, &Section)> {
    let (fresh, other): (Vec<_>, Vec<_>) =
        sections.iter().enumerate().partition(|(_, section)| section.fresh.contains(&true));
    fresh.into_iter().chain(other)
}

/// A part: its letter, its bytes, and its name, on the line of the bytes where that is wide
/// enough. Bytes that nobody wrote are counted only.
fn section_lines<'a>(number: usize, section: &Section, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let letter = Span::styled(
        format!("{} ", Section::letter(number)),
        theme.segment(number).patch(theme.strong()),
    );
    if section.is_unwritten() {
        let text = format!("{}, {}", section.title, count(section.bytes.len()));
        return vec![Line::from(vec![letter, Span::styled(text, theme.dim())])];
    }
    let mut lines = hex_lines(number, section, theme);
    match lines.first_mut() {
        Some(first) if width >= WITH_NAME => {
            first.spans.insert(0, letter);
            first.spans.push(Span::raw(" "));
            first.spans.extend(name(number, section, theme));
            let others = lines.iter_mut().skip(1);
            others.for_each(|line| line.spans.insert(0, Span::raw("  ")));
        }
        _ => {
            let mut spans = vec![letter];
            spans.extend(name(number, section, theme));
            lines.insert(0, Line::from(spans));
        }
    }
    lines
}

/// A part's layout and the step that wrote it.
fn name<'a>(number: usize, section: &Section, theme: Theme) -> Vec<Span<'a>> {
    let title = section.title.strip_prefix("wqe_").unwrap_or(&section.title);
    let mut spans = vec![Span::styled(title.to_owned(), theme.segment(number))];
    if let Some(writer) = section.writer {
        spans.push(Span::styled(format!(", step {writer}"), theme.dim()));
    }
    spans
}

/// The bytes of a part, in lines of equal width.
fn hex_lines<'a>(number: usize, section: &Section, theme: Theme) -> Vec<Line<'a>> {
    let rows = section.rows();
    let line = |row: &HexRow| {
        let offset = section.offset + row.range.start as u64;
        let bytes = section.bytes.get(row.range.clone()).unwrap_or(&[]);
        let fresh = section.fresh.get(row.range.clone()).unwrap_or(&[]);
        if row.is_long() {
            let text = format!("{offset:>3x} {:<50}", format!("{} of zero", count(bytes.len())));
            Line::from(Span::styled(text, theme.dim()))
        } else {
            hex_line(offset, bytes, fresh, theme.segment(number), theme)
        }
    };
    let mut lines: Vec<_> = rows.iter().take(MOST_ROWS).map(line).collect();
    if let Some(next) = rows.get(MOST_ROWS) {
        let rest = count(section.bytes.len() - next.range.start);
        lines.push(Line::from(format!("    and {rest} more")));
    }
    lines
}

/// One line of bytes. A bracket opens before the first fresh byte and closes behind the last.
fn hex_line<'a>(offset: u64, bytes: &[u8], fresh: &[bool], style: Style, theme: Theme) -> Line<'a> {
    let mut spans = vec![Span::styled(format!("{offset:>3x}"), theme.dim())];
    let mut before = false;
    for (place, (byte, fresh)) in bytes.iter().zip(fresh).enumerate() {
        let gap = match (before, *fresh) {
            (false, true) => "[",
            (true, false) => "]",
            _ => " ",
        };
        if place == HexRow::LENGTH / 2 {
            spans.push(Span::raw(" "));
        }
        spans.push(Span::raw(gap));
        let shade = if *fresh { style.patch(theme.fresh()) } else { style };
        spans.push(Span::styled(format!("{byte:02x}"), shade));
        before = *fresh;
    }
    spans.push(Span::raw(if before { "]" } else { " " }));
    let missing = HexRow::LENGTH - bytes.len().min(HexRow::LENGTH);
    let gap = usize::from(bytes.len() <= HexRow::LENGTH / 2);
    spans.push(Span::raw(" ".repeat(3 * missing + gap)));
    Line::from(spans)
}

/// One field: its part's letter, name, bits, value, and where it came from.
fn field_line<'a>(
    number: usize,
    field: &FieldLine,
    section: &Section,
    width: u16,
    theme: Theme,
) -> Line<'a> {
    let names = section.telling_fields().map(|field| field.name.len());
    let name_width = names.max().unwrap_or(0).min(WIDEST_NAME);
    let style = theme.segment(number);
    let touched = section.fresh.get(field.bytes.clone()).is_some_and(|fresh| fresh.contains(&true));
    let weight = if touched { theme.strong() } else { Style::new() };
    let mut spans = vec![
        Span::styled(format!("{} ", Section::letter(number)), style),
        Span::styled(format!("{:<name_width$} ", field.name), weight),
        Span::styled(format!("{:<11} ", field.bits), theme.dim()),
        Span::styled(value(field), style.patch(theme.strong())),
    ];
    if let Some(origin) = &field.origin {
        spans.push(Span::raw(format!(" <- {origin}")));
    }
    if width >= WITH_NAME {
        spans.push(Span::styled(format!("  {}", field.meaning), theme.dim()));
    }
    Line::from(spans)
}

/// A field's value and its name.
pub fn value(field: &FieldLine) -> String {
    match field.meaning_of_value {
        Some(name) => format!("{} {name}", field.value),
        None => field.value.clone(),
    }
}

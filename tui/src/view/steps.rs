//! The steps as a tree.

use crate::state::app::App;
use crate::state::scene::step_line;
use crate::state::source::printable;
use crate::state::tree::Row;
use crate::view::theme::Theme;
use doorbell_tracer::Kind;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Levels that are shown by indentation; deeper ones lie under the last.
const MOST_LEVELS: u16 = 12;

/// Draws the lines around the current step. The tree is scrolled by moving in it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let first = first_row(app, area.height);
    let rows = first..first + usize::from(area.height);
    let lines: Vec<_> = rows.filter_map(|row| line(app, row, theme)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// The first row that is shown. In a live run the current step is the last, so it stands low.
pub fn first_row(app: &App, height: u16) -> usize {
    let height = usize::from(height);
    let tree = app.session.tree();
    let row = tree.row_of(app.session.current());
    let most = tree.row_count().saturating_sub(height);
    row.saturating_sub(height * 2 / 3).min(most)
}

/// One row.
fn line<'a>(app: &App, row: usize, theme: Theme) -> Option<Line<'a>> {
    match app.session.tree().row(row)? {
        Row::Prologue(steps) => Some(Line::from(format!(
            "   ▸ {steps} steps before: device, table, queues (p unfolds)"
        ))),
        Row::Step(step) => step_row(app, step, theme),
    }
}

/// The row of a step.
fn step_row<'a>(app: &App, step: usize, theme: Theme) -> Option<Line<'a>> {
    let session = &app.session;
    let tree = session.tree();
    let event = session.event(step)?;
    let shown = step_line(session, &event);
    let folded = tree.is_folded(step);
    let marker = match (folded, tree.has_children(step)) {
        (true, _) => "▸",
        (false, true) => "▾",
        (false, false) => " ",
    };
    let here = tree.row_of(session.current()) == tree.row_of(step);
    let level = tree.fact(step).map_or(0, |fact| fact.level).min(MOST_LEVELS);
    let pointer = if here { "▶" } else { " " };
    let indent = " ".repeat(usize::from(level));
    let body = if here { theme.current() } else { style(shown.bad, &shown.actor, theme) };
    let mut spans = vec![
        Span::styled(pointer, theme.focused()),
        Span::styled(format!("{:>4} {} ", shown.number, shown.actor), theme.dim()),
        Span::raw(format!("{indent}{marker} ")),
        Span::styled(shown.words.clone(), body),
    ];
    if folded {
        let (end, count) = tree.children(step);
        let result = result(app, end).map_or_else(String::new, |result| format!(" = {result}"));
        spans.push(Span::raw(result));
        // In a live run nothing may have happened in it yet.
        if count > 0 {
            spans.push(Span::styled(format!(" (+{count} steps)"), theme.dim()));
        }
    }
    Some(Line::from(spans))
}

/// What a function returned, if the step is its return.
fn result(app: &App, step: usize) -> Option<String> {
    match &app.session.event(step)?.kind {
        Kind::Return { result, .. } => Some(printable(&result.to_string())),
        _ => None,
    }
}

/// How a step's line looks.
pub fn style(bad: bool, actor: &str, theme: Theme) -> Style {
    if bad {
        theme.bad()
    } else if actor == "card" {
        theme.card()
    } else {
        Style::new()
    }
}

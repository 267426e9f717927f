//! The note of the stretch of source that is running; at the end, what the program said.

use crate::state::app::App;
use crate::state::source::printable;
use crate::view::theme::Theme;
use crate::view::wrap::wrapped;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// The lines of the pane, which is `width` columns wide on a terminal of `terminal` columns.
pub fn lines<'a>(app: &App, width: u16, terminal: u16, theme: Theme) -> Vec<Line<'a>> {
    let mut lines = ending(app, width, theme);
    lines.extend(long_step(app, width, terminal, theme));
    let Some(note) = app.scene.note else {
        lines.push(Line::from(Span::styled("There is no note on this line.", theme.dim())));
        return lines;
    };
    if let Some(title) = &note.title {
        lines.push(Line::from(Span::styled(title.clone(), theme.strong())));
    }
    let text = note.plain(usize::from(width.max(20)));
    lines.extend(text.lines().map(|line| Line::from(line.to_owned())));
    lines
}

/// The whole text of a step that is too long for the line at the top.
fn long_step<'a>(app: &App, width: u16, terminal: u16, theme: Theme) -> Vec<Line<'a>> {
    let Some(step) = &app.scene.step else {
        return Vec::new();
    };
    if step.words.width() + step.actor.width() + 2 <= usize::from(terminal) {
        return Vec::new();
    }
    let mut lines: Vec<_> = wrapped(&step.words, width)
        .into_iter()
        .map(|line| Line::from(Span::styled(line, theme.strong())))
        .collect();
    lines.push(Line::default());
    lines
}

/// What the program printed, or why it failed, if it has ended and the last step is shown.
fn ending<'a>(app: &App, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let last = app.session.current() + 1 == app.session.len();
    let Some(ending) = app.session.ending().filter(|_| last) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    match ending {
        Ok(error) if let Some(failure) = app.failure() => {
            lines.push(Line::from(Span::styled(
                "The program has failed, as it was to:",
                theme.strong(),
            )));
            lines.extend(error.iter().flat_map(|line| said(line, width)));
            for (heading, text) in failure.explained() {
                lines.push(Line::from(Span::styled(heading, theme.strong())));
                lines.extend(said(text, width));
            }
        }
        Ok(printed) => {
            lines.push(Line::from(Span::styled(
                "The program has ended. It printed:",
                theme.strong(),
            )));
            lines.extend(printed.iter().flat_map(|line| said(line, width)));
        }
        Err(why) => {
            lines.push(Line::from(Span::styled("The program has failed:", theme.bad())));
            lines.extend(why.lines().flat_map(|line| said(line, width)));
        }
    }
    lines.push(Line::default());
    lines
}

/// A line of the program, indented and wrapped.
fn said<'a>(line: &str, width: u16) -> Vec<Line<'a>> {
    let lines = wrapped(&printable(line), width.saturating_sub(2));
    lines.into_iter().map(|line| Line::from(format!("  {line}"))).collect()
}

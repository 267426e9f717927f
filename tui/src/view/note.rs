//! The note of the stretch of source that is running; at the end, what the program said.

use crate::state::app::App;
use crate::state::source::printable;
use crate::view::theme::Theme;
use ratatui::text::{Line, Span};

/// The lines of the pane.
pub fn lines<'a>(app: &App, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let mut lines = ending(app, theme);
    let Some(note) = app.scene.note else {
        lines.push(Line::from(Span::styled(
            "There is no note on this line.",
            theme.dim(),
        )));
        return lines;
    };
    if let Some(title) = &note.title {
        lines.push(Line::from(Span::styled(title.clone(), theme.strong())));
    }
    let text = note.plain(usize::from(width.max(20)));
    lines.extend(text.lines().map(|line| Line::from(line.to_owned())));
    lines
}

/// What the program printed, or why it failed, if it has ended and the last step is shown.
fn ending<'a>(app: &App, theme: Theme) -> Vec<Line<'a>> {
    let last = app.session.current() + 1 == app.session.len();
    let Some(ending) = app.session.ending().filter(|_| last) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    match ending {
        Ok(printed) => {
            lines.push(Line::from(Span::styled(
                "The program has ended. It printed:",
                theme.strong(),
            )));
            lines.extend(
                printed
                    .iter()
                    .map(|line| Line::from(format!("  {}", printable(line)))),
            );
        }
        Err(why) => {
            lines.push(Line::from(Span::styled(
                "The program has failed:",
                theme.bad(),
            )));
            lines.extend(
                why.lines()
                    .map(|line| Line::from(format!("  {}", printable(line)))),
            );
        }
    }
    lines.push(Line::default());
    lines
}

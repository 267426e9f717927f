//! The source with the running line.

use crate::state::action::Pane;
use crate::state::app::App;
use crate::view::frame::Painter;
use crate::view::highlight::Parts;
use crate::view::theme::Theme;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Draws the lines around the running one. How far they can be scrolled.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, painter: &mut Painter) -> usize {
    let Some(source) = &app.scene.source else {
        let why = match &app.scene.step {
            Some(step) if !step.place.is_empty() => "the trace does not bring this file along",
            _ => "the trace does not say where this step comes from",
        };
        frame.render_widget(Paragraph::new(why), area);
        return 0;
    };
    let place = source.place(app.scene.line);
    let first = first_line(place, source.lines.len(), area.height, app.scrolled(Pane::Source));
    let parts = match painter.theme.has_colours() {
        true => painter.highlighter.parts(&source.path, &source.lines),
        false => None,
    };
    let stretch = source.stretch(app.scene.line);
    let shown = source.lines.iter().enumerate().skip(first).take(usize::from(area.height));
    let lines: Vec<_> = shown
        .map(|(at, (number, text))| {
            let own = parts.and_then(|parts| parts.get(at));
            let inside = stretch.is_some_and(|(start, end)| (start..=end).contains(number));
            line(*number, text, own, *number == app.scene.line, inside, painter.theme)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
    source.lines.len()
}

/// The first line that is shown: the running one stands a little above the middle.
fn first_line(place: usize, lines: usize, height: u16, scrolled: isize) -> usize {
    let height = usize::from(height);
    let most = lines.saturating_sub(height);
    let centred = place.saturating_sub(height / 2).min(most);
    centred.saturating_add_signed(scrolled).min(most)
}

/// One line: mark, number, text.
fn line<'a>(
    number: u32,
    text: &'a str,
    parts: Option<&Parts>,
    running: bool,
    inside: bool,
    theme: Theme,
) -> Line<'a> {
    let mark = match (running, inside) {
        (true, _) => "▶",
        (false, true) => "│",
        (false, false) => " ",
    };
    let mut spans = vec![
        Span::styled(mark, theme.focused()),
        Span::styled(format!("{number:>4} "), theme.dim()),
    ];
    if running {
        spans.push(Span::styled(text, theme.current()));
        return Line::from(spans);
    }
    match parts {
        Some(parts) if !parts.is_empty() => {
            let pieces = parts.iter().filter_map(|(class, range)| {
                Some(Span::styled(text.get(range.clone())?, theme.code(*class)))
            });
            spans.extend(pieces);
        }
        _ => spans.push(Span::raw(text)),
    }
    Line::from(spans)
}

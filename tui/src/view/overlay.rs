//! What lies over the panes: help, the menu of kinds; and the last line, where one types.

use crate::state::action::{Overlay, Prompt};
use crate::state::app::App;
use crate::state::facts::{KIND_WORDS, KINDS};
use crate::state::what_if::Again;
use crate::view::theme::Theme;
use crate::view::wrap::wrapped;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

/// Every key and what it does, as the help shows them.
pub const KEYS: [(&str, &str); 22] = [
    ("→ l s Enter", "in: the next step"),
    ("n", "over: the next step that lies no deeper"),
    ("o", "out: behind the call that the step lies in"),
    ("← h b", "back one step"),
    ("↑ ↓ k j", "up and down in the steps, or scroll the pane"),
    ("PgUp PgDn", "the same by a page"),
    ("Home g", "to the call of ibv_post_send; again: to the first step"),
    ("End G", "to the last step"),
    ("e", "to the next event of a kind, from a menu"),
    ("E", "to the next event of the same kind"),
    (":", "to the step of a number"),
    ("/", "search the steps for a text"),
    (". ,", "the next match, the match before"),
    ("w", "what if: change the settings, and run again"),
    ("y", "why: the failure that the scenario shows"),
    ("Space f", "fold or unfold at the step"),
    ("p", "fold or unfold what came before the post"),
    ("Tab Shift-Tab", "the next pane, the pane before"),
    ("1 to 6", "source, note, steps, bytes, rings, doorbell"),
    ("z", "enlarge the pane; Esc puts it back"),
    ("Esc", "stop a move, close what is open"),
    ("q Ctrl-C", "quit"),
];

/// Draws what lies over the panes, if anything does.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    match &app.overlay {
        Overlay::Help => draw_help(frame, area, theme),
        Overlay::Kinds(chosen) => draw_kinds(frame, area, *chosen, theme),
        Overlay::WhatIf(chosen) => draw_what_if(frame, area, *chosen, app, theme),
        Overlay::Failure => draw_failure(frame, area, app, theme),
        Overlay::None | Overlay::Prompt(..) => {}
    }
}

/// The settings of the scenario, and why they were refused.
fn draw_what_if(frame: &mut Frame<'_>, area: Rect, chosen: usize, app: &App, theme: Theme) {
    let Some(again) = &app.again else { return };
    let mut lines: Vec<Line<'_>> = again
        .lines()
        .enumerate()
        .map(|(place, line)| {
            let pointer = if place == chosen { "▶" } else { " " };
            let style = if place == chosen { theme.current() } else { theme.dim() };
            let mark = if line.changed { "*" } else { " " };
            let (name, value, words) = (line.key.name(), line.value, line.key.words());
            Line::from(vec![
                Span::styled(pointer, theme.focused()),
                Span::styled(format!(" {name:<10} ‹ {value:>9} ›{mark} {words:<34}"), style),
            ])
        })
        .collect();
    let allowed = app_choice(again, chosen);
    lines.push(Line::default());
    lines.extend(wrapped(&allowed, WHAT_IF_WIDTH).into_iter().map(Line::from));
    if let Some(refusal) = again.refusal() {
        let refusal = wrapped(refusal, WHAT_IF_WIDTH).into_iter();
        lines.extend(refusal.map(|line| Line::from(Span::styled(line, theme.bad()))));
    }
    draw_box(frame, area, &format!("what if: {}", again.scenario().name), lines, theme);
}

/// Columns of the settings' box.
const WHAT_IF_WIDTH: u16 = 64;

/// What the chosen setting can be.
fn app_choice(again: &Again, chosen: usize) -> String {
    let key = again.lines().nth(chosen).map(|line| line.key);
    key.map_or_else(String::new, |key| format!("{} can be: {}", key.name(), key.allowed()))
}

/// The failure that the scenario shows.
fn draw_failure(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let Some(failure) = app.failure() else { return };
    let mut lines = Vec::new();
    for (heading, text) in failure.explained() {
        lines.push(Line::from(Span::styled(heading, theme.strong())));
        lines.extend(
            wrapped(text, FAILURE_WIDTH).into_iter().map(|line| Line::from(format!("  {line}"))),
        );
    }
    draw_box(frame, area, failure.ends, lines, theme);
}

/// Columns of a failure's explanation.
const FAILURE_WIDTH: u16 = 70;

/// A box in the middle with these lines.
fn draw_box(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'_>>, theme: Theme) {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0);
    let length = |size: usize| Constraint::Length(u16::try_from(size).unwrap_or(u16::MAX));
    let place = area.centered(length(widest + 4), length(lines.len() + 2));
    let block = Block::bordered()
        .border_type(BorderType::Thick)
        .border_style(theme.focused())
        .title(Span::styled(format!(" {title} "), theme.strong()));
    let inside = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    frame.render_widget(Paragraph::new(lines), inside);
}

/// The keys.
fn draw_help(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let line = |(keys, what): &(&'static str, &'static str)| {
        Line::from(vec![Span::styled(format!(" {keys:<15}"), theme.key()), Span::raw(*what)])
    };
    let lines = KEYS.iter().map(line).collect();
    draw_box(frame, area, "keys; any key closes", lines, theme);
}

/// The menu of kinds.
fn draw_kinds(frame: &mut Frame<'_>, area: Rect, chosen: usize, theme: Theme) {
    let kinds = KINDS.iter().zip(KIND_WORDS).enumerate();
    let lines = kinds.map(|(place, (kind, words))| {
        let pointer = if place == chosen { "▶" } else { " " };
        let style = if place == chosen { theme.current() } else { theme.dim() };
        Line::from(vec![
            Span::styled(pointer, theme.focused()),
            Span::styled(format!(" {kind:<14} {words:<37} "), style),
        ])
    });
    draw_box(frame, area, "go on to the next", lines.collect(), theme);
}

/// The last line: a prompt, a word to the reader, or the keys that matter most.
pub fn draw_keys(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let line = match &app.overlay {
        Overlay::Prompt(prompt, text) => {
            let label = match prompt {
                Prompt::Jump => "to step: ",
                Prompt::Search => "search: ",
            };
            let tail = tail(text, usize::from(area.width).saturating_sub(label.len() + 3));
            Line::from(vec![
                Span::styled(format!(" {label}"), theme.key()),
                Span::raw(tail),
                Span::styled(" ", theme.current()),
            ])
        }
        Overlay::Kinds(_) => keys(&[("↑↓", "choose"), ("Enter", "go"), ("Esc", "close")], theme),
        Overlay::WhatIf(_) => keys(
            &[("↑↓", "choose"), ("←→", "change"), ("Enter", "run again"), ("Esc", "close")],
            theme,
        ),
        _ if app.session.is_seeking() => {
            keys(&[("the program runs", "until the step is reached;"), ("Esc", "stops")], theme)
        }
        _ => match &app.message {
            Some(message) => Line::from(Span::styled(format!(" {message}"), theme.strong())),
            None => keys(
                &[
                    ("s", "in"),
                    ("n", "over"),
                    ("o", "out"),
                    ("b", "back"),
                    ("e", "kind"),
                    (":", "step"),
                    ("/", "find"),
                    ("w", "what if"),
                    ("?", "help"),
                    ("q", "quit"),
                ],
                theme,
            ),
        },
    };
    frame.render_widget(line, area);
}

/// The last `width` characters of a text.
fn tail(text: &str, width: usize) -> String {
    let length = text.chars().count();
    text.chars().skip(length.saturating_sub(width)).collect()
}

/// Keys and what they do.
fn keys<'a>(pairs: &[(&'a str, &'a str)], theme: Theme) -> Line<'a> {
    let mut spans = vec![Span::raw(" ")];
    for (key, what) in pairs {
        spans.push(Span::styled(*key, theme.key()));
        spans.push(Span::raw(format!(" {what}  ")));
    }
    Line::from(spans)
}

//! One frame: the lines at top and bottom, the panes, and what lies over them.

use crate::decode::kept;
use crate::state::action::Pane;
use crate::state::app::{App, Extent};
use crate::view::highlight::Highlighter;
use crate::view::layout::{Areas, MINIMUM, areas, is_too_small};
use crate::view::theme::Theme;
use crate::view::{bytes, doorbell, note, overlay, rings, source, steps};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

/// What drawing needs besides the state.
pub struct Painter {
    /// The styles.
    pub theme: Theme,
    /// The parts of source files.
    pub highlighter: Highlighter,
    /// Where everything lay in the last frame.
    pub areas: Areas,
    /// The pane whose turn it is where panes share a place.
    turn: Pane,
}

impl Painter {
    /// Draws with these styles.
    pub fn new(theme: Theme) -> Self {
        Self {
            theme,
            highlighter: Highlighter::default(),
            areas: Areas::default(),
            turn: Pane::Note,
        }
    }
}

/// Draws one frame, and tells the state how far its panes can be scrolled.
pub fn draw(frame: &mut Frame<'_>, app: &mut App, painter: &mut Painter) {
    let area = frame.area();
    if is_too_small(area) {
        painter.areas = Areas::default();
        return draw_too_small(frame, area);
    }
    if app.focus != Pane::Source {
        painter.turn = app.focus;
    }
    painter.areas = areas(area, app.focus, painter.turn, app.zoomed);
    let places = painter.areas.clone();
    draw_title(frame, places.title, app, painter.theme);
    draw_step(frame, places.step, app, painter.theme);
    for (pane, place) in &places.panes {
        let tabs = places.tabs && *pane == painter.turn;
        draw_pane(frame, *pane, *place, tabs, app, painter);
    }
    overlay::draw_keys(frame, places.keys, app, painter.theme);
    overlay::draw(frame, area, app, painter.theme);
}

/// The one thing that fits a terminal which is too small.
fn draw_too_small(frame: &mut Frame<'_>, area: Rect) {
    let lines = vec![
        Line::from("This terminal is too small."),
        Line::from(format!("needed: {} x {}", MINIMUM.0, MINIMUM.1)),
        Line::from(format!("here:   {} x {}", area.width, area.height)),
        Line::from("Enlarge it, or press q."),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// Scenario, where the steps come from, and how many there are.
fn draw_title(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let header = app.session.supply().header();
    let mode = match (app.session.supply().is_live(), app.session.ending()) {
        (true, _) => "live",
        (false, Some(Err(_))) => "the program failed",
        (false, Some(Ok(_))) if app.failure().is_some() => "failed, y: why",
        (false, Some(Ok(_))) => "the program has ended",
        (false, None) => "recorded",
    };
    let last = app.session.number(app.session.len().saturating_sub(1)).unwrap_or(0);
    let number = app.scene.step.as_ref().map_or(0, |step| step.number);
    let more = if app.session.supply().is_live() { "+" } else { "" };
    let kept = kept(header);
    let left = vec![
        Span::styled(" doorbell ", theme.current()),
        Span::raw(format!(" {} on {}, {mode}{kept}", header.title(), header.device)),
    ];
    frame.render_widget(Line::from(left), area);
    let right = format!("step {number} of {last}{more} ");
    frame.render_widget(Line::from(Span::styled(right, theme.strong())).right_aligned(), area);
}

/// The step in one line.
fn draw_step(frame: &mut Frame<'_>, area: Rect, app: &App, theme: Theme) {
    let Some(step) = &app.scene.step else {
        frame.render_widget(Line::from(" there is no step in this run"), area);
        return;
    };
    let style = steps::style(step.bad, &step.actor, theme);
    let line =
        vec![Span::raw(format!(" {} ", step.actor)), Span::styled(step.words.clone(), style)];
    frame.render_widget(Line::from(line), area);
}

/// A pane in its frame.
fn draw_pane(
    frame: &mut Frame<'_>,
    pane: Pane,
    area: Rect,
    tabs: bool,
    app: &mut App,
    painter: &mut Painter,
) {
    let theme = painter.theme;
    let focused = pane == app.focus;
    let border = if focused { BorderType::Thick } else { BorderType::Plain };
    let style = if focused { theme.focused() } else { theme.dim() };
    let mut block = Block::bordered().border_type(border).border_style(style);
    block = match tabs {
        true => block.title(tab_line(pane, theme)),
        false => block.title(Span::styled(title(pane, app), theme.strong())),
    };
    let inside = block.inner(area);
    let lines = match pane {
        Pane::Source | Pane::Steps => Vec::new(),
        Pane::Note => note::lines(app, inside.width, frame.area().width, theme),
        Pane::Bytes => bytes::lines(app, inside.width, theme),
        Pane::Rings => rings::lines(app, inside.width, theme),
        Pane::Doorbell => doorbell::lines(app, inside.width, theme),
    };
    let height = usize::from(inside.height);
    let mut most = lines.len().saturating_sub(height);
    let first = usize::try_from(app.scrolled(pane)).unwrap_or(0).min(most);
    if first < most {
        let more = format!(" {} more below ", most - first);
        block = block.title_bottom(Line::from(Span::styled(more, theme.dim())).right_aligned());
    }
    frame.render_widget(block, area);
    match pane {
        Pane::Source => most = source::draw(frame, inside, app, painter),
        Pane::Steps => steps::draw(frame, inside, app, theme),
        _ => {
            let shown: Vec<_> = lines.into_iter().skip(first).take(height).collect();
            frame.render_widget(Paragraph::new(shown), inside);
        }
    }
    app.extents[pane.place()] = Extent { most, height };
}

/// A pane's title.
fn title(pane: Pane, app: &App) -> String {
    let scene = &app.scene;
    match (pane, &scene.step) {
        (Pane::Source, Some(step)) if !step.place.is_empty() => {
            format!(" {} in {} ", step.place, scene.function)
        }
        _ => format!(" {} ", pane.name()),
    }
}

/// The names of the panes that take turns, the one on turn marked.
fn tab_line(turn: Pane, theme: Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for pane in Pane::ALL.into_iter().filter(|pane| *pane != Pane::Source) {
        if pane == turn {
            spans.push(Span::styled(format!("[{}]", pane.name()), theme.strong()));
        } else {
            spans.push(Span::styled(format!(" {} ", pane.name()), theme.dim()));
        }
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

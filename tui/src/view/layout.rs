//! Where the panes lie.

use crate::state::action::Pane;
use ratatui::layout::{Constraint, Layout, Rect};

/// The smallest terminal: columns and rows.
pub const MINIMUM: (u16, u16) = (80, 24);

/// The terminal from which on all panes are shown at once.
const ROOMY: (u16, u16) = (120, 40);

/// Where everything lies.
#[derive(Debug, Clone, Default)]
pub struct Areas {
    /// The line at the top: scenario, step number.
    pub title: Rect,
    /// The line that tells the step.
    pub step: Rect,
    /// The panes that are shown.
    pub panes: Vec<(Pane, Rect)>,
    /// Whether the last pane is one of several that take turns in its place.
    pub tabs: bool,
    /// The line at the bottom: keys, messages, prompts.
    pub keys: Rect,
}

impl Areas {
    /// The pane at a place on the terminal.
    pub fn pane_at(&self, column: u16, row: u16) -> Option<(Pane, Rect)> {
        let hit = |(_, area): &&(Pane, Rect)| area.contains((column, row).into());
        self.panes.iter().find(hit).copied()
    }
}

/// Whether a terminal is too small.
pub fn is_too_small(area: Rect) -> bool {
    area.width < MINIMUM.0 || area.height < MINIMUM.1
}

/// Where everything lies on a terminal of this size. `focus` is the pane with the focus and
/// `turn` the one whose turn it is where panes share a place.
pub fn areas(area: Rect, focus: Pane, turn: Pane, zoomed: bool) -> Areas {
    let [title, step, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let roomy = area.width >= ROOMY.0 && area.height >= ROOMY.1;
    let panes = if zoomed {
        vec![(focus, body)]
    } else if roomy {
        all(body)
    } else {
        source_and_one(body, turn)
    };
    Areas { title, step, panes, tabs: !roomy && !zoomed, keys }
}

/// The source above, and below it the pane whose turn it is.
fn source_and_one(body: Rect, turn: Pane) -> Vec<(Pane, Rect)> {
    let [above, below] =
        Layout::vertical([Constraint::Ratio(2, 5), Constraint::Fill(1)]).areas(body);
    vec![(Pane::Source, above), (turn, below)]
}

/// All panes: code and steps on the left, bytes and queues on the right.
fn all(body: Rect) -> Vec<(Pane, Rect)> {
    let [left, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(body.width * 47 / 100)])
            .areas(body);
    let [source, note, steps] =
        Layout::vertical([Constraint::Ratio(2, 5), Constraint::Ratio(1, 4), Constraint::Fill(1)])
            .areas(left);
    let [bytes, rings, doorbell] =
        Layout::vertical([Constraint::Fill(1), Constraint::Ratio(1, 4), Constraint::Ratio(1, 5)])
            .areas(right);
    vec![
        (Pane::Source, source),
        (Pane::Note, note),
        (Pane::Steps, steps),
        (Pane::Bytes, bytes),
        (Pane::Rings, rings),
        (Pane::Doorbell, doorbell),
    ]
}

//! The rings: one mark an entry, and under them where the counters point.

use crate::state::app::App;
use crate::state::queues::{Index, Ring, Slot};
use crate::view::theme::Theme;
use crate::view::wrap::wrapped;
use ratatui::text::{Line, Span};

/// The lines of the pane: rings in use first, then the names of those that are not.
pub fn lines<'a>(app: &App, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let rings = &app.scene.rings;
    if rings.is_empty() {
        return vec![Line::from("There is no queue yet.")];
    }
    let (idle, busy): (Vec<&Ring>, Vec<&Ring>) = rings.iter().partition(|ring| ring.is_idle());
    let mut lines: Vec<_> =
        busy.into_iter().flat_map(|ring| ring_lines(ring, width, theme)).collect();
    if !idle.is_empty() {
        let names: Vec<_> = idle.iter().map(|ring| ring.name.as_str()).collect();
        let text = wrapped(&format!("unused: {}", names.join(", ")), width);
        lines.extend(text.into_iter().map(|line| Line::from(Span::styled(line, theme.dim()))));
    }
    let legend = "▣ this step, ■ written, · not written";
    lines.push(Line::from(Span::styled(legend, theme.dim())));
    lines
}

/// A ring: name and counters, entries, pointers.
fn ring_lines<'a>(ring: &Ring, width: u16, theme: Theme) -> Vec<Line<'a>> {
    let room = usize::from(width).saturating_sub(8).max(1);
    let pointer = if ring.touched { "▶ " } else { "  " };
    let mut lines = vec![Line::from(vec![
        Span::styled(pointer, theme.focused()),
        Span::styled(ring.name.clone(), theme.strong()),
        Span::raw(format!(", {} entries", ring.entries)),
    ])];
    let mut spans = vec![Span::styled(format!("{:>5} ", ring.first), theme.dim())];
    spans.extend(ring.slots.iter().take(room).map(|slot| match slot {
        Slot::Empty => Span::styled("·", theme.dim()),
        Slot::Written => Span::styled("■", theme.segment(0)),
        Slot::Touched => Span::styled("▣", theme.fresh()),
    }));
    let shown = ring.slots.len().min(room) as u64;
    if ring.first + shown < ring.entries {
        spans.push(Span::styled("…", theme.dim()));
    }
    lines.push(Line::from(spans));
    lines.extend(pointers(ring, shown, theme));
    lines
}

/// A line for each row of letters that the counters need, with their names and values.
fn pointers<'a>(ring: &Ring, shown: u64, theme: Theme) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for (number, index) in ring.indexes.iter().enumerate() {
        let place = index.slot.checked_sub(ring.first).filter(|place| *place < shown);
        let before = usize::try_from(place.unwrap_or(0)).unwrap_or(0);
        let arrow = if place.is_some() { "^" } else { " " };
        lines.push(Line::from(vec![
            Span::raw(" ".repeat(6 + before)),
            Span::styled(arrow, theme.segment(number + 1)),
            Span::raw(format!(" {}", name(index))),
        ]));
    }
    lines
}

/// A counter: its name, its value, and the entry if that is another number.
fn name(index: &Index) -> String {
    if index.value == index.slot {
        format!("{} = {}", index.name, index.value)
    } else {
        format!("{} = {}, entry {}", index.name, index.value, index.slot)
    }
}

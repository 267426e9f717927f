//! Keys and the mouse become actions.

use crate::state::action::{Action, Overlay, Pane, Prompt};
use crate::state::app::App;
use crate::view::{Areas, first_row};
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// Lines that one notch of the mouse wheel scrolls.
const NOTCH: isize = 3;

/// What a key means now; `None` for a key that means nothing.
pub fn key(event: KeyEvent, overlay: &Overlay) -> Option<Action> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    if control && matches!(event.code, KeyCode::Char('c' | 'd')) {
        return Some(Action::Quit);
    }
    if control || event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match overlay {
        Overlay::Prompt(..) => typed(event.code),
        Overlay::Kinds(_) => in_menu(event.code),
        Overlay::WhatIf(_) => in_what_if(event.code),
        Overlay::Failure if event.code == KeyCode::Char('q') => Some(Action::Quit),
        Overlay::Failure => Some(Action::Cancel),
        Overlay::Help if event.code == KeyCode::Char('q') => Some(Action::Quit),
        Overlay::Help => Some(Action::Cancel),
        Overlay::None => on_panes(event.code),
    }
}

/// A key at a prompt.
fn typed(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Char(character) => Some(Action::Type(character)),
        KeyCode::Backspace => Some(Action::Erase),
        KeyCode::Enter => Some(Action::Confirm),
        KeyCode::Esc => Some(Action::Cancel),
        _ => None,
    }
}

/// A key in the menu.
fn in_menu(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Up | KeyCode::Char('k') => Some(Action::Line(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Action::Line(1)),
        KeyCode::PageUp | KeyCode::Home => Some(Action::Page(-1)),
        KeyCode::PageDown | KeyCode::End => Some(Action::Page(1)),
        KeyCode::Enter | KeyCode::Right | KeyCode::Char(' ') => Some(Action::Confirm),
        KeyCode::Esc | KeyCode::Left | KeyCode::Char('e') => Some(Action::Cancel),
        KeyCode::Char('q') => Some(Action::Quit),
        _ => None,
    }
}

/// A key in the settings.
fn in_what_if(code: KeyCode) -> Option<Action> {
    match code {
        KeyCode::Up | KeyCode::Char('k') => Some(Action::Line(-1)),
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => Some(Action::Line(1)),
        KeyCode::PageUp | KeyCode::Home => Some(Action::Page(-1)),
        KeyCode::PageDown | KeyCode::End => Some(Action::Page(1)),
        KeyCode::Left | KeyCode::Char('h' | '-') => Some(Action::Change(-1)),
        KeyCode::Right | KeyCode::Char('l' | ' ' | '+') => Some(Action::Change(1)),
        KeyCode::Enter | KeyCode::Char('r') => Some(Action::Confirm),
        KeyCode::Esc | KeyCode::Char('w') => Some(Action::Cancel),
        KeyCode::Char('q') => Some(Action::Quit),
        _ => None,
    }
}

/// A key on the panes.
fn on_panes(code: KeyCode) -> Option<Action> {
    let action = match code {
        KeyCode::Right | KeyCode::Enter | KeyCode::Char('l' | 's') => Action::In,
        KeyCode::Char('n') => Action::Over,
        KeyCode::Char('o') => Action::Out,
        KeyCode::Left | KeyCode::Backspace | KeyCode::Char('h' | 'b') => Action::Back,
        KeyCode::Up | KeyCode::Char('k') => Action::Line(-1),
        KeyCode::Down | KeyCode::Char('j') => Action::Line(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::PageDown => Action::Page(1),
        KeyCode::Home | KeyCode::Char('g') => Action::Home,
        KeyCode::End | KeyCode::Char('G') => Action::End,
        KeyCode::Char('e') => Action::ShowKinds,
        KeyCode::Char('E') => Action::KindAgain,
        KeyCode::Char(':') => Action::Ask(Prompt::Jump),
        KeyCode::Char('/') => Action::Ask(Prompt::Search),
        KeyCode::Char('.') => Action::SearchAgain,
        KeyCode::Char(',') => Action::SearchBack,
        KeyCode::Char('w') => Action::ShowWhatIf,
        KeyCode::Char('y') => Action::ShowFailure,
        KeyCode::Char(' ' | 'f') => Action::Fold,
        KeyCode::Char('p') => Action::Prologue,
        KeyCode::Tab => Action::NextPane,
        KeyCode::BackTab => Action::PreviousPane,
        KeyCode::Char('z') => Action::Zoom,
        KeyCode::Esc => Action::Cancel,
        KeyCode::Char('?') | KeyCode::F(1) => Action::ShowHelp,
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char(digit) => Action::Focus(pane_of(digit)?),
        _ => return None,
    };
    Some(action)
}

/// The pane of a digit, from 1.
fn pane_of(digit: char) -> Option<Pane> {
    let number = usize::try_from(digit.to_digit(10)?).ok()?;
    Pane::ALL.get(number.checked_sub(1)?).copied()
}

/// What the mouse means: the wheel scrolls the pane under it, a click gives it the focus, and a
/// click on a step stands there.
pub fn mouse(event: MouseEvent, app: &App, areas: &Areas) -> Vec<Action> {
    let Some((pane, area)) = areas.pane_at(event.column, event.row) else {
        return Vec::new();
    };
    if app.overlay != Overlay::None {
        return Vec::new();
    }
    match event.kind {
        MouseEventKind::ScrollUp => vec![Action::Scroll(pane, -NOTCH)],
        MouseEventKind::ScrollDown => vec![Action::Scroll(pane, NOTCH)],
        MouseEventKind::Down(MouseButton::Left) => {
            let mut actions = vec![Action::Focus(pane)];
            let line = event.row.checked_sub(area.y + 1);
            let height = area.height.saturating_sub(2);
            if let (Pane::Steps, Some(line)) = (pane, line.filter(|line| *line < height)) {
                actions.push(Action::Row(first_row(app, height) + usize::from(line)));
            }
            actions
        }
        _ => Vec::new(),
    }
}

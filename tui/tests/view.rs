//! Colours, the parts of source text, and the mouse.

mod common;

use common::{opened, post};
use doorbell::input::{key, mouse};
use doorbell::state::action::{Action, Overlay, Pane};
use doorbell::state::app::App;
use doorbell::view::highlight::{Highlighter, parse};
use doorbell::view::theme::{Class, Depth, Theme};
use doorbell::view::{KEYS, Painter, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::style::Color;
use std::time::{Duration, Instant};
use syntect::parsing::SyntaxSet;

#[test]
fn the_environment_says_how_many_colours_there_are() {
    let depth = |set: &[(&str, &str)]| {
        Depth::detect(|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    assert_eq!(depth(&[("TERM", "xterm")]), Depth::Sixteen);
    assert_eq!(depth(&[("TERM", "xterm-256color")]), Depth::Table);
    assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
    assert_eq!(depth(&[("COLORTERM", "24bit")]), Depth::True);
    assert_eq!(depth(&[("TERM", "dumb")]), Depth::None);
    assert_eq!(depth(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]), Depth::None);
    assert_eq!(depth(&[("NO_COLOR", ""), ("TERM", "xterm")]), Depth::Sixteen);
}

#[test]
fn no_more_colours_are_used_than_there_are() {
    for depth in [Depth::None, Depth::Sixteen, Depth::Table, Depth::True] {
        let mut app = App::new(opened(post()));
        let mut painter = Painter::new(Theme::new(depth));
        let backend = TestBackend::new(120, 40);
        let mut terminal = Terminal::new(backend).expect("a test backend");
        let _ = terminal.draw(|frame| draw(frame, &mut app, &mut painter));
        let cells = terminal.backend().buffer().content().iter();
        let colours: Vec<_> = cells.map(|cell| cell.fg).filter(|fg| *fg != Color::Reset).collect();
        assert_eq!(colours.is_empty(), depth == Depth::None, "{depth:?}");
        for colour in colours {
            let fits = match colour {
                Color::Rgb(..) => depth == Depth::True,
                Color::Indexed(_) => depth == Depth::Table,
                _ => depth == Depth::Sixteen,
            };
            assert!(fits, "{colour:?} at {depth:?}");
        }
    }
}

/// The classes of the pieces of one line of Rust.
fn classes(line: &str) -> Vec<(Class, &str)> {
    let syntaxes = SyntaxSet::load_defaults_newlines();
    let parts = parse(&syntaxes, "a.rs", &[line.to_owned()]);
    let pieces = parts[0].iter().cloned();
    pieces.map(|(class, range)| (class, &line[range])).collect()
}

#[test]
fn the_parts_of_a_line_are_told_apart_and_none_is_lost() {
    let line = "pub fn ring(count: u32) -> &'static str { \"one\" } // the bell";
    let parts = classes(line);
    for part in [
        (Class::Keyword, "fn"),
        (Class::Function, "ring"),
        (Class::Text, "\"one\""),
        (Class::Comment, "// the bell"),
    ] {
        assert!(parts.contains(&part), "{part:?} in {parts:?}");
    }
    assert_eq!(parts.iter().map(|(_, text)| *text).collect::<String>(), line);
}

#[test]
fn a_file_of_no_known_syntax_stays_plain() {
    let syntaxes = SyntaxSet::load_defaults_newlines();
    assert_eq!(parse(&syntaxes, "a.unknown", &["fn".to_owned()]), vec![Vec::new()]);
}

#[test]
fn the_thread_delivers_what_it_was_asked_for() {
    let mut highlighter = Highlighter::default();
    let lines = [(1, "fn main() {}".to_owned())];
    assert_eq!(highlighter.parts("a.rs", &lines), None, "the first frame does not wait");
    assert!(highlighter.is_waiting());
    let start = Instant::now();
    while !highlighter.take_in() {
        assert!(start.elapsed() < Duration::from_secs(60), "the thread is at work too long");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!highlighter.is_waiting());
    assert!(highlighter.parts("a.rs", &lines).is_some_and(|parts| !parts[0].is_empty()));
}

#[test]
fn every_key_of_the_help_means_something() {
    for (keys, what) in KEYS {
        for name in keys.split_whitespace().filter(|name| name.chars().count() == 1) {
            let code = match name {
                "→" => KeyCode::Right,
                "←" => KeyCode::Left,
                "↑" => KeyCode::Up,
                "↓" => KeyCode::Down,
                other => KeyCode::Char(other.chars().next().expect("one character")),
            };
            let action = key(KeyEvent::new(code, KeyModifiers::NONE), &Overlay::None);
            assert!(action.is_some(), "{name}: {what}");
        }
    }
}

/// A drawn program, and where its panes lie.
fn drawn() -> (App, Painter) {
    let mut app = App::new(opened(post()));
    let mut painter = Painter::new(Theme::new(Depth::None));
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a test backend");
    let _ = terminal.draw(|frame| draw(frame, &mut app, &mut painter));
    (app, painter)
}

/// What the mouse means on a line inside a pane.
fn mouse_on(
    app: &App,
    painter: &Painter,
    pane: Pane,
    line: u16,
    kind: MouseEventKind,
) -> Vec<Action> {
    let areas = &painter.areas;
    let (_, area) = areas.panes.iter().find(|(own, _)| *own == pane).expect("all panes are shown");
    let event = MouseEvent {
        kind,
        column: area.x + 2,
        row: area.y + 1 + line,
        modifiers: KeyModifiers::NONE,
    };
    mouse(event, app, areas)
}

#[test]
fn a_click_takes_the_focus_and_a_step_that_is_clicked_is_stood_at() {
    let (mut app, painter) = drawn();
    let click = MouseEventKind::Down(MouseButton::Left);
    assert_eq!(mouse_on(&app, &painter, Pane::Rings, 0, click), [Action::Focus(Pane::Rings)]);
    let actions = mouse_on(&app, &painter, Pane::Steps, 3, click);
    actions.into_iter().for_each(|action| app.act(action));
    assert_eq!((app.focus, app.session.current()), (Pane::Steps, 5));
}

#[test]
fn the_wheel_scrolls_the_pane_under_it() {
    let (app, painter) = drawn();
    let actions = mouse_on(&app, &painter, Pane::Note, 0, MouseEventKind::ScrollDown);
    assert_eq!(actions, [Action::Scroll(Pane::Note, 3)]);
}

#[test]
fn the_mouse_does_nothing_under_an_overlay() {
    let (mut app, painter) = drawn();
    app.act(Action::ShowHelp);
    assert_eq!(mouse_on(&app, &painter, Pane::Note, 0, MouseEventKind::ScrollDown), []);
}

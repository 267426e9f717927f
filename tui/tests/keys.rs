//! Any keys, on terminals of any size: the program neither panics nor loses its place.

mod common;

use common::{opened, post, recorded, screen, settle};
use doorbell::input::key;
use doorbell::state::action::{Action, Overlay, Pane, Prompt};
use doorbell::state::app::App;
use proptest::prelude::*;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::sync::LazyLock;

static POST: LazyLock<doorbell_tracer::Trace> = LazyLock::new(|| recorded("rc-write"));

/// A key that means something somewhere, or any other character.
fn any_key() -> impl Strategy<Value = KeyCode> {
    prop_oneof![
        8 => proptest::sample::select("slnohbjkgGeE:/., fpz?wyr123456".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
        4 => proptest::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up,
            KeyCode::Down, KeyCode::Left, KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown,
            KeyCode::Home, KeyCode::End, KeyCode::Backspace, KeyCode::F(1),
        ]),
        1 => any::<char>().prop_map(KeyCode::Char),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_keys_at_any_size(
        keys in proptest::collection::vec((any_key(), 1..200_u16, 1..70_u16), 1..40),
        real in any::<bool>(),
    ) {
        let trace = if real { POST.clone() } else { post() };
        let mut app = App::new(opened(trace));
        for (code, width, height) in keys {
            if let Some(action) = key(KeyEvent::new(code, KeyModifiers::NONE), &app.overlay) {
                app.act(action);
            }
            settle(&mut app);
            screen(&mut app, width, height);
            prop_assert!(app.session.current() < app.session.len());
        }
    }
}

/// Presses keys.
fn press(app: &mut App, keys: &str) {
    for character in keys.chars() {
        let code = if character == '\n' { KeyCode::Enter } else { KeyCode::Char(character) };
        if let Some(action) = key(KeyEvent::new(code, KeyModifiers::NONE), &app.overlay) {
            app.act(action);
        }
        settle(app);
    }
}

/// A program on the small walk.
fn app() -> App {
    App::new(opened(post()))
}

#[test]
fn the_keys_of_the_moves() {
    let mut app = app();
    for (keys, step) in [
        ("s", 4),
        ("n", 5),
        ("n", 9),
        ("b", 8),
        ("o", 9),
        ("o", 10),
        ("G", 13),
        ("g", 3),
        ("g", 0),
        (":12\n", 12),
        ("g", 3),
        ("/polled\n", 12),
        ("g", 3),
        ("/PROVIDER\n", 5),
        (".", 9),
        (",", 5),
    ] {
        press(&mut app, keys);
        assert_eq!(app.session.current(), step, "after {keys:?}");
    }
}

#[test]
fn the_menu_of_kinds_goes_to_the_kind_and_again() {
    let mut app = app();
    press(&mut app, "e");
    assert_eq!(app.overlay, Overlay::Kinds(0));
    press(&mut app, "\n");
    assert_eq!(app.session.current(), 5, "the first kind of the menu is call");
    press(&mut app, "E");
    assert_eq!(app.session.current(), 11);
    press(&mut app, "E");
    assert_eq!(app.message.as_deref(), Some("no further step of kind call"));
}

#[test]
fn a_jump_to_no_number_is_told() {
    let mut app = app();
    press(&mut app, ":1x\n");
    assert_eq!(app.message.as_deref(), Some("`1x` is not the number of a step"));
    press(&mut app, ":99\n");
    assert_eq!(app.message.as_deref(), Some("no step 99; the last one is 13"));
    assert_eq!(app.session.current(), 3);
}

#[test]
fn out_where_there_is_no_call_is_told() {
    let mut app = app();
    press(&mut app, "o");
    assert_eq!(app.message.as_deref(), Some("no call lies around this step"));
}

#[test]
fn tab_goes_around_the_panes_and_digits_go_straight() {
    let mut app = app();
    app.act(Action::Focus(Pane::Source));
    for pane in [Pane::Note, Pane::Steps, Pane::Bytes, Pane::Rings, Pane::Doorbell, Pane::Source] {
        app.act(Action::NextPane);
        assert_eq!(app.focus, pane);
    }
    app.act(Action::PreviousPane);
    assert_eq!(app.focus, Pane::Doorbell);
    press(&mut app, "4");
    assert_eq!(app.focus, Pane::Bytes);
}

#[test]
fn escape_closes_a_prompt_and_leaves_the_place() {
    let mut app = app();
    app.act(Action::Ask(Prompt::Jump));
    app.act(Action::Type('5'));
    app.act(Action::Cancel);
    assert_eq!((app.overlay.clone(), app.session.current()), (Overlay::None, 3));
}

#[test]
fn help_opens_and_any_key_closes_it() {
    let mut app = app();
    press(&mut app, "?");
    assert_eq!(app.overlay, Overlay::Help);
    press(&mut app, "x");
    assert_eq!(app.overlay, Overlay::None);
    press(&mut app, "?q");
    assert!(app.quit);
}

#[test]
fn control_c_quits_at_a_prompt_too() {
    let mut app = app();
    app.act(Action::Ask(Prompt::Search));
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    app.act(key(control_c, &app.overlay).expect("it means something"));
    assert!(app.quit);
}

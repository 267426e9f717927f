//! The what-ifs in the terminal: the settings, changed by keys, the scenario run again with them; and the
//! failures of the gallery, explained.

mod common;

use common::{finish, opened, post, recorded, screen, settle};
use doorbell::input::key;
use doorbell::state::action::{Action, Overlay, Pane};
use doorbell::state::app::App;
use doorbell::state::session::{Goal, Session};
use doorbell::state::what_if::Again;
use doorbell::text::{Options, print};

use doorbell_examples::{Device, Key, WhatIf, record_with, scenario, scenarios};
use doorbell_tracer::{Kind, Trace};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A live run of a scenario, at the call of `ibv_post_send`, that can be run again.
fn app_with(name: &str, what_if: &WhatIf) -> App {
    let scenario = scenario(name).expect("a scenario");
    let again = Again::new(scenario, Device::Card, what_if).expect("it makes sense");
    let mut session = Session::new(again.start().expect("it makes sense"));
    session.seek(Goal::Opening);
    finish(&mut session);
    let mut app = App::new(session);
    app.again = Some(again);
    app
}

fn app(name: &str) -> App {
    app_with(name, &WhatIf::default())
}

/// The walk as text.
fn text(trace: &Trace) -> String {
    let mut out = Vec::new();
    print(&trace.header, trace, Options::default(), &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("the walk is text")
}

/// Presses keys: `\n` is Enter, `<`, `>`, `^` and `v` are the arrows, `!` is Escape.
fn press(app: &mut App, keys: &str) {
    for character in keys.chars() {
        let code = match character {
            '\n' => KeyCode::Enter,
            '<' => KeyCode::Left,
            '>' => KeyCode::Right,
            '^' => KeyCode::Up,
            'v' => KeyCode::Down,
            '!' => KeyCode::Esc,
            other => KeyCode::Char(other),
        };
        if let Some(action) = key(KeyEvent::new(code, KeyModifiers::NONE), &app.overlay) {
            app.act(action);
        }
        settle(app);
    }
}

/// Both sizes.
macro_rules! assert_screens {
    ($name:literal, $app:expr) => {
        insta::assert_snapshot!(concat!($name, "_80x24"), screen($app, 80, 24));
        insta::assert_snapshot!(concat!($name, "_120x40"), screen($app, 120, 40));
    };
}

#[test]
fn the_settings_are_one_key_away() {
    let mut app = app("rc-write-list");
    press(&mut app, "w");
    assert_eq!(app.overlay, Overlay::WhatIf(0));
    assert_screens!("what_if", &mut app);
    press(&mut app, "vvvv>");
    assert_screens!("what_if_changed", &mut app);
}

#[test]
fn a_change_runs_the_scenario_again() {
    let mut app = app("rc-write");
    let before = app.session.supply().header().clone();
    assert!(before.settings.is_empty());
    // To `inline`, on, and to the next shorter length, which fits.
    press(&mut app, "wvvv>\n");
    assert_eq!(app.overlay, Overlay::None);
    assert_eq!(app.message.as_deref(), Some("rc-write runs again, with inline=on"));
    assert_eq!(app.session.supply().header().title(), "rc-write with inline=on");
    assert!(app.session.supply().is_live());
    assert_eq!(app.session.opening(), Some(app.session.current()));
    press(&mut app, "G");
    let events = app.session.supply().events();
    let inline = (0..events.len()).filter_map(|step| events.get(step)).any(|event| {
        matches!(&event.kind, Kind::Store { layout, .. } if &**layout == "wqe_inline_header")
    });
    assert!(inline, "the data is in the WQE");
    assert!(app.session.ending().expect("it has ended").is_ok());
    // And back: what was changed is still so, and is changed back.
    press(&mut app, "wvvv>\n");
    assert_eq!(app.session.supply().header().title(), "rc-write");
    assert_eq!(app.message.as_deref(), Some("rc-write runs again, with its own settings"));
}

/// Four empty requests a call, so fifteen calls that only move the ring on.
#[test]
fn work_that_was_done_before_is_not_what_the_walk_opens_at() {
    let with_start = scenarios().iter().filter(|scenario| scenario.keys.contains(&Key::Start));
    let mut tried = 0;
    for scenario in with_start {
        let name = scenario.name;
        let what_if: WhatIf = "start=60".parse().expect("it is a setting");
        let run = record_with(scenario, &Device::Card, &what_if).expect("it makes sense");
        run.outcome.expect("it succeeds");
        let calls = |step: &usize| match &run.trace.events[*step].kind {
            Kind::Call { function, .. } => function == "ibv_post_send",
            _ => false,
        };
        let own = (0..run.trace.events.len()).filter(calls).nth(15);
        let first = format!("{:>5} cpu0 call ibv_post_send(", own.expect("its own post"));
        let text = text(&run.trace);
        assert!(text.lines().nth(2).is_some_and(|line| line.starts_with(&first)), "{name}: {text}");
        let session = opened(run.trace);
        assert_eq!((Some(session.current()), session.opening()), (own, own), "{name}");
        tried += 1;
    }
    assert!(tried > 5, "{tried} scenarios can begin elsewhere in the ring");
}

#[test]
fn what_makes_no_sense_is_refused_where_it_was_asked_for() {
    let mut app = app("rc-read");
    press(&mut app, "wvvv>\n");
    assert!(matches!(app.overlay, Overlay::WhatIf(3)));
    assert_screens!("what_if_refused", &mut app);
    assert!(app.session.supply().header().settings.is_empty());
    // Closing takes it back.
    press(&mut app, "!w");
    let again = app.again.as_ref().expect("it can be run again");
    assert!(again.refusal().is_none() && again.lines().all(|line| !line.changed));
}

#[test]
fn every_setting_goes_around_and_comes_back() {
    for scenario in scenarios() {
        let mut again =
            Again::new(scenario, Device::Card, &WhatIf::default()).expect("it makes sense");
        for (place, key) in scenario.keys.iter().enumerate() {
            let value = |again: &Again| again.lines().nth(place).expect("a line").value;
            // From a choice on: a scenario's own value may be none.
            again.change(place, 1);
            let first = value(&again);
            let count = key.choices().len();
            for _ in 1..count {
                again.change(place, 1);
                assert_ne!(value(&again), first, "{} {}", scenario.name, key.name());
            }
            again.change(place, 1);
            assert_eq!(value(&again), first);
            again.change(place, -1);
            again.change(place, 1);
            assert_eq!(value(&again), first);
        }
    }
}

#[test]
fn a_value_from_the_command_line_that_is_no_choice_is_kept_until_it_is_changed() {
    let mut app = app_with("rc-write", &"length=77".parse().expect("a what-if"));
    assert_eq!(app.session.supply().header().title(), "rc-write with length=77");
    press(&mut app, "w");
    assert!(screen(&mut app, 80, 24).contains("77"));
    press(&mut app, "\n");
    assert_eq!(app.session.supply().header().title(), "rc-write with length=77");
}

#[test]
fn a_recording_is_not_run_again() {
    let mut app = App::new(opened(post()));
    press(&mut app, "w");
    assert_eq!(app.overlay, Overlay::None);
    let said = app.message.clone().expect("a word");
    assert!(said.contains("recording"), "{said}");
    press(&mut app, "y");
    assert!(
        app.message.as_deref().is_some_and(|said| said.contains("none of the failure gallery"))
    );
}

#[test]
fn a_failure_is_explained_at_its_end_and_by_a_key() {
    let mut app = app("wrong-rkey");
    press(&mut app, "G");
    app.act(Action::Focus(Pane::Note));
    assert_screens!("failure_end", &mut app);
    press(&mut app, "y");
    assert_eq!(app.overlay, Overlay::Failure);
    assert_screens!("failure", &mut app);
    press(&mut app, "x");
    assert_eq!(app.overlay, Overlay::None);
}

/// The explanation comes with a recording too, and fits the smallest terminal.
#[test]
fn every_failure_fits_the_smallest_terminal() {
    for scenario in scenarios().iter().filter(|scenario| scenario.failure.is_some()) {
        let mut app = App::new(opened(recorded(scenario.name)));
        press(&mut app, "y");
        let shown = screen(&mut app, 80, 24);
        let failure = scenario.failure.expect("filtered");
        assert!(shown.contains(failure.ends), "{shown}");
        let last = failure.check.split(' ').next_back().expect("a word");
        assert!(shown.contains(last) && shown.contains("What to check"), "{shown}");
    }
}

/// All settings and the longest refusal have room, and so have the keys.
#[test]
fn the_boxes_fit_the_smallest_terminal() {
    for scenario in scenarios() {
        let mut app = app(scenario.name);
        press(&mut app, "w");
        if scenario.keys.is_empty() {
            assert_eq!(app.overlay, Overlay::None);
            continue;
        }
        let shown = screen(&mut app, 80, 24);
        for key in scenario.keys {
            assert!(shown.contains(&format!(" {} ", key.name())), "{}: {shown}", scenario.name);
        }
        assert!(shown.contains(&format!("what if: {}", scenario.name)));
    }
    let mut app = app("rc-write");
    press(&mut app, "?");
    let shown = screen(&mut app, 80, 24);
    for wanted in ["what if: change the settings", "why: the failure", "Ctrl-C", "→ l s Enter"] {
        assert!(shown.contains(wanted), "{shown}");
    }
}

//! What the terminal shows of real runs, at the two sizes that the layouts are made for.

mod common;

use common::{live, opened_from, screen, settle};
use doorbell::state::action::{Action, Pane, Prompt};
use doorbell::state::app::App;
use doorbell::state::session::{Goal, Session};
use doorbell::state::supply::Supply;
use doorbell_examples::Device;

/// A live run of a scenario, at the call of `ibv_post_send`.
fn app(scenario: &str) -> App {
    App::new(opened_from(live(scenario, Device::Card)))
}

/// Does something and all that follows from it.
fn act(app: &mut App, action: Action) {
    app.act(action);
    settle(app);
}

/// Goes on to the next step of a kind, until one says `text`.
fn go_on(app: &mut App, kind: &'static str, text: &str) {
    for _ in 0..200 {
        app.session.seek(Goal::Kind(kind));
        settle(app);
        let step = app.scene.step.as_ref().expect("a step");
        if step.words.contains(text) {
            return;
        }
    }
    panic!("no {kind} step says {text:?}");
}

/// Both sizes.
macro_rules! assert_screens {
    ($name:literal, $app:expr) => {
        insta::assert_snapshot!(concat!($name, "_80x24"), screen($app, 80, 24));
        insta::assert_snapshot!(concat!($name, "_120x40"), screen($app, 120, 40));
    };
}

#[test]
fn it_opens_at_the_post() {
    assert_screens!("opening", &mut app("rc-write"));
}

#[test]
fn the_first_segment_of_the_wqe() {
    let mut app = app("rc-write");
    go_on(&mut app, "store", "wqe_remote_address_segment");
    app.act(Action::Focus(Pane::Bytes));
    assert_screens!("first_segment", &mut app);
}

#[test]
fn the_whole_wqe() {
    let mut app = app("rc-write");
    go_on(&mut app, "store", "wqe_control_segment");
    app.act(Action::Focus(Pane::Bytes));
    assert_screens!("whole_wqe", &mut app);
}

#[test]
fn the_doorbell_record() {
    let mut app = app("rc-write");
    go_on(&mut app, "store", "doorbell record");
    app.act(Action::Focus(Pane::Doorbell));
    assert_screens!("doorbell_record", &mut app);
}

#[test]
fn the_register() {
    let mut app = app("rc-write");
    go_on(&mut app, "register_write", "BlueFlame");
    app.act(Action::Focus(Pane::Doorbell));
    assert_screens!("register", &mut app);
}

#[test]
fn the_packet() {
    let mut app = app("rc-write");
    go_on(&mut app, "packet", "WRITE");
    app.act(Action::Focus(Pane::Bytes));
    assert_screens!("packet", &mut app);
}

#[test]
fn the_owner_bit_of_the_cqe() {
    let mut app = app("rc-write");
    go_on(&mut app, "dma", "owner");
    go_on(&mut app, "dma", "owner bit");
    app.act(Action::Focus(Pane::Rings));
    assert_screens!("owner_bit", &mut app);
}

#[test]
fn the_end_says_what_the_program_printed() {
    let mut app = app("rc-write");
    act(&mut app, Action::End);
    app.act(Action::Focus(Pane::Note));
    assert_screens!("end", &mut app);
}

#[test]
fn four_wqes_in_a_ring() {
    let mut app = app("rc-write-list");
    go_on(&mut app, "register_write", "doorbell");
    app.act(Action::Focus(Pane::Rings));
    assert_screens!("list", &mut app);
}

#[test]
fn inline_data_in_the_wqe() {
    let mut app = app("rc-send-inline");
    go_on(&mut app, "store", "wqe_inline_header");
    app.act(Action::Focus(Pane::Bytes));
    assert_screens!("inline", &mut app);
}

#[test]
fn a_firmware_command() {
    let mut app = app("rc-write");
    act(&mut app, Action::Home);
    go_on(&mut app, "command", "CREATE_QP");
    app.act(Action::Focus(Pane::Bytes));
    assert_screens!("command", &mut app);
}

#[test]
fn the_prologue_unfolds_to_the_calls_of_the_verbs() {
    let mut app = app("rc-write");
    act(&mut app, Action::Prologue);
    app.act(Action::Focus(Pane::Steps));
    act(&mut app, Action::Line(-1));
    assert_screens!("prologue", &mut app);
}

#[test]
fn without_a_device_the_reader_sees_why() {
    let mut app = App::new(Session::new(live("rc-write", Device::None)));
    app.session.seek(Goal::Opening);
    settle(&mut app);
    go_on(&mut app, "discovery", "");
    app.act(Action::Focus(Pane::Steps));
    assert_screens!("no_device", &mut app);
}

#[test]
fn the_pane_with_the_focus_can_be_enlarged() {
    let mut app = app("rc-write");
    go_on(&mut app, "store", "wqe_control_segment");
    app.act(Action::Focus(Pane::Bytes));
    app.act(Action::Zoom);
    insta::assert_snapshot!(screen(&mut app, 80, 24));
}

#[test]
fn help_menu_and_prompt() {
    let mut app = app("rc-write");
    app.act(Action::ShowHelp);
    insta::assert_snapshot!("help", screen(&mut app, 80, 24));
    app.act(Action::Cancel);
    app.act(Action::ShowKinds);
    app.act(Action::Line(2));
    insta::assert_snapshot!("kinds", screen(&mut app, 80, 24));
    app.act(Action::Cancel);
    app.act(Action::Ask(Prompt::Jump));
    "571".chars().for_each(|digit| app.act(Action::Type(digit)));
    insta::assert_snapshot!("prompt", screen(&mut app, 80, 24));
}

#[test]
fn a_terminal_that_is_too_small_is_told_what_it_takes() {
    let mut app = app("rc-write");
    insta::assert_snapshot!("too_small", screen(&mut app, 60, 20));
    for (width, height) in [(79, 24), (80, 23), (1, 1)] {
        let shown = screen(&mut app, width, height);
        assert!(!shown.contains("ibv_post_send"), "{width} x {height}:\n{shown}");
    }
    assert!(screen(&mut app, 80, 24).contains("ibv_post_send"), "it goes on when enlarged");
}

#[test]
fn every_pane_can_be_reached_on_a_small_terminal() {
    let mut app = app("rc-write");
    for pane in Pane::ALL {
        app.act(Action::Focus(pane));
        let shown = screen(&mut app, 80, 24);
        let tab = format!("[{}]", pane.name());
        assert!(pane == Pane::Source || shown.contains(&tab), "{tab}:\n{shown}");
    }
}

#[test]
fn a_replay_shows_what_the_live_run_showed() {
    let mut running = app("rc-write");
    act(&mut running, Action::End);
    act(&mut running, Action::Home);
    let recorded = Supply::recorded(common::recorded("rc-write"));
    let mut replayed = App::new(opened_from(recorded));
    for _ in 0..60 {
        let lines = |screen: String| screen.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(screen(&mut running, 120, 40)), lines(screen(&mut replayed, 120, 40)));
        act(&mut running, Action::In);
        act(&mut replayed, Action::In);
    }
}

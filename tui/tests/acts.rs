//! A run in acts opens at its first step, with its outermost calls folded: what one chooses from.

mod common;

use common::{CPU, back, call, finish, note, opened, screen, settle, trace};
use doorbell::state::action::{Action, Pane};
use doorbell::state::app::App;
use doorbell::state::session::{Goal, Session};
use doorbell::state::supply::Supply;
use doorbell::state::tree::Row;
use doorbell_examples::{IN_ACTS, Named, named};
use doorbell_tracer::Trace;

/// Two acts and a step between them; the second one posts.
///
/// ```text
/// 0 note in acts    4 call modprobe       8   call ibv_post_send
/// 1 call act_1      5   note appeared     9     note posted
/// 2   note tried    6 return modprobe    10   return ibv_post_send
/// 3 return act_1    7 call act_2         11 return act_2
/// ```
fn two_acts() -> Trace {
    trace(vec![
        (CPU, 0, note(IN_ACTS)),
        (CPU, 0, call("act_1")),
        (CPU, 1, note("tried")),
        (CPU, 0, back("act_1")),
        (CPU, 0, call("modprobe")),
        (CPU, 1, note("appeared")),
        (CPU, 0, back("modprobe")),
        (CPU, 0, call("act_2")),
        (CPU, 1, call("ibv_post_send")),
        (CPU, 2, note("posted")),
        (CPU, 1, back("ibv_post_send")),
        (CPU, 0, back("act_2")),
    ])
}

/// The recording of the scenario in acts.
fn recording() -> Trace {
    match named("why-mlx5-ib") {
        Ok(Named::InLab(scenario)) => scenario.recording().expect("it opens"),
        other => panic!("{other:?} is no scenario of the lab"),
    }
}

#[test]
fn it_opens_at_its_first_step_with_the_acts_folded() {
    let session = opened(two_acts());
    assert_eq!((session.current(), session.opening()), (0, Some(0)));
    let tree = session.tree();
    let rows: Vec<_> = (0..tree.row_count()).map(|row| tree.row(row)).collect();
    assert_eq!(rows, [0, 1, 4, 7].map(|step| Some(Row::Step(step))));
}

#[test]
fn one_goes_from_act_to_act_and_into_one() {
    let mut session = opened(two_acts());
    session.move_row(3);
    assert_eq!(session.current(), 7);
    session.seek(Goal::Next);
    finish(&mut session);
    assert_eq!((session.current(), session.tree().is_folded(7)), (8, false), "it unfolds");
    assert!(session.tree().is_folded(1) && session.tree().is_folded(4), "the others stay");
    session.home();
    assert_eq!(session.current(), 0);
}

/// Only the first step can say so.
#[test]
fn other_runs_open_at_the_post() {
    let mut other = two_acts();
    other.events[0].kind = note("another");
    other.events[2].kind = note(IN_ACTS);
    assert_eq!(opened(other).current(), 8);
}

#[test]
fn the_acts_of_why_mlx5_ib_fit_the_smallest_screen() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut session = Session::new(Supply::recorded(recording()));
        session.seek(Goal::Opening);
        let mut app = App::new(session);
        settle(&mut app);
        assert_eq!(app.focus, Pane::Steps, "the acts are what one comes for");
        let shown = screen(&mut app, width, height);
        for act in ["act_1_mlx5_ib_absent", "act_2_mlx5_ib_present", "act_3_vfio"] {
            let folded = format!("▸ call {act}");
            assert!(shown.contains(&folded), "no {folded} at {width}x{height}:\n{shown}");
        }
        app.act(Action::Ask(doorbell::state::action::Prompt::Search));
        "act_3".chars().for_each(|letter| app.act(Action::Type(letter)));
        app.act(Action::Confirm);
        settle(&mut app);
        app.act(Action::In);
        settle(&mut app);
        let shown = screen(&mut app, width, height);
        assert!(shown.contains("provider registered"), "{shown}");
    }
}

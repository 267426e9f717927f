//! Moves and folds, on a walk that is small enough to see as a whole.

mod common;

use common::{CPU, back, call, finish, note, opened, opened_from, post, trace};
use doorbell::state::session::{Goal, Progress, Session};
use doorbell::state::supply::{Ending, Run, Supply};
use doorbell::state::tree::Row;
use doorbell_tracer::live::{Next, live};
use doorbell_tracer::{Actor, Clock, Group, Kind, Probe, Site, TraceBuilder, Tracer, site};
use std::time::Duration;

const PROBE_GROUP: Group = Group::Program;

/// Makes a move and tells where it led.
fn go(session: &mut Session, goal: Goal) -> usize {
    session.seek(goal);
    finish(session);
    session.current()
}

/// The steps that are shown, with the prologue's fold as `None`.
fn rows(session: &Session) -> Vec<Option<usize>> {
    let tree = session.tree();
    (0..tree.row_count())
        .filter_map(|row| tree.row(row))
        .map(|row| match row {
            Row::Prologue(_) => None,
            Row::Step(step) => Some(step),
        })
        .collect()
}

#[test]
fn it_opens_at_the_call_of_post_send_with_the_rest_folded() {
    let session = opened(post());
    assert_eq!(session.current(), 3);
    let shown: Vec<_> = std::iter::once(None).chain((3..14).map(Some)).collect();
    assert_eq!(rows(&session), shown);
}

#[test]
fn in_goes_to_every_next_step_the_cards_too() {
    let mut session = opened(post());
    let steps: Vec<_> = (0..10).map(|_| go(&mut session, Goal::Next)).collect();
    assert_eq!(steps, (4..14).collect::<Vec<_>>());
}

#[test]
fn over_a_call_goes_to_its_return_and_over_a_barrier_past_the_card() {
    let mut session = opened(post());
    session.go(5);
    let level = session.level();
    assert_eq!(go(&mut session, Goal::Level(level)), 9);
    session.go(6);
    let level = session.level();
    assert_eq!(go(&mut session, Goal::Level(level)), 9);
}

#[test]
fn over_one_of_the_cards_steps_stays_with_the_card_and_out_leaves_it() {
    let mut session = opened(post());
    session.go(7);
    let level = session.level();
    assert_eq!(go(&mut session, Goal::Level(level)), 8);
    session.go(7);
    assert_eq!(go(&mut session, Goal::Level(level - 1)), 9);
}

#[test]
fn back_unfolds_what_came_before() {
    let mut session = opened(post());
    assert!(session.back());
    assert_eq!(session.current(), 2);
    assert!(!session.tree().prologue_is_folded());
    session.go(0);
    assert!(!session.back());
    assert_eq!(session.current(), 0);
}

#[test]
fn home_is_the_post_and_then_the_first_step() {
    let mut session = opened(post());
    session.go(12);
    session.home();
    assert_eq!(session.current(), 3);
    session.home();
    assert_eq!(session.current(), 0);
    session.home();
    assert_eq!(session.current(), 0);
}

#[test]
fn the_end_is_the_last_step_and_behind_it_there_is_none() {
    let mut session = opened(post());
    assert_eq!(go(&mut session, Goal::End), 13);
    session.seek(Goal::Next);
    assert_eq!(session.pursue(10), Progress::Missed("this is the last step".to_owned()));
    assert_eq!(session.current(), 13);
}

#[test]
fn a_kind_is_found_or_told_to_be_missing() {
    let mut session = opened(post());
    assert_eq!(go(&mut session, Goal::Kind("barrier")), 6);
    session.seek(Goal::Kind("barrier"));
    let missed = Progress::Missed("no further step of kind barrier".to_owned());
    assert_eq!(session.pursue(100), missed);
    assert_eq!(session.current(), 6);
}

#[test]
fn text_is_found_in_both_directions() {
    let mut session = opened(post());
    assert_eq!(go(&mut session, Goal::Text("polled".to_owned())), 12);
    assert!(session.search_back("looked"));
    assert_eq!(session.current(), 1);
    assert!(!session.search_back("polled"));
}

#[test]
fn text_is_found_in_function_and_file_too() {
    let mut session = opened(post());
    assert_eq!(go(&mut session, Goal::Text("made/by_hand".to_owned())), 4);
}

#[test]
fn a_jump_reaches_any_step_and_names_the_last_if_there_is_none() {
    let mut session = opened(post());
    assert_eq!(go(&mut session, Goal::Number(1)), 1);
    assert_eq!(go(&mut session, Goal::Number(13)), 13);
    session.seek(Goal::Number(14));
    let missed = Progress::Missed("no step 14; the last one is 13".to_owned());
    assert_eq!(session.pursue(100), missed);
    assert_eq!(session.current(), 13);
}

#[test]
fn a_jump_goes_by_the_numbers_of_the_trace_not_by_their_places() {
    let mut gaps = post();
    gaps.events.iter_mut().for_each(|event| event.sequence = event.sequence * 10 + 100);
    let mut session = opened(gaps);
    assert_eq!(go(&mut session, Goal::Number(170)), 7);
    session.seek(Goal::Number(171));
    assert!(matches!(session.pursue(100), Progress::Missed(_)));
    assert_eq!(session.current(), 7);
}

#[test]
fn a_fold_hides_the_children_and_the_return() {
    let mut session = opened(post());
    session.go(5);
    session.toggle_fold();
    assert_eq!(rows(&session)[1..5], [Some(3), Some(4), Some(5), Some(10)]);
    session.toggle_fold();
    assert_eq!(rows(&session).len(), 12);
}

#[test]
fn a_fold_inside_a_fold_is_kept() {
    let mut session = opened(post());
    session.go(5);
    session.toggle_fold();
    session.go(3);
    session.toggle_fold();
    assert_eq!(rows(&session)[..3], [None, Some(3), Some(11)]);
    session.toggle_fold();
    assert_eq!(rows(&session)[..5], [None, Some(3), Some(4), Some(5), Some(10)]);
}

#[test]
fn folding_at_a_step_without_children_folds_the_call_around_it() {
    let mut session = opened(post());
    session.go(4);
    session.toggle_fold();
    assert_eq!(session.current(), 3);
    assert!(session.tree().is_folded(3));
}

#[test]
fn folding_at_a_return_folds_its_call() {
    let mut session = opened(post());
    session.go(9);
    session.toggle_fold();
    assert_eq!(session.current(), 5);
    assert!(session.tree().is_folded(5));
}

#[test]
fn going_into_a_fold_opens_it() {
    let mut session = opened(post());
    session.go(5);
    session.toggle_fold();
    assert_eq!(go(&mut session, Goal::Next), 6);
    assert!(!session.tree().is_folded(5));
}

#[test]
fn the_rows_go_up_and_down_over_folds() {
    let mut session = opened(post());
    session.go(5);
    session.toggle_fold();
    session.move_row(1);
    assert_eq!(session.current(), 10);
    session.move_row(-1);
    assert_eq!(session.current(), 5);
}

#[test]
fn up_from_the_post_opens_the_prologue_at_its_last_call() {
    let mut session = opened(post());
    session.move_row(-1);
    assert_eq!(session.current(), 0, "the call of discover is folded in the prologue");
    assert_eq!(rows(&session)[..2], [Some(0), Some(3)]);
    session.toggle_prologue();
    assert_eq!(session.current(), 3);
}

#[test]
fn a_run_without_a_post_opens_at_its_first_step_and_says_so() {
    let mut session = Session::new(Supply::recorded(trace(vec![
        (CPU, 0, call("discover")),
        (CPU, 0, back("discover")),
    ])));
    session.seek(Goal::Opening);
    let Progress::Missed(why) = session.pursue(100) else {
        panic!("there is no call of ibv_post_send");
    };
    assert!(why.contains("ibv_post_send"), "{why}");
    assert_eq!(session.current(), 0);
    assert_eq!(session.tree().prologue(), 0);
}

#[test]
fn a_trace_without_events_can_be_walked() {
    let mut session = opened(trace(Vec::new()));
    for goal in [Goal::Next, Goal::Level(0), Goal::End, Goal::Kind("store"), Goal::Number(0)] {
        assert_eq!(go(&mut session, goal), 0);
    }
    session.home();
    session.move_row(1);
    session.move_row(-1);
    session.toggle_fold();
    session.toggle_prologue();
    assert!(session.is_empty());
}

#[test]
fn returns_without_calls_do_not_confuse_the_tree() {
    let mut session = opened(trace(vec![
        (CPU, 0, back("lost")),
        (CPU, 3, note("deep")),
        (CPU, 0, back("lost")),
        (CPU, 0, call("open")),
    ]));
    for step in 0..4 {
        session.go(step);
        session.toggle_fold();
        session.toggle_fold();
    }
    assert_eq!(session.len(), 4);
}

/// Two threads post at a time.
///
/// ```text
/// 0 cpu0 call ibv_post_send   4 cpu0   built    8 cpu1   rung
/// 1 cpu0   checked            5 card     seen   9 cpu1 return ibv_post_send
/// 2 cpu1 call ibv_post_send   6 cpu1   built   10 cpu1 call ibv_poll_cq
/// 3 cpu1   checked            7 cpu0 return    11 cpu0 done
/// ```
fn two_threads() -> Session {
    let other = Actor::Cpu(1);
    opened(trace(vec![
        (CPU, 0, call("ibv_post_send")),
        (CPU, 1, note("checked")),
        (other, 0, call("ibv_post_send")),
        (other, 1, note("checked")),
        (CPU, 1, note("built")),
        (Actor::Card, 0, note("seen")),
        (other, 1, note("built")),
        (CPU, 0, back("ibv_post_send")),
        (other, 1, note("rung")),
        (other, 0, back("ibv_post_send")),
        (other, 0, call("ibv_poll_cq")),
        (CPU, 0, note("done")),
    ]))
}

#[test]
fn a_fold_hides_what_its_own_thread_did() {
    let mut session = two_threads();
    let all = rows(&session);
    session.toggle_fold();
    let shown = [0, 2, 3, 6, 8, 9, 10, 11].map(Some);
    assert_eq!((rows(&session), session.tree().children(0)), (shown.to_vec(), (7, 4)));
    session.toggle_fold();
    session.go(8);
    session.toggle_fold();
    assert_eq!(session.current(), 2, "the call that it lies in, not the one before it");
    let shown = [0, 1, 2, 4, 5, 7, 10, 11].map(Some);
    assert_eq!((rows(&session), session.tree().children(2)), (shown.to_vec(), (9, 4)));
    session.go(0);
    session.toggle_fold();
    assert_eq!(rows(&session), [0, 2, 10, 11].map(Some), "both at a time");
    assert_eq!(go(&mut session, Goal::Number(6)), 6);
    assert!(!session.tree().is_folded(2) && session.tree().is_folded(0), "its own call unfolds");
    assert_eq!(go(&mut session, Goal::Number(5)), 5);
    assert_eq!(rows(&session), all);
}

/// A program on a thread of its own that emits notes, and the walk through it.
fn program(notes: usize, pause: Duration) -> Session {
    static SITE: Site = site!();
    let (recorder, stepper) = live();
    let thread = std::thread::spawn(move || {
        let tracer = Tracer::new(recorder, Clock::Logical);
        tracer.emit(&SITE, || call("ibv_post_send"));
        for _ in 0..notes {
            std::thread::sleep(pause);
            tracer.emit(&SITE, || note("on its way"));
        }
        Ok(vec!["done".to_owned()])
    });
    struct Threaded(doorbell_tracer::live::Stepper, std::thread::JoinHandle<Ending>);
    impl Run for Threaded {
        fn next(&mut self, deadline: Duration) -> Next {
            self.0.next(deadline)
        }
        fn ending(self: Box<Self>) -> Ending {
            drop(self.0);
            self.1.join().unwrap_or_else(|_| Err("panicked".to_owned()))
        }
    }
    let builder = TraceBuilder::new("a test", "card", "threaded", "logical", |_| None);
    opened_from(Supply::live(Box::new(Threaded(stepper, thread)), builder))
}

#[test]
fn a_live_program_goes_on_only_as_far_as_the_reader() {
    let mut session = program(3, Duration::ZERO);
    assert_eq!((session.len(), session.current()), (1, 0));
    assert_eq!(go(&mut session, Goal::Next), 1);
    assert_eq!(session.len(), 2);
    assert!(session.back());
    assert_eq!(session.len(), 2, "going back does not let it run");
    assert_eq!(go(&mut session, Goal::Next), 1);
    assert_eq!(session.len(), 2, "nor does going forward among known steps");
    assert!(session.supply().is_live());
    assert_eq!(session.ending(), None);
    assert_eq!(go(&mut session, Goal::End), 3);
    assert_eq!(session.ending(), Some(&Ok(vec!["done".to_owned()])));
    assert!(!session.supply().is_live());
}

#[test]
fn a_move_that_waits_for_the_program_can_be_stopped() {
    let mut session = program(1, Duration::from_secs(600));
    session.seek(Goal::Kind("completion"));
    assert_eq!(session.pursue(100), Progress::Pending);
    session.stop();
    assert!(!session.is_seeking());
    assert_eq!(session.current(), 0);
}

#[test]
fn state_follows_the_reader_back_and_forth() {
    let index = |value| Kind::index(doorbell_tracer::RegionId(1), "sq.cur_post", value);
    let steps = (0..300_u32).map(|value| (CPU, 0, index(value))).collect();
    let mut session = opened(trace(steps));
    for step in [0, 299, 7, 150, 149, 151, 298] {
        session.go(step);
        let values: Vec<_> = session.state().indexes().map(|(_, _, value)| value).collect();
        assert_eq!(values, [step as u64]);
    }
}

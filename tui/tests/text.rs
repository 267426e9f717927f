//! The walk as text, of the three scenarios.

mod common;

use common::{CPU, call, note, recorded, trace};
use doorbell::text::{Options, print};
use doorbell_tracer::{Kind, Trace};

/// The walk as text.
fn text(trace: &Trace, all: bool) -> String {
    let mut out = Vec::new();
    print(&trace.header, trace, Options { all }, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("the walk is text")
}

/// The lines of steps, without their details and without folds: those with a number and an actor in
/// front.
fn steps(text: &str) -> Vec<&str> {
    let numbered = |line: &&str| {
        let mut words = line.split_whitespace();
        let number = words.next().is_some_and(|word| word.parse::<u64>().is_ok());
        let actor = words.next().is_some_and(|word| ["cpu0", "card"].contains(&word));
        number && actor && !line.starts_with("       ")
    };
    text.lines().filter(numbered).collect()
}

#[test]
fn rc_write() {
    insta::assert_snapshot!(text(&recorded("rc-write"), false));
}

#[test]
fn rc_write_list() {
    insta::assert_snapshot!(text(&recorded("rc-write-list"), false));
}

#[test]
fn rc_send_inline() {
    insta::assert_snapshot!(text(&recorded("rc-send-inline"), false));
}

#[test]
fn two_walks_are_the_same() {
    assert_eq!(text(&recorded("rc-write"), true), text(&recorded("rc-write"), true));
}

#[test]
fn every_event_is_one_line_and_its_place_is_in_the_source() {
    let trace = recorded("rc-write");
    let text = text(&trace, true);
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let lines: Vec<_> = text.lines().collect();
    for event in &trace.events {
        let site = trace.site(event).expect("every event has a site");
        let number = format!("{:>5} ", event.sequence);
        let own = lines.iter().find(|line| line.starts_with(&number));
        let place = format!("  {}:{}", site.file, site.line);
        assert!(own.is_some_and(|line| line.ends_with(&place)), "{number}{place}");
        let source = std::fs::read_to_string(format!("{root}/{}", site.file))
            .unwrap_or_else(|error| panic!("{}: {error}", site.file));
        assert!(source.lines().count() >= site.line as usize, "{place}");
    }
}

#[test]
fn the_steps_before_the_post_are_one_line_unless_all_are_asked_for() {
    let trace = recorded("rc-write");
    let (folded, all) = (text(&trace, false), text(&trace, true));
    assert!(folded.lines().nth(1).is_some_and(|line| line.contains("(--all shows them)")));
    assert!(!folded.contains("ibv_get_device_list"));
    assert!(all.contains("ibv_get_device_list"));
    assert_eq!(steps(&all).len(), trace.events.len());
    assert!(steps(&folded)[0].contains("call ibv_post_send("));
}

#[test]
fn the_teardown_is_one_line_unless_all_are_asked_for() {
    for scenario in ["rc-write", "rc-write-list", "rc-send-inline"] {
        let trace = recorded(scenario);
        let (folded, all) = (text(&trace, false), text(&trace, true));
        let last = folded.lines().last().expect("there are lines");
        let end = trace.events.last().expect("there are steps").sequence;
        let (begin, rest) = last.trim().split_once(" to ").expect("it tells from where to where");
        let begin: u64 = begin.parse().expect("a step's number");
        let count = end + 1 - begin;
        let wanted = format!("{end}: {count} steps of teardown, which gives back what was made");
        assert_eq!(rest, format!("{wanted} (--all shows them)"));
        let arrived = |text: &str| text.contains("check the bytes have arrived");
        let told = steps(&folded);
        assert!(told.last().is_some_and(|line| arrived(line)), "{scenario}: the data is looked at");
        assert!(!folded.contains("DESTROY_QP") && !folded.contains("ibv_destroy_qp"));
        assert!(!all.contains("steps of teardown") && all.contains("DESTROY_QP"));
        let first = steps(&all).iter().position(|line| line.trim().starts_with(&begin.to_string()));
        let before = first.and_then(|first| steps(&all).get(first - 1).copied());
        assert!(before.is_some_and(arrived), "{scenario}: nothing else is folded");
    }
}

#[test]
fn what_is_given_back_before_the_last_completion_is_no_teardown() {
    let done = || Kind::completion(1, "IBV_WC_SUCCESS", []);
    let steps = vec![
        (CPU, 0, call("ibv_post_send")),
        (CPU, 0, done()),
        (CPU, 0, call("ibv_dereg_mr")),
        (CPU, 0, done()),
        (CPU, 0, note("the data is looked at")),
        (CPU, 1, call("ibv_free_inside")),
        (CPU, 0, call("ibv_destroy_qp")),
        (CPU, 0, note("gone")),
    ];
    let all = text(&trace(steps.clone()), false);
    assert!(all.contains("ibv_dereg_mr") && all.contains("ibv_free_inside"), "{all}");
    assert!(all.ends_with(
        "    6 to 7: 2 steps of teardown, which gives back what was made (--all shows them)\n"
    ));
    let without: Vec<_> =
        steps.into_iter().filter(|(_, _, kind)| !matches!(kind, Kind::Completion { .. })).collect();
    assert!(text(&trace(without), false).contains("gone"), "nothing completed: all is told");
}

#[test]
fn a_masked_trace_says_so() {
    let mut masked = trace(vec![(CPU, 0, note("a step"))]);
    masked.header.masked.payload = true;
    assert!(text(&masked, false).starts_with("made-by-hand on card, payload masked\n"));
    masked.header.masked.addresses = true;
    let line = "made-by-hand on card, payload and addresses masked\n";
    assert!(text(&masked, false).starts_with(line));
}

#[test]
fn control_characters_from_a_trace_do_not_reach_the_terminal() {
    let text = text(&trace(vec![(CPU, 0, note("\u{1b}[2Jgone\u{7}"))]), false);
    assert!(text.contains("[2Jgone"));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}

#[test]
fn a_doorbell_record_is_decoded_though_only_one_counter_of_it_is_stored() {
    let walk = text(&recorded("rc-write"), false);
    assert!(walk.contains("send_counter 0x04[15:0] = 1"), "{walk}");
}

#[test]
fn events_of_every_kind_have_a_line() {
    let region = doorbell_tracer::RegionId(9);
    let kinds = vec![
        Kind::unmap(region),
        Kind::register_read(region, 0, "health", &[0; 4]),
        Kind::load(region, 0, "no_such_layout", &[1, 2, 3]),
        Kind::discovery("a place", "nothing", false),
    ];
    let steps = kinds.into_iter().map(|kind| (CPU, 0, kind)).collect();
    insta::assert_snapshot!(text(&trace(steps), true));
}

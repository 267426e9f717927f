//! The walk as text, of the three scenarios.

mod common;

use common::{CPU, note, recorded, trace};
use doorbell::text::{Options, print};
use doorbell_tracer::{Kind, Trace};

/// The walk as text.
fn text(trace: &Trace, all: bool) -> String {
    let mut out = Vec::new();
    print(&trace.header, trace, Options { all }, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("the walk is text")
}

/// The lines of steps, without their details: those with a number in front.
fn steps(text: &str) -> Vec<&str> {
    let numbered = |line: &&str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        line.starts_with(' ') && !line.starts_with("       ") && first.parse::<u64>().is_ok()
    };
    text.lines().skip(2).filter(numbered).collect()
}

/// From the post to the return of the poll that found the completion.
fn until_completion(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    let last = lines.iter().position(|line| line.contains(" completion wr_id"));
    lines.truncate(last.expect("the work completes") + 1);
    lines.join("\n")
}

#[test]
fn rc_write() {
    insta::assert_snapshot!(until_completion(&text(&recorded("rc-write"), false)));
}

#[test]
fn rc_write_list() {
    insta::assert_snapshot!(until_completion(&text(&recorded("rc-write-list"), false)));
}

#[test]
fn rc_send_inline() {
    insta::assert_snapshot!(until_completion(&text(&recorded("rc-send-inline"), false)));
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
    assert_eq!(steps(&all).len(), trace.events.len() - 1, "the first line is skipped");
    assert!(steps(&folded)[0].contains("call ibv_post_send("));
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

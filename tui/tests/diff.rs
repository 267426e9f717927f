//! `doorbell diff`: what it finds, what it leaves out, and how it ends.

mod common;

use common::recorded;
use doorbell_tracer::file::{Options, write_file};
use doorbell_tracer::{Arguments, Kind, Trace, Value};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Traces as files in a folder of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn put(&self, name: &str, trace: &Trace) -> PathBuf {
        let path = self.0.path().join(name);
        write_file(trace, &path, &Options::default()).expect("the folder is ours");
        path
    }
}

fn run(arguments: &[&str], files: [&Path; 2]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    command.arg("diff").args(files).args(arguments).env_remove("NO_COLOR");
    command.output().expect("the command starts")
}

/// The text of a comparison that ends with `code`.
#[track_caller]
fn diff(arguments: &[&str], files: [&Path; 2], code: i32) -> String {
    let output = run(arguments, files);
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(code), "{text}{errors}");
    text
}

/// The differences as JSON.
#[track_caller]
fn json(arguments: &[&str], files: [&Path; 2], code: i32) -> serde_json::Value {
    let text = diff(&[&["--json", "--all"], arguments].concat(), files, code);
    serde_json::from_str(&text).expect("JSON")
}

/// A trace with other steps, numbered anew.
fn with_events(trace: &Trace, events: Vec<doorbell_tracer::Event>) -> Trace {
    let mut trace = Trace { header: trace.header.clone(), events };
    for (number, event) in (0..).zip(&mut trace.events) {
        (event.sequence, event.time) = (number, number);
    }
    trace
}

/// The steps of the first poll that found nothing.
fn empty_poll(trace: &Trace) -> std::ops::Range<usize> {
    let is = |step: usize, wanted: &str| match &trace.events[step].kind {
        Kind::Call { function, .. } => wanted == "call" && function == "ibv_poll_cq",
        Kind::Return { function, result } => {
            wanted == "nothing" && function == "ibv_poll_cq" && *result == Value::Number(0)
        }
        _ => false,
    };
    let end = (0..trace.events.len()).find(|step| is(*step, "nothing")).expect("an empty poll");
    let start = (0..end).rev().find(|step| is(*step, "call")).expect("its call");
    start..end + 1
}

/// What is said of the default scenario and itself.
fn no_difference() -> String {
    format!("no difference in {} steps", recorded("rc-write").events.len())
}

/// The number of the first step that is like that.
fn step_of(trace: &Trace, wanted: impl Fn(&Kind) -> bool) -> u64 {
    let step = trace.events.iter().find(|event| wanted(&event.kind));
    step.expect("such a step").sequence
}

/// The number of the step that stores the control segment.
fn control_segment() -> u64 {
    let stores =
        |kind: &Kind| matches!(kind, Kind::Store { layout, .. } if layout == "wqe_control_segment");
    step_of(&recorded("rc-write"), stores)
}

#[test]
fn a_trace_is_the_same_as_itself() {
    let files = Files::new();
    let trace = files.put("a", &recorded("rc-write"));
    let text = diff(&[], [&trace, &trace], 0);
    assert!(text.contains(&no_difference()), "{text}");
}

#[test]
fn settings_that_differ_are_said_before_all_differences() {
    let files = Files::new();
    let scenario = doorbell_examples::scenario("rc-write").expect("a scenario");
    let run = |text: &str| {
        let what_if = text.parse().expect("settings");
        let device = doorbell_examples::Device::Card;
        doorbell_examples::record_with(scenario, &device, &what_if).expect("sense").trace
    };
    let (one, other) = (run("length=100,mtu=512"), run("length=100,inline=on"));
    let (a, b) = (files.put("a", &one), files.put("b", &other));
    let text = diff(&[], [&a, &b], 1);
    let place = |wanted: &str| text.find(wanted).unwrap_or_else(|| panic!("{wanted}: {text}"));
    let inline = place("setting inline: the scenario's own in A, on in B");
    let mtu = place("setting mtu: 512 in A, the scenario's own in B");
    assert!(inline < mtu && mtu < place("~"), "{text}");
    assert!(!text.contains("setting length"), "it is the same: {text}");
    let found = json(&[], [&a, &b], 1);
    assert_eq!(found["a"]["settings"]["mtu"], "512");
    assert_eq!(found["b"]["settings"]["inline"], "on");
}

#[test]
fn one_more_empty_poll_is_one_difference() {
    let files = Files::new();
    let trace = recorded("rc-write");
    let poll = empty_poll(&trace);
    let mut events = trace.events.clone();
    events.splice(poll.start..poll.start, trace.events[poll.clone()].to_vec());
    let (a, b) = (files.put("a", &trace), files.put("b", &with_events(&trace, events)));
    let found = json(&[], [&a, &b], 1);
    let length = poll.len() as u64;
    assert_eq!(found["summary"]["only_b"], length);
    assert_eq!(found["summary"]["only_a"], 0);
    assert_eq!(found["summary"]["changed"], 0);
    assert_eq!(found["summary"]["same"], trace.events.len() as u64);
    assert_eq!(found["differences"][0]["b"]["text"], "call ibv_poll_cq(cq = 0x80, entries = 1)");
}

/// A trace with one bit of the WQE's control segment set: fence_mode becomes 4.
fn fenced() -> Trace {
    let mut trace = recorded("rc-write");
    for event in &mut trace.events {
        if let Kind::Store { layout, bytes, .. } = &mut event.kind
            && layout == "wqe_control_segment"
        {
            let mut changed = bytes.to_vec();
            changed[11] |= 4 << 5;
            *bytes = doorbell_tracer::Bytes::new(&changed);
        }
    }
    trace
}

#[test]
fn a_changed_byte_is_told_by_its_field_with_place_and_calls() {
    let files = Files::new();
    let (a, b) = (files.put("a", &recorded("rc-write")), files.put("b", &fenced()));
    let text = diff(&[], [&a, &b], 1);
    assert!(text.contains("control_segment.fence_mode: 0 NONE / 4"), "{text}");
    let step = control_segment();
    let place = format!("first difference at step {step} of A and step {step} of B");
    assert!(text.contains(&place), "{text}");
    assert!(text.contains("in ibv_post_send > mlx5_post_send"), "{text}");
    assert!(text.contains("at driver/src/mlx5/segments.rs:"), "{text}");
    let found = json(&[], [&a, &b], 1);
    assert_eq!(found["summary"]["changed"], 1);
    let fields = found["differences"][0]["fields"].as_array().expect("fields");
    assert_eq!(fields.len(), 1, "{fields:?}");
    assert_eq!(fields[0]["name"], "control_segment.fence_mode");
}

#[test]
fn a_part_of_the_steps_can_be_compared() {
    let files = Files::new();
    let (a, b) = (files.put("a", &recorded("rc-write")), files.put("b", &fenced()));
    assert!(diff(&["--only", "card"], [&a, &b], 0).contains("no difference"));
    diff(&["--only", "driver"], [&a, &b], 1);
    let step = control_segment();
    let [before, own, behind] = [step - 1, step, step + 1].map(|step| step.to_string());
    diff(&["--from", &behind], [&a, &b], 0);
    diff(&["--to", &before], [&a, &b], 0);
    diff(&["--from", &own, "--to", &own], [&a, &b], 1);
    // The same first step of both, then one of B that A is not asked for.
    let (from, to) = (format!("{before}:{before}"), format!("{before}:{own}"));
    let text = diff(&["--from", &from, "--to", &to], [&a, &b], 1);
    assert!(text.contains(&format!("at step {own} of B")), "{text}");
}

#[test]
fn masked_addresses_and_payload_can_be_ignored() {
    let files = Files::new();
    let trace = recorded("rc-write");
    let plain = files.put("a", &trace);
    let masked = files.0.path().join("masked");
    let field: &dyn Fn(&str, usize) -> _ = &doorbell::command::field_class;
    let options = Options { mask_payload: true, mask_addresses: true, field: Some(field) };
    write_file(&trace, &masked, &options).expect("the folder is ours");
    let text = diff(&[], [&plain, &masked], 1);
    assert!(text.contains("masked in one of them"), "{text}");
    assert!(text.contains("--ignore addresses leaves them out"), "{text}");
    let posts =
        |kind: &Kind| matches!(kind, Kind::Call { function, .. } if function == "ibv_post_send");
    let ends = |kind: &Kind| matches!(kind, Kind::Completion { .. });
    let [from, to] = [step_of(&trace, posts), step_of(&trace, ends)].map(|step| step.to_string());
    let post = ["--from", &from, "--to", &to];
    diff(&[&post[..], &["--ignore", "addresses,payload"]].concat(), [&plain, &masked], 0);
    diff(&[&post[..], &["--ignore", "payload"]].concat(), [&plain, &masked], 1);
    diff(&[&post[..], &["--ignore", "addresses"]].concat(), [&plain, &masked], 1);
}

/// A trace whose queue pair has another number wherever a call, a return or a completion tells it.
fn renumbered(from: u64, to: u64) -> Trace {
    let mut trace = recorded("rc-write");
    let change = |value: &mut Value| {
        if *value == Value::Hex(from) {
            *value = Value::Hex(to);
        }
    };
    let all = |arguments: &mut Arguments| {
        arguments.iter_mut().for_each(|argument| change(&mut argument.value));
    };
    for event in &mut trace.events {
        match &mut event.kind {
            Kind::Call { arguments, .. } => all(arguments),
            Kind::Completion { attributes, .. } => all(attributes),
            Kind::Return { result, .. } => change(result),
            _ => {}
        }
    }
    trace
}

#[test]
fn another_number_counts_unless_it_is_ignored() {
    let files = Files::new();
    let (a, b) = (recorded("rc-write"), renumbered(0x40, 0x123));
    let (a, b) = (files.put("a", &a), files.put("b", &b));
    let text = diff(&["--only", "driver"], [&a, &b], 1);
    assert!(text.contains("/ 0x123"), "{text}");
    assert!(text.contains("--ignore qpn leaves them out"), "{text}");
}

#[test]
fn a_number_that_stands_for_two_is_told() {
    let files = Files::new();
    let trace = recorded("rc-write");
    let mut changed = renumbered(0x40, 0x123);
    // The post goes to yet another queue pair.
    for event in &mut changed.events {
        if let Kind::Call { function, arguments } = &mut event.kind
            && function == "ibv_post_send"
        {
            arguments[0].value = Value::Hex(0x124);
        }
    }
    let calls = |trace: &Trace| {
        let told = |kind: &Kind| matches!(kind, Kind::Call { .. } | Kind::Return { .. });
        let kept = trace.events.iter().filter(|event| told(&event.kind)).cloned().collect();
        with_events(trace, kept)
    };
    let a = files.put("a", &calls(&trace));
    let same = files.put("same", &calls(&renumbered(0x40, 0x123)));
    let b = files.put("b", &calls(&changed));
    diff(&["--ignore", "qpn"], [&a, &same], 0);
    let text = diff(&["--ignore", "qpn"], [&a, &b], 1);
    assert!(text.contains("qp: 0x40 (64) / 0x124 (292)"), "{text}");
    assert!(text.contains("A's QPN 0x40 (64) was B's 0x123 (291) at steps"), "{text}");
}

#[test]
fn times_count_where_a_clock_tells_them() {
    let files = Files::new();
    let trace = |late: u64| {
        let mut trace = recorded("rc-write");
        trace.header.clock = "nanoseconds".to_owned();
        trace.events.iter_mut().for_each(|event| event.time += late);
        trace
    };
    let (a, b) = (files.put("a", &trace(0)), files.put("b", &trace(7)));
    let text = diff(&[], [&a, &b], 1);
    assert!(text.contains("time: 0 ns / 7 ns"), "{text}");
    assert!(
        text.contains(&format!("nothing but times in {} steps", trace(0).events.len())),
        "{text}"
    );
    diff(&["--ignore", "times"], [&a, &b], 0);
}

#[test]
fn lines_fit_the_width_and_colours_are_a_choice() {
    let files = Files::new();
    let a = files.put("a", &recorded("rc-write"));
    let b = files.put("b", &recorded("rc-write-list"));
    for width in [80, 120] {
        let text = diff(&["--all", "--width", &width.to_string()], [&a, &b], 1);
        // The paths of a test have a line of their own.
        let too_long = |line: &&str| line.chars().count() > width;
        assert_eq!(text.lines().find(too_long), None);
    }
    assert!(!diff(&[], [&a, &b], 1).contains('\u{1b}'));
    assert!(diff(&["--color", "always"], [&a, &b], 1).contains("\u{1b}["));
}

#[test]
fn what_cannot_be_compared_ends_with_two() {
    let files = Files::new();
    let a = files.put("a", &recorded("rc-write"));
    let fails = |other: &Path, words: &str| {
        let output = run(&[], [&a, other]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(words), "{errors}");
    };
    fails(Path::new("/nowhere/b"), "there is no file");
    fails(files.0.path(), "is a directory");
    let text = std::fs::read_to_string(&a).expect("it is there");
    let newer = files.0.path().join("newer");
    std::fs::write(&newer, text.replacen("\"schema\":1", "\"schema\":9", 1)).expect("ours");
    fails(&newer, "schema version 9");
    let none = run(&["--ignore", "bogus"], [&a, &a]);
    assert_eq!(none.status.code(), Some(2));
    for window in [&["--from", "10", "--to", "5"][..], &["--from", "100000"]] {
        let none = run(window, [&a, &a]);
        let errors = String::from_utf8_lossy(&none.stderr);
        assert_eq!((none.status.code(), &none.stdout[..]), (Some(2), &b""[..]), "{errors}");
        assert!(errors.contains("look at --from, --to and --only"), "{errors}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let files = Files::new();
    let a = files.put("a", &recorded("rc-write"));
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbell"));
    let output = command.arg("diff").args([&a, &a]).stdout(full).output().expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("cannot write the output"), "{errors}");
}

#[test]
fn a_truncated_trace_is_compared_up_to_its_end_and_said_to_be_so() {
    let files = Files::new();
    let a = files.put("a", &recorded("rc-write"));
    let text = std::fs::read(&a).expect("it is there");
    let cut = files.0.path().join("cut");
    std::fs::write(&cut, &text[..text.len() - 20]).expect("ours");
    let output = run(&[], [&a, &cut]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("ends in the middle of line"), "{errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains(&format!(
            "{} steps the same, 0 changed (~), 1 only in A (-)",
            recorded("rc-write").events.len() - 1
        )),
        "{text}"
    );
}

#[test]
fn traces_of_two_versions_and_masks_say_so() {
    let files = Files::new();
    let mut other = recorded("rc-write");
    other.header.tool = "doorbell 9.9.9".to_owned();
    let (a, b) = (files.put("a", &recorded("rc-write")), files.put("b", &other));
    assert!(diff(&[], [&a, &b], 0).contains("written by different versions"));
    let notes = json(&[], [&a, &b], 0)["notes"].to_string();
    assert!(notes.contains("written by different versions"), "{notes}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_trace_through_a_pipe_can_be_compared() {
    let files = Files::new();
    let a = files.put("a", &recorded("rc-write"));
    let doorbell = env!("CARGO_BIN_EXE_doorbell");
    let line = format!("'{doorbell}' diff '{0}' <(cat '{0}')", a.display());
    let output = Command::new("bash").args(["-c", &line]).output();
    let Ok(output) = output else {
        assert!(std::env::var_os("CI").is_none(), "install bash");
        return println!("skipped: there is no bash to make a pipe");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&no_difference()), "{text}");
}

/// A trace of the default scenario whose post and polls come again and again, and now and then one
/// more empty poll, in a file of so many steps.
fn long(path: &Path, steps: u64, extra: bool) {
    use std::io::Write;
    let trace = recorded("rc-write");
    let poll = empty_poll(&trace);
    let calls = |step: &usize| match &trace.events[*step].kind {
        Kind::Call { function, .. } => function == "ibv_post_send",
        _ => false,
    };
    let begin = (0..trace.events.len()).find(calls).expect("a post");
    let teardown = |step: &usize| match &trace.events[*step].kind {
        Kind::Call { function, .. } => function == "DESTROY_MKEY",
        _ => false,
    };
    let end = (begin..trace.events.len()).find(teardown).expect("an end");
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("ours"));
    serde_json::to_writer(&mut file, &trace.header).expect("a header");
    let mut number = 0;
    let mut put = |range: std::ops::Range<usize>| {
        for event in &trace.events[range] {
            let mut event = event.clone();
            (event.sequence, event.time) = (number, number);
            file.write_all(b"\n").expect("room");
            serde_json::to_writer(&mut file, &event).expect("an event");
            number += 1;
        }
        number
    };
    put(0..begin);
    for round in 1.. {
        if put(begin..end) >= steps {
            break;
        }
        if extra && round % 100 == 0 {
            put(poll.clone());
        }
    }
    file.write_all(b"\n").expect("room");
}

/// `DOORBELL_STEPS=1000000 cargo test -p doorbell --test diff large -- --nocapture` tells what two
/// such traces cost.
#[cfg(target_os = "linux")]
#[test]
fn two_large_traces_are_compared_in_little_memory_and_aloud() {
    let steps = std::env::var("DOORBELL_STEPS").ok().and_then(|text| text.parse().ok());
    let steps: u64 = steps.unwrap_or(40_000);
    let files = Files::new();
    let [a, b] = ["a", "b"].map(|name| files.0.path().join(name));
    long(&a, steps, false);
    long(&b, steps, true);
    let begun = std::time::Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_doorbell"))
        .arg("diff")
        .args([&a, &b])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut most = 0;
    while child.try_wait().expect("it is ours").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(kilobytes.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let text = String::from_utf8(child.wait_with_output().expect("it ended").stdout).expect("text");
    println!("{steps} steps each: {:.1} s, {most} KiB at most", begun.elapsed().as_secs_f64());
    assert!(text.contains("they are matched a stretch at a time"), "{text}");
    assert!(text.contains("0 changed") || text.contains("1 changed"), "{text}");
    assert!(most < 48 * 1024 + steps / 1024 * 64, "{most} KiB");
}

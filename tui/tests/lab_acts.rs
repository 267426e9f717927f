//! The kept recording of `why-mlx5-ib` is what the scenario does today: it is run in the lab, and the two
//! are compared step by step, on the driver's side. Boots a guest, so it runs where `DOORBELL_LAB=1`
//! says so, and says that it was skipped where it does not. With `DOORBELL_BLESS=1` the new recording
//! takes the place of the kept one.

#[path = "common/lab.rs"]
mod common_lab;

use doorbell_tracer::{Actor, Argument, Event, EventSource, Kind, SiteInfo, Value, file};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to do about a recording that is of another version.
const REMAKE: &str = "DOORBELL_LAB=1 DOORBELL_BLESS=1 cargo test -p doorbell --test lab_acts";

/// The recording in the repository.
fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/recordings/why-mlx5-ib.jsonl")
}

/// The command `doorbell lab` with these words; `None` where guests are not to be booted.
fn lab(words: &[&str]) -> Option<Command> {
    let mut command = common_lab::lab()?;
    command.args(words);
    Some(command)
}

/// Polls that find nothing, of which a recording to keep has no more: on a busy machine the card is slow,
/// and they would be most of it.
const POLLS_TO_KEEP: usize = 20;

/// Runs the scenario in the lab; false where guests are not to be booted.
fn record(path: &Path) -> bool {
    let place = path.to_str().expect("a plain path");
    let words = ["record", "why-mlx5-ib", "--timeout", "240", "-o", place];
    let Some(mut command) = lab(&words) else { return false };
    let output = command.output().expect("doorbell starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn the_kept_recording_is_what_the_lab_gives_today() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new.jsonl");
    if !record(&path) {
        return;
    }
    let (new, polls) = essence(&path);
    assert!(new.len() > 500, "only {} steps", new.len());
    if std::env::var_os("DOORBELL_BLESS").is_some() {
        return bless(&path, polls);
    }
    let (old, _) = essence(&kept());
    let place = new.iter().zip(&old).take_while(|(new, old)| new == old).count();
    assert!(
        new == old,
        "the kept recording is of another version, from its step {place} on:\n  kept {:?}\n  new  {:?}\n\
         look at both with `doorbell replay`, and remake it with `{REMAKE}`",
        old.get(place),
        new.get(place)
    );
}

/// Keeps a new recording: the first of some that was made while the machine was idle enough.
fn bless(path: &Path, mut polls: usize) {
    for _ in 0..10 {
        if polls <= POLLS_TO_KEEP {
            std::fs::copy(path, kept()).expect("the repository can be written");
            return;
        }
        record(path);
        polls = essence(path).1;
    }
    panic!("{polls} polls found nothing: this machine is too busy to make a recording to keep");
}

#[test]
fn it_runs_in_the_guest_as_text_and_only_in_the_right_guest() {
    let step = ["--timeout", "240", "--", "doorbell", "step", "why-mlx5-ib", "--text"];
    let run = |options: &[&str]| {
        let mut command = lab(&[&["run"], options, &step].concat())?;
        Some(command.output().expect("doorbell starts"))
    };
    let Some(right) = run(&["--iommu", "--no-drivers"]) else { return };
    let text = String::from_utf8_lossy(&right.stdout);
    assert!(right.status.success() && text.contains("call act_3_vfio"), "{text}");
    assert_eq!(text.matches("64 bytes lie in the other queue pair's buffer").count(), 4, "{text}");
    for (options, why) in [(&["--iommu"][..], "--no-drivers"), (&["--no-drivers"], "--iommu")] {
        let wrong = run(options).expect("guests boot");
        let errors = String::from_utf8_lossy(&wrong.stderr);
        assert!(!wrong.status.success() && errors.contains(why), "{options:?}: {errors}");
    }
}

/// What the steps are, without what must differ from run to run: numbers of objects, keys, addresses.
/// And how many polls found nothing, which are left out.
fn essence(path: &Path) -> (Vec<String>, usize) {
    let (trace, warnings) = file::open(path).unwrap_or_else(|error| panic!("{error}; {REMAKE}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    let events: Vec<_> = (0..trace.len()).filter_map(|step| trace.get(step)).collect();
    let (mut steps, mut empty_polls) = (Vec::<String>::new(), 0);
    for event in &events {
        if event.actor == Actor::Card {
            continue;
        }
        let site = trace.site(event).expect("a site");
        steps.push(one(event, site));
        if is_empty_poll(event) {
            // How often a program polls before the completion is there is a matter of time.
            let call = steps.iter().rposition(|step| step.contains("call ibv_poll_cq"));
            steps.truncate(call.expect("what returns was called"));
            empty_polls += 1;
        }
    }
    (steps, empty_polls)
}

/// Whether a poll ends here that found nothing.
fn is_empty_poll(event: &Event) -> bool {
    matches!(&event.kind, Kind::Return { function, result: Value::Number(0) } if function == "ibv_poll_cq")
}

/// One step.
fn one(event: &Event, site: &SiteInfo) -> String {
    let what = match &event.kind {
        Kind::Call { function, arguments } => format!("{function}({})", named(arguments)),
        Kind::Return { function, result } => format!("{function} {}", text(result)),
        Kind::Dispatch { table, slot, target } => format!("{table}.{slot} {target}"),
        Kind::Check { what, left, relation, right, holds } => {
            format!("{what} {} {} {} {holds}", left.name, relation.sign(), right.name)
        }
        Kind::Lock { lock, action } => format!("{lock} {action:?}"),
        Kind::Map(region) => format!("{:?} {}", region.role, without_numbers(&region.name)),
        Kind::Unmap { .. } => String::new(),
        Kind::Store { layout, bytes, .. } | Kind::Load { layout, bytes, .. } => {
            format!("{layout} {}", bytes.len())
        }
        Kind::Barrier { name, instruction } => format!("{name} {instruction}"),
        Kind::RegisterWrite { register, layout, bytes, .. } => {
            format!("{register} {layout} {}", bytes.len())
        }
        Kind::RegisterRead { register, bytes, .. } => format!("{register} {}", bytes.len()),
        Kind::State { object, from, to, .. } => format!("{object} {from} {to}"),
        Kind::Index { name, .. } => name.to_string(),
        Kind::Completion { status, attributes, .. } => format!("{status} {}", named(attributes)),
        Kind::Discovery { subject, finding, found } => {
            // The group of an IOMMU has a number that depends on what else is in the machine.
            let subject = match subject.strip_prefix("/dev/vfio/") {
                Some(group) => format!("/dev/vfio/{}", without_numbers(group)),
                None => subject.to_string(),
            };
            format!("{subject} {finding} {found}")
        }
        Kind::Note { text, values } => format!("{text} {}", named(values)),
        Kind::Command(_) | Kind::Dma { .. } | Kind::Packet(_) => String::new(),
    };
    format!("{} in {}: {} {what}", event.depth, site.function, event.kind.name())
}

/// Names of arguments, and those values that are names too.
fn named(arguments: &[Argument]) -> String {
    let one = |argument: &Argument| format!("{} {}", argument.name, text(&argument.value));
    arguments.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A value that is a name.
fn text(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        Value::Number(_) | Value::Hex(_) => "",
    }
}

/// A name without the number of its object.
fn without_numbers(name: &str) -> String {
    name.split("0x").next().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "")
}

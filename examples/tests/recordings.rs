//! The recordings that are kept in the repository can be opened, and are not older than the source.

use doorbell_examples::{IN_ACTS, Named, lab_scenarios, named, source};
use doorbell_tracer::{Kind, file};
use std::path::Path;

/// What to do about one that is of another version. The lab's own test compares every step.
const REMAKE: &str = "DOORBELL_LAB=1 DOORBELL_BLESS=1 cargo test -p doorbell --test lab_acts";

#[test]
fn every_scenario_of_the_lab_has_a_whole_recording() {
    assert!(!lab_scenarios().is_empty());
    for scenario in lab_scenarios() {
        let trace = scenario.recording().unwrap_or_else(|error| panic!("{error}; {REMAKE}"));
        assert_eq!(trace.header.scenario, scenario.name);
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("recordings/{}.jsonl", scenario.name));
        let (loaded, warnings) = file::open(&path).expect("it opens");
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(loaded.briefs().len(), trace.events.len());
        let size = std::fs::metadata(&path).expect("it is there").len();
        assert!(size < 800_000, "{size} bytes are too many to keep; what has grown?");
        assert!(
            matches!(named(scenario.name), Ok(Named::InLab(found)) if found.name == scenario.name)
        );
    }
}

/// A step is of today if the line of its probe still stands in the source.
#[test]
fn the_probes_of_a_recording_still_stand_in_the_source() {
    for scenario in lab_scenarios() {
        let trace = scenario.recording().expect("it opens");
        for site in &trace.header.sites {
            let recorded = trace.header.sources.iter().find(|source| source.path == site.file);
            let recorded = recorded.unwrap_or_else(|| panic!("{} is not in it", site.file));
            let line = recorded.text.lines().nth(site.line as usize - 1).unwrap_or_default().trim();
            let today = source(&site.file).unwrap_or_default();
            assert!(
                !line.is_empty() && today.lines().any(|other| other.trim() == line),
                "{} is of another version: {} has no line {line:?} any more. Remake it: `{REMAKE}`",
                scenario.name,
                site.file
            );
        }
    }
}

/// What a test of the source cannot see, the lab's does: this one looks whether the acts are there.
#[test]
fn the_acts_are_the_outermost_calls() {
    let Ok(Named::InLab(scenario)) = named("why-mlx5-ib") else { panic!("a scenario of the lab") };
    let trace = scenario.recording().expect("it opens");
    let first = trace.events.first().map(|event| &event.kind);
    assert!(matches!(first, Some(Kind::Note { text, .. }) if text == IN_ACTS), "{first:?}");
    let outermost = trace.events.iter().filter(|event| event.depth == 0);
    let called: Vec<&str> = outermost
        .filter_map(|event| match &event.kind {
            Kind::Call { function, .. } => Some(function.as_ref()),
            _ => None,
        })
        .collect();
    let wanted = [
        "modprobe",
        "modprobe",
        "act_1_mlx5_ib_absent",
        "modprobe",
        "wait_for_port",
        "act_2_mlx5_ib_present",
        "echo",
        "modprobe",
        "bind_to_vfio",
        "act_3_vfio",
    ];
    assert_eq!(called, wanted);
}

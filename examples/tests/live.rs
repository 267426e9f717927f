//! A live run waits at each event, gives the same events as a recording, and can be left.

use doorbell_examples::{Device, record, scenario, start};
use doorbell_tracer::live::Next;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn stepping_gives_the_recording() {
    let scenario = scenario("rc-write").expect("a scenario");
    let mut run = start(scenario, &Device::Card);
    let mut builder = run.builder();
    loop {
        match run.stepper.next(DEADLINE) {
            Next::Event(record) => builder.push(record),
            Next::Ended => break,
            Next::Running => panic!("no event within the deadline"),
        }
    }
    assert!(run.finish().is_ok());
    assert_eq!(builder.finish(), record(scenario, &Device::Card).trace);
}

#[test]
fn a_run_that_is_left_goes_on_to_its_end() {
    let scenario = scenario("rc-send-inline").expect("a scenario");
    let mut run = start(scenario, &Device::Card);
    for _ in 0..10 {
        assert!(matches!(run.stepper.next(DEADLINE), Next::Event(_)));
    }
    assert!(run.finish().is_ok());
}

#[test]
fn unknown_names_are_told_what_there_is() {
    let error = scenario("rc-wirte").expect_err("no such scenario").to_string();
    assert!(error.contains("rc-wirte") && error.contains("rc-write-list"), "{error}");
}

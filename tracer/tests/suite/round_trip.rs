//! What is written is read back, byte for byte.

use crate::samples::{event, events, header, one_of_each, trace};
use doorbell_tracer::file::{Options, read, write};
use doorbell_tracer::{Actor, Bytes, Event, EventSource, Kind, Trace};
use proptest::prelude::*;

/// The file of a trace.
fn written(trace: &Trace) -> Vec<u8> {
    let mut file = Vec::new();
    write(&trace.header, trace, &mut file, &Options::default()).unwrap();
    file
}

/// The trace of a file that nothing is wrong with.
fn read_back(file: &[u8]) -> Trace {
    let (loaded, warnings) = read("test", file).unwrap();
    assert_eq!(warnings, []);
    let events = (0..loaded.len()).map(|step| loaded.event(step).unwrap().unwrap().into_owned());
    Trace { header: loaded.header().clone(), events: events.collect() }
}

#[test]
fn every_kind_comes_back() {
    let kinds = one_of_each();
    let names: Vec<_> = kinds.iter().map(Kind::name).collect();
    assert_eq!(names, Kind::NAMES, "the samples have one of each kind");
    let trace = trace(kinds);
    assert_eq!(read_back(&written(&trace)), trace);
}

#[test]
fn the_names_of_kinds_are_those_in_the_file() {
    for kind in one_of_each() {
        let json = serde_json::to_value(event(0, kind.clone())).unwrap();
        assert_eq!(json["kind"], kind.name());
    }
}

#[test]
fn a_line_of_the_file_is_as_published() {
    let kind = Kind::store(doorbell_tracer::RegionId(4), 64, "data_segment", &[0x0f, 0xa0]);
    let mut event = event(7, kind);
    event.depth = 2;
    let line = r#"{"seq":7,"time":7,"actor":{"cpu":0},"depth":2,"site":0,"kind":"store","region":4,"offset":64,"layout":"data_segment","bytes":"0fa0"}"#;
    assert_eq!(serde_json::to_string(&event).unwrap(), line);
    event.actor = Actor::Card;
    let text = serde_json::to_string(&event).unwrap();
    assert!(text.contains(r#""actor":"card""#), "{text}");
}

#[test]
fn two_writings_are_the_same() {
    let trace = trace(one_of_each());
    assert_eq!(written(&trace), written(&trace.clone()));
}

#[test]
fn an_empty_trace_is_a_trace() {
    let empty = trace([]);
    assert_eq!(read_back(&written(&empty)), empty);
}

#[test]
fn steps_are_found_by_their_number() {
    let mut trace = trace(one_of_each());
    trace.events.drain(..5);
    assert_eq!(trace.step_of(5), Some(0));
    assert_eq!(trace.step_of(19), Some(14));
    assert_eq!(trace.step_of(4), None);
    assert_eq!(trace.step_of(20), None);
}

#[test]
fn hex_is_read_strictly() {
    assert_eq!(Bytes::from_hex("00ff7F").as_deref(), Some(&[0, 255, 127][..]));
    for wrong in ["0", "0g", " 0", "+1", "é0", "0x00"] {
        assert_eq!(Bytes::from_hex(wrong), None, "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_events_come_back(events in events(40)) {
        let trace = Trace { header: header(), events };
        prop_assert_eq!(read_back(&written(&trace)), trace);
    }

    #[test]
    fn bytes_come_back_from_their_hex(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::new(&bytes);
        prop_assert_eq!(Bytes::from_hex(&bytes.to_hex()), Some(bytes));
    }

    #[test]
    fn random_lines_never_panic(line in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = serde_json::from_str::<Event>(&line);
        let _ = read("text", line.as_bytes());
        let _ = read("bytes", bytes.as_slice());
        let mut file = written(&trace(one_of_each()));
        let at = file.len() / 2;
        file.splice(at..at, bytes);
        let _ = read("damaged", file.as_slice());
    }
}

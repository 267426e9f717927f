//! Trace files that are damaged, foreign, or of another version.

use crate::samples::{event, one_of_each, store, trace};
use doorbell_tracer::file::{
    Damage, Limits, Loaded, Options, TraceFileError, Warning, open, open_with, read, write,
};
use doorbell_tracer::{EventSource, Kind, Value};
use std::path::PathBuf;

/// The lines of a file with three stores, newlines included: the header and three events.
fn lines() -> Vec<Vec<u8>> {
    let trace = trace((0..3).map(|step| store(1, step, &[7; 4])));
    let mut file = Vec::new();
    write(&trace.header, &trace, &mut file, &Options::default()).unwrap();
    file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn opened(file: &[u8]) -> (Loaded, Vec<Warning>) {
    read("test", file).unwrap()
}

/// Why a file cannot be opened: the error and its text.
fn refused(file: &[u8]) -> (TraceFileError, String) {
    let error = read("test.trace", file).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("test.trace"), "{text}");
    (error, text)
}

/// Opens the three events with the second event's line replaced.
fn with_second(line: &[u8]) -> (usize, Vec<Warning>) {
    let mut lines = lines();
    lines[2] = line.to_vec();
    let (loaded, warnings) = opened(&lines.concat());
    (loaded.len(), warnings)
}

/// The damage of the second event's line, which must be told with its place.
fn damage_of(line: &[u8]) -> Damage {
    let (events, mut warnings) = with_second(line);
    assert_eq!(events, 1, "the trace ends before the damage");
    let before = (lines()[0].len() + lines()[1].len()) as u64;
    let text = warnings[0].to_string();
    assert!(text.contains("line 3") && text.contains(&format!("byte {before}")), "{text}");
    match warnings.remove(0) {
        Warning::Damaged { line: 3, offset, damage, events: 1 } => {
            assert_eq!(offset, before);
            damage
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.trace");
    let error = open(&missing).unwrap_err();
    assert!(matches!(&error, TraceFileError::Missing { path } if *path == missing));
    assert!(error.to_string().contains("doorbell record"), "{error}");
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, TraceFileError::Directory { .. }), "{error:?}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(open(&file).unwrap_err(), TraceFileError::Empty { .. }));
    let below: PathBuf = file.join("a.trace");
    assert!(matches!(open(below).unwrap_err(), TraceFileError::Unreadable { .. }));
}

#[test]
fn what_is_not_json_is_refused() {
    let (error, text) = refused(b"hello\nworld\n");
    assert!(matches!(error, TraceFileError::NotJson { .. }) && text.contains("not JSON"), "{text}");
    let (_, text) = refused(b"\x7fELF\x02\x01\x01\x00");
    assert!(text.contains("binary data"), "{text}");
    let (_, text) = refused(b"{\"format\":\"caf\xe9\"}\n");
    assert!(text.contains("binary data"), "{text}");
    let (_, text) = refused(b"\x1f\x8b\x08\x00rest");
    assert!(text.contains("gunzip"), "{text}");
    let (_, text) = refused(b"\x28\xb5\x2f\xfdrest");
    assert!(text.contains("unzstd"), "{text}");
    assert!(matches!(refused(b"\n").0, TraceFileError::NotJson { .. }));
}

#[test]
fn json_that_is_no_trace_is_refused() {
    for (file, found) in [
        (&b"{}\n"[..], "missing"),
        (b"[1, 2]\n", "missing"),
        (b"7", "missing"),
        (b"{\"format\":\"other\"}\n", "\"other\""),
        (b"{\"format\":4}\n", "4"),
    ] {
        let (error, text) = refused(file);
        assert!(matches!(error, TraceFileError::NotATrace { .. }), "{error:?}");
        assert!(text.contains(&format!("is {found},")), "{text}");
    }
    let long = format!("{{\"format\":\"{}\"}}\n", "ü".repeat(500));
    assert!(refused(long.as_bytes()).1.len() < 400, "a long value is shortened");
}

#[test]
fn a_newer_version_is_refused_with_both_versions() {
    let first = String::from_utf8(lines().remove(0)).unwrap();
    let newer =
        first.replace("\"schema\":1", "\"schema\":2").replace("doorbell 0.1.0", "doorbell 9");
    let (error, text) = refused(newer.as_bytes());
    assert!(matches!(error, TraceFileError::NewerSchema { found: 2, supported: 1, .. }));
    assert!(
        text.contains("version 2") && text.contains("up to 1") && text.contains("doorbell 9"),
        "{text}"
    );
    let older = first.replace("\"schema\":1", "\"schema\":0");
    assert_eq!(opened(older.as_bytes()).0.header().schema, 0);
}

#[test]
fn a_damaged_header_is_refused() {
    let first = String::from_utf8(lines().remove(0)).unwrap();
    let (error, text) = refused(first.replace("\"schema\":1", "\"schema\":\"one\"").as_bytes());
    assert!(matches!(error, TraceFileError::DamagedHeader { .. }), "{error:?}");
    assert!(text.contains("schema"), "{text}");
    let (error, text) = refused(first.replace("\"clock\":", "\"watch\":").as_bytes());
    assert!(matches!(error, TraceFileError::DamagedHeader { .. }), "{error:?}");
    assert!(text.contains("clock"), "{text}");
    for length in [1, 20, 60, first.len() - 2] {
        let error = refused(&first.as_bytes()[..length]).0;
        assert!(
            matches!(error, TraceFileError::TruncatedHeader { bytes, .. } if bytes == length as u64)
        );
    }
}

#[test]
fn a_truncated_file_opens_up_to_its_last_whole_line() {
    let lines = lines();
    let whole = lines.concat();
    let third = whole.len() - lines[3].len();
    for length in third..=whole.len() {
        let (loaded, warnings) = opened(&whole[..length]);
        let at_end = length >= whole.len() - 1;
        assert_eq!(loaded.len(), if at_end { 3 } else { 2 });
        let expected = match length {
            _ if at_end => vec![],
            _ if length == third => vec![Warning::EndMissing { expected: 3, found: 2 }],
            _ => vec![Warning::Truncated { line: 4, offset: third as u64, events: 2 }],
        };
        assert_eq!(warnings, expected, "cut at {length}");
    }
}

#[test]
fn a_damaged_line_ends_the_trace_before_it() {
    assert!(matches!(damage_of(b"garbage\n"), Damage::NotAnEvent(_)));
    assert!(matches!(damage_of(b"{\"seq\":1}\n"), Damage::NotAnEvent(_)));
    assert!(matches!(damage_of(b"{\"seq\":1,\"kind\":\"unheard\"}\n"), Damage::NotAnEvent(_)));
    let line = String::from_utf8(lines().remove(2)).unwrap();
    let odd = line.replace("07070707", "0707070");
    assert_eq!(
        damage_of(odd.as_bytes()),
        Damage::NotAnEvent(format!(
            "bytes are not pairs of hex digits at its byte {}",
            odd.trim_end().len()
        ))
    );
    assert_eq!(damage_of(b"{\"a\":\"\xff\"}\n"), Damage::NotText(6));
    assert_eq!(damage_of(&lines()[1]), Damage::OutOfOrder { before: 0, found: 0 });
    assert!(matches!(damage_of(&lines()[0]), Damage::NotAnEvent(_)), "a second header");
    assert!(matches!(damage_of(b"[[[[[[[[[[[[[[[[[[[[[[[[[[\n"), Damage::NotAnEvent(_)));
    assert!(matches!(damage_of(&[&[b'['; 100_000][..], b"\n"].concat()), Damage::NotAnEvent(_)));
}

#[test]
fn a_line_without_end_is_not_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.trace");
    let mut lines = lines();
    lines[2] = vec![b'x'; 5000];
    std::fs::write(&path, lines.concat()).unwrap();
    let limits = Limits { line: 4096, ..Limits::default() };
    let (loaded, warnings) = open_with(&path, limits, &mut |_| {}).unwrap();
    assert_eq!(loaded.len(), 1);
    assert!(matches!(warnings[..], [Warning::Damaged { damage: Damage::TooLong(4096), .. }]));
    // The same as the first line.
    std::fs::write(&path, vec![b'x'; 5000]).unwrap();
    let error = open_with(&path, limits, &mut |_| {}).unwrap_err();
    assert!(matches!(error, TraceFileError::NotJson { .. }), "{error:?}");
}

#[test]
fn an_unknown_kind_is_kept_as_a_note() {
    let line = |seq: u32| {
        format!(
            "{{\"seq\":{seq},\"time\":5,\"actor\":\"card\",\"depth\":2,\"site\":0,\"kind\":\"interrupt\",\"vector\":3,\"name\":\"msi-x\",\"more\":[1]}}\n"
        )
    };
    let mut lines = lines();
    lines[2] = line(1).into_bytes();
    lines[3] = line(2).into_bytes();
    let (loaded, warnings) = opened(&lines.concat());
    let unknown = Warning::UnknownKind { kind: "interrupt".into(), line: 3, count: 2 };
    assert_eq!(warnings, [unknown]);
    let event = loaded.event(1).unwrap().unwrap();
    assert_eq!((event.depth, event.time), (2, 5));
    let Kind::Note { text, values } = &event.kind else {
        panic!("{event:?}");
    };
    assert!(text.contains("interrupt"), "{text}");
    let values: Vec<_> = values.iter().map(|argument| (&*argument.name, &argument.value)).collect();
    assert!(values.contains(&("vector", &Value::Number(3))));
    assert!(values.contains(&("name", &Value::Text("msi-x".into()))));
    assert!(values.contains(&("more", &Value::Text("[1]".into()))));
}

#[test]
fn gaps_and_unknown_sites_are_told() {
    let mut trace = trace([]);
    for sequence in [2, 3, 7, 100] {
        let mut event = event(sequence, store(1, 0, &[1]));
        event.site = if sequence == 7 { 5 } else { 0 };
        trace.events.push(event);
    }
    let mut file = Vec::new();
    write(&trace.header, &trace, &mut file, &Options::default()).unwrap();
    let (loaded, warnings) = opened(&file);
    let gaps = Warning::Gaps { line: 2, gaps: 3, events: 2 + 3 + 92 };
    assert_eq!(warnings, [gaps, Warning::UnknownSite { line: 4, count: 1 }]);
    assert_eq!(loaded.step_of(7), Some(2));
    assert_eq!(loaded.site(&loaded.get(2).unwrap()), None);
    assert!(loaded.site(&loaded.get(1).unwrap()).is_some());
}

#[test]
fn what_other_tools_add_does_no_harm() {
    let lines = lines();
    let windows: Vec<_> =
        lines.iter().map(|line| [&line[..line.len() - 1], b"\r\n\r\n"].concat()).collect();
    let (loaded, warnings) = opened(&[&b"\xef\xbb\xbf"[..], &windows.concat()].concat());
    assert_eq!((loaded.len(), warnings.len()), (3, 0));
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let trace = trace(one_of_each());
    let mut file = Vec::new();
    write(&trace.header, &trace, &mut file, &Options::default()).unwrap();
    let header = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in (0..file.len()).step_by(13) {
        match read("cut", &file[..length]) {
            Ok((loaded, warnings)) => {
                assert!(length + 1 >= header);
                assert!(loaded.len() == trace.len() || !warnings.is_empty(), "cut at {length}");
            }
            Err(_) => assert!(length < header, "cut at {length}"),
        }
    }
    for at in (header..file.len()).step_by(11) {
        for byte in [0, b'"', b'}', 0xff, b'\n'] {
            let mut changed = file.clone();
            changed[at] = byte;
            let (loaded, warnings) = opened(&changed);
            assert!(loaded.len() == trace.len() || !warnings.is_empty(), "{byte} at {at}");
        }
    }
}

/// What a file holds, read event by event, and what its end says.
fn streamed(file: &[u8]) -> (Vec<doorbell_tracer::Event>, Vec<Warning>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    std::fs::write(&path, file).unwrap();
    let mut stream = doorbell_tracer::file::Stream::open(&path).unwrap();
    let events = std::iter::from_fn(|| stream.next_event()).collect();
    (events, stream.finish().1)
}

#[test]
fn a_stream_reads_and_warns_as_opening_does() {
    let whole = lines().concat();
    let mut doubled = lines();
    doubled[3] = doubled[2].clone();
    let files = [whole.clone(), whole[..whole.len() - 5].to_vec(), doubled.concat()];
    for (file, events) in files.iter().zip([3, 2, 2]) {
        let (loaded, warnings) = opened(file);
        let (found, told) = streamed(file);
        assert_eq!((found.len(), told), (events, warnings));
        for (step, event) in found.iter().enumerate() {
            assert_eq!(*event, *loaded.get(step).unwrap());
        }
    }
}

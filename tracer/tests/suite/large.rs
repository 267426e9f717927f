//! Files that do not fit in memory: opened in one pass, read again where wanted.

use crate::samples::{header, map, store};
use doorbell_tracer::file::{
    Limits, Loaded, Options, Progress, TraceFileError, Warning, open_with, write,
};
use doorbell_tracer::timeline::Cursor;
use doorbell_tracer::{Actor, Event, EventSource, Kind, RegionId, Role};
use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Makes events as they are asked for.
struct Endless(usize);

impl EventSource for Endless {
    fn len(&self) -> usize {
        self.0
    }
    fn get(&self, index: usize) -> Option<Cow<'_, Event>> {
        let kind = match index {
            0 => map(1, Role::SendQueue, 0x1000, 4096),
            _ if index.is_multiple_of(10) => Kind::call("post_send", []),
            _ if index % 10 == 9 => Kind::returned("post_send", 0_u32),
            _ => store(1, index * 16 % 4096, &(index as u128).to_be_bytes()),
        };
        let mut event = crate::samples::event(index as u64, kind);
        event.depth = (index % 3) as u16;
        event.actor = if index.is_multiple_of(7) { Actor::Card } else { Actor::Cpu(2) };
        Some(Cow::Owned(event))
    }
}

/// A file of so many events.
fn file(folder: &Path, events: usize) -> PathBuf {
    let path = folder.join("large.trace");
    let output = File::create(&path).unwrap();
    write(&header(), &Endless(events), output, &Options::default()).unwrap();
    path
}

/// Opens a file as one that does not fit.
fn open_on_disk(path: &Path) -> (Loaded, Vec<Warning>) {
    let limits = Limits { memory: 0, ..Limits::default() };
    open_with(path, limits, &mut |_| {}).unwrap()
}

/// Whether the bytes of the ring after `step` are those that were stored up to it.
fn assert_state(loaded: &Loaded, cursor: &mut Cursor, step: usize) {
    let state = cursor.go(Some(step), loaded.timeline(), loaded);
    assert_eq!(state.step(), Some(step as u64));
    let last = (0..=step).rev().find(|at| *at % 10 != 0 && at % 10 != 9).unwrap();
    let offset = (last * 16 % 4096) as u64;
    let bytes = state.bytes(RegionId(1), offset..offset + 16);
    assert_eq!(bytes, (last as u128).to_be_bytes());
    assert_eq!(state.writer(RegionId(1), offset), Some(last as u64));
}

#[test]
fn two_hundred_thousand_events_are_read_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let events = 200_000;
    let path = file(folder.path(), events);
    let (loaded, warnings) = open_on_disk(&path);
    assert_eq!((loaded.len(), warnings.len()), (events, 0));
    assert!(!loaded.in_memory());
    let expected = Endless(events);
    for step in (0..events).step_by(9973).chain([1, events - 1]) {
        assert_eq!(loaded.get(step), expected.get(step), "event {step}");
        assert_eq!(loaded.step_of(step as u64), Some(step));
    }
    assert!(loaded.event(events).is_none());
    let mut cursor = Cursor::new();
    for step in [100_001, 100_002, 100_001, 3, 199_999, 150_000] {
        assert_state(&loaded, &mut cursor, step);
    }
}

#[test]
fn what_each_event_is_needs_no_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 1000);
    let (on_disk, _) = open_on_disk(&path);
    let (in_memory, _) = doorbell_tracer::file::open(&path).unwrap();
    assert!(in_memory.in_memory());
    assert_eq!(on_disk.briefs(), in_memory.briefs());
    for (step, brief) in on_disk.briefs().iter().enumerate() {
        let event = in_memory.get(step).unwrap();
        assert_eq!(brief.kind(), event.kind.name());
        assert_eq!((brief.depth, brief.actor, brief.site), (event.depth, event.actor, event.site));
    }
}

#[test]
fn opening_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 10_000);
    let total = path.metadata().unwrap().len();
    let mut seen: Vec<Progress> = Vec::new();
    open_with(&path, Limits::default(), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen.is_sorted_by(|a, b| a.read < b.read && a.events < b.events));
    let last = Progress { read: total, total, events: 10_000 };
    assert_eq!(seen.last(), Some(&last));
}

#[test]
fn a_large_file_may_be_damaged_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 1000);
    let length = path.metadata().unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(length - 20).unwrap();
    let (loaded, warnings) = open_on_disk(&path);
    assert!(
        matches!(warnings[..], [Warning::Truncated { events: 999, line: 1001, .. }]),
        "{warnings:?}"
    );
    assert_eq!(loaded.get(998), Endless(1000).get(998));
    assert_eq!(loaded.get(999), None);
}

#[test]
fn a_file_that_changes_under_the_reader_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 1000);
    let (loaded, _) = open_on_disk(&path);
    let length = path.metadata().unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    assert!(loaded.event(1).unwrap().is_ok());
    let error = loaded.event(999).unwrap().unwrap_err();
    assert!(matches!(error, TraceFileError::Changed { step: 999, .. }), "{error:?}");
    assert!(error.to_string().contains("open it again"), "{error}");
    assert_eq!(loaded.get(999), None);
    let state = loaded.timeline().state_at(998, &loaded);
    assert!(state.step() < Some(998), "the state stops where reading does");
}

#[test]
fn empty_lines_between_events_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 2);
    let text = std::fs::read_to_string(&path).unwrap();
    let gap = "\n".repeat(1 << 20);
    let (head, tail) = text.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&path, format!("{head}{gap}{tail}\n")).unwrap();
    let (loaded, warnings) = open_on_disk(&path);
    assert_eq!((loaded.len(), warnings.len()), (2, 0));
    assert_eq!(loaded.get(0), Endless(2).get(0));
    assert_eq!(loaded.get(1), Endless(2).get(1));
}

/// Takes some minutes and 2 GB of disk: `cargo test --release -- --ignored two_gigabytes`.
#[test]
#[ignore = "writes a file of 2 GB"]
fn two_gigabytes_are_opened_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let events = 14_000_000;
    let path = file(folder.path(), events);
    assert!(path.metadata().unwrap().len() > 2 << 30);
    let (loaded, warnings) = doorbell_tracer::file::open(&path).unwrap();
    assert_eq!((loaded.len(), warnings.len()), (events, 0));
    assert!(!loaded.in_memory());
    let mut cursor = Cursor::new();
    for step in [events / 2, events / 2 - 1, 1, events - 1] {
        assert_state(&loaded, &mut cursor, step);
    }
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        println!("peak memory {} MiB", kibibytes / 1024);
        assert!(kibibytes < 1 << 20, "{kibibytes} KiB for a file of 2 GB");
    }
}

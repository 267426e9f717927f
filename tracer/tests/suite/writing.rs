//! Writing to paths that take it and paths that do not.

use crate::samples::{header, one_of_each, store, trace};
use doorbell_tracer::file::{Options, TraceFileError, Warning, open, read, write, write_file};
use doorbell_tracer::{EventSource, Kind, RegionId};
use std::io::{self, Write};

/// Takes so many bytes and then has no room.
struct SmallDisk {
    taken: Vec<u8>,
    room: usize,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room - self.taken.len());
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_is_written_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.trace");
    let long = trace(one_of_each());
    write_file(&long, &path, &Options::default()).unwrap();
    assert_eq!(open(&path).unwrap().0.len(), long.len());
    let short = trace([store(1, 0, &[1])]);
    write_file(&short, &path, &Options::default()).unwrap();
    let (loaded, warnings) = open(&path).unwrap();
    assert_eq!((loaded.len(), warnings.len()), (1, 0));
    assert_eq!(loaded.path(), path);
}

#[test]
fn what_a_full_disk_took_can_be_opened() {
    let trace = trace((0..2000).map(|step| store(1, step, &[7; 40])));
    let mut whole = Vec::new();
    write(&trace.header, &trace, &mut whole, &Options::default()).unwrap();
    for room in [whole.len() - 1, whole.len() / 2, whole.len() / 3, 5000] {
        let mut disk = SmallDisk { taken: Vec::new(), room };
        let error = write(&trace.header, &trace, &mut disk, &Options::default()).unwrap_err();
        let TraceFileError::Write { events, source, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("make room"), "{error}");
        assert_eq!(disk.taken, whole[..room]);
        let (loaded, warnings) = read("full disk", disk.taken.as_slice()).unwrap();
        // A last line that lacks only its newline is whole.
        let found = loaded.len() as u64;
        assert!(found == *events || found == events + 1, "{found} of {events}");
        assert!(
            matches!(warnings[..], [] | [Warning::Truncated { .. } | Warning::EndMissing { .. }]),
            "{warnings:?}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_system_says_that_the_disk_is_full() {
    let error = write_file(&trace([]), "/dev/full", &Options::default()).unwrap_err();
    assert!(matches!(error, TraceFileError::Write { events: 0, .. }), "{error:?}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
}

#[test]
fn paths_that_cannot_be_written_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = write_file(&trace([]), folder.path(), &Options::default()).unwrap_err();
    assert!(matches!(error, TraceFileError::Directory { .. }), "{error:?}");
    let missing = folder.path().join("no/such/folder/a.trace");
    let error = write_file(&trace([]), &missing, &Options::default()).unwrap_err();
    assert!(matches!(error, TraceFileError::Create { .. }), "{error:?}");
    assert!(error.to_string().contains("directory that exists"), "{error}");
}

#[test]
fn an_event_that_no_reader_would_accept_is_refused() {
    let trace = trace([store(1, 0, &[1]), store(1, 0, &vec![7; 33 << 20])]);
    let mut disk = Vec::new();
    let error = write(&trace.header, &trace, &mut disk, &Options::default()).unwrap_err();
    assert!(matches!(error, TraceFileError::LineTooLong { step: 1, .. }), "{error:?}");
    let (loaded, warnings) = read("refused", disk.as_slice()).unwrap();
    assert_eq!(loaded.len(), 1, "the events before it are there");
    assert_eq!(warnings, [Warning::EndMissing { expected: 2, found: 1 }]);
}

#[test]
fn events_that_cannot_be_read_end_the_writing() {
    struct Broken;
    impl EventSource for Broken {
        fn len(&self) -> usize {
            2
        }
        fn get(&self, index: usize) -> Option<std::borrow::Cow<'_, doorbell_tracer::Event>> {
            let kind = Kind::unmap(RegionId(1));
            (index == 0).then(|| std::borrow::Cow::Owned(crate::samples::event(0, kind)))
        }
    }
    let error = write(&header(), &Broken, io::sink(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("event 1 cannot be read"), "{error}");
}

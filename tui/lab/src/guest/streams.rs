//! The command's streams: bytes as they are, each stream for itself.

use crate::error::{LabError, on};
use crate::process::Stop;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Where the command's output goes and its input comes from.
pub struct Streams {
    /// Its standard output.
    pub out: Box<dyn Write + Send>,
    /// Its standard error.
    pub err: Box<dyn Write + Send>,
    /// Its standard input; none is an empty one.
    pub input: Option<Box<dyn Read + Send>>,
}

/// Sockets that QEMU is to connect to.
pub struct Doors(Vec<(&'static str, UnixListener)>);

impl Doors {
    /// Opens one for each port.
    pub fn open(folder: &Path, ports: &[&'static str]) -> Result<Self, LabError> {
        let open = |name: &&'static str| {
            let path = folder.join(format!("{name}.sock"));
            let door = UnixListener::bind(&path).map_err(on("listen on", &path))?;
            door.set_nonblocking(true).map_err(on("listen on", &path))?;
            Ok((*name, door))
        };
        ports.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Takes QEMU in at all of them; `check` tells whether waiting still makes sense.
    pub fn accept(
        self,
        deadline: Duration,
        check: &mut dyn FnMut() -> Result<(), LabError>,
    ) -> Result<Option<Vec<(&'static str, UnixStream)>>, LabError> {
        let until = Instant::now() + deadline;
        let mut taken = Vec::new();
        for (name, door) in &self.0 {
            let stream = loop {
                match door.accept() {
                    Ok((stream, _)) => break stream,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                        return Err(on("listen on", Path::new(name))(error));
                    }
                    Err(_) => {}
                }
                check()?;
                if Instant::now() >= until {
                    return Ok(None);
                }
                thread::sleep(Duration::from_millis(5));
            };
            stream.set_nonblocking(false).map_err(on("listen on", Path::new(name)))?;
            taken.push((*name, stream));
        }
        Ok(Some(taken))
    }
}

/// The threads that pass the streams on.
#[derive(Default)]
pub struct Pumps {
    outputs: Vec<JoinHandle<()>>,
    failures: Vec<Receiver<io::Error>>,
}

impl Pumps {
    /// Passes on what the guest writes, until it closes the stream.
    pub fn output(&mut self, from: UnixStream, to: Box<dyn Write + Send>) {
        let (failed, failures) = channel();
        self.failures.push(failures);
        self.outputs.push(thread::spawn(move || {
            if let Err(error) = copy(from, to) {
                let _ = failed.send(error);
            }
        }));
    }

    /// Passes the input on, and its end. The thread may stay in a read that never ends, as of a
    /// terminal: nobody waits for it.
    pub fn input(&mut self, mut from: Box<dyn Read + Send>, to: UnixStream) {
        thread::spawn(move || {
            // The guest that ends before its input does is no error.
            let _ = to.try_clone().and_then(|to| copy(&mut from, to));
            // Only this direction: QEMU would drop what it has not read from a closed socket.
            let _ = to.shutdown(Shutdown::Write);
            let _ = copy(to, io::sink());
        });
    }

    /// The error of an output that could not be passed on, once.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failures.iter().find_map(|failures| failures.try_recv().ok())
    }

    /// Waits until all that the guest wrote has been passed on; a reader that takes its time is
    /// given it, unless someone asks to end.
    pub fn finish(mut self, stop: &Stop) -> Result<(), LabError> {
        while !self.outputs.iter().all(JoinHandle::is_finished) {
            stop.check()?;
            thread::sleep(Duration::from_millis(5));
        }
        self.failure().map_or(Ok(()), |error| Err(LabError::Output(error)))
    }
}

/// Copies until the end, and passes on what came at once.
fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                to.write_all(&bytes[..read])?;
                to.flush()?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A guest that is killed takes its sockets with it: the end, too.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Puts a word before each line, where the output of two guests goes to one place.
pub struct Prefixed<W: Write> {
    to: W,
    prefix: &'static str,
    line: Vec<u8>,
}

impl<W: Write> Prefixed<W> {
    /// Writes to `to`.
    pub fn new(prefix: &'static str, to: W) -> Self {
        Self { to, prefix, line: Vec::new() }
    }

    fn put(&mut self) -> io::Result<()> {
        let mut whole = self.prefix.as_bytes().to_vec();
        whole.append(&mut self.line);
        // One write a line: lines of two guests do not mix.
        self.to.write_all(&whole)
    }
}

impl<W: Write> Write for Prefixed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                self.put()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Drop for Prefixed<W> {
    /// A last line without an end gets one. Nobody is left to tell of an error.
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.line.push(b'\n');
            let _ = self.put();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_byte_passes_in_order() {
        let (mut guest, host) = UnixStream::pair().expect("a pair");
        let kept = Kept::default();
        let mut pumps = Pumps::default();
        pumps.output(host, Box::new(kept.clone()));
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
        guest.write_all(&bytes).expect("written");
        drop(guest);
        pumps.finish(&Stop::default()).expect("passed on");
        assert!(*kept.0.lock().expect("no panic") == bytes);
    }

    #[test]
    fn an_output_that_fails_is_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut guest, host) = UnixStream::pair().expect("a pair");
        let mut pumps = Pumps::default();
        pumps.output(host, Box::new(Full));
        guest.write_all(b"x").expect("written");
        let error = pumps.finish(&Stop::default()).expect_err("it failed");
        assert!(
            matches!(error, LabError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
        );
    }

    #[test]
    fn the_end_of_the_input_reaches_the_guest() {
        let (mut guest, host) = UnixStream::pair().expect("a pair");
        Pumps::default().input(Box::new(&b"all of it"[..]), host);
        let mut read = Vec::new();
        guest.read_to_end(&mut read).expect("it ends");
        assert_eq!(read, b"all of it");
    }

    #[test]
    fn doors_that_nobody_comes_to_are_left_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let doors = Doors::open(folder.path(), &["out"]).expect("open");
        let nobody = doors.accept(Duration::from_millis(50), &mut || Ok(())).expect("no error");
        assert!(nobody.is_none());
        let folder = tempfile::tempdir().expect("a folder");
        let doors = Doors::open(folder.path(), &["out"]).expect("open");
        let gone = doors.accept(Duration::from_secs(9), &mut || Err(LabError::Stopped));
        assert!(matches!(gone, Err(LabError::Stopped)));
    }

    #[test]
    fn lines_of_two_guests_are_told_apart() {
        let kept = Kept::default();
        let mut one = Prefixed::new("guest0: ", kept.clone());
        one.write_all(b"a\nb").expect("written");
        one.write_all(b"c\n\n").expect("written");
        one.write_all(b"no end").expect("written");
        drop(one);
        let text = String::from_utf8(kept.0.lock().expect("no panic").clone()).expect("text");
        assert_eq!(text, "guest0: a\nguest0: bc\nguest0: \nguest0: no end\n");
    }
}

//! The program's side: a thread that listens.

use super::protocol::{FORMAT, Greeting, GroupState, Reply, Request, Status, VERSION, hear, say};
use crate::{Switches, TOOL, Traced};
use doorbell_tracer::Group;
use doorbell_tracer::file::{self, TraceFileError};
use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, bind, listen, shutdown,
    socket_with,
};
use std::fs;
use std::io::{self, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long somebody who is attached may keep others waiting without a word.
const PATIENCE: Duration = Duration::from_secs(5);

/// Those who may wait for their turn.
const WAITING: i32 = 8;

/// Why a program cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has that socket.
    #[error("another program listens at {}; name another path", .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{} is there already and is no socket; name another path", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("cannot listen at {}: {reason}; name a path of fewer than 108 bytes in a folder that you may write to", path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
}

/// A program that can be attached to, until this is dropped. The socket goes with it.
#[derive(Debug)]
pub struct Listening {
    path: PathBuf,
    /// Device and number of the socket's file: another one under its name is not ours.
    file: (u64, u64),
    listener: Arc<UnixListener>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Listens at `path`, for this user only. A socket that a program left behind is replaced.
    pub fn at(path: &Path, program: Traced, switches: Switches) -> Result<Self, ListenError> {
        make_way(path)?;
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse(path.to_owned()),
            _ => ListenError::System { path: path.to_owned(), reason: error.to_string() },
        };
        let listener = Arc::new(bound(path).map_err(refused)?);
        let made = fs::symlink_metadata(path).map_err(refused)?;
        let ends = Arc::new(AtomicBool::new(false));
        let thread = {
            let (listener, ends) = (Arc::clone(&listener), Arc::clone(&ends));
            let server = Server { program, switches };
            let named = thread::Builder::new().name("doorbell-attach".to_owned());
            named.spawn(move || server.serve(&listener, &ends)).map_err(refused)?
        };
        let file = (made.dev(), made.ino());
        Ok(Self { path: path.to_owned(), file, listener, ends, thread: Some(thread) })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listening {
    /// Ends what is being answered, and takes the socket away.
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Whoever waits in `accept` is woken.
        let _ = shutdown(&*self.listener, Shutdown::Both);
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes away a socket that nobody listens at.
fn make_way(path: &Path) -> Result<(), ListenError> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| ListenError::System {
                path: path.to_owned(),
                reason: error.to_string(),
            }),
        _ => Err(ListenError::InUse(path.to_owned())),
    }
}

/// A socket that only this user may connect to, from its first moment on: on Linux the file has the
/// rights that the socket had before it was bound.
fn bound(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &address)?;
    listen(&socket, WAITING)?;
    Ok(UnixListener::from(socket))
}

/// What answers.
struct Server {
    program: Traced,
    switches: Switches,
}

impl Server {
    /// One after the other, until the program ends.
    fn serve(&self, listener: &UnixListener, ends: &AtomicBool) {
        while !ends.load(Ordering::SeqCst) {
            match listener.accept() {
                // Who goes away in the middle, or says nothing, is no error of this program.
                Ok((stream, _)) => drop(self.attend(&stream, ends)),
                Err(_) if ends.load(Ordering::SeqCst) => return,
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Greets one, and answers until there are no more requests.
    fn attend(&self, mut stream: &UnixStream, ends: &AtomicBool) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        say(&mut stream, &self.greeting())?;
        let mut requests = BufReader::new(stream);
        while !ends.load(Ordering::SeqCst) {
            let request = match hear(&mut requests) {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return say(&mut stream, &Reply::Refused { why: error.to_string() });
                }
                Err(error) => return Err(error),
            };
            self.answer(request, &mut stream)?;
        }
        Ok(())
    }

    fn answer(&self, request: Request, stream: &mut impl Write) -> io::Result<()> {
        match request {
            Request::Status => {}
            Request::Switch { disable, enable } => {
                if let Err(unknown) = self.switches.switch(&disable, &enable) {
                    let (name, known) = (unknown.name, unknown.known);
                    return say(stream, &Reply::UnknownGroup { name, known });
                }
            }
            Request::Clear => self.switches.clear(),
            Request::Snapshot => {
                return match self.snapshot() {
                    Ok(trace) => {
                        say(stream, &Reply::Snapshot { bytes: trace.len() as u64 })?;
                        stream.write_all(&trace)
                    }
                    Err(error) => say(stream, &Reply::Refused { why: error.to_string() }),
                };
            }
        }
        say(stream, &Reply::Status(self.status()))
    }

    fn greeting(&self) -> Greeting {
        Greeting {
            format: FORMAT.to_owned(),
            version: VERSION,
            tool: TOOL.to_owned(),
            program: self.program.name.clone(),
            device: self.program.device.to_string(),
            pid: std::process::id(),
        }
    }

    fn status(&self) -> Status {
        let counts = self.switches.counts();
        let state = |group: Group| GroupState {
            name: group.name().to_owned(),
            description: group.description().to_owned(),
            on: self.switches.is_on(group),
        };
        Status {
            groups: Group::ALL.map(state).to_vec(),
            probes: self.switches.any_is_on(),
            contexts: self.switches.open_contexts() as u64,
            recorded: counts.recorded,
            kept: counts.kept,
            capacity: counts.capacity.unwrap_or(u64::MAX),
        }
    }

    /// The events as a trace file.
    fn snapshot(&self) -> Result<Vec<u8>, TraceFileError> {
        let (records, counts) = self.switches.snapshot();
        let trace = self.program.trace(records, counts);
        let mut bytes = Vec::new();
        file::write(&trace.header, &trace, &mut bytes, &file::Options::default())?;
        Ok(bytes)
    }
}
